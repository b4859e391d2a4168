"""Bodies posted over several connections, each with one request in flight."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.soak import flow
from tests.soak.child import Desk
from tests.soak.connection import Connection, NoAnswer
from tests.soak.order import Order
from tests.soak.payloads import Payload


class Flood(NamedTuple):
    payloads: Iterator[Payload]
    token: str
    connections: int


async def post(order: Order, desk: Desk, answers: "Counter[str]", flood: Flood) -> None:
    """Send one payload after another over each connection, until the order is done and its time is over."""
    ends_at = time.monotonic() + order.seconds_min

    async def lane() -> None:
        connection = Connection(order.bind, flood.token)
        while desk.done < order.units or time.monotonic() < ends_at:
            payload = next(flood.payloads)
            desk.note(payload.units)
            try:
                answers[flow.face(await connection.post(payload.body, payload.headers))] += 1
            except NoAnswer as lost:
                answers[f"no answer: {lost}"] += 1
        connection.close()

    await asyncio.gather(*(lane() for _ in range(flood.connections)))
