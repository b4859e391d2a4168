"""Delivers a request to one of its upstreams: limits, circuits, one retry, fallbacks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ingest.gateway.upstream import retry, tls
from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.circuit import Circuit
from ingest.gateway.upstream.connection import Part, Times
from ingest.gateway.upstream.errors import CircuitOpen, Kind, UpstreamFailure
from ingest.gateway.upstream.http1 import Fields
from ingest.gateway.upstream.limits import Limits
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.pool import Pool
from ingest.gateway.upstream.retry import Budget, Lesson
from ingest.gateway.upstream.settings import UpstreamSettings

MODELS_MAX = 256  # Of which failures are remembered.
MODEL_CHARS_MAX = 192
LOOK_BYTES_MAX = 16_384
LOOK_S = 2.0  # For the beginning of an error's body.


class Outgoing(NamedTuple):
    """A request as it goes out. `fields` have no Host, no length and nothing of the connection: those are ours."""

    method: bytes
    path: bytes  # With the query.
    fields: Fields
    body: tuple[Part, ...]


class Leg(NamedTuple):
    """One way to an answer; `make` builds the request when it is this one's turn."""

    origin: Origin
    model: str
    make: Callable[[], Outgoing]
    is_switched: bool = False  # The client asked for another model; that one's leg comes later.


class Delivered(NamedTuple):
    """An answer whose head has come; whoever reads it closes it."""

    answer: Answer
    leg_index: int
    retried: bool
    fallback: bool
    was_refused: bool = False  # By a model that the client did not ask for, before the one that it did answered.


class _Upstream(NamedTuple):
    pool: Pool
    circuit: Circuit


class _Attempt(NamedTuple):
    """What came of one request to one leg: an answer, a failure or both; without a lesson it is final."""

    answer: Answer | None
    failure: UpstreamFailure | None
    lesson: Lesson | None


class Courier:
    """Delivers the requests of a worker. Belongs to its event loop."""

    def __init__(self, settings: UpstreamSettings, note: Callable[[Kind], None]) -> None:
        self.limits = Limits(settings.gateway_concurrency, settings.gateway_tenant_concurrency)
        self._times = Times.of(settings)
        urls = (settings.gateway_anthropic_url, settings.gateway_openai_url)
        is_secure = any(url.startswith("https:") for url in urls)
        self._context = tls.context(settings.gateway_upstream_ca_file) if is_secure else None
        self._note = note  # Counts failed attempts, also those that another made good.
        self._upstreams: dict[Origin, _Upstream] = {}
        self._models: dict[tuple[Origin, str], Circuit] = {}
        self._budget = Budget.empty()

    async def deliver(self, tenant_id: int, legs: Sequence[Leg], concurrency_max: int = 0) -> Delivered:
        """Return the first answer that is good or final, or raise the UpstreamFailure of the last attempt."""
        self.limits.enter(tenant_id, concurrency_max)
        delivered = None
        try:
            delivered = await self._deliver(legs)
        finally:
            if delivered is None:
                self.limits.leave(tenant_id)
        delivered.answer.when_done = lambda: self.limits.leave(tenant_id)
        return delivered

    @property
    def is_shut_out(self) -> bool:
        """Return whether every upstream that was asked is left alone."""
        circuits = [each.circuit for each in self._upstreams.values()]
        return bool(circuits) and all(each.is_shut_out for each in circuits)

    def close(self) -> None:
        """Cut all connections."""
        for each in self._upstreams.values():
            each.pool.close()

    async def _deliver(self, legs: Sequence[Leg]) -> Delivered:
        self._budget.earn()
        at = self._first(legs)
        is_fallback, retried, was_refused = at > 0, False, False
        while True:
            has_next = at + 1 < len(legs)
            attempt = await self._attempt(legs[at], has_next=has_next)
            lesson, wait_s = attempt.lesson, None
            if lesson is not None:
                self._note(lesson.kind)
                if lesson.may_fall_back and has_next:
                    was_refused = was_refused or lesson.kind == "refused"
                    at, is_fallback, wait_s = _next(legs, at, lesson), True, 0.0
                elif lesson.may_retry and not retried:
                    wait_s = self._wait_s(lesson)
                    retried = wait_s is not None
            if wait_s is None:
                if attempt.answer is None:
                    raise attempt.failure or AssertionError
                return Delivered(attempt.answer, at, retried, is_fallback, was_refused)
            if attempt.answer is not None:
                attempt.answer.close()
            await asyncio.sleep(wait_s)

    def _first(self, legs: Sequence[Leg]) -> int:
        """Return the first leg that is not left alone, or else the first."""
        for at, leg in enumerate(legs):
            if not any(circuit.is_shut_out for circuit in self._circuits(leg)):
                return at
        return 0

    async def _attempt(self, leg: Leg, *, has_next: bool) -> _Attempt:
        """Send a request once, and tell the circuits what came of it."""
        upstream = self._upstream(leg.origin)
        circuits = self._circuits(leg) if has_next else [upstream.circuit]
        if any(circuit.is_shut_out for circuit in circuits):
            failure = CircuitOpen(max(circuit.wait_s for circuit in circuits))
            return _Attempt(None, failure, retry.of_failure(failure))
        for circuit in circuits:
            circuit.enter()
        attempt = None
        try:
            is_switched = leg.is_switched and has_next
            attempt = await _asked(upstream.pool, _encoded(leg.make(), leg.origin), is_switched=is_switched)
        finally:
            if attempt is None:  # The client left.
                for circuit in circuits:
                    circuit.leave()
        self._learn(leg, attempt.lesson)
        return attempt

    def _learn(self, leg: Leg, lesson: Lesson | None) -> None:
        circuit = self._upstream(leg.origin).circuit
        if lesson is not None and lesson.blames_upstream:
            circuit.fail()
        else:
            circuit.succeed()
        key = _key(leg)
        known = self._models.get(key)
        if lesson is not None and lesson.blames_model:
            if known is None and len(self._models) >= MODELS_MAX:
                del self._models[next(iter(self._models))]
            self._models.setdefault(key, Circuit(time.monotonic)).fail()
        elif known is not None and lesson is None:
            known.succeed()
        elif known is not None:  # A probe that says nothing of the model is none.
            known.leave()

    def _wait_s(self, lesson: Lesson) -> float | None:
        """Return how long to wait before a retry, or None if there is none."""
        wait_s = retry.delay_s(lesson)
        return wait_s if wait_s is not None and self._budget.spend() else None

    def _upstream(self, origin: Origin) -> _Upstream:
        found = self._upstreams.get(origin)
        if found is None:
            found = _Upstream(Pool(origin, self._times, self._context), Circuit(time.monotonic))
            self._upstreams[origin] = found
        return found

    def _circuits(self, leg: Leg) -> list[Circuit]:
        """Return the circuits of the upstream and, if it failed before, of the model there."""
        model = self._models.get(_key(leg))
        upstream = self._upstream(leg.origin).circuit
        return [upstream] if model is None else [upstream, model]


