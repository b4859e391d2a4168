"""Servers as they should not be: nothing is sent in the clear, nothing is lost, and nothing of theirs fills memory."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest
from aiosmtplib.protocol import MAX_RESPONSE_LENGTH

from ingest.alerts.mail import round as rounds
from ingest.alerts.mail import settings, smtp
from ingest.alerts.mail.settings import MailSettings, Relay, Security
from ingest.store.connections import Connection
from tests.alerts.mail.conftest import Office
from tests.support import mail
from tests.support.certificates import Authority, Pair
from tests.support.mail import Inbox


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Authority(tmp_path_factory.mktemp("right")).issue("server", mail.HOST)


def _served(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair.files)
    return context


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_letter_goes_over_tls_to_a_server_with_its_own_certificate(
    office: Office, owner: Connection, mailer: Connection, pair: Pair, security: Security
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox, security, _served(pair)) as relay:
        done = await rounds.send_over(mailer, relay, pair.trusted(), mail.compose)
    assert (len(inbox.received), done.figures["mail_without_tls"]) == (1, 0)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_wrong_certificate_gets_no_letter(
    office: Office, owner: Connection, mailer: Connection, pair: Pair, security: Security
) -> None:
    inbox = Inbox()
    (folder := pair.root.parent / security).mkdir()
    other = Authority(folder).issue("server", "mail.example.com")
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox, security, _served(other)) as relay:
        for trusted in (pair.trusted(), other.trusted()):  # Of another authority, and for another name.
            done = await rounds.send_over(mailer, relay, trusted, mail.compose)
            assert done.figures["mail_without_tls"] == done.figures["mail_server_failing"] == 1
            assert done.rest_s == settings.SERVER_REST_S
    assert inbox.received == []
    assert await mail.states(owner) == {"pending": 1}


async def test_a_server_that_offers_no_tls_gets_no_letter(
    office: Office, owner: Connection, mailer: Connection, pair: Pair
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox) as plain:
        relay = plain._replace(security="starttls")
        done = await rounds.send_over(mailer, relay, pair.trusted(), mail.compose)
    assert done.figures["mail_without_tls"] == done.figures["letters_waiting"] == 1
    assert inbox.received == []
    assert await mail.states(owner) == {"pending": 1}


class _Greeter(asyncio.Protocol):
    """Greets with 10 MB: without an end of line, or in lines without an end."""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._line * (10_485_760 // len(self._line)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it.
        self._transport.abort()


class _Silent(asyncio.Protocol):
    """Never says a word."""


async def _asked(owner: Connection, office: Office, mailer: Connection, relay: Relay) -> float:
    await mail.put(owner, office.tenant_id, office.people[0])
    began = time.monotonic()
    done = await rounds.send_over(mailer, relay, ssl.create_default_context(), mail.compose)
    assert done.figures["mail_server_failing"] == 1
    assert await mail.states(owner) == {"pending": 1}
    return time.monotonic() - began


@pytest.mark.parametrize("line", [b"2" * 1_024, b"220-hello\r\n", b"220 hello\r\n", b"\x00\xff\r\n"])
async def test_a_greeting_of_10_mb_is_not_read_to_its_end(
    office: Office, owner: Connection, mailer: Connection, line: bytes
) -> None:
    async with mail.listening(lambda: _Greeter(line), "starttls") as relay:
        assert await _asked(owner, office, mailer, relay) < smtp.CONNECT_S
    assert MAX_RESPONSE_LENGTH <= 65_536  # Of the library, which stops reading there.


async def test_a_server_that_never_answers_is_left_in_time(
    office: Office, owner: Connection, mailer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "CONNECT_S", 0.2)
    async with mail.listening(_Silent) as relay:
        await _asked(owner, office, mailer, relay)


async def test_a_server_that_is_not_there_is_asked_again(office: Office, owner: Connection, mailer: Connection) -> None:
    async with mail.listening(_Silent) as relay:
        pass
    await _asked(owner, office, mailer, relay)


async def test_a_server_that_hangs_at_a_letter_is_left_in_time(
    office: Office, owner: Connection, mailer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "LETTER_S", 0.2)
    inbox, never = Inbox(), asyncio.Event()

    async def reached(_point: str) -> None:
        await never.wait()

    inbox.reached = reached
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox) as relay:
        done = await rounds.send_over(mailer, relay, ssl.create_default_context(), mail.compose)
    assert done.figures["mail_server_failing"] == 1
    assert await owner.fetchval("SELECT attempts FROM outbox WHERE state = 'pending' AND not_before > now()") == 1


@pytest.mark.parametrize("answer", ["530 5.7.0 Authentication required", "550 5.7.1 Sender refused", "451 Later"])
async def test_a_server_that_refuses_us_loses_no_letter(
    office: Office, owner: Connection, mailer: Connection, answer: str
) -> None:
    """What it says before it knows the recipient is not about the recipient: no letter has bounced."""
    inbox = Inbox()
    inbox.answers["mail"] = answer
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox) as relay:
        done = await rounds.send_over(mailer, relay, ssl.create_default_context(), mail.compose)
        assert (done.figures["mail_server_failing"], done.figures["letters_bounced"]) == (1, 0)
        # It was not claimed: it is due as before, so the server goes on to be one that fails.
        assert await owner.fetchval("SELECT attempts FROM outbox WHERE state = 'pending' AND not_before <= now()") == 0
        inbox.answers.clear()
        await rounds.send_over(mailer, relay, ssl.create_default_context(), mail.compose)
    assert len(inbox.received) == 1


async def test_credentials_go_over_tls_alone(
    office: Office, owner: Connection, mailer: Connection, pair: Pair, tmp_path: Path
) -> None:
    """The server takes none, so the letter waits; without TLS it is not asked to."""
    file = tmp_path / "credentials"
    file.write_text("user\nsecret-word\n")
    file.chmod(0o600)
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox, "starttls", _served(pair)) as served:
        named = settings.relay(
            MailSettings(
                smtp_url=f"smtp+starttls://{mail.HOST}:{served.port}",
                smtp_credentials_file=str(file),
                mail_from=mail.SENDER,
            )
        )
        assert named is not None
        assert "secret-word" not in repr(named)
        done = await rounds.send_over(mailer, named, pair.trusted(), mail.compose)
    assert done.figures["mail_server_failing"] == 1
    assert inbox.received == []
