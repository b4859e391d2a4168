"""A forgotten password, end to end: the page, a letter by SMTP, its link, another password, and signing in with it."""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from queue import Queue

import pytest

from ingest.alerts.mail.settings import Relay
from tests.support import cluster, console, mail, service
from tests.support.console import Console, Visitor, text
from tests.support.mail import Inbox, Received

_NEW = "unrelated garden words four"


@pytest.fixture
def postbox() -> Iterator[tuple[Inbox, Relay]]:
    """Yield a mail server that runs in a thread of its own, beside the processes of the test."""
    inbox, ready = Inbox(), Queue[tuple[Relay, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        stop = asyncio.Event()
        async with mail.serving(inbox) as relay:
            ready.put((relay, asyncio.get_running_loop(), stop))
            await stop.wait()

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(asyncio.run, serve())
        relay, loop, stop = ready.get(timeout=service.WAIT_S)
        yield inbox, relay
        loop.call_soon_threadsafe(stop.set)
        served.result(service.WAIT_S)


@pytest.fixture
def furnished(database: str) -> str:
    console.furnish(database)
    return database


def _link(letter: Received) -> str | None:
    """Return the path of a letter's link, which its text and its HTML have, or None if it has none."""
    parts = {part.get_content_type(): part.get_content() for part in letter.parsed().walk() if not part.is_multipart()}
    found = {kind: set(re.findall(r"/link/[A-Za-z0-9_-]{43}", part)) for kind, part in parts.items()}
    assert found["text/plain"] == found["text/html"]
    return next(iter(found["text/plain"]), None)


def test_letters_take_links_that_set_passwords(furnished: str, postbox: tuple[Inbox, Relay], tmp_path: Path) -> None:
    inbox, relay = postbox
    own = {"smtp_url": f"smtp://{relay.host}:{relay.port}", "mail_from": mail.SENDER}
    with console.serving(furnished, tmp_path, **own) as running:
        with _signed_in(running, "admin@example.com", console.PASSWORD) as admin:
            new = {"name": "Somebody New", "email": "new@example.com", "role": "analyst"}
            assert admin.post("/people/invite", new).status == HTTPStatus.SEE_OTHER
        for email in ("owner@example.com", "nobody@example.com"):
            _ask(running, email)
        _send(service.environment(furnished, console_url=running.origin, **own))
        letters = [(each, path) for each in inbox.received if (path := _link(each))]  # Notices have none.
        assert sorted(letter.recipient for letter, _ in letters) == ["new@example.com", "owner@example.com"]
        for letter, path in letters:
            assert letter.parsed()["List-Unsubscribe"] is None
            _set(running, path)
            with _signed_in(running, letter.recipient, _NEW):
                pass
        states = "SELECT kind, state FROM outbox WHERE kind IN ('invitation', 'reset') ORDER BY kind"
        assert [tuple(row) for row in cluster.fetch(furnished, states)] == [("invitation", "sent"), ("reset", "sent")]


@contextlib.contextmanager
def _signed_in(running: Console, email: str, password: str) -> Iterator[Visitor]:
    with contextlib.closing(running.stranger()) as visitor:
        visitor.sign_in("acme", email, password)
        yield visitor


def _ask(running: Console, email: str) -> None:
    with contextlib.closing(running.stranger()) as visitor:
        answer = visitor.submit("/reset", {"organisation": "acme", "email": email})
        assert answer.headers["location"] == "/reset?notice=reset-asked"


def _send(environment: dict[str, str]) -> None:
    """Send what is due as an operator does."""
    command = [sys.executable, "-m", "ingest", "jobs", "--once"]
    done = subprocess.run(command, cwd=service.ROOT, env=environment, capture_output=True, check=False)
    assert b"letters sent" in done.stdout, done


def _set(running: Console, path: str) -> None:
    """Open a letter's link, set a password by it, and see that it is over."""
    with contextlib.closing(running.stranger()) as visitor:
        for _ in range(2):  # Programs that scan mail open it first.
            assert visitor.get(path).status == 200
        form = {"password": _NEW, "again": _NEW}
        assert visitor.submit(path, form).status == 303
        assert "no longer works" in text(visitor.get(path))
