"""Webhooks in the database: the grammar of an address, who may change what, and what goes after 90 days."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ingest.alerts.webhooks import addresses
from ingest.store import connections
from ingest.store.accounts import people, sessions
from ingest.store.accounts.people import NewPerson
from ingest.store.connections import Connection
from ingest.store.webhooks import deliveries, webhooks
from ingest.store.webhooks.deliveries import Event, Outcome
from ingest.store.webhooks.errors import BadUrl, NotAllowed, TooMany
from tests.support import accounts, blocking
from tests.support.accounts import Member
from tests.support.cluster import Cluster, operator

URL = "https://hooks.example.com/usage"
HOSTS = (
    "hooks.example.com", "a.b", "a-b.example.com", "xn--p1ai.example", "127.0.0.1", "127.1", "0x7f.1", "2130706433",
    "1.2.3.0x4", "[::1]", "localhost", "a.localhost", "-a.example.com", "a..b", "a_b.example.com", "A.example.com",
    "user@example.com", f"{'a' * 64}.example.com", "example.com.", "", "\u0661.example.com",
)  # fmt: skip
TAILS = (
    "/", "/a/B-._~!$&()*+,;=:@%2F", "", "/?a", "/#a", "/%", "/%2f", "/a b", "/\n", "/'", '/"', "/<", "/\\", ":8443/",
    ":08443/", ":/", f"/{'a' * 300}",
)  # fmt: skip
_LET_PASS = "SELECT nocontent.add_webhook($1, $2)"


class Tenants:
    """Two tenants with an owner and an analyst each, by a database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.own, self.analyst, self.other = asyncio.run(self._make())

    async def _make(self) -> tuple[Member, Member, Member]:
        own = await accounts.member(self.dsn)
        async with connections.connected(self.dsn, "nocontent_control") as control:
            new = NewPerson("analyst@example.com", "The analyst", "analyst")
            person_id = await people.add(control, own.tenant_id, new)
        cookie = await accounts.signed_in(self.dsn, own.tenant_id, person_id)
        analyst = Member(own.tenant, own.tenant_id, person_id, new.email, cookie)
        return own, analyst, await accounts.member(self.dsn, "globex")


@pytest.fixture(scope="module")
def tenants(postgres: Cluster) -> Iterator[Tenants]:
    dsn = postgres.migrated()
    yield Tenants(dsn)
    postgres.drop(dsn)


@pytest.fixture
async def control(tenants: Tenants) -> AsyncIterator[Connection]:
    """Yield an operator's connection; all webhooks have ended after the test."""
    async with connections.connected(tenants.dsn, "nocontent_control") as own:
        yield own
    async with operator(tenants.dsn) as own:
        await own.execute("DELETE FROM webhook_deliveries")
        await own.execute("DELETE FROM webhooks")


@pytest.fixture
async def console(tenants: Tenants) -> AsyncIterator[Connection]:
    async with connections.connected(tenants.dsn, "nocontent_console") as own:
        yield own


async def test_the_grammar_of_the_table_is_that_of_the_code(tenants: Tenants, control: Connection) -> None:
    differing = []
    for url in (f"https://{host}{tail}" for host in HOSTS for tail in TAILS):
        transaction = control.transaction()
        await transaction.start()
        try:
            await control.fetchval(_LET_PASS, tenants.own.tenant_id, url)
            is_stored = True
        except asyncpg.CheckViolationError:
            is_stored = False
        await transaction.rollback()
        try:
            addresses.require(url, allows_loopback=True)
            is_accepted = True
        except BadUrl:
            is_accepted = False
        if is_stored != is_accepted and ".localhost" not in url:  # A suffix that means this machine, to the code alone.
            differing.append(url)
    assert differing == []