def _key(leg: Leg) -> tuple[Origin, str]:
    """Return what a model's circuit is known by; a client may ask for a model of any name, of any length."""
    return leg.origin, leg.model if len(leg.model) <= MODEL_CHARS_MAX else ""


def _encoded(outgoing: Outgoing, origin: Origin) -> list[Part]:
    """Return a request in parts, of which the body's are not copied."""
    method, path, fields, body = outgoing
    lines = [b"%b %b%b HTTP/1.1\r\nhost: %b" % (method, origin.prefix, path, origin.field)]
    lines += [b"%b: %b" % field for field in fields]
    if body or method != b"GET":
        lines.append(b"content-length: %d" % sum(map(len, body)))
    head = b"\r\n".join(lines)
    assert head.count(b"\n") == len(lines), "a field with a line end would be a request of its own"
    return [head + b"\r\n\r\n", *body]


def _next(legs: Sequence[Leg], at: int, lesson: Lesson) -> int:
    """Return the leg after a failed one; after a refusal that of the model that the client asked for."""
    later = range(at + 1, len(legs))
    if lesson.kind == "refused":
        return next((each for each in later if not legs[each].is_switched), at + 1)
    return at + 1


async def _asked(pool: Pool, parts: list[Part], *, is_switched: bool) -> _Attempt:
    try:
        answer = await pool.ask(parts)
    except UpstreamFailure as failure:
        return _Attempt(None, failure, retry.of_failure(failure))
    if retry.is_final(answer.status, is_switched=is_switched):
        return _Attempt(answer, None, None)
    seen = None
    try:
        seen = await _look(answer)
    finally:
        if seen is None:
            answer.close()
    return _Attempt(answer, None, retry.of_answer(answer, seen, is_switched=is_switched))


async def _look(answer: Answer) -> bytes:
    """Return the beginning of an error's body, which whoever reads the answer reads again."""
    seen = b""
    with suppress(TimeoutError, UpstreamFailure):
        async with asyncio.timeout(LOOK_S):
            while len(seen) < LOOK_BYTES_MAX and (data := await answer.read()):
                seen += data
    answer.give_back(seen)
    return seen
