"""Letters to a real SMTP server: what arrives, once, and what becomes of those that do not."""

import asyncio
import ssl
from collections import Counter

import pytest
from jinja2 import UndefinedError

from ingest.accounts.links import Link
from ingest.alerts.mail import round as rounds
from ingest.alerts.mail.message import Content
from ingest.alerts.mail.settings import Relay
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.mail import sending
from ingest.store.mail.kinds import Kind
from ingest.store.mail.sending import Claim
from tests.alerts.mail.conftest import Office
from tests.support import mail
from tests.support.mail import Inbox, Received

TLS = ssl.create_default_context()


async def _round(connection: Connection, relay: Relay) -> Round:
    return await rounds.send_over(connection, relay, TLS, mail.compose)


async def test_a_letter_arrives_once_with_an_id_of_its_own(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox) as relay:
        first, second = await _round(mailer, relay), await _round(mailer, relay)
    (received,) = inbox.received
    letter_id = await owner.fetchval("SELECT letter_id FROM outbox")
    assert received.id == f"<{letter_id}@mail.example.com>"
    message = received.parsed()
    assert received.recipient == message["To"] == "person-1@example.com"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert (first.figures["letters_sent"], second.figures["letters_sent"]) == (1, 0)
    assert await mail.states(owner) == {"sent": 1}


async def test_a_letter_is_not_sent_before_its_time(office: Office, owner: Connection, mailer: Connection) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0])
    await mail.later(owner, "-1 hour")
    async with mail.serving(inbox) as relay:
        assert (await _round(mailer, relay)).figures["letters_waiting"] == 0
        assert inbox.sessions == []
        await mail.later(owner, "2 hours")
        await _round(mailer, relay)
    assert len(inbox.received) == 1


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (("rcpt", "550 person-1@example.com is nobody"), ("bounced", 5)),
        (("data", "554 no"), ("bounced", 5)),
        (("rcpt", "451 later"), ("pending", 4)),
        (("data", "452 full"), ("pending", 4)),
    ],
)
async def test_a_refusal_is_kept_by_its_class(
    office: Office, owner: Connection, mailer: Connection, answer: tuple[str, str], kept: tuple[str, int]
) -> None:
    inbox = Inbox()
    inbox.answers = dict([answer])
    await mail.put(owner, office.tenant_id, office.people[0])
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
    row = await owner.fetchrow("SELECT state, reply_class, attempts, not_before > now() FROM outbox")
    assert tuple(row or ()) == (*kept, 1, kept[0] == "pending")
    assert inbox.received == []


async def test_a_server_that_says_later_for_a_week_is_asked_for_three_days(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    inbox.answers["rcpt"] = "451 later"
    await mail.put(owner, office.tenant_id, office.people[0])
    passed_s = 0.0
    async with mail.serving(inbox) as relay:
        while passed_s < 7 * 86_400:
            await _round(mailer, relay)
            rest_s = await owner.fetchval(
                "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM outbox WHERE state = 'pending'"
            )
            if rest_s is None:
                break
            passed_s += rest_s
            await mail.later(owner, f"{rest_s + 1} s")
    assert 3 * 86_400 <= passed_s < 3.5 * 86_400
    assert await mail.states(owner) == {"given-up": 1}
    assert len(inbox.sessions) == sending.ATTEMPTS_MAX


async def test_a_person_gets_twenty_alerts_and_reports_an_hour_and_five_resets(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    busy, calm = office.people[:2]
    for _ in range(12):
        await mail.put(owner, office.tenant_id, busy, "budget-alert")
        await mail.put(owner, office.tenant_id, busy, "weekly-review")
    for _ in range(7):
        await mail.put(owner, office.tenant_id, busy, "reset")
    for _ in range(25):
        await mail.put(owner, office.tenant_id, busy, "invoice")
    await mail.put(owner, office.tenant_id, calm, "budget-alert")
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
        counted = Counter((each.recipient, each.parsed()["Subject"]) for each in inbox.received)
        assert counted["person-1@example.com", "About reset"] == sending.LINKS_AN_HOUR
        assert counted["person-1@example.com", "About invoice"] == 25
        assert counted["person-2@example.com", "About budget-alert"] == 1
        assert counted.total() == sending.DECLINABLE_AN_HOUR + 5 + 25 + 1
        assert (await mail.states(owner))["over-limit"] == 6
        await mail.later(owner, "61 minutes")
        await mail.put(owner, office.tenant_id, busy, "budget-alert")
        await _round(mailer, relay)
    assert len(inbox.received) == counted.total() + 1


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO mail_preferences SELECT tenant_id, person_id, 'alert' FROM outbox",
        "UPDATE people SET disabled_at = now() WHERE email = 'person-1@example.com'",
        "UPDATE people SET role = 'auditor' WHERE email = 'person-1@example.com'",
    ],
)
async def test_what_is_not_wanted_any_more_is_not_sent(
    office: Office, owner: Connection, mailer: Connection, change: str
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0], "budget-alert")
    await owner.execute(change)
    async with mail.serving(inbox) as relay:
        done = await _round(mailer, relay)
    await owner.execute("UPDATE people SET disabled_at = NULL, role = 'owner' WHERE email = 'person-1@example.com'")
    assert (inbox.received, done.figures["letters_suppressed"]) == ([], 1)
    assert await mail.states(owner) == {"suppressed": 1}


