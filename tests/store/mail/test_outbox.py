"""The outbox: a cause makes one letter for each person, with its transaction or not at all, and of no other tenant."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from ingest.store import connections
from ingest.store.accounts import people, sessions
from ingest.store.connections import Connection
from ingest.store.mail import outbox, preferences
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Letter, Notice, cause_of
from tests.support import accounts, blocking, logins, mail
from tests.support.accounts import Member
from tests.support.cluster import Cluster, operator


class Office(NamedTuple):
    dsn: str
    own: Member
    other: Member
    people: list[UUID]  # Of `own`'s tenant: three owners who have accepted.


@pytest.fixture(scope="module")
def office(postgres: Cluster) -> Iterator[Office]:
    dsn = postgres.migrated()

    async def fill() -> Office:
        own, other = await accounts.member(dsn, "acme"), await accounts.member(dsn, "globex")
        async with operator(dsn) as connection:
            await connection.execute("UPDATE people SET password_hash = NULL")
            return Office(dsn, own, other, await mail.add_people(connection, own.tenant_id, 3))

    yield asyncio.run(fill())
    postgres.drop(dsn)


def _letter(office: Office, cause: UUID | None = None) -> Letter:
    return Letter("invoice", office.people[0], (), (7,), cause or uuid4())


async def _count(dsn: str) -> int:
    async with operator(dsn) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))


@pytest.mark.parametrize("role", ["nocontent_control", "nocontent_biller", "nocontent_eraser", "nocontent_mailer"])
async def test_a_cause_makes_one_letter_and_only_if_it_commits(office: Office, role: connections.Role) -> None:
    letter, before = _letter(office), await _count(office.dsn)
    async with connections.connected(office.dsn, role) as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await outbox.put(connection, office.own.tenant_id, letter)
        await transaction.rollback()
        assert await _count(office.dsn) == before
        assert await outbox.put(connection, office.own.tenant_id, letter)
        assert not await outbox.put(connection, office.own.tenant_id, letter)
    assert await _count(office.dsn) == before + 1


async def test_two_causes_at_once_make_one_letter(office: Office) -> None:
    letter, before = _letter(office), await _count(office.dsn)

    async def put() -> bool:
        async with connections.connected(office.dsn, "nocontent_biller") as connection:
            return await outbox.put(connection, office.own.tenant_id, letter)

    assert sorted(await asyncio.gather(*(put() for _ in range(4)))) == [False, False, False, True]
    assert await _count(office.dsn) == before + 1


async def test_a_notice_goes_to_whoever_has_a_role_and_has_accepted(office: Office) -> None:
    notice = Notice("invoice", (), (7,), uuid4())
    async with connections.connected(office.dsn, "nocontent_biller") as connection:
        tenant_id = office.own.tenant_id
        assert await outbox.put_to_roles(connection, tenant_id, ("billing", "auditor"), notice) == 0
        assert await outbox.put_to_roles(connection, tenant_id, KINDS["invoice"].roles, notice) == len(office.people)
        assert await outbox.put_to_roles(connection, tenant_id, KINDS["invoice"].roles, notice) == 0


async def test_nobody_gets_what_is_not_for_them(office: Office) -> None:
    async with connections.connected(office.dsn, "nocontent_control") as control:
        accepted, invited = office.people[0], office.own.person_id
        for letter in (
            Letter("invitation", accepted, (), (), uuid4()),
            Letter("reset", invited, (), (), uuid4()),
            Letter("invoice", uuid4(), (), (), uuid4()),
        ):
            assert not await outbox.put(control, office.own.tenant_id, letter)
        assert await outbox.put(
            control, office.own.tenant_id, Letter("invitation", office.own.person_id, (), (), uuid4())
        )
        assert not await outbox.put(control, office.other.tenant_id, _letter(office))
        await people.set_disabled(control, office.own.tenant_id, office.people[2], disabled=True)
        disabled = Letter("invoice", office.people[2], (), (), uuid4())
        assert not await outbox.put(control, office.own.tenant_id, disabled)
        await people.set_disabled(control, office.own.tenant_id, office.people[2], disabled=False)


async def test_a_session_puts_letters_of_its_own_tenant_alone(office: Office) -> None:
    async with connections.connected(office.dsn, "nocontent_console") as console:
        async with sessions.entered(console, office.own.cookie.digest):
            assert await outbox.put(console, office.own.tenant_id, _letter(office))
        notice = Notice("invoice", (), (), uuid4())
        for digest, tenant_id in ((office.own.cookie.digest, office.other.tenant_id), (b"\0" * 32, 1), (b"", 1)):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with sessions.entered(console, digest):
                    await outbox.put(console, tenant_id, _letter(office))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with sessions.entered(console, digest):
                    await outbox.put_to_roles(console, tenant_id, ("owner",), notice)


@pytest.mark.parametrize("role", ["none", "nocontent_console"])
async def test_a_login_of_the_console_is_one_whatever_role_it_takes(office: Office, role: str) -> None:
    login = await logins.made(office.dsn, "nocontent_console")
    async with logins.connected(office.dsn, login, role) as connection:
        for tenant_id in (office.own.tenant_id, office.other.tenant_id):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await outbox.put(connection, tenant_id, _letter(office))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO outbox SELECT * FROM outbox",
        "DELETE FROM outbox",
        "UPDATE outbox SET kind = 'reset'",
        "SELECT password_hash FROM people",
        "SELECT digest FROM account_links",
        "SELECT * FROM events",
        "SELECT secret_sha256 FROM ingest_tokens",
        "SELECT nocontent.add_link(1, gen_random_uuid(), 'sign-in', sha256(''))",
    ],
)
async def test_the_mailer_writes_no_letter_and_reads_no_secret(office: Office, statement: str) -> None:
    async with connections.connected(office.dsn, "nocontent_mailer") as mailer:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await mailer.execute(statement)


async def test_a_link_is_for_a_letter_that_is_being_sent(office: Office) -> None:
    """So the role that sends mail can make no link for somebody without a letter about it."""
    make = "SELECT nocontent.make_mail_link($1, $2, sha256('a'))"
    async with operator(office.dsn) as owner, connections.connected(office.dsn, "nocontent_mailer") as mailer:
        await outbox.put(owner, office.own.tenant_id, Letter("reset", office.people[1], (), (), uuid4()))
        letter = await owner.fetchval("SELECT letter_id FROM outbox WHERE kind = 'reset'")
        assert await mailer.fetchval(make, office.own.tenant_id, letter) is None
        await owner.execute("UPDATE outbox SET state = 'sending' WHERE letter_id = $1", letter)
        assert await mailer.fetchval(make, office.other.tenant_id, letter) is None
        assert await mailer.fetchval(make, office.own.tenant_id, letter) is not None


async def test_a_person_who_is_removed_leaves_no_letter(office: Office) -> None:
    async with operator(office.dsn) as owner, connections.connected(office.dsn, "nocontent_control") as control:
        (gone,) = await owner.fetch(
            "INSERT INTO people (tenant_id, email, name, role, password_hash, password_changed_at)"
            " SELECT tenant_id, 'gone@example.com', name, role, password_hash, now() FROM people WHERE person_id = $1"
            " RETURNING person_id",
            office.people[0],
        )
        await mail.put(control, office.own.tenant_id, gone[0])
        await owner.execute("INSERT INTO mail_preferences VALUES ($1, $2, 'alert')", office.own.tenant_id, gone[0])
        await people.remove(control, office.own.tenant_id, gone[0])
        for table in ("outbox", "mail_preferences"):
            assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE person_id = $1", gone[0]) == 0


async def test_a_person_who_is_removed_while_declining_leaves_no_preference(office: Office) -> None:
    async with (
        operator(office.dsn) as owner,
        connections.connected(office.dsn, "nocontent_console") as console,
        connections.connected(office.dsn, "nocontent_control") as control,
    ):
        person_id = await owner.fetchval(
            "INSERT INTO people (tenant_id, email, name, role) VALUES ($1, 'new@example.com', 'Somebody', 'analyst')"
            " RETURNING person_id",
            office.own.tenant_id,
        )
        cookie = await accounts.signed_in(office.dsn, office.own.tenant_id, person_id)
        async with sessions.entered(console, cookie.digest):
            await preferences.set_own(console, "alert", wanted=False)
            removing = asyncio.create_task(people.remove(control, office.own.tenant_id, person_id))
            await blocking.until_blocked_or_done(owner, control, removing)
        await removing
        assert await owner.fetchval("SELECT count(*) FROM mail_preferences") == 0


async def test_letters_that_ended_90_days_ago_go_and_no_others(office: Office) -> None:
    async with operator(office.dsn) as owner, connections.connected(office.dsn, "nocontent_maintainer") as keeper:
        await owner.execute("TRUNCATE outbox")
        horizon = await owner.fetchval(
            "UPDATE retention SET horizon = (now() AT TIME ZONE 'UTC')::date - retention_days RETURNING horizon"
        )
        assert horizon is not None
        for state, days in (("sent", 91), ("bounced", 89), ("pending", 200), ("sending", 200), ("over-limit", 200)):
            await _put_old(owner, office, state, days)
        assert await keeper.fetchval("SELECT nocontent.trim_mail(1)") == 1
        assert await keeper.fetchval("SELECT nocontent.trim_mail(10)") == 1
        left = await owner.fetch("SELECT state FROM outbox ORDER BY state")
    assert [row["state"] for row in left] == ["bounced", "pending", "sending"]


async def _put_old(owner: Connection, office: Office, state: str, days: int) -> None:
    await owner.execute(
        "INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause, state, changed_at)"
        " VALUES ($1, 'invoice', $2, '{}', '{}', gen_random_uuid(), $3, now() - make_interval(days => $4))",
        office.own.tenant_id,
        office.people[0],
        state,
        days,
    )


def test_a_cause_is_a_function_of_its_key() -> None:
    assert cause_of("week", 1, "2026-11-23") == cause_of("week", 1, "2026-11-23")
    assert len({cause_of("week", 1, 12), cause_of("week", 11, 2), cause_of("week", 1, 1, 2)}) == 3
