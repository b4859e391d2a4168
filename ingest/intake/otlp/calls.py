"""Projects a record that is a call of a model onto the contract: spans of any instrumentation, logs of Claude Code."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ingest.intake import projection
from ingest.intake.otlp.mapping import (
    CALL_KINDS,
    CLAUDE_CODE,
    CLAUDE_CODE_EVENTS,
    LITELLM,
    LITELLM_SCOPE,
    OTHER_OPERATIONS,
    RESOURCE_TAGS,
    SOURCES,
    TAG_PREFIX,
)
from ingest.intake.otlp.messages import Record, Value
from ingest.intake.projection import Projected
from schema.limits import TAGS_MAX
from schema.vocabulary import UNKNOWN

Data = Mapping[str, Value]  # The mapped attributes of a record.
InferTag = Callable[[str, str], str | None]  # A tag key and a value of a resource's: the value to store, or None.
_NS_MS, _MICRO_NANO = 1_000_000, 1_000
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")
_TRUE = {"true", "True", "1"}


class Call(NamedTuple):
    """A call as one record describes it; the same call may be in several."""

    event: Projected
    identity: str
    start_ns: int
    end_ns: int

    def overlaps(self, other: "Call") -> bool:
        return self.start_ns < other.end_ns and other.start_ns < self.end_ns


class _Fields:
    """Reads the first attribute that is there for a field, as the type that the field has."""

    def __init__(self, data: Data, sources: Mapping[str, tuple[str, ...]]) -> None:
        self._data = data
        self._sources = sources

    def value(self, field: str) -> Value:
        for name in self._sources[field]:
            value = self._data.get(name)
            if value is not None and value != "":
                return value
        return None

    def text(self, field: str) -> str:
        """Return a string, also the first of a list or of a list in JSON, as LiteLLM writes it."""
        value = self.value(field)
        if isinstance(value, tuple):
            value = value[0] if value else ""
        return value.strip('[]"') if isinstance(value, str) else ""

    def number(self, field: str) -> float | None:
        value = self.value(field)
        if isinstance(value, str) and _NUMBER.match(value):
            return float(value)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def count(self, field: str) -> int:
        """Return a number of tokens; a negative one is none, as some clients write for an unknown one."""
        return max(0, self.whole(field) or 0)

    def whole(self, field: str) -> int | None:
        value = self.number(field)
        return int(value) if value is not None and abs(value) < 2**63 else None

    def flag(self, field: str) -> bool:
        value = self.value(field)
        return value in _TRUE if isinstance(value, str) else value is True or value == 1


def call_of_span(span: Record, scope: str, data: Data, resource: Data, infer: InferTag) -> Call | None:
    """Return the call that a span describes, or None if it describes none."""
    fields = _Fields(data, {**SOURCES, **LITELLM} if scope == LITELLM_SCOPE else SOURCES)
    requested = fields.text("requested_model") or fields.text("routed_model")
    if not requested or fields.text("operation") in OTHER_OPERATIONS or not span.trace_id or not span.span_id:
        return None
    if fields.text("kind") not in {"", *CALL_KINDS}:
        return None
    identity = fields.text("identity") or f"{span.trace_id.hex()}{span.span_id.hex()}"
    latency_ms = projection.milliseconds(fields.number("latency_s") or -1.0)
    if latency_ms is None:
        latency_ms = round((span.end_ns - span.start_ns) / _NS_MS)
    code = _code(fields)
    tokens = _tokens(fields)
    ttft_s = fields.number("ttft_s")
    error_type = fields.text("error_type")
    event = Projected(
        event_id=projection.event_id(span.start_ns // _NS_MS, identity),
        task_category=projection.term(fields.text("task_category") or UNKNOWN),
        provider=projection.term(fields.text("provider") or UNKNOWN),
        requested_model=projection.term(requested),
        routed_model=projection.term(fields.text("routed_model") or requested),
        input_tokens=tokens.input_tokens,
        output_tokens=fields.count("output"),
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_5m_tokens=tokens.cache_write_5m_tokens,
        cache_write_1h_tokens=tokens.cache_write_1h_tokens,
        reasoning_tokens=fields.count("reasoning"),
        cost_nanousd=_cost(fields),
        baseline_cost_nanousd=fields.whole("baseline_cost_nanousd"),
        latency_ms=latency_ms,
        ttft_ms=None if ttft_s is None else projection.ttft_ms(ttft_s, latency_ms),
        status=projection.status(span.is_error or bool(error_type), code, error_type),
        http_status=code,
        stop_reason=projection.stop_reason(fields.text("stop_reason")),
        streamed=fields.flag("streamed"),
        cached=fields.flag("cached"),
        fallback=fields.flag("fallback"),
        retried=fields.flag("retried"),
        escalated=fields.flag("escalated"),
        tags=_tags(data, resource, infer),
    )
    return Call(event, identity, span.start_ns, span.end_ns)


def call_of_log(log: Record, data: Data, resource: Data, infer: InferTag) -> Call | None:
    """Return the call that a log record of Claude Code describes, or None; the record is made when the call ends."""
    outcome = CLAUDE_CODE_EVENTS.get(log.name)
    fields = _Fields(data, CLAUDE_CODE)
    model = fields.text("requested_model")
    if outcome is None or not model:
        return None
    latency_ms = fields.count("duration_ms")
    start_ns = max(0, log.start_ns - latency_ms * _NS_MS)
    identity = fields.text("identity") or f"{fields.text('session')}:{fields.whole('sequence')}"
    code = projection.http_status(fields.whole("http_status") or 0)
    reads, writes = fields.count("cache_read"), fields.count("cache_write")
    micros, usd = fields.whole("cost_micros"), fields.number("cost_usd")
    cost = projection.nano_usd(usd) if micros is None and usd is not None else None
    event = Projected(
        event_id=projection.event_id(start_ns // _NS_MS, identity),
        provider="anthropic",
        requested_model=projection.term(model),
        routed_model=projection.term(model),
        input_tokens=fields.count("input"),  # Without reads and writes, unlike that of spans.
        output_tokens=fields.count("output"),
        cache_read_tokens=reads,
        cache_write_5m_tokens=writes,
        cost_nanousd=cost if micros is None else micros * _MICRO_NANO,
        latency_ms=latency_ms,
        status=projection.status(outcome == "error", code, ""),
        http_status=code,
        retried=(fields.whole("attempt") or 1) > 1,
        tags=_tags(data, resource, infer),
    )
    return Call(event, identity, start_ns, log.start_ns)


def _tokens(fields: _Fields) -> projection.Tokens:
    written_1h = fields.count("cache_write_1h")
    written = fields.count("cache_write") or fields.count("cache_write_5m") + written_1h
    return projection.disjoint(fields.count("input"), fields.count("cache_read"), written, written_1h)


def _cost(fields: _Fields) -> int | None:
    whole, usd = fields.whole("cost_nanousd"), fields.number("cost_usd")
    return projection.nano_usd(usd) if whole is None and usd is not None else whole


def _code(fields: _Fields) -> int | None:
    """Return the HTTP status; without one, an error's type may be it (OpenTelemetry's `error.type`)."""
    code = fields.whole("http_status")
    return projection.http_status_of(fields.text("error_type")) if code is None else projection.http_status(code)


def _tags(data: Data, resource: Data, infer: InferTag) -> projection.Tags:
    """Return the tags that a record or its resource names, and as many as fit of those that its resource implies."""
    found: dict[str, str] = {}
    for name, value in (*resource.items(), *data.items()):
        if name.startswith(TAG_PREFIX) and isinstance(value, str):
            found[name.removeprefix(TAG_PREFIX)] = value
    for name, key in RESOURCE_TAGS.items():
        value = resource.get(name)
        if len(found) < TAGS_MAX and isinstance(value, str) and (implied := infer(key, value)) is not None:
            found.setdefault(key, implied)
    return projection.tags(found)
