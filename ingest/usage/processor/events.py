"""Reads of a webhook's body what we keep: ids, a type from a closed list, and a time. The rest is skipped unread."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

# Types of events that we asked for, and their kinds in `processor_events`; others are acknowledged and not kept.
KINDS: Mapping[str, int] = {
    "invoice.finalized": 1,
    "invoice.paid": 2,
    "invoice.payment_failed": 3,
    "invoice.voided": 4,
    "invoice.marked_uncollectible": 5,
}
_Event = Annotated[str, Meta(pattern=r"\Aevt_[A-Za-z0-9_]{6,60}\Z")]
_Invoice = Annotated[str, Meta(pattern=r"\Ain_[A-Za-z0-9]{6,60}\Z")]
_Tenant = Annotated[str, Meta(pattern=r"\A[1-9][0-9]{0,8}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class _Metadata(Struct, frozen=True):
    nocontent_tenant: _Tenant | None = None


class _Object(Struct, frozen=True):
    id: _Invoice
    metadata: _Metadata | None = None


class _Data(Struct, frozen=True):
    object: _Object


class _Head(Struct, frozen=True):
    """What every event has; of another type, its object may have any form."""

    type: str


class _Body(Struct, frozen=True):
    id: _Event
    created: _Moment
    data: _Data


class Report(NamedTuple):
    """An event about an invoice that was handed over with our metadata."""

    event: str
    kind: int
    reported_at: datetime
    tenant_id: int
    invoice: str


_head = msgspec.json.Decoder(_Head)
_body = msgspec.json.Decoder(_Body)


def read(body: bytes) -> Report | None:
    """Return what an event reports, or None if it is not about an invoice of ours; raise msgspec.MsgspecError."""
    kind = KINDS.get(_head.decode(body).type)
    if kind is None:
        return None
    known = _body.decode(body)
    about = known.data.object
    if about.metadata is None or about.metadata.nocontent_tenant is None:
        return None
    tenant_id = int(about.metadata.nocontent_tenant)
    return Report(known.id, kind, datetime.fromtimestamp(known.created, UTC), tenant_id, about.id)
