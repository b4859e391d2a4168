"""A simple model of a vocabulary's rules, and a worker's snapshot in the same form to compare it with."""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st

from ingest.knowledge.snapshot import Snapshot
from schema.decode import Decoded
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import UNKNOWN, UNKNOWN_ID, Mode, Vocabulary
from tests.support import sample

PER_DAY, IN_ALL = 3, 5
WORKERS = 2
FIELDS = {Kind.TASK_CATEGORY: "task_category", Kind.PROVIDER: "provider", Kind.MODEL: "requested_model"}
SHIPPED = {Kind.TASK_CATEGORY: "summarization", Kind.PROVIDER: "anthropic", Kind.MODEL: "claude-opus-4-5"}
FAULTY = {
    "Our Q3 layoffs": "vocabulary.bad-term",
    "": "vocabulary.bad-term",
    "x" * 97: "vocabulary.bad-term",
    "sk-ant-api03-q7": "secret.anthropic-key",
    "0123456789abcdef01234567": "secret.high-entropy",
    "we-will-close-the-office-next-month-for-good": "vocabulary.prose",
}
FAULTY_KEYS = {"prompt": "content.prompt", "api_key": "secret.field", "Two Words": "vocabulary.bad-term"}
KEYS = st.sampled_from(["squad", "area"])
KINDS = st.sampled_from([*FIELDS, Kind.TAG_VALUE])
# Each is learnable as a model, being a sibling of `rerank-2.5`, and as words of operations.
NUMBERS = ("2.6", "2.7", "2.8", "3.1", "3.2", "4", "4.1", "4.2")
GOOD = st.sampled_from([f"rerank-{number}" for number in NUMBERS])
STRANGE = ("quokka", "gamma-ray-4")  # No detector bars them, but traffic may not register them.
WORKER = st.integers(0, WORKERS - 1)


class Place(NamedTuple):
    """The place of a term in an event; `key` is empty unless it is a tag value."""

    kind: Kind
    key: str


PLACES = st.builds(lambda kind, key: Place(kind, key if kind is Kind.TAG_VALUE else ""), KINDS, KEYS)
Term = tuple[Place, str]


@dataclass
class Rules:
    """The model's state: the terms that are registered, retired, and learned from traffic."""

    modes: dict[Kind, Mode] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)  # Every key ever declared.
    declared: set[str] = field(default_factory=set)
    live: set[Term] = field(default_factory=set)
    retired: set[Term] = field(default_factory=set)
    today: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    ever: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))

    def takes(self, place: Place, term: str) -> bool:
        return term in {UNKNOWN, SHIPPED.get(place.kind)} or (place, term) in self.live

    def has_room(self, kind: Kind, terms: int) -> bool:
        return self.today[kind] + terms <= PER_DAY and self.ever[kind] + terms <= IN_ALL

    def learn(self, place: Place, term: str) -> None:
        self.live.add((place, term))
        self.today[place.kind] += 1
        self.ever[place.kind] += 1


def body(place: Place, term: str) -> bytes:
    return sample.body(
        sample.event(tags={place.key: term}) if place.key else sample.event(tags={}, **{FIELDS[place.kind]: term})
    )


def stored(decoded: Decoded, place: Place) -> int:
    return (
        struct.unpack_from(">h", decoded.tag_sets[0].packed)[0] if place.key else decoded.numbers[FIELDS[place.kind]][0]
    )


def unknown_id(known: Vocabulary, place: Place) -> int:
    return known.tag_values[known.tag_keys[place.key]][UNKNOWN] if place.key else UNKNOWN_ID


def ids(known: Snapshot, tenant_id: int) -> dict[Candidate, int]:
    """Return the ids of a tenant's own terms, as a worker knows them."""
    terms = known.tenants[tenant_id].vocabulary
    own = {
        Candidate(kind, 0, term): term_id
        for kind in FIELDS
        for term, term_id in terms.kinds[kind].own.items()
        if term != UNKNOWN and term not in terms.kinds[kind].shipped
    }
    return own | {
        Candidate(Kind.TAG_VALUE, key_id, value): term_id
        for key_id, values in terms.tag_values.items()
        for value, term_id in values.items()
    }


def known(known: Snapshot, tenant_id: int) -> tuple[dict[Kind, Mode], dict[str, int], set[tuple[int, Kind, str]]]:
    """Return a worker's knowledge in the model's form."""
    terms = known.tenants[tenant_id].vocabulary
    modes = {kind: mode for kind, mode in terms.modes.items() if kind in {*FIELDS, Kind.TAG_VALUE}}
    live = {(parent, kind, term) for kind, parent, term in ids(known, tenant_id) if term != UNKNOWN}
    return modes, dict(terms.tag_keys), live
