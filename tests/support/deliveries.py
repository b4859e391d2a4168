"""A courier to one scripted upstream."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ingest.gateway.upstream.courier import Courier, Delivered, Leg, Outgoing
from ingest.gateway.upstream.errors import Kind
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.settings import UpstreamSettings
from tests.support.raw_upstream import Answerer, RawUpstream, answering, sending

BODY = b'{"model":"m"}'


class Deliveries:
    """A courier to one scripted upstream, which answers with `answers` in turn and then with the last of them."""

    def __init__(self, made: Courier, upstream: RawUpstream, answers: deque[bytes]) -> None:
        self.courier = made
        self.upstream = upstream
        self.answers = answers
        self.noted: list[Kind] = []

    def leg(self, model: str = "m") -> Leg:
        path = b"/v1/" + model.encode()
        return Leg(Origin.of(self.upstream.url), model, lambda: Outgoing(b"POST", path, [(b"a", b"b")], (BODY,)))

    async def deliver(self, *models: str, tenant_id: int = 1) -> tuple[Delivered, bytes]:
        """Return what was delivered, and the whole body."""
        delivered = await self.courier.deliver(tenant_id, [self.leg(model) for model in models or ("m",)])
        found = b""
        while part := await delivered.answer.read():
            found += part
        return delivered, found

    def paths(self) -> list[str]:
        return [head.split(b" ")[1].decode().removeprefix("/v1/") for head in self.upstream.heads]


@asynccontextmanager
async def delivering(
    *answers: bytes,
    answer: Answerer | None = None,
    limits: Mapping[str, int] = {},
) -> AsyncIterator[Deliveries]:
    left = deque(answers)

    async def scripted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(BODY))
        data = left.popleft() if len(left) > 1 else left[0]
        await sending(data)(reader, writer) if data else writer.close()

    async with answering(answer or scripted) as upstream:
        noted: list[Kind] = []
        made = Courier(UpstreamSettings(gateway_anthropic_url=upstream.url, **limits), noted.append)  # type: ignore[arg-type]  # Numbers alone.
        deliveries = Deliveries(made, upstream, left)
        deliveries.noted = noted
        try:
            yield deliveries
        finally:
            assert made.limits.count == 0
            made.close()
            await upstream.none_is_open()


def with_budget(deliveries: Deliveries) -> None:
    """Let one request be sent again."""
    for _ in range(10):
        deliveries.courier._budget.earn()  # noqa: SLF001 (instead of ten requests)
