"""Serves `/v1/traces`, `/v1/logs` and `/v1/metrics` of OTLP/HTTP."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth, door, metrics, partial
from ingest.intake.otlp import json_text, protobuf, replies
from ingest.intake.otlp.export import LOGS, TRACES, Export, Sighting, Signal, once
from ingest.intake.otlp.messages import Encoding
from ingest.intake.partial import Outcome
from ingest.intake.seat import Seat
from ingest.knowledge.diagnostics import Diagnostics
from ingest.serving import body
from ingest.serving.body import Form
from ingest.serving.steps import Steps
from ingest.store.traffic import Door

BYTES_MAX = 8 * 1024 * 1024  # A collector sends 8,192 spans at once, of some 600 bytes each.
FORM = Form(replies.MEDIA_TYPES, BYTES_MAX, BYTES_MAX)
RECORD_S = 500e-6  # Allowed for reading each record, whether it is a call or not: three times what it takes.
FREE_TEXT = "content.diagnostics"
_ENCODINGS = {replies.PROTOBUF: protobuf.ENCODING, replies.JSON: json_text.ENCODING}
_NO_METRICS = "Metrics are not stored: send traces, or the log records of Claude Code."


async def post_traces(request: Request) -> Response:
    """Store the calls of models among spans; reply after COMMIT."""
    return await _post(request, TRACES, "otlp-traces")


async def post_logs(request: Request) -> Response:
    """Store the calls among Claude Code's log records; reply after COMMIT."""
    return await _post(request, LOGS, "otlp-logs")


async def post_metrics(request: Request) -> Response:
    """Drop metrics unread, with a warning: they are sums of what spans say, and would count it twice."""
    caller = auth.require(request, "events:write")
    with auth.service_of(request).intake.body_memory.share(caller.tenant_id) as hold:
        await body.receive(request, FORM, hold)
    return replies.partial(body.media_type(request, FORM), "rejectedDataPoints", 0, _NO_METRICS)


async def _post(request: Request, signal: Signal, name: Door) -> Response:
    with door.measured(request, name) as passage:
        intake, caller = door.enter(request)
        media_type = body.media_type(request, FORM)
        async with intake.admit(caller, body.announced(request, FORM)) as seat:
            content = await seat.read(request, FORM)
            found = await seat.run(_reading(seat, signal, _ENCODINGS[media_type], content), len(content))
            outcome = await _store(seat, found)
        await outcome.answer()
        passage.note(*outcome)
        return _reply(media_type, signal, found, outcome)


def _reading(seat: Seat, signal: Signal, encoding: Encoding, content: bytes) -> Steps[list[Sighting]]:
    faults = seat.faults()
    export = Export(signal, encoding, faults.implied)
    try:
        found = yield from export.steps(content)
    finally:
        faults.end()
    seat.allow(export.records * RECORD_S)
    return found


async def _store(seat: Seat, found: list[Sighting]) -> Outcome:
    """Queue the calls that the tenant's treatment of free text and the gates accept, each once; count all others."""
    is_kept = seat.tenant().diagnostics is Diagnostics.DISCARD
    permitted = [each for each in found if is_kept or not each.free_text]
    calls = once(permitted)
    refused = len(found) - len(permitted)
    outcome = await partial.store(seat, [each.call.event for each in calls], {FREE_TEXT: refused} if refused else {})
    dropped: Counter[str] = Counter()
    for each in calls:
        dropped.update(each.free_text)
        dropped.update(each.context)
    for field, count in dropped.items():
        metrics.discarded_fields.labels(field).inc(count)
    return outcome


def _reply(media_type: str, signal: Signal, found: list[Sighting], outcome: Outcome) -> Response:
    if outcome.rejected:
        return replies.partial(media_type, signal.rejected, outcome.rejected.total(), replies.summary(outcome.rejected))
    free_text: Counter[str] = Counter()
    for each in found:
        free_text += each.free_text
    if free_text:
        fields = ", ".join(f"{field} ({count})" for field, count in sorted(free_text.items()))
        return replies.partial(media_type, signal.rejected, 0, f"Free text was dropped: {fields}")
    return replies.success(media_type)
