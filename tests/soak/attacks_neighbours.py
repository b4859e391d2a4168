"""Attacks by a neighbour with a valid token: refusals that take long to explain, and needless requests."""

import asyncio
import itertools
import time
import zlib
from collections import Counter
from collections.abc import Iterator

from tests.bad_day.shapes import SHAPES
from tests.soak import flow
from tests.soak.child import Desk
from tests.soak.connection import Connection, NoAnswer
from tests.soak.order import Order
from tests.soak.payloads import Payload
from tests.soak.posting import Flood, post
from tests.support import sample

ASKING = 50  # Connections.
_GZIP = 16 + zlib.MAX_WBITS


async def refusals(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Send the refusals that take longest to explain, which gzip compresses 300 times."""
    await post(order, desk, answers, Flood(_long_to_explain(), order.token, ASKING))


async def new_terms(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Send new terms to a tenant that learns, far over its budget."""
    bodies = (sample.body(sample.event(tags={"team": f"team-{number}"})) for number in itertools.count())
    await post(order, desk, answers, Flood((Payload(body, "", 1) for body in bodies), order.tokens["learning"], ASKING))


async def duplicates(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    """Send one event repeatedly, each time in a batch of its own, over a quota of ten per minute."""
    event = sample.event()
    bodies = (sample.body(event, stream=sample.stream(0)) for _ in itertools.count())
    await post(order, desk, answers, Flood((Payload(body, "", 1) for body in bodies), order.tokens["limited"], ASKING))


async def policies(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await _ask(order, desk, answers, itertools.repeat("/v1/policy"))


async def look_ups(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    await _ask(order, desk, answers, (f"/v1/streams/{sample.uuid7()}" for _ in itertools.count()))


def _long_to_explain() -> Iterator[Payload]:
    deflated = []
    for body in SHAPES.values():
        deflater = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        deflated.append(deflater.compress(body) + deflater.flush())
    bodies = itertools.cycle(deflated)
    return (Payload(body, "Content-Encoding: gzip\r\n", 1) for body in bodies)


async def _ask(order: Order, desk: Desk, answers: "Counter[str]", paths: Iterator[str]) -> None:
    ends_at = time.monotonic() + order.seconds_min

    async def lane() -> None:
        connection = Connection(order.bind, order.token)
        while desk.done < order.units or time.monotonic() < ends_at:
            head = f"GET {next(paths)} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {order.token}\r\n\r\n"
            desk.note(1)
            try:
                (answer,) = await connection.exchange(head.encode("ascii"), 1)
                answers[flow.face(answer)] += 1
                if answer.status >= 400 or answer.headers.get("connection") == "close":
                    connection.close()
            except NoAnswer as lost:
                answers[f"no answer: {lost}"] += 1
        connection.close()

    await asyncio.gather(*(lane() for _ in range(ASKING)))
