"""The application of a gateway's worker on the test's own loop, and a client that sees every byte."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from ingest.gateway.admission import board
from ingest.gateway.admission.board import BoardFile, BoardWriter
from ingest.gateway.app import Gateway
from ingest.gateway.process import HEADERS
from ingest.gateway.settings import GatewaySettings
from ingest.gateway.shared import Shared
from ingest.gateway.telemetry.finished import Finished, Parcel
from ingest.gateway.telemetry.handover import Handover
from ingest.gateway.worker import Lifespan
from ingest.knowledge.gateway import GatewayTenant
from ingest.serving.listener import Listener
from ingest.serving.worker import serve
from tests.gateway.service import grant
from tests.support.service import free_ports

WAIT_S = 10.0
KEY = "sk-ant-api03-canary"
OPUS = "claude-opus-4-5-20251101"
TENANT = GatewayTenant(7)


class Reply(NamedTuple):
    """An answer as its bytes came; a cut one has no end."""

    status: int
    fields: dict[str, str]
    body: bytes
    is_whole: bool

    @property
    def fault(self) -> str:
        return self.fields.get("x-nocontent-fault", "")


class Client:
    """One connection of a client; `send` what it likes and `read` what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of an answer."""
        async with asyncio.timeout(WAIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        return int(first.split(" ")[1]), {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }

    async def read(self) -> Reply:
        """Read an answer to its end, or to where it is cut."""
        status, fields = await self.head()
        try:
            async with asyncio.timeout(WAIT_S):
                return Reply(status, fields, *await self._body(fields))
        except ConnectionResetError:
            return Reply(status, fields, b"", is_whole=False)

    async def _body(self, fields: dict[str, str]) -> tuple[bytes, bool]:
        if fields.get("transfer-encoding") == "chunked":
            return await self._chunks()
        if "content-length" not in fields:
            return await self.reader.read(), True
        try:
            return await self.reader.readexactly(int(fields["content-length"])), True
        except asyncio.IncompleteReadError as cut:
            return cut.partial, False

    async def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return body, False
        return body, True

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Forwarding:
    """A running application; `finished` has what it reported."""

    bind: str
    token: str
    handover: Handover
    gateway: Gateway
    writer: BoardWriter

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        host, _, port = self.bind.rpartition(":")
        client = Client(*await asyncio.open_connection(host, int(port), limit=1 << 26))
        try:
            yield client
        finally:
            client.close()

    async def ask(self, request: bytes) -> Reply:
        async with self.client() as client:
            await client.send(request)
            return await client.read()

    def request(self, body: bytes, *fields: str, path: str = "/v1/messages") -> bytes:
        """Return a good request, with more fields."""
        own = [f"X-Nocontent-Token: {self.token}", f"x-api-key: {KEY}", *fields]
        return post(body, *own, path=path)

    async def finished(self) -> Finished:
        """Return the next finished request."""
        assert self.handover.receiving is not None
        self.handover.receiving.setblocking(False)
        async with asyncio.timeout(WAIT_S):
            message = await asyncio.get_running_loop().sock_recv(self.handover.receiving, 65_536)
        return Parcel.decode(message).finished

    def has_finished(self) -> bool:
        """Return whether a finished request waits to be read."""
        assert self.handover.receiving is not None
        self.handover.receiving.setblocking(False)
        try:
            return bool(self.handover.receiving.recv(65_536))
        except BlockingIOError:
            return False


@asynccontextmanager
async def forwarding(url: str, tenant: GatewayTenant = TENANT, **more: object) -> AsyncIterator[Forwarding]:
    """Serve in front of an upstream until the block ends, with the settings of the names given."""
    snapshot, tokens = grant(tenant)
    file, handover = BoardFile.make(), Handover.make(None)
    writer = BoardWriter(file)
    writer.write(msgspec.json.encode(snapshot))
    writer.confirm(board.now_ms(), int(time.time() * 1_000))
    settings = GatewaySettings(**{"gateway_anthropic_url": url, "gateway_openai_url": url} | more)  # type: ignore[arg-type]  # By name.
    readable = file.readable()
    gateway = Gateway(Lifespan(Shared(readable, handover), settings).live)
    listener, stop = Listener(), asyncio.Event()
    listener.headers = HEADERS
    listener.bind = [f"127.0.0.1:{free_ports(1)[0]}"]
    listener.accesslog = listener.errorlog = None
    started = asyncio.Event()

    async def until() -> None:
        started.set()
        await stop.wait()
        gateway.state.tasks.drain()

    serving = asyncio.create_task(serve(gateway, listener, until))
    await started.wait()
    try:
        yield Forwarding(listener.bind[0], tokens[tenant.tenant_id], handover, gateway, writer)
    finally:
        stop.set()
        await serving
        handover.close()
        for each in (file, readable):
            os.close(each.file)


def post(body: bytes, *fields: str, path: str = "/v1/messages") -> bytes:
    """Return a request with these fields and no others but those that it must have."""
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def message(**more: object) -> bytes:
    """Return the body of a request, with spaces where no program would put them."""
    asked = {"model": OPUS, "max_tokens": 64, "messages": [{"role": "user", "content": "Who, me?"}]} | more
    return json.dumps(asked, indent=1).encode()
