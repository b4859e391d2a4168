"""Forwards one request, from its first byte to the last of its answer; bytes pass untouched in both directions."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from starlette.types import Receive, Scope

from ingest.gateway import body as bodies
from ingest.gateway import fields as passing
from ingest.gateway import metrics
from ingest.gateway.admission.tokens import Admission, Admitted
from ingest.gateway.call import Asked, Call
from ingest.gateway.departure import Departure
from ingest.gateway.faults import Redirected
from ingest.gateway.reading import facts as reading
from ingest.gateway.reading.facts import Facts
from ingest.gateway.reading.span import replaced
from ingest.gateway.records import Decision, Door, Provider
from ingest.gateway.reply import Reply
from ingest.gateway.routing.decide import Router
from ingest.gateway.telemetry.outlet import Outlet
from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.courier import Courier, Leg, Outgoing
from ingest.gateway.upstream.errors import CutShort, UpstreamFailure
from ingest.gateway.upstream.origin import Origin
from ingest.serving.body_memory import BodyMemory
from ingest.serving.connection import KNOWN

_REDIRECTS = range(300, 400)
_ERRORS_FROM = 400
_FRAMED = {b"content-length", b"transfer-encoding"}
_NO_DECISION = Decision("count-only", "")
BodyFor = Callable[[str], tuple[bytes | memoryview, ...]]  # Of a model.


class Parts(NamedTuple):
    """What a request needs of the other packages."""

    admission: Admission
    router: Router
    courier: Courier
    outlet: Outlet
    origins: Mapping[Provider, Origin]
    memory: BodyMemory


class Request(NamedTuple):
    """A request as it came."""

    door: Door
    scope: Scope
    receive: Receive
    began_ns: int  # By time.monotonic_ns.


class Forwarder:
    """Forwards the requests of a worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def has(self, door: Door) -> bool:
        """Return whether there is an upstream behind a door."""
        return door.provider in self._parts.origins

    async def forward(self, request: Request, reply: Reply) -> metrics.Outcome:
        """Answer a request; raises what `faults` renders, or ClientGone. A cut answer is left without an end."""
        parts, scope = self._parts, request.scope
        admitted = parts.admission.admit(scope["headers"], request.door.provider)
        scope["state"][KNOWN] = True
        bodies.check(scope["headers"])
        tenant = admitted.tenant
        async with Departure(request.receive) as departure:
            with parts.memory.share(tenant.tenant_id) as hold:
                body = await bodies.receive(request.receive, hold)
                departure.watch()
                call, legs = self._decide(request, admitted, body)
                del body
                with call:
                    delivered = await parts.courier.deliver(tenant.tenant_id, legs, tenant.concurrency_max)
            if delivered.was_refused:
                parts.router.note_refusal(call.decision, time.time())
            call.begin(delivered, legs[delivered.leg_index].model)
            legs.clear()  # They have the body.
            try:
                with call:
                    return await _pass(call, delivered.answer, reply)
            except UpstreamFailure:
                if reply.has_begun:
                    return "cut"
                raise
            finally:
                delivered.answer.close()

    def _decide(self, request: Request, admitted: Admitted, body: bytes) -> tuple[Call, list[Leg]]:
        """Return what is asked, and the ways to an answer; the first is the one that was decided."""
        door, tenant = request.door, admitted.tenant
        facts, made = None, _NO_DECISION
        if door.has_body:
            facts = reading.read(body, door.shape)
            made = Decision("count-only", facts.model)
            if door.is_reported:
                began_ns = time.monotonic_ns()
                made = self._parts.router.decide(tenant, facts, door.provider, time.time())
                metrics.decision_seconds.observe((time.monotonic_ns() - began_ns) / 1e9)
            metrics.of_decisions[made.reason].inc()
        model, streams = (made.model, False) if facts is None else (facts.model, facts.streams)
        asked = Asked(door, tenant, model, streams, made, request.began_ns)
        legs = self._legs(request, admitted, asked, _maker(body, facts))
        return Call(asked, self._parts.outlet, self._parts.router.note), legs

    def _legs(self, request: Request, admitted: Admitted, asked: Asked, body_for: BodyFor) -> list[Leg]:
        door, scope = request.door, request.scope
        origin = self._parts.origins[door.provider]
        query = scope["query_string"]
        path = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
        head = passing.upstream(scope["headers"], admitted.provider_fields)
        method = door.method.encode("ascii")

        def outgoing(model: str) -> Outgoing:
            return Outgoing(method, path, head, body_for(model))

        models = (asked.decision.model, *asked.decision.fallbacks)
        return [Leg(origin, model, partial(outgoing, model), model != asked.model) for model in models]


def _maker(body: bytes, facts: Facts | None) -> BodyFor:
    """Return a function that makes the body for a model; for the one that was asked for it is the body itself."""
    if facts is None:
        return lambda _model: ()
    return lambda model: (body,) if model == facts.model else replaced(body, facts.model_span, model)


async def _pass(call: Call, answer: Answer, reply: Reply) -> metrics.Outcome:
    """Send an answer to the client as it comes."""
    if answer.status in _REDIRECTS:
        raise Redirected
    piece, is_last = await _next(call, answer)
    head = [*passing.client(answer.fields), *call.fields]
    if is_last:
        await reply.whole(answer.status, head, piece)
    else:
        await reply.begin(answer.status, head, piece)
        while True:
            piece, is_last = await _next(call, answer)
            if is_last:
                break
            await reply.more(piece)
        await reply.end(piece)
    return "error" if answer.status >= _ERRORS_FROM else "ok"


async def _next(call: Call, answer: Answer) -> tuple[bytes, bool]:
    """Return the next piece of an answer, and whether it is the last; the request is reported before that is sent.

    Raises CutShort for an answer that ended with its connection, as that of a killed upstream does, and that has not
    said that it is whole.
    """
    piece = await answer.read()
    call.feed(piece)
    if not answer.is_read:
        return piece, False
    if not call.is_whole and answer.status < _ERRORS_FROM and not any(name in _FRAMED for name, _ in answer.fields):
        raise CutShort
    call.report()
    return piece, True
