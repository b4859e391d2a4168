"""Requests over several connections, each with one exchange in flight, and attacks made of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.soak.child import Desk
from tests.soak.order import Order, Strike
from tests.soak.payloads import Payload
from tests.support.connection import Connection, NoAnswer, post

CONNECTIONS = 4  # Of an attack that is not about connections.


class Request(NamedTuple):
    """Bytes to send, the number of responses to them, and the number of units they count for."""

    wire: bytes
    answers: int = 1
    units: int = 1


def posting(
    payloads: Callable[[], Iterator[Payload]], tenant: str = "hostile", connections: int = CONNECTIONS
) -> Strike:
    """Return an attack that posts one payload after another with a tenant's token."""

    def requests(order: Order) -> Iterator[Request]:
        token = order.tokens[tenant]
        return (Request(post(token, body, headers), units=units) for body, headers, units in payloads())

    return sending(requests, connections)


def sending(requests: Callable[[Order], Iterator[Request]], connections: int = CONNECTIONS) -> Strike:
    """Return an attack that sends one request after another, until its order is done and its time is over."""

    async def strike(order: Order, desk: Desk, answers: "Counter[str]") -> None:
        waiting, ends_at = requests(order), time.monotonic() + order.seconds_min

        async def lane() -> None:
            connection = Connection(order.bind)
            while desk.done < order.units or time.monotonic() < ends_at:
                request = next(waiting)
                desk.note(request.units)
                try:
                    answers.update(answer.face for answer in await connection.exchange(request.wire, request.answers))
                except NoAnswer as lost:
                    answers[f"no answer: {lost}"] += 1
            connection.close()

        await asyncio.gather(*(lane() for _ in range(connections)))

    return strike
