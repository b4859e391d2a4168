"""A real SMTP server for tests, which keeps what it takes and answers as it is told; and letters to people."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from typing import NamedTuple
from uuid import UUID, uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.accounts.links import Link
from ingest.alerts.mail.message import Content
from ingest.alerts.mail.settings import Relay, Security
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import Kind
from ingest.store.mail.outbox import Letter
from ingest.store.mail.sending import Claim

SENDER = "letters@mail.example.com"
HOST = "127.0.0.1"
Point = str  # `mail`, `rcpt`, or `data`: the letter is here, and not acknowledged.
_ADD = """
INSERT INTO nocontent.people (tenant_id, email, name, role, password_hash, password_changed_at)
SELECT $1, 'person-' || n || '@example.com', 'Somebody', 'owner', $3, now() FROM generate_series(1, $2) AS n
RETURNING person_id
"""
HASH = f"$argon2id$v=19$m=8,t=1,p=1${'A' * 22}${'A' * 43}"


class Received(NamedTuple):
    """A letter that the server took."""

    recipient: str
    content: bytes

    @property
    def id(self) -> str:
        return str(BytesHeaderParser().parsebytes(self.content)["Message-ID"])

    def parsed(self) -> EmailMessage:  # type: ignore[explicit-any]  # The stub's default.
        message = message_from_bytes(self.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message


class Inbox:
    """Takes letters; `answers` are its replies to a recipient, by point, and `reached` is awaited before each."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: dict[Point, str] = {}
        self.reached: Callable[[Point], Awaitable[None]] | None = None
        self.sessions: list[SMTP] = []

    async def close(self) -> None:
        """End all sessions."""
        handlers = []
        for session in self.sessions:
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
            if (handler := session._handler_coroutine) is not None:  # noqa: SLF001 - no public way.
                handlers.append(handler)
        await asyncio.wait_for(asyncio.gather(*handlers, return_exceptions=True), 10)

    async def handle_MAIL(  # noqa: N802 - as aiosmtpd calls it.
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (answer := self.answers.get("mail", "250 OK")).startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it.
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.reached is not None:
            await self.reached("rcpt")
        if (answer := self.answers.get("rcpt", "250 OK")).startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same.
        answer = self.answers.get("data", "250 OK")
        if answer.startswith(("250", "die")):
            assert isinstance(envelope.content, bytes)
            self.received += [Received(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        if self.reached is not None:
            await self.reached("data")
        if answer == "die":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    def ids(self) -> list[str]:
        return [each.id for each in self.received]


@asynccontextmanager
async def serving(
    inbox: Inbox, security: Security = "none", server: ssl.SSLContext | None = None
) -> AsyncIterator[Relay]:
    """Serve SMTP on a port of its own until the block ends; yield what sends to it."""

    def session() -> SMTP:
        starts = server if security == "starttls" else None
        made = SMTP(inbox, hostname="mail.example.com", tls_context=starts, enable_SMTPUTF8=False)
        inbox.sessions.append(made)
        return made

    async with listening(session, security, server if security == "tls" else None) as relay:
        yield relay
        await inbox.close()


@asynccontextmanager
async def listening(
    protocol: Callable[[], asyncio.BaseProtocol], security: Security = "none", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Relay]:
    """Listen with any protocol until the block ends."""
    listener = await asyncio.get_running_loop().create_server(protocol, HOST, 0, ssl=tls)
    try:
        yield Relay(HOST, listener.sockets[0].getsockname()[1], security, None, None, SENDER)
    finally:
        listener.close()


async def compose(_connection: Connection, claimed: Claim, link: Link | None) -> Content | None:
    """Make a short letter."""
    return Content(f"About {claimed.kind}", f"Text {link.secret if link else ''}\n", "<p>Text</p>\n")


async def add_people(connection: Connection, tenant_id: int, count: int) -> list[UUID]:
    """Add people who have accepted their invitation."""
    rows = await connection.fetch(_ADD, tenant_id, count, HASH)
    return [row["person_id"] for row in rows]


async def put(connection: Connection, tenant_id: int, person_id: UUID, kind: Kind = "invoice") -> None:
    """Put a letter of a cause of its own."""
    assert await outbox.put(connection, tenant_id, Letter(kind, person_id, (), (1,), uuid4()))


async def states(connection: Connection) -> dict[str, int]:
    """Return how many letters there are in each state."""
    rows = await connection.fetch("SELECT state, count(*) FROM nocontent.outbox GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


async def later(connection: Connection, by: str) -> None:
    """Let time pass for every letter."""
    await connection.execute(
        "UPDATE nocontent.outbox SET not_before = not_before - $1::text::interval,"
        " changed_at = changed_at - $1::text::interval",
        by,
    )
