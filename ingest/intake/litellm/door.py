"""Serves `POST /v1/integrations/litellm`: stores the records that LiteLLM's callback `generic_api` sends."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import door, metrics, partial, records
from ingest.intake.errors import Rejected
from ingest.intake.litellm import records as litellm_records
from ingest.intake.litellm.content import Members
from ingest.intake.projection import Projected
from ingest.intake.seat import Seat
from ingest.knowledge.diagnostics import Diagnostics
from ingest.knowledge.snapshot import Tenant
from ingest.serving import body
from ingest.serving.body_memory import TENANT_BYTES_MAX
from ingest.serving.steps import Steps
from schema.rules import Violation

BYTES_MAX = 16 * 1024 * 1024  # On the wire and decompressed: 512 records have some 7 MB.
RECORDS_MAX = 512  # LiteLLM's batch.
RECORD_S = 200e-6  # Allowed for each record: twice what it takes.
FORM = body.Form(("application/json",), BYTES_MAX, BYTES_MAX)
_AT_ONCE = 4  # Records in one step: 1 ms, or 3 ms if all of them are of errors.
assert 2 * BYTES_MAX <= TENANT_BYTES_MAX
_encoder = msgspec.json.Encoder()


async def post_litellm(request: Request) -> Response:
    """Store records; reply 200 after COMMIT with how many were stored and how many rejected."""
    with door.measured(request, "litellm") as passage, door.answering_503():
        intake, caller = door.enter(request)
        async with intake.admit(caller, body.announced(request, FORM)) as seat:
            outcome = await _store(seat, await seat.read(request, FORM))
        answer = await outcome.answer()
        passage.note(*outcome)
        return Response(_encoder.encode(answer), media_type="application/json")


async def _store(seat: Seat, sent: bytes) -> partial.Outcome:
    given = await seat.run(records.split(sent, RECORDS_MAX), len(sent))
    read = await seat.run(reading(given, seat.tenant()), len(sent))
    seat.allow(RECORD_S * len(given))
    for field, count in read.discarded.items():
        metrics.discarded_fields.labels(field).inc(count)
    return await partial.store(seat, read.events, read.rejected)


class _Read(NamedTuple):
    """The events in a body, what was dropped from them by field, and how many records are none, by rule."""

    events: list[Projected]
    discarded: Counter[str]
    rejected: Counter[str]


def reading(given: Sequence[Raw | None], tenant: Tenant) -> Steps[_Read]:
    """Read records for a tenant; raises Rejected if one carries content."""
    read = _Read([], Counter(), Counter())
    for at, raw in enumerate(given):
        rule = "shape.malformed-json" if raw is None else _read(read, at, raw, tenant)
        if rule is not None:
            read.rejected[rule] += 1
        if at % _AT_ONCE == _AT_ONCE - 1:
            yield
    return read


def _read(read: _Read, at: int, raw: Raw, tenant: Tenant) -> str | None:
    """Read one record, or return the rule that it breaks; raises Rejected for all if it carries content."""
    try:
        members = Members(raw)
        if found := tuple(Violation(rule, f"/{at}{pointer}") for rule, pointer in members.content()):
            raise Rejected(found)
        event = litellm_records.project(raw, tenant.vocabulary)
    except records.UNREADABLE:
        return "shape.wrong-type"
    texts = members.diagnostics()
    if texts and tenant.diagnostics is Diagnostics.REFUSE:
        return "content.diagnostics"
    read.events.append(event)
    read.discarded.update(texts + members.context())
    return None
