"""The families: small generators, each for one way to get content in; the last make bodies that must be accepted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from ingest.prove.case import Case
from ingest.prove.cases import (
    accepted,
    apis,
    columns,
    dress,
    duplicates,
    framing,
    headers,
    http2,
    ids,
    insertions,
    integrations,
    keys,
    learning,
    names,
    otlp,
    places,
    spellings,
    splitting,
    statements,
    targets,
    types,
    whole,
    wrapped,
)
from ingest.prove.kit import Kit

Family = Callable[[Kit], Iterator[Case]]
# Made with the policy and sent with the token of the tenant in mode `learn`.
LEARNING: Mapping[str, Family] = {
    "learning-identifiers": learning.learning_identifiers,
    "learning-wrappings": learning.learning_wrappings,
    "learning-keys": learning.learning_keys,
    "learning-prompts": learning.learning_prompts,
    "learning-random-strings": learning.learning_random_strings,
    "accepted-lessons": learning.accepted_lessons,
}
FAMILIES: Mapping[str, Family] = {
    "unknown-places": places.unknown_places,
    "depth": places.depths,
    "lookalike-names": names.lookalike_names,
    "lookalike-fields": names.lookalike_fields,
    "lookalike-values": names.lookalike_values,
    "duplicate-names": duplicates.duplicate_names,
    "wrong-types": types.wrong_types,
    "hostile-numbers": types.hostile_numbers,
    "hostile-ids": ids.hostile_ids,
    "wrapped-values": wrapped.wrapped_values,
    "wrapped-bodies": whole.wrapped_bodies,
    "compressed-bodies": whole.compressed_bodies,
    "dressed-identifiers": dress.dressed_identifiers,
    "dressed-spellings": spellings.dressed_spellings,
    "split-words": splitting.split_words,
    "split-letters": splitting.split_letters,
    "one-in-many": splitting.one_in_many,
    "keys": keys.keys_everywhere,
    "dressed-keys": keys.dressed_keys,
    "api-shapes": apis.api_shapes,
    "insertions": insertions.insertions,
    "columns-places": columns.columns_places,
    "columns-duplicates": columns.columns_duplicates,
    "columns-insertions": columns.columns_insertions,
    "columns-splitting": columns.columns_splitting,
    "columns-lists": columns.columns_lists,
    "sql": statements.statements,
    "start-up-parameters": statements.start_up,
    "headers": headers.plain_headers,
    "headers-of-refused": headers.headers_of_refused,
    "header-syntax": headers.header_syntax,
    "targets": targets.targets,
    "methods": targets.methods,
    "framing": framing.framing,
    "http2": http2.http2,
    "container-metadata": whole.container_metadata,
    "litellm-content": integrations.litellm_content,
    "litellm-members": integrations.litellm_members,
    "cloudevents": integrations.cloudevents,
    "otlp-content": otlp.otlp_content,
    "otlp-places": otlp.otlp_places,
    "accepted-otlp": otlp.accepted_otlp,
    "accepted-values": accepted.accepted_values,
    "accepted-terms": accepted.accepted_terms,
    "accepted-spellings": spellings.accepted_spellings,
    "accepted-forms": accepted.accepted_forms,
    "accepted-columns": columns.accepted_columns,
    "accepted-records": integrations.accepted_records,
    **LEARNING,
}


class Planned(NamedTuple):
    """A case and its family."""

    family: str
    case: Case


def plan(kit: Kit, names: Sequence[str], count: int | None = None) -> list[Planned]:
    """Return the cases of some families in random order, or an even sample if there are more than `count`."""
    planned = [Planned(name, case) for name in names for case in _cases(name, kit)]
    kit.random.shuffle(planned)
    if count is None or count >= len(planned):
        return planned
    share = sorted(planned, key=lambda one: names.index(one.family))
    chosen = list(islice((share[place * len(share) // count] for place in range(count)), count))
    kit.random.shuffle(chosen)
    return chosen


def _cases(name: str, kit: Kit) -> Iterator[Case]:
    if name not in LEARNING:
        return FAMILIES[name](kit)
    assert kit.learner is not None
    return (case._replace(is_of_learner=True) for case in LEARNING[name](kit.learner))


def digest(planned: Sequence[Planned]) -> str:
    """Return the SHA-256 of the case list: the requests in the order of sending, without host and token."""
    whole = sha256()
    for family, case in planned:
        body = sha256(case.request.encoded(b"host", b"token")).hexdigest()
        whole.update(f"{family}\t{case.name}\t{case.expected}\t{body}\n".encode())
    return whole.hexdigest()
