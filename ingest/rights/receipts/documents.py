"""The documents about an erasure: its order and its receipt. They have numbers, ids and times, and no free text."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

VERSION: Literal[1] = 1
EVENTS_MAX = 10_000
TABLES_MAX = 200
NUMBER_MAX = (1 << 53) - 1  # RFC 8785 writes numbers as IEEE 754 doubles: integers are exact up to here.

Instant = Annotated[datetime, Meta(tz=True)]
Number = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
TenantId = Annotated[int, Meta(ge=1, le=NUMBER_MAX)]
TermId = Annotated[int, Meta(ge=1, le=32_767)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Salt = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Table = Annotated[str, Meta(pattern=r"\A[a-z][a-z_]{0,62}\Z")]
# Our own words, from the list of tables: no character that JSON would escape.
Reason = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9 ,.;:()'/-]{1,300}\Z")]
NotCovered = Literal[
    "backups",  # Base backups and dumps made before the end of the erasure.
    "wal-archives",
    "replicas-not-yet-caught-up",
    "freed-disk-space",  # Bytes of a freed row until PostgreSQL or the disk overwrites them.
    "reporters-spools",
    "exports-handed-over",
    "logs-of-others",
]
NOT_COVERED: tuple[NotCovered, ...] = get_args(NotCovered)


class TenantScope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="of", tag="tenant"):
    """Everything of the tenant."""


class RangeScope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="of", tag="range"):
    """Its events from `first` to `last`, both included."""

    first: Instant
    last: Instant


class TagScope(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="of", tag="tag"
):
    """Its events with a tag's value until `last`; without `first` all of them, and the word as well."""

    term_id: TermId
    first: Instant | UnsetType = UNSET
    last: Instant


class StreamScope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="of", tag="stream"):
    """The ledger of one of its streams, up to a sequence."""

    stream_id: UUID
    sequence: Number


class EventsScope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="of", tag="events"):
    """Single events of it, by their ids in ascending order."""

    events: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=EVENTS_MAX)]


Scope = TenantScope | RangeScope | TagScope | StreamScope | EventsScope


class Erasure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An erasure as it was requested."""

    erasure_id: UUID
    tenant_id: TenantId
    scope: Scope
    requested_at: Instant


class Subject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """By which an order knows its tenant and word again where their numbers may have been given to others.

    Salted digests of `subjects.py`: who guesses a name can confirm it, so an order is not for the public.
    """

    salt: Salt
    tenant: Sha256
    key: Sha256 | UnsetType = UNSET  # Of a tag.
    word: Sha256 | UnsetType = UNSET  # The value of it; the digest that keeps it from being learned again.


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="order"):
    """Written before the first row goes: the erasure has to happen, in this database and in any restored copy."""

    version: Literal[1]
    erasure: Erasure
    ordered_at: Instant
    subject: Subject


class Count(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rows of a table that were deleted, that lost what names the subject, and that are kept, and why."""

    table: Table
    erased: Number
    reduced: Number
    kept: Number
    why_kept: Reason | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.kept and self.why_kept is UNSET:
            raise ValueError


class Outcome(Struct, frozen=True, kw_only=True):
    """The end of an erasure as the database has it. It was requested at the order's time, or again after a restore."""

    requested_at: datetime
    finished_at: datetime
    counts: tuple[Count, ...]
    policy_digest: str
    schema_version: int
    backup_days: int


class Receipt(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="receipt"
):
    """Written when everything is gone: what was erased, from when to when, and what may still hold it until when."""

    version: Literal[1]
    erasure: Erasure
    order_sha256: Sha256  # Of the whole file of the order.
    ordered_at: Instant
    replayed_at: Instant | UnsetType = UNSET
    finished_at: Instant
    counts: Annotated[tuple[Count, ...], Meta(max_length=TABLES_MAX)]
    policy_digest: Sha256
    schema_version: Number  # The number of the last migration.
    backups_until: Instant
    not_covered: tuple[NotCovered, ...]

    def is_of(self, order_file: bytes) -> bool:
        """Return whether this is a receipt of the order with these bytes."""
        return self.order_sha256 == hashlib.sha256(order_file).hexdigest()


Document = Order | Receipt
_Document = TypeVar("_Document", Order, Receipt)


def order(erasure: Erasure, subject: Subject, ordered_at: datetime) -> Order:
    """Return the order of an erasure."""
    return _checked(Order(version=VERSION, erasure=erasure, ordered_at=ordered_at, subject=subject))


def receipt(ordered: Order, order_file: bytes, outcome: Outcome) -> Receipt:
    """Return the receipt of an erasure that is finished; `order_file` has the bytes of its order."""
    return _checked(
        Receipt(
            version=VERSION,
            erasure=ordered.erasure,
            order_sha256=hashlib.sha256(order_file).hexdigest(),
            ordered_at=ordered.ordered_at,
            replayed_at=UNSET if outcome.requested_at == ordered.erasure.requested_at else outcome.requested_at,
            finished_at=outcome.finished_at,
            counts=tuple(sorted(outcome.counts, key=lambda count: count.table)),
            policy_digest=outcome.policy_digest,
            schema_version=outcome.schema_version,
            backups_until=outcome.finished_at + timedelta(days=outcome.backup_days),
            not_covered=NOT_COVERED,
        )
    )


def _checked(document: _Document) -> _Document:
    """Return the document if its values are in their bounds, which constructors do not check."""
    return msgspec.convert(msgspec.to_builtins(document), type(document))
