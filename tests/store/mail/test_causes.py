"""Every cause of a letter: rolled back it leaves none, committed exactly one for each person, and again none more."""

import itertools
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest

from ingest.accounts import managing
from ingest.accounts.sessions import Cookie
from ingest.alerts import lanes, weekly
from ingest.knowledge.billing import DocumentKind, Line, LineKind, Period
from ingest.store import connections
from ingest.store.accounts import links, sessions
from ingest.store.accounts.errors import PeopleError, TooManyPeople
from ingest.store.accounts.sessions import NewSession
from ingest.store.billing import invoices
from ingest.store.billing.invoices import Heading, NotCreditable, Outdated
from ingest.store.connections import Connection, PostgresError, Role
from ingest.store.rights import completion
from tests.support import accounts, metering, staff
from tests.support.cluster import Cluster, operator
from tests.support.staff import Staff

_MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
_PLACE, _OTHER = b"a" * 32, b"b" * 32
_MONTH = date(2026, 1, 1)
_PERIOD = Period(month=_MONTH, start=metering.utc(2026, 1), end=metering.utc(2026, 2), time_zone="UTC")
_LINE = Line(
    kind=LineKind.FLAT, is_correction=False, month=_MONTH, start=_PERIOD.start, end=_PERIOD.end, plan_id=1,
    plan_version=1, quantity=1, cents=100,
)  # fmt: skip
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def mailing(postgres: Cluster) -> Iterator[str]:
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def own(mailing: str) -> Staff:
    """Return a tenant of the test's own with usage in a week; there is a plan, and another tenant with people."""
    made = await staff.hire(mailing, f"acme-{next(_NUMBERS)}")
    async with operator(mailing) as connection:
        await metering.put(connection, made.tenant_id, _MONDAY - timedelta(days=4), 5, (0, 0))
    async with connections.connected(mailing, "nocontent_control") as control:
        if made.tenant_id == 1:
            await metering.plan(control, "basic", metering.terms())
            await staff.hire(mailing, "globex")
    return made


async def _invite(connection: Connection, own: Staff) -> None:
    await sessions.enter(connection, own.owner.digest)
    await managing.invite(connection, "new@example.com", "Somebody New", "analyst")


async def _invite_again(connection: Connection, own: Staff) -> None:
    await sessions.enter(connection, own.owner.digest)
    await managing.invite_again(connection, own.ids["invited-billing"])


async def _reset(connection: Connection, own: Staff) -> None:
    await sessions.enter(connection, own.owner.digest)
    await managing.reset(connection, own.ids["analyst"])


async def _ask(connection: Connection, own: Staff) -> None:
    await links.ask_reset(connection, own.tenant, "auditor@example.com")


async def _sign_in(connection: Connection, own: Staff, place: bytes = _OTHER) -> None:
    new = NewSession(Cookie.make(accounts.KEYS).digest, "firefox", awaits_totp=False, places=(place,))
    assert await sessions.open_session(connection, own.tenant_id, own.ids["billing"], new)


async def _issue(connection: Connection, own: Staff) -> None:
    heading = Heading(
        tenant_id=own.tenant_id, issuer="NC", kind=DocumentKind.INVOICE, period=_PERIOD, currency="USD",
        usage_digest=b"a" * 32,
    )  # fmt: skip
    await invoices.issue(connection, heading, [_LINE])


async def _credit(connection: Connection, own: Staff) -> None:
    (issued,) = [each for each in await invoices.listed(connection, own.tenant_id) if each.kind == DocumentKind.INVOICE]
    await invoices.credit(connection, issued, waived=False)


async def _export(connection: Connection, own: Staff) -> None:
    await completion.tell(connection, own.tenant_id, UUID(int=1), 1_000)


async def _review(connection: Connection, _own: Staff) -> None:
    await weekly.review_at(connection, _MONDAY)


async def _know(connection: Connection, own: Staff) -> None:
    await _sign_in(connection, own, _PLACE)


class Cause(NamedTuple):
    """An act, the role that does it, and those who get its letter; `again` is what the same act raises, if it may."""

    act: Callable[[Connection, Staff], Awaitable[None]]
    role: Role
    kind: str
    to: tuple[str, ...]
    before: Callable[[Connection, Staff], Awaitable[None]] | None = None
    again: type[Exception] | None = None