async def test_a_refused_address_is_in_no_error(tenants: Tenants, control: Connection) -> None:
    url = "https://hooks.example.com/?key=secret-word"
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await control.fetchval(_LET_PASS, tenants.own.tenant_id, url)
    assert "secret-word" not in repr(caught.value.as_dict())
    with pytest.raises(BadUrl):
        await webhooks.add(control, tenants.own.tenant_id, url)


async def test_owners_and_admins_alone_change_webhooks(
    tenants: Tenants, control: Connection, console: Connection
) -> None:
    made = await webhooks.add(control, tenants.own.tenant_id, URL)
    async with sessions.entered(console, tenants.analyst.cookie.digest):
        for refused in (
            webhooks.own_add(console, URL), webhooks.own_end(console, made), webhooks.own_test(console, made)
        ):  # fmt: skip
            with pytest.raises(NotAllowed):
                async with console.transaction():
                    await refused
    with pytest.raises(NotAllowed):  # Without a session.
        await webhooks.own_end(console, made)
    async with sessions.entered(console, tenants.own.cookie.digest):
        assert await webhooks.own_test(console, made) is not None
        assert await webhooks.own_end(console, made)
        assert not await webhooks.own_end(console, made)
        assert await webhooks.own_test(console, made) is None


async def test_a_webhook_of_another_tenant_is_not_there(
    tenants: Tenants, control: Connection, console: Connection
) -> None:
    made = await webhooks.add(control, tenants.other.tenant_id, URL)
    async with sessions.entered(console, tenants.own.cookie.digest):
        assert await webhooks.find(console, tenants.other.tenant_id, made) is None
        assert await webhooks.own_test(console, made) is None
        assert not await webhooks.own_end(console, made)
    assert not await webhooks.end(control, tenants.own.tenant_id, made)
    async with connections.connected(tenants.dsn, "nocontent_biller") as biller:
        event = Event("invoice", uuid4(), (), (7,))
        assert not await deliveries.put(biller, tenants.own.tenant_id, made, event)
        assert await deliveries.put_to_all(biller, tenants.own.tenant_id, event) == 0
        assert await deliveries.put_to_all(biller, tenants.other.tenant_id, event) == 1


async def test_a_tenant_has_five_webhooks_at_once(tenants: Tenants, control: Connection) -> None:
    made = [await webhooks.add(control, tenants.own.tenant_id, f"{URL}/{number}") for number in range(5)]
    with pytest.raises(TooMany):
        await webhooks.add(control, tenants.own.tenant_id, URL)
    await webhooks.end(control, tenants.own.tenant_id, made[0])
    await webhooks.add(control, tenants.own.tenant_id, URL)


async def test_from_the_console_twenty_webhooks_are_added_an_hour(tenants: Tenants, console: Connection) -> None:
    """Each may be tested ten times, and when one ends by 410 every owner and admin gets a letter."""
    aged = "UPDATE audit SET at = at - interval '1 hour' WHERE act = 'webhook.add'"
    async with operator(tenants.dsn) as watcher:
        await watcher.execute(aged)
        for _ in range(20):
            async with sessions.entered(console, tenants.own.cookie.digest):
                await webhooks.own_end(console, await webhooks.own_add(console, URL))
        with pytest.raises(TooMany):
            async with sessions.entered(console, tenants.own.cookie.digest):
                await webhooks.own_add(console, URL)
        await watcher.execute(aged)
    async with sessions.entered(console, tenants.own.cookie.digest):
        await webhooks.own_add(console, URL)


async def test_nothing_is_put_for_a_tenant_that_is_being_erased(tenants: Tenants, control: Connection) -> None:
    made = await webhooks.add(control, tenants.other.tenant_id, URL)
    async with operator(tenants.dsn) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES ($1, $2, 'tenant', 0)",
            tenants.other.tenant_id, uuid4(),
        )  # fmt: skip
        assert not await deliveries.put(connection, tenants.other.tenant_id, made, Event("webhook-test", uuid4()))
        await transaction.rollback()


