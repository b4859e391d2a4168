"""A worker that is killed, and connections that are lost, between any two steps of sending.

A kind that is sent at least once arrives at least once, under one Message-ID; a kind that is sent at most once arrives
once at most, and what nobody knows is counted.
"""

import asyncio
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ingest.alerts.mail import round as rounds
from ingest.alerts.mail.settings import Relay
from ingest.jobs.job import Round
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.mail import sending
from ingest.store.mail.kinds import Kind
from ingest.store.mail.sending import Outcome
from tests.alerts.mail.conftest import Office
from tests.support import mail
from tests.support.cluster import operator
from tests.support.mail import Inbox, Point

TLS = ssl.create_default_context()
_LEAST, _MOST = "About invoice", "About new-place"
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%UPDATE nocontent.outbox SET state%'
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'nocontent-mailer' AND pid <> $1
"""
ONE_KIND = pytest.mark.parametrize(("kind", "times"), [("invoice", 2), ("new-place", 1)])


async def _put_both(owner: Connection, office: Office) -> None:
    await mail.put(owner, office.tenant_id, office.people[0], "invoice")
    await mail.put(owner, office.tenant_id, office.people[1], "new-place")


async def _round(connection: Connection, relay: Relay) -> Round:
    return await rounds.send_over(connection, relay, TLS, mail.compose)


@asynccontextmanager
async def _started(office: Office, relay: Relay) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.support.killed_mailer", office.dsn, str(relay.port))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _finish(owner: Connection, mailer: Connection, relay: Relay) -> Mapping[str, int]:
    """Let a worker take up what the dead one left, once the time for that has come."""
    assert (await _round(mailer, relay)).figures["letters_sent"] == 0  # Not yet: it might be alive.
    await mail.later(owner, "6 minutes")
    figures = (await _round(mailer, relay)).figures
    await mail.later(owner, "10 days")
    assert (await _round(mailer, relay)).figures["letters_sent"] == 0
    return {str(figure): amount for figure, amount in figures.items() if amount and "letter" not in figure}


def _arrived(inbox: Inbox) -> Counter[str]:
    """Return how often each subject arrived; all of a subject have one Message-ID."""
    subjects = {each.id: str(each.parsed()["Subject"]) for each in inbox.received}
    assert len(subjects) == len(set(subjects.values()))
    return Counter(subjects[each.id] for each in inbox.received)


@pytest.mark.parametrize(
    ("point", "arrived"),
    [
        ("rcpt", {_LEAST: 1}),  # Between `sending` and DATA.
        ("data", {_LEAST: 2, _MOST: 1}),  # Between the end of the letter and 250.
    ],
)
async def test_a_kill_before_the_servers_answer(
    office: Office, owner: Connection, mailer: Connection, point: Point, arrived: dict[str, int]
) -> None:
    inbox, ready, both = Inbox(), asyncio.Event(), Counter[Point]()

    async def reached(here: Point) -> None:
        both[here] += 1
        if here == point:
            if both[here] == 2:
                ready.set()
            await asyncio.Event().wait()  # Until the session ends.

    inbox.reached = reached
    await _put_both(owner, office)
    async with mail.serving(inbox) as relay:
        async with _started(office, relay) as process:
            await asyncio.wait_for(ready.wait(), 30)
            process.kill()
        inbox.reached = None
        assert await mail.states(owner) == {"sending": 2}
        unknown = await _finish(owner, mailer, relay)
    assert _arrived(inbox) == arrived
    assert await mail.states(owner) == {"sent": 1, "unsure": 1}
    assert unknown == {"ambiguous_invoice": 1, "ambiguous_new_place": 1}


@ONE_KIND
async def test_a_kill_between_250_and_our_update(
    office: Office, owner: Connection, mailer: Connection, kind: Kind, times: int
) -> None:
    """A row that somebody else has locked keeps the worker from noting what the server has acknowledged."""
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0], kind)
    async with mail.serving(inbox) as relay, operator(office.dsn) as locking:
        locked = locking.transaction()

        async def reached(here: Point) -> None:
            if here == "data":
                await locked.start()
                await locking.execute("SELECT FROM outbox FOR UPDATE")

        inbox.reached = reached
        async with _started(office, relay) as process:
            async with asyncio.timeout(30):
                while not await owner.fetchval(_BLOCKED):  # noqa: ASYNC110 - PostgreSQL tells nobody.
                    await asyncio.sleep(0.02)
            process.kill()
        await owner.execute(
            _END_OTHERS, mailer.get_server_pid()
        )  # PostgreSQL would go on with the dead worker's statement.
        await locked.rollback()
        inbox.reached = None
        assert await mail.states(owner) == {"sending": 1}
        await _finish(owner, mailer, relay)
    assert _arrived(inbox).total() == times


async def test_a_server_that_takes_letters_and_dies_before_250(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    inbox.answers["data"] = "die"
    await _put_both(owner, office)
    async with mail.serving(inbox) as relay:
        figures: Counter[str] = Counter()
        for _ in range(3):  # Each loses its connection, and the letter rests.
            figures.update({str(name): amount for name, amount in (await _round(mailer, relay)).figures.items()})
        assert figures["mail_server_failing"] >= 1
        del inbox.answers["data"]
        await mail.later(owner, "10 days")
        await _round(mailer, relay)
    arrived = _arrived(inbox)
    assert arrived[_LEAST] >= 2
    assert arrived[_MOST] == 1
    assert await mail.states(owner) == {"sent": 1, "unsure": 1}
    assert figures["ambiguous_new_place"] == 1
    assert figures["ambiguous_invoice"] >= 1


@ONE_KIND
async def test_a_database_that_is_lost_before_our_update(
    office: Office, owner: Connection, mailer: Connection, kind: Kind, times: int
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0], kind)

    async def reached(here: Point) -> None:
        if here == "data":
            await owner.execute(_END_OTHERS, mailer.get_server_pid())

    inbox.reached = reached
    async with mail.serving(inbox) as relay, connections.connected(office.dsn, "nocontent_mailer") as lost:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await _round(lost, relay)
        inbox.reached = None
        await _finish(owner, mailer, relay)
    assert _arrived(inbox).total() == times


async def test_a_process_that_was_paused_settles_no_letter_that_another_has_claimed_since(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    await mail.put(owner, office.tenant_id, office.people[0])
    paused = await sending.claim(mailer)
    await mail.later(owner, "6 minutes")
    assert await sending.reclaim(mailer) == ["invoice"]
    present = await sending.claim(mailer)
    assert paused is not None
    assert present is not None
    assert paused.letter_id == present.letter_id
    await sending.settle(mailer, paused, Outcome("bounced", 5))
    assert await mail.states(owner) == {"sending": 1}
    await sending.settle(mailer, present, Outcome("sent", 2))
    assert await mail.states(owner) == {"sent": 1}
