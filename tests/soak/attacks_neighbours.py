"""Attacks by a neighbour with a valid token: refusals that take long to explain, and needless requests."""

import itertools
import zlib
from collections.abc import Iterator

from tests.bad_day import shapes
from tests.soak.order import Order
from tests.soak.payloads import Payload
from tests.soak.posting import Request
from tests.support import sample
from tests.support.connection import get

_GZIP = 16 + zlib.MAX_WBITS


def refusals() -> Iterator[Payload]:
    """Return the refusals that take longest to explain, which gzip compresses 300 times."""
    deflated = []
    for body in map(shapes.body, shapes.NAMES):
        deflater = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        deflated.append(deflater.compress(body) + deflater.flush())
    return (Payload(body, "Content-Encoding: gzip\r\n", 1) for body in itertools.cycle(deflated))


def new_terms() -> Iterator[Payload]:
    """Return new terms for a tenant that learns, far over its budget."""
    return (Payload(sample.body(sample.event(tags={"team": f"team-{each}"})), "", 1) for each in itertools.count())


def duplicates() -> Iterator[Payload]:
    """Yield one event repeatedly, each time in a batch of its own, over a quota of ten per minute."""
    event = sample.event()
    while True:
        yield Payload(sample.body(event, stream=sample.stream(0)), "", 1)


def policies(order: Order) -> Iterator[Request]:
    return itertools.repeat(Request(get("/v1/policy", order.token)))


def look_ups(order: Order) -> Iterator[Request]:
    while True:
        yield Request(get(f"/v1/streams/{sample.uuid7()}", order.token))
