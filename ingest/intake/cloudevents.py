"""Serves `POST /api/v1/events`: stores CloudEvents of token counts, as LiteLLM's callback `openmeter` sends them.

JSON format of CloudEvents 1.0, one event or a batch. Its `data` has a model, a cost and token counts; an attribute that
is not in the mapping is not read, and one whose name or value says that it holds text refuses the whole request.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import door, members, metrics, partial, projection, records
from ingest.intake.errors import Rejected
from ingest.intake.projection import Projected
from ingest.intake.seat import Seat
from ingest.serving import body
from ingest.serving.steps import Steps
from schema.limits import EVENTS_MAX, VALUE_BYTES_MAX
from schema.rules import Violation, rule_of_name, rule_of_value
from schema.vocabulary import UNKNOWN

BATCH = "application/cloudevents-batch+json"
FORM = body.Form(("application/cloudevents+json", BATCH))
_AT_ONCE = 20  # Events in one step: 1 ms.
_EVENT_S = 100e-6  # Allowed for each event: twice what it takes.
_READ = frozenset({"specversion", "id", "source", "type", "time", "data", "datacontenttype", "dataschema"})
_READ_DATA = frozenset({"model", "provider", "cost", "prompt_tokens", "completion_tokens", "total_tokens"})
_DROPPED = frozenset({"subject"})  # A person, with LiteLLM.
_WORD = re.compile(r'"[A-Za-z0-9._:/@+-]{0,128}"')
_NAME_CHARS_MAX = 64
_Attributes = dict[str, Raw]
_encoder = msgspec.json.Encoder()


class _Data(Struct):
    model: str
    provider: str | None = None
    cost: int | float | None = None
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None


class _CloudEvent(Struct):
    id: str
    source: str
    time: Annotated[datetime, Meta(tz=True)]
    data: _Data


_event = msgspec.json.Decoder(_CloudEvent)


async def post_cloudevents(request: Request) -> Response:
    """Store events; reply 200 after COMMIT with how many were stored and how many rejected."""
    with door.measured(request, "cloudevents") as passage, door.answering_503():
        intake, caller = door.enter(request)
        async with intake.admit(caller, body.announced(request, FORM)) as seat:
            sent = await seat.read(request, FORM)
            is_batch = body.media_type(request, FORM) == BATCH
            if records.is_array(sent) != is_batch:
                raise Rejected((Violation("shape.wrong-type", ""),))
            outcome = await _store(seat, sent, EVENTS_MAX if is_batch else 1)
        answer = await outcome.answer()
        passage.note(*outcome)
        return Response(_encoder.encode(answer), media_type="application/json")


async def _store(seat: Seat, sent: bytes, events_max: int) -> partial.Outcome:
    rejected: Counter[str] = Counter()
    given = await seat.run(records.split(sent, events_max), len(sent))
    events = await seat.run(_reading(given, rejected), len(sent))
    seat.allow(_EVENT_S * len(given))
    return await partial.store(seat, events, rejected)


def _reading(given: Sequence[Raw | None], rejected: Counter[str]) -> Steps[list[Projected]]:
    events: list[Projected] = []
    subjects = 0
    for at, raw in enumerate(given):
        try:
            attributes = members.of_object(raw or b"")
            if found := tuple(Violation(rule, f"/{at}{pointer}") for rule, pointer in _content(attributes)):
                raise Rejected(found)
            events.append(_project(_event.decode(raw or b"")))
            subjects += "subject" in attributes
        except records.UNREADABLE:
            rejected["shape.wrong-type"] += 1
        if at % _AT_ONCE == _AT_ONCE - 1:
            yield
    metrics.discarded_fields.labels("subject").inc(subjects)
    return events


def _project(event: _CloudEvent) -> Projected:
    """Return the event of the contract: of one model, since a CloudEvent has no other, and without a latency."""
    if not (projection.is_identity(event.id) and projection.is_identity(event.source)):
        raise msgspec.ValidationError
    data, model = event.data, projection.term(event.data.model)
    return Projected(
        event_id=projection.event_id(int(event.time.timestamp() * 1_000), f"ce:{event.source} {event.id}"),
        provider=projection.term(data.provider or UNKNOWN),
        requested_model=model,
        routed_model=model,
        input_tokens=int(data.prompt_tokens or 0),
        output_tokens=int(data.completion_tokens or 0),
        cost_nanousd=None if data.cost is None else projection.nano_usd(data.cost),
        latency_ms=0,
    )


def _content(attributes: _Attributes) -> Iterator[tuple[str, str]]:
    """Yield rule and pointer of each attribute or member of `data` that may hold content or a credential."""
    yield from _texts({name: raw for name, raw in attributes.items() if name != "data"}, _READ | _DROPPED, "")
    try:
        data = attributes.get("data", Raw(b"null"))
        found = {} if bytes(data) == b"null" else members.of_object(data)
    except msgspec.MsgspecError:
        yield "content.unknown-key", "/data"
    else:
        yield from _texts(found, _READ_DATA, "/data")


def _texts(attributes: _Attributes, read: frozenset[str], place: str) -> Iterator[tuple[str, str]]:
    for name, raw in attributes.items():
        text = memoryview(raw)[:VALUE_BYTES_MAX].tobytes().decode("utf-8", "replace")
        if text[:1] not in {'"', "{", "["}:
            continue  # A number, a boolean or null holds no text.
        rule = rule_of_value(text)
        if rule is None and name not in read:
            rule = rule_of_name(name[:_NAME_CHARS_MAX]) or (None if _WORD.fullmatch(text) else "content.unknown-key")
        if rule is not None:
            yield rule, f"{place}/{name if name in read else '*'}"
