"""The policy of a tenant: the rules, bounds and terms in force, and the most that an event can hold."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ingest.knowledge import capacity, contract
from ingest.knowledge.diagnostics import Diagnostics
from ingest.knowledge.snapshot import Tenant
from schema.event import DROP_REASONS, Event, Kind
from schema.rules import RULES
from schema.vocabulary import GRAMMAR


class Policy(Struct, frozen=True):
    """The contract as a sender may rely on it."""

    digest: Annotated[
        str, Meta(description="SHA-256 of contract, bounds, grammar and rules; equal if they are the same.")
    ]
    retention_days: int
    fields: Annotated[list[str], Meta(description="Fields of an event; a newer reporter leaves out all others.")]
    drop_reasons: list[str]
    bounds: Annotated[dict[str, int], Meta(description="Limits; the names contain the units.")]
    grammar: Annotated[dict[str, str], Meta(description="Patterns of terms, by kind.")]
    rules: Annotated[dict[str, str], Meta(description="Rule ids, each with what to do about it.")]
    event_bits_max: Annotated[float, Meta(description="Bits that a sender can choose in one stored event.")]
    event_bits: Annotated[dict[str, float], Meta(description="The same by field.")]
    modes: Annotated[dict[str, str], Meta(description="Treatment of terms that are not registered, by kind.")]
    diagnostics: Annotated[
        Literal["refuse", "discard"],
        Meta(description="Treatment of records of other formats that carry free text about an error."),
    ]
    terms: Annotated[dict[str, list[str]], Meta(description="Terms that may be sent, by kind.")]
    spellings: Annotated[
        dict[str, list[str]],
        Meta(description="Parts around a term that are ignored, in lower case with dashes; other names of terms."),
    ]
    tags: Annotated[dict[str, list[str]], Meta(description="Declared tag keys and their values.")]


def of(tenant: Tenant, retention_days: int) -> Policy:
    """Return the policy of a tenant."""
    vocabulary = tenant.vocabulary
    held = capacity.of_event(retention_days)
    kinds = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)
    return Policy(
        digest=contract.digest(),
        retention_days=retention_days,
        fields=list(Event.__struct_fields__),
        drop_reasons=list(DROP_REASONS),
        bounds=contract.BOUNDS,
        grammar={kind.name.lower(): pattern for kind, pattern in GRAMMAR.items()},
        rules={rule.id: rule.says for rule in RULES.values()},
        event_bits_max=round(capacity.total(held), 1),
        event_bits={field: round(bits, 1) for field, bits in held},
        modes={kind.name.lower(): mode.name.lower() for kind, mode in vocabulary.modes.items()},
        diagnostics="discard" if tenant.diagnostics == Diagnostics.DISCARD else "refuse",
        terms={
            kind.name.lower(): sorted(vocabulary.kinds[kind].own.keys() | vocabulary.kinds[kind].shipped.keys())
            for kind in kinds
        },
        spellings=contract.spellings(),
        tags={key: sorted(vocabulary.tag_values[key_id]) for key, key_id in sorted(vocabulary.tag_keys.items())},
    )
