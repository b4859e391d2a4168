"""Letters as they arrive at a real mail server: with the links that only the recipient has."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.accounts import links
from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.alerts.mail import composing
from ingest.alerts.mail import round as rounds
from ingest.alerts.mail.settings import ComposerSettings
from ingest.errors import CannotStart
from ingest.knowledge import keys
from ingest.knowledge.keys import Keys
from ingest.store import connections
from ingest.store.accounts import people
from ingest.store.accounts.people import NewPerson
from ingest.store.mail import outbox
from ingest.store.mail.kinds import Kind
from ingest.store.mail.outbox import Letter
from tests.support import console, mail
from tests.support.cluster import Cluster
from tests.support.mail import Inbox, Received

CONSOLE = "https://console.example.com"
WEEK = (20_773, 1_794_182_400, 1_794_787_200, 1_795_392_000)


@pytest.fixture(scope="module")
def furnished(postgres: Cluster) -> Iterator[str]:
    """Yield a database with people."""
    dsn = postgres.migrated()
    console.furnish(dsn)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "unsubscribe-keys"
    keys.write(path)
    return path


def settings(file: Path) -> ComposerSettings:
    return ComposerSettings(console_url=CONSOLE, unsubscribe_keys_file=str(file))


async def arrived(dsn: str, file: Path, email: str, kind: Kind, numbers: tuple[int, ...] = ()) -> Received:
    """Put a letter to a person of acme, send what is due, and return it."""
    inbox = Inbox()
    async with (
        connections.connected(dsn, "nocontent_control") as control,
        connections.connected(dsn, "nocontent_mailer") as mailer,
        mail.serving(inbox) as relay,
    ):
        if kind == "invitation":
            await people.add(control, 1, NewPerson(email, "Somebody New", "analyst"))
        person_id = await people.find(control, 1, email)
        assert await outbox.put(control, 1, Letter(kind, person_id, (), numbers, uuid4()))
        await rounds.send_over(mailer, relay, ssl.create_default_context(), composing.composer(settings(file)))
    (received,) = [each for each in inbox.received if each.recipient == email]
    return received


def part(received: Received, subtype: str) -> str:
    found = received.parsed().get_body((subtype,))
    assert found is not None
    return str(found.get_content())


def test_a_report_has_the_headers_and_the_link_that_unsubscribe(furnished: str, key_file: Path) -> None:
    received = asyncio.run(arrived(furnished, key_file, "analyst@example.com", "weekly-review", WEEK))
    message = received.parsed()
    url = str(message["List-Unsubscribe"]).removeprefix("<").removesuffix(">")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in part(received, "plain")
    assert url in part(received, "html")
    found = unsubscribe.read(Keys.parse(key_file.read_text()), url.removeprefix(f"{CONSOLE}/unsubscribe/"))
    assert isinstance(found, Subscription)
    assert (found.tenant_id, found.group) == (1, "report")
    assert message["Subject"] == "Weekly review of acme: 16 to 22 November 2026"


def test_an_invitation_has_a_link_that_works_and_none_that_unsubscribes(furnished: str, key_file: Path) -> None:
    received = asyncio.run(arrived(furnished, key_file, "invited@example.com", "invitation"))
    assert received.parsed()["List-Unsubscribe"] is None
    url = next(line for line in part(received, "plain").splitlines() if line.startswith(f"{CONSOLE}/link/"))
    assert f'href="{url}"' in part(received, "html")

    async def find() -> links.Linked | None:
        async with connections.connected(furnished, "nocontent_console") as connection:
            return await links.find(connection, url.removeprefix(f"{CONSOLE}/link/"))

    linked = asyncio.run(find())
    assert linked is not None
    assert (linked.kind, linked.person.email) == ("invitation", "invited@example.com")


def test_no_mail_is_sent_to_the_world_without_keys_to_unsubscribe() -> None:
    with pytest.raises(CannotStart, match="NOCONTENT_UNSUBSCRIBE_KEYS_FILE"):
        composing.composer(ComposerSettings(console_url=CONSOLE))
    composing.composer(ComposerSettings(console_url="http://127.0.0.1:8480"))


def test_keys_that_everybody_may_read_are_refused(key_file: Path) -> None:
    key_file.chmod(0o644)
    with pytest.raises(CannotStart, match="NOCONTENT_UNSUBSCRIBE_KEYS_FILE names a file that every user"):
        composing.composer(settings(key_file))
