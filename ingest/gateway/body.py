"""Receives a request's body within bounds on time, on its bytes and on the memory of all bodies."""

import asyncio

from starlette.types import Receive

from ingest.gateway.fields import Fields
from ingest.serving.body_memory import Hold
from ingest.serving.errors import ClientGone, EncodingUnsupported, SlowBody, WireTooLarge

BYTES_MAX = 33_554_432  # Anthropic's own bound.
WHOLE_S = 300.0
IDLE_S = 30.0  # Without a byte.


def check(fields: Fields) -> None:
    """Raise an IngestError if a head announces a body that would be refused."""
    for name, value in fields:
        if name == b"content-length":
            if int(value) > BYTES_MAX:  # The server has checked that it is a number.
                raise WireTooLarge
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise EncodingUnsupported


async def receive(receive: Receive, hold: Hold) -> bytes:
    """Return the body, and reserve memory as it arrives; raises an IngestError or ClientGone."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + WHOLE_S
    parts: list[bytes] = []
    size, has_more = 0, True
    try:
        async with asyncio.timeout(IDLE_S) as limit:
            while has_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part, has_more = message["body"], message["more_body"]
                parts.append(part)
                size += len(part)
                if size > BYTES_MAX:
                    raise WireTooLarge
                hold(size)
                if has_more:
                    limit.reschedule(min(ends_s, loop.time() + IDLE_S))
    except TimeoutError:
        raise SlowBody from None
    if len(parts) == 1:
        return parts[0]
    hold(2 * size)  # The parts and the whole, for a moment.
    return b"".join(parts)
