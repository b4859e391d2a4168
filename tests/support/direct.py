"""A worker's application in this process, called without a socket, for tests that change its state."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.types import Message

from ingest.intake import app
from ingest.intake.quota_table import Table
from ingest.intake.service import Service
from ingest.intake.settings import IntakeSettings
from ingest.serving.tasks import Tasks
from tests.support.wire import Answer

WAIT_S = 30.0


class Worker(NamedTuple):
    """An application and the service inside it."""

    composed: Starlette
    service: Service

    async def get(self, path: str) -> Answer:
        return await ask(self.composed, "GET", path)

    async def post(self, body: bytes, token: str) -> Answer:
        return await ask(self.composed, "POST", "/v1/events", body, token)


async def ask(composed: Starlette, method: str, path: str, body: bytes = b"", token: str = "") -> Answer:
    """Speak ASGI to an application, as the listener does."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "query_string": b"", "state": {},
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(WAIT_S):
        await composed(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent))


async def serve(composed: Starlette, dsn: str) -> Service:
    """Start a service, without maintenance, inside an application."""
    service = Service(IntakeSettings(dsn=dsn, maintain=False), Table(), Tasks())
    composed.state.service, composed.state.tasks = service, service.tasks
    await service.start()
    return service


@asynccontextmanager
async def working(dsn: str) -> AsyncIterator[Worker]:
    """Run a worker's application until the block ends."""
    composed = app.create()
    service = await serve(composed, dsn)
    try:
        yield Worker(composed, service)
    finally:
        await service.stop()