async def test_what_ended_goes_after_90_days(tenants: Tenants, control: Connection) -> None:
    made = [await webhooks.add(control, tenants.own.tenant_id, f"{URL}/{number}") for number in range(2)]
    for each in made:
        await webhooks.test(control, tenants.own.tenant_id, each)
    await webhooks.end(control, tenants.own.tenant_id, made[0])
    for days, left in ((89, 2), (92, 1)):
        async with operator(tenants.dsn) as connection:
            at = f"now() - interval '{days} days'"
            await connection.execute(f"UPDATE webhook_deliveries SET changed_at = {at}, created_at = {at}")
            await connection.execute(f"UPDATE webhooks SET ended_at = {at} WHERE ended_at IS NOT NULL")
        async with connections.connected(tenants.dsn, "nocontent_maintainer") as maintainer:
            await maintainer.fetchval("SELECT nocontent.trim_webhooks(100)")
        assert len(await webhooks.list_all(control, tenants.own.tenant_id)) == left
    (waiting,) = await webhooks.deliveries(control, tenants.own.tenant_id, made[1])
    assert waiting.state == "pending"  # What still waits is older, and stays.
    assert timedelta() < waiting.not_before - waiting.created_at


async def test_no_act_on_webhooks_is_forgotten_by_the_audit(tenants: Tenants, control: Connection) -> None:
    made: UUID = await webhooks.add(control, tenants.other.tenant_id, URL)
    await webhooks.test(control, tenants.other.tenant_id, made)
    await webhooks.end(control, tenants.other.tenant_id, made)
    async with operator(tenants.dsn) as connection:
        acts = await connection.fetch(
            "SELECT act FROM audit WHERE tenant_id = $1 ORDER BY audit_id DESC LIMIT 3", tenants.other.tenant_id
        )
    assert [row["act"] for row in acts] == ["webhook.end", "webhook.test", "webhook.add"]


async def test_a_delivery_that_is_put_while_its_webhook_ends_does_not_wait_for_ever(
    tenants: Tenants, control: Connection
) -> None:
    """Whoever puts waits for the end, or the end sees what was put: nobody claims or trims what waits for an end."""
    made = await webhooks.add(control, tenants.own.tenant_id, URL)
    event = Event("invoice", uuid4(), (), (7,))
    async with operator(tenants.dsn) as watcher, connections.connected(tenants.dsn, "nocontent_biller") as biller:
        transaction = biller.transaction()
        await transaction.start()
        assert await deliveries.put(biller, tenants.own.tenant_id, made, event)
        ending = asyncio.create_task(webhooks.end(control, tenants.own.tenant_id, made))
        await blocking.until_blocked_or_done(watcher, control, ending)
        await transaction.commit()
        assert await ending
        (row,) = await watcher.fetch("SELECT state FROM webhook_deliveries WHERE webhook_id = $1", made)
    assert row["state"] == 5, "it is cancelled"


async def test_an_answer_that_comes_while_a_webhook_ends_breaks_neither(tenants: Tenants, control: Connection) -> None:
    """Both change the webhook before its deliveries, so that none waits for the other in a circle."""
    made = await webhooks.add(control, tenants.own.tenant_id, URL)
    await webhooks.test(control, tenants.own.tenant_id, made)
    async with operator(tenants.dsn) as watcher, connections.connected(tenants.dsn, "nocontent_mailer") as mailer:
        (claimed,) = await deliveries.claim(mailer, 1)
        transaction = watcher.transaction()
        await transaction.start()
        await watcher.execute("SELECT FROM webhooks WHERE webhook_id = $1 FOR NO KEY UPDATE", made)
        settling = asyncio.create_task(deliveries.settle(mailer, claimed, Outcome("5xx", is_delivered=False, rest_s=5)))
        await blocking.until_blocked_or_done(control, mailer, settling)
        assert await webhooks.end(watcher, tenants.own.tenant_id, made)
        await transaction.commit()
        assert await settling is None