async def test_a_link_is_made_when_its_letter_is_sent_and_is_in_no_table(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0], "reset")
    assert await owner.fetchval("SELECT count(*) FROM account_links") == 0
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
    (received,) = inbox.received
    secret = _secret(received)
    found = await owner.fetchval("SELECT count(*) FROM account_links WHERE digest = sha256($1::bytea)", secret.encode())
    assert found == 1
    assert secret not in str(await owner.fetch("SELECT outbox::text FROM outbox"))


async def test_each_copy_of_a_letter_has_a_link_that_works(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    """Of two copies with one Message-ID a mail program may show the first alone."""
    inbox = Inbox()
    inbox.answers["data"] = "die"
    await mail.put(owner, office.tenant_id, office.people[0], "reset")
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
        inbox.answers.clear()
        await owner.execute("UPDATE outbox SET not_before = now()")
        await _round(mailer, relay)
    first, second = inbox.received
    assert first.id == second.id
    for received in (first, second):
        found = await owner.fetchrow("SELECT * FROM find_link(sha256($1::bytea))", _secret(received).encode())
        assert found is not None
        assert found["its_person"] == office.people[0]
    assert await owner.fetchval("SELECT use_link(sha256($1::bytea), $2)", _secret(first).encode(), mail.HASH)
    assert await owner.fetchval("SELECT count(*) FROM account_links WHERE used_at IS NULL") == 0


def _secret(received: Received) -> str:
    body = received.parsed().get_body(("plain",))
    assert body is not None
    return str(body.get_content().split()[1])


async def test_a_person_gets_five_invitations_an_hour(office: Office, owner: Connection, mailer: Connection) -> None:
    """Whoever may invite somebody could fill the mailbox of a stranger."""
    inbox = Inbox()
    invited = await owner.fetchval(
        "INSERT INTO people (tenant_id, email, name, role) VALUES ($1, 'stranger@example.com', 'Stranger', 'analyst')"
        " RETURNING person_id",
        office.tenant_id,
    )
    for _ in range(7):
        await mail.put(owner, office.tenant_id, invited, "invitation")
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
    await owner.execute("DELETE FROM people WHERE person_id = $1", invited)
    assert await mail.states(owner) == {"sent": 5, "over-limit": 2}


async def test_an_invitation_that_was_accepted_meanwhile_is_not_sent(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox = Inbox()
    await owner.execute(
        "INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause)"
        " VALUES ($1, 'invitation', $2, '{}', '{}', gen_random_uuid())",
        office.tenant_id,
        office.people[0],
    )
    async with mail.serving(inbox) as relay:
        await _round(mailer, relay)
    assert (inbox.received, await mail.states(owner)) == ([], {"suppressed": 1})


async def test_a_link_that_somebody_waits_for_is_sent_before_reviews(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    """A reset is given up after an hour, so nobody's thousand alerts may stand before it."""
    for person_id in office.people[:20]:
        await mail.put(owner, office.tenant_id, person_id, "weekly-review")
    await owner.execute("UPDATE outbox SET not_before = now() - interval '30 minutes'")
    await mail.put(owner, office.tenant_id, office.people[20], "reset")
    kinds = [claimed.kind for _ in range(2) if (claimed := await sending.claim(mailer))]
    assert kinds == ["reset", "weekly-review"]


@pytest.mark.parametrize("fault", [ValueError, KeyError, OverflowError, UndefinedError, CannotStart])
async def test_a_letter_that_cannot_be_composed_holds_up_no_other(
    office: Office, owner: Connection, mailer: Connection, fault: type[Exception]
) -> None:
    """It is a bug, or a letter of a later release: it rests as after a 4xx, and the lane of all tenants goes on."""

    async def compose(connection: Connection, claimed: Claim, link: Link | None) -> Content | None:
        if claimed.kind == "new-place":
            raise fault
        return await mail.compose(connection, claimed, link)

    inbox = Inbox()
    kinds: tuple[Kind, ...] = ("new-place", "invoice", "new-place", "invoice")
    for kind in kinds:
        await mail.put(owner, office.tenant_id, office.people[0], kind)
    async with mail.serving(inbox) as relay:
        done = await rounds.send_over(mailer, relay, TLS, compose)
    assert (len(inbox.received), done.figures["mail_server_failing"]) == (2, 0)
    assert await mail.states(owner) == {"sent": 2, "pending": 2}
    assert await owner.fetchval("SELECT min(not_before) > now() FROM outbox WHERE state = 'pending'")


async def test_a_worker_that_is_stopped_brings_its_letter_to_an_end(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    inbox, arriving, stopped = Inbox(), asyncio.Event(), asyncio.Event()

    async def reached(point: str) -> None:
        if point == "data":
            arriving.set()
            await stopped.wait()

    inbox.reached = reached
    await mail.put(owner, office.tenant_id, office.people[0], "new-place")
    await mail.put(owner, office.tenant_id, office.people[1], "new-place")
    await mail.later(owner, "-1 hour")
    await owner.execute("UPDATE outbox SET not_before = now() WHERE person_id = $1", office.people[0])
    async with mail.serving(inbox) as relay:
        running = asyncio.create_task(_round(mailer, relay))
        await arriving.wait()
        await owner.execute("UPDATE outbox SET not_before = now() WHERE state = 'pending'")
        running.cancel()
        await asyncio.sleep(0)
        stopped.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await mail.states(owner) == {"sent": 1, "pending": 1}


async def test_two_workers_at_once_double_none_of_6000_alerts(
    office: Office, owner: Connection, mailer: Connection
) -> None:
    """A minute of 100 alerts a second, as fast as it goes; each person gets as many as the limit allows in an hour."""
    inbox = Inbox()
    per_person = 6_000 // len(office.people)
    await owner.execute(
        "INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause)"
        " SELECT $1, 'budget-alert', person, '{}', ARRAY[n], gen_random_uuid()"
        " FROM unnest($2::uuid[]) AS person, generate_series(1, $3::bigint) AS n",
        office.tenant_id,
        office.people,
        per_person,
    )
    assert per_person == sending.DECLINABLE_AN_HOUR

    async def work(connection: Connection, relay: Relay) -> None:
        while not (await _round(connection, relay)).is_complete:
            pass

    async with (
        mail.serving(inbox) as relay,
        connections.connected(office.dsn, "nocontent_mailer") as other,
    ):
        await asyncio.gather(work(mailer, relay), work(other, relay))
    assert await mail.states(owner) == {"sent": 6_000}
    assert len(inbox.received) == len(set(inbox.ids())) == 6_000