CAUSES = {
    "invitation": Cause(_invite, "nocontent_console", "invitation", ("new",), again=PeopleError),
    "another invitation": Cause(_invite_again, "nocontent_console", "invitation", ("invited-billing",)),
    "reset by an owner": Cause(_reset, "nocontent_console", "reset", ("analyst",)),
    "reset that is asked for": Cause(_ask, "nocontent_console", "reset", ("auditor",)),
    "new place": Cause(_sign_in, "nocontent_console", "new-place", ("billing",), _know),
    "invoice": Cause(_issue, "nocontent_biller", "invoice", ("billing", "owner"), again=Outdated),
    "credit note": Cause(_credit, "nocontent_biller", "invoice", ("billing", "owner"), _issue, NotCreditable),
    "export": Cause(_export, "nocontent_exporter", "export-ready", ("admin", "owner")),
    "weekly review": Cause(_review, lanes.ROLE, "weekly-review", ("admin", "analyst", "owner")),
}
# Of which the same act is the same cause. Another link is another cause.
ONCE = [name for name in CAUSES if name not in {"another invitation", "reset by an owner", "reset that is asked for"}]


class _Undone(Exception):
    """Rolls a cause back."""


async def _do(own: Staff, cause: Cause, raised: type[Exception] | None = None) -> None:
    """Do the act in a transaction, which is rolled back if something is raised."""
    async with (
        connections.connected(own.dsn, cause.role) as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        await cause.act(connection, own)
        if raised is not None:
            raise raised


async def _prepare(own: Staff, cause: Cause) -> list[tuple[str, str]]:
    """Do what comes before; return the letters that there are then."""
    if cause.before is not None:
        await _do(own, cause._replace(act=cause.before))
    return await own.letters()


@pytest.mark.parametrize("name", CAUSES)
async def test_a_cause_that_is_rolled_back_leaves_no_letter(own: Staff, name: str) -> None:
    known = await _prepare(own, CAUSES[name])
    with pytest.raises(_Undone):
        await _do(own, CAUSES[name], _Undone)
    assert await own.letters() == known


@pytest.mark.parametrize("name", CAUSES)
async def test_a_cause_makes_one_letter_for_each_person_whom_it_concerns(own: Staff, name: str) -> None:
    """So nobody who is disabled, or has not accepted, gets one, but invitations."""
    cause = CAUSES[name]
    known = await _prepare(own, cause)
    await _do(own, cause)
    assert await own.letters() == sorted([*known, *((cause.kind, each) for each in cause.to)])


@pytest.mark.parametrize("name", ONCE)
async def test_a_cause_that_comes_again_makes_no_more(own: Staff, name: str) -> None:
    cause = CAUSES[name]
    await _prepare(own, cause)
    await _do(own, cause)
    known = await own.letters()
    if cause.again is None:
        await _do(own, cause)
    else:
        with pytest.raises(cause.again):
            await _do(own, cause)
    assert await own.letters() == known


async def test_no_letter_is_of_another_tenant(own: Staff, mailing: str) -> None:
    for cause in CAUSES.values():
        if cause.role == "nocontent_console":
            await _do(own, cause)
    async with operator(mailing) as connection:
        strange = "SELECT count(*) FROM outbox LEFT JOIN people USING (tenant_id, person_id) WHERE email IS NULL"
        assert await connection.fetchval(strange) == 0
        globex = "SELECT count(*) FROM outbox JOIN tenants USING (tenant_id) WHERE name = 'globex'"
        assert await connection.fetchval(globex) == 0


@pytest.mark.parametrize("kind", ["invitation", "weekly-review", "invoice"])
async def test_an_exporter_puts_no_other_letter(own: Staff, kind: str) -> None:
    put = "SELECT nocontent.put_mail_to_roles($1, $2, '{owner}', '{}', '{}', gen_random_uuid(), NULL)"
    async with connections.connected(own.dsn, "nocontent_exporter") as connection:
        with pytest.raises(PostgresError, match="permission denied"):
            await connection.fetchval(put, own.tenant_id, kind)


async def test_an_organisation_invites_a_hundred_people_an_hour(own: Staff, mailing: str) -> None:
    """Whoever invites the same stranger again and again, and removes them each time, fills no mailbox."""
    lines = "INSERT INTO audit (tenant_id, act, at) SELECT $1, 'account.invite', now() FROM generate_series(1, $2)"
    async with operator(mailing) as watcher, connections.connected(mailing, "nocontent_console") as console:
        known = await watcher.fetchval(
            "SELECT count(*) FROM audit WHERE tenant_id = $1 AND act = 'account.invite'", own.tenant_id
        )
        await watcher.execute(lines, own.tenant_id, 99 - known)
        async with sessions.entered(console, own.owner.digest):
            made = await managing.invite(console, "stranger@example.com", "A Stranger", "analyst")
            await managing.remove(console, made.person_id)
        with pytest.raises(TooManyPeople):
            async with sessions.entered(console, own.owner.digest):
                await managing.invite(console, "stranger@example.com", "A Stranger", "analyst")
        await watcher.execute("UPDATE audit SET at = at - interval '1 hour' WHERE tenant_id = $1", own.tenant_id)
        async with sessions.entered(console, own.owner.digest):
            await managing.invite(console, "stranger@example.com", "A Stranger", "analyst")
