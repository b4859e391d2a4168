"""One request to a provider, from the decision to the report: what became of it, without its content."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from ingest.gateway.fields import Fields
from ingest.gateway.fields import decision as decision_fields
from ingest.gateway.records import Decision, Door, Usage
from ingest.gateway.telemetry.finished import Finished, status_of
from ingest.gateway.telemetry.outlet import Outlet
from ingest.gateway.telemetry.usage import Meter
from ingest.gateway.terms import terms_of
from ingest.gateway.upstream.courier import Delivered
from ingest.gateway.upstream.errors import Busy, TimedOut
from ingest.knowledge.gateway import GatewayTenant
from ingest.serving.errors import ClientGone
from schema.event import Status

Note = Callable[[Decision, str, Usage, float], None]  # Remembers what is cached at a model, by its term.
_NS_PER_MS = 1_000_000
_EVENTS = b"text/event-stream"


class Asked(NamedTuple):
    """What a client asked for, and what was decided."""

    door: Door
    tenant: GatewayTenant
    model: str
    streams: bool
    decision: Decision
    began_ns: int  # By time.monotonic_ns.


class Call:
    """What is known of a request so far. It is reported once: before the last bytes of its answer, or at its end.

    A block of `with` that fails reports it as what the failure says.
    """

    __slots__ = (
        "_asked",
        "_delivered",
        "_first_ns",
        "_is_reported",
        "_meter",
        "_model",
        "_note",
        "_outlet",
        "_streams",
    )

    def __init__(self, asked: Asked, outlet: Outlet, note: Note) -> None:
        self._asked = asked
        self._note = note
        self._outlet = outlet
        self._delivered: Delivered | None = None
        self._model = asked.decision.model
        self._streams = asked.streams  # Until the head of the answer says.
        self._meter = Meter.of(asked.door.shape, asked.streams)
        self._first_ns = 0
        self._is_reported = not asked.door.is_reported

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._report(_status_of(kind))

    @property
    def decision(self) -> Decision:
        return self._asked.decision

    @property
    def is_whole(self) -> bool:
        """Return whether the answer has said that it is complete, as far as that is read."""
        return self._is_reported or self._meter.is_whole

    @property
    def fields(self) -> Fields:
        """Return the fields of the answer that say what was decided; a request without a body names no model."""
        if not self._asked.door.has_body:
            return []
        return decision_fields(self._asked.decision, self._model, self._asked.tenant.mode)

    def begin(self, delivered: Delivered, model: str) -> None:
        """Note that the head of an answer has come, from this model."""
        self._delivered = delivered
        self._model = model
        is_stream = _is_stream(delivered.answer.fields)
        if is_stream is not self._streams:  # Errors are documents, and a server may not know how to stream.
            self._streams = is_stream
            self._meter = Meter.of(self._asked.door.shape, is_stream)

    def feed(self, piece: bytes) -> None:
        """Read what a piece of the answer says about its usage."""
        if self._is_reported:
            return
        if not self._first_ns:
            self._first_ns = time.monotonic_ns()
        self._meter.feed(piece)
        if self._streams and self._meter.is_whole:
            self.report()  # A client may take this piece for the end.

    def report(self) -> None:
        """Hand the request over, unless that was done, as what its answer says it was."""
        if not self._is_reported:
            status = 0 if self._delivered is None else self._delivered.answer.status
            self._report(status_of(status, self._meter.error, is_whole=self._meter.is_whole))

    def _report(self, status: Status) -> None:
        if self._is_reported:
            return
        self._is_reported = True
        asked, meter, delivered, now_ns = self._asked, self._meter, self._delivered, time.monotonic_ns()
        usage, terms = meter.usage, terms_of(asked.tenant)
        has_first = asked.streams and self._first_ns
        if usage is not None:
            self._note(asked.decision, terms.of(self._model), usage, time.time())
        self._outlet.put(
            Finished(
                tenant_id=asked.tenant.tenant_id,
                provider=asked.door.provider,
                requested_model=terms.of(asked.model),
                routed_model=terms.of(self._model),
                reason=asked.decision.reason,
                category=asked.decision.category,
                status=status,
                http_status=None if delivered is None else delivered.answer.status,
                usage=usage,
                stop_reason=meter.stop_reason,
                latency_ms=(now_ns - asked.began_ns) // _NS_PER_MS,
                ttft_ms=(self._first_ns - asked.began_ns) // _NS_PER_MS if has_first else None,
                streams=asked.streams,
                retried=delivered is not None and delivered.retried,
                fallback=delivered is not None and delivered.fallback,
                at_ms=time.time_ns() // _NS_PER_MS,
            )
        )


def _is_stream(fields: Fields) -> bool:
    return any(name == b"content-type" and value.lower().startswith(_EVENTS) for name, value in fields)


def _status_of(kind: type[BaseException]) -> Status:
    """Return how a failure is reported."""
    if issubclass(kind, (ClientGone, asyncio.CancelledError)):
        return "cancelled"
    if issubclass(kind, TimedOut):
        return "timeout"
    return "rate_limited" if issubclass(kind, Busy) else "error"
