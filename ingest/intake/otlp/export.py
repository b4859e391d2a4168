"""Reads one export request: refuses it, or returns the calls of models in it."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from ingest.intake.errors import Rejected
from ingest.intake.otlp.calls import Call, Data, InferTag, call_of_log, call_of_span
from ingest.intake.otlp.messages import (
    Attribute,
    Attributes,
    Encoding,
    Parts,
    Record,
    Resource,
    Scope,
    Value,
    too_large,
)
from ingest.intake.otlp.screening import Screen, content_of_body, rule_of
from ingest.serving.steps import Steps
from schema.limits import EVENTS_MAX, VIOLATIONS_MAX
from schema.rules import Violation

STEP_US = 3_000.0  # Between two rounds of the loop.
PART_US, RECORD_US = 10.0, 100.0  # What a part takes beside its attributes, and a record more, about.
LEAVES_MAX = 256  # Of the body of a log record.
OVERLAPS_MAX = 100  # Earlier records with the same id of an answer that a record is compared with.
CLAUDE_CODE, GEN_AI = "claude_code.", "gen_ai."


class Sighting(NamedTuple):
    """A call, and how often its record has fields that are free text, or that are dropped whatever they hold."""

    call: Call
    span: bytes  # Its ids; empty for a log record.
    parent: bytes
    free_text: Counter[str]
    context: Counter[str]


class Signal(NamedTuple):
    """A kind of records: its readers, and its names in pointers and replies."""

    parts: Callable[[Encoding], Callable[[bytes], Parts]]
    pointer: str
    rejected: str  # The field of its partial success.


TRACES = Signal(lambda encoding: encoding.spans, "spans", "rejectedSpans")
LOGS = Signal(lambda encoding: encoding.logs, "logRecords", "rejectedLogRecords")


class _Dropped(NamedTuple):
    """Counts of the fields that have no place in an event, by their names in `diagnostics`."""

    free_text: Counter[str]
    context: Counter[str]


class Export:
    """Reads one request; `infer` decides about tags that its resources imply."""

    def __init__(self, signal: Signal, encoding: Encoding, infer: InferTag) -> None:
        self._signal = signal
        self._encoding = encoding
        self._infer = infer
        self._screen = Screen(encoding.attribute)
        self._violations: dict[Violation, None] = {}
        self._records = 0
        self._found: list[Sighting] = []
        self._resource: dict[str, Value] = {}
        self._scope = ""
        self._around = _Dropped(Counter(), Counter())  # Of the resource and the scope.

    @property
    def records(self) -> int:
        return self._records

    def steps(self, body: bytes) -> Steps[list[Sighting]]:
        """Read a body; raises Malformed, and Rejected with the rules that its first bad record breaks."""
        for part in self._signal.parts(self._encoding)(body):
            self._screen.spent_us += PART_US
            if self._screen.spent_us > STEP_US:
                self._screen.spent_us = 0.0
                yield
            match part:
                case Resource():
                    self._around = _Dropped(Counter(), Counter())
                    self._resource = yield from self._data("/resource", part.attributes, self._around)
                case Scope():
                    yield from self._data("/scope", part.attributes, self._around)
                    self._scope = part.name
                case Record():
                    yield from self._read(part)
            if len(self._found) > EVENTS_MAX:
                raise too_large("size.too-many-events")
            if self._violations:
                raise Rejected(tuple(self._violations)[:VIOLATIONS_MAX])
        return self._found

    def _read(self, record: Record) -> Steps[None]:
        place = f"/{self._signal.pointer}/{self._records}"
        self._records += 1
        self._screen.spent_us += RECORD_US
        dropped = _Dropped(self._around.free_text.copy(), self._around.context.copy())
        data = yield from self._data(place, record.attributes, dropped)
        for attributes in record.nested:
            nested = yield from self._data(f"{place}/*", attributes, dropped)
            data = {**nested, **data}
        if self._signal is LOGS:
            self._read_log(place, record, data, dropped)
        else:
            self._read_span(place, record, data, dropped)

    def _read_span(self, place: str, span: Record, data: Data, dropped: _Dropped) -> None:
        self._read_text(f"{place}/status/message", "status.message", span.message, dropped)
        dropped.context["span.name"] += bool(span.name)
        call = call_of_span(span, self._scope, data, self._resource, self._infer)
        if call is not None:
            self._found.append(Sighting(call, span.trace_id + span.span_id, span.trace_id + span.parent_id, *dropped))

    def _read_log(self, place: str, log: Record, data: Data, dropped: _Dropped) -> None:
        name = self._read_body(place, log, data, dropped)
        call = call_of_log(log._replace(name=name), data, self._resource, self._infer)
        if call is not None:
            self._found.append(Sighting(call, b"", b"", *dropped))

    def _read_body(self, place: str, log: Record, data: Data, dropped: _Dropped) -> str:
        """Return the name of a log record's event; refuse content in the body of one of the GenAI conventions."""
        named = data.get("event.name")
        name = log.name or (named if isinstance(named, str) else "")
        leaves = self._leaves(log.body) if log.body and _is_read(name) else []
        if name.startswith(GEN_AI):
            for path, value in leaves:
                if rule := content_of_body(path, value):
                    self._refuse(rule, f"{place}/body")
            return name
        for _, value in leaves:
            if isinstance(value, str) and value.startswith(CLAUDE_CODE):
                name = value  # Where an exporter is older than the field for an event's name.
            elif value is not None and name.startswith(CLAUDE_CODE):
                self._read_text(f"{place}/body", "log.body", str(value), dropped)
        return name

    def _leaves(self, body: bytes) -> list[Attribute]:
        leaves = list(islice(self._encoding.leaves(body), LEAVES_MAX + 1))
        if len(leaves) > LEAVES_MAX:
            raise too_large("size.too-many-attributes")
        return leaves

    def _data(self, place: str, attributes: Attributes, dropped: _Dropped) -> Steps[dict[str, Value]]:
        """Judge attributes: collect violations and fields to drop; return the mapped ones, of a key the first."""
        data: dict[str, Value] = {}
        for judged in map(self._screen.judge, attributes):
            if judged.is_mapped:
                data.setdefault(judged.key, judged.value)
            elif judged.rule is not None:
                self._refuse(judged.rule, f"{place}/attributes/{judged.name}")
            elif judged.free_text is not None:
                dropped.free_text[judged.free_text] += 1
            elif judged.context is not None:
                dropped.context[judged.context] += 1
            if self._screen.spent_us > STEP_US:
                self._screen.spent_us = 0.0
                yield
        return data

    def _read_text(self, pointer: str, field: str, text: str, dropped: _Dropped) -> None:
        if text:
            dropped.free_text[field] += 1
            if rule := rule_of(text):
                self._refuse(rule, pointer)

    def _refuse(self, rule: str, pointer: str) -> None:
        self._violations[Violation(rule, pointer)] = None


def _is_read(name: str) -> bool:
    """Return whether the body of an event with this name is read: applications' own logs are not."""
    return not name or "." not in name or name.startswith((GEN_AI, CLAUDE_CODE))


def once(found: Sequence[Sighting]) -> list[Sighting]:
    """Return each call once: drop a span that is the parent of another call, and records of one answer that overlap.

    Instrumentations of two layers make two spans of a call; either one is the other's parent, or both have the id of
    the answer. The id alone does not make two records one call: an answer from a cache has that of the first.
    """
    parents = {each.parent for each in found}
    spans: set[bytes] = set()
    kept: list[Sighting] = []
    earlier: dict[str, list[Call]] = {}
    for each in found:
        same = earlier.setdefault(each.call.identity, [])
        is_inner = not each.span or (each.span not in parents and each.span not in spans)
        if is_inner and not any(map(each.call.overlaps, same[-OVERLAPS_MAX:])):
            spans.add(each.span)
            same.append(each.call)
            kept.append(each)
    return kept
