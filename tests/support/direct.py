"""A worker's application in this process, called without a socket, for tests that change its state."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.types import Message

from ingest.intake import app
from ingest.intake.quota_table import Table
from ingest.intake.service import Service
from ingest.intake.settings import IntakeSettings
from ingest.serving.problems import TYPE_PREFIX, Problem


class Answer(NamedTuple):
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Problem:
        return msgspec.json.decode(self.body, type=Problem)

    @property
    def problem(self) -> str:
        return self.told.type.removeprefix(TYPE_PREFIX)

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.told.violations]


class Worker(NamedTuple):
    """An application and the service inside it."""

    composed: Starlette
    service: Service

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, b"", [])

    async def post(self, body: bytes, token: str) -> Answer:
        headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
        return await self._ask("POST", "/v1/events", body, headers)

    async def _ask(self, method: str, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: dict[str, object] = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "headers": headers,
            "query_string": b"", "state": {},
        }  # fmt: skip
        await self.composed(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent))


@asynccontextmanager
async def working(dsn: str) -> AsyncIterator[Worker]:
    """Run a worker's application, without maintenance, until the block ends."""
    composed = app.create()
    service = Service(IntakeSettings(dsn=dsn, maintain=False), Table(), composed.state.tasks)
    composed.state.service = service
    await service.start()
    try:
        yield Worker(composed, service)
    finally:
        await service.stop()
