"""The job of webhooks: a delivery with its cause, at least once, under one id, and pauses until it is given up."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from asyncpg import Record
from standardwebhooks.webhooks import Webhook

from ingest.alerts.webhooks import backoff, signing, worker
from ingest.alerts.webhooks.client import Client
from ingest.alerts.webhooks.worker import Sender
from ingest.knowledge.keys import Keys
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.webhooks import deliveries, webhooks
from ingest.store.webhooks.deliveries import Event
from ingest.store.webhooks.webhooks import WebhookRow
from tests.support import accounts, receiver
from tests.support.accounts import Member
from tests.support.certificates import Pair
from tests.support.cluster import Cluster, operator
from tests.support.receiver import Receiver

KEYS = Keys.make()
HASH = f"$argon2id$v=19$m=1,t=1,p=1${'A' * 22}${'A' * 43}"
_DUE = "UPDATE webhook_deliveries SET not_before = now() WHERE state IN (1, 2)"
_LETTERS = "SELECT count(*) FROM outbox WHERE kind = 'webhook-disabled' AND ids = ARRAY[$1::uuid]"
_AGE = "UPDATE webhooks SET failing_since = failing_since - $2::interval WHERE webhook_id = $1"
_ROWS = "SELECT state, attempts, answer, not_before - changed_at AS rest FROM webhook_deliveries WHERE webhook_id = $1"


@pytest.fixture(scope="module")
def dsn(postgres: Cluster) -> Iterator[str]:
    own = postgres.migrated()
    yield own
    postgres.drop(own)


@pytest.fixture(scope="module")
def owner(dsn: str) -> Member:
    async def make() -> Member:
        made = await accounts.member(dsn)
        await accounts.give_password(dsn, made, HASH)
        return made

    return asyncio.run(make())


class Stage(NamedTuple):
    """A webhook of a tenant to a receiver, and a worker: its connection, and how it posts."""

    dsn: str
    tenant_id: int
    webhook: UUID
    hook: Receiver
    mailer: Connection
    sender: Sender

    async def put(self, event: Event | None = None) -> bool:
        return await deliveries.put(self.mailer, self.tenant_id, self.webhook, event or _alert())

    async def post(self) -> None:
        await worker.post_claimed(self.mailer, self.sender, await deliveries.claim(self.mailer, 10))

    async def ask(self, query: str, *values: object) -> list[Record]:
        async with operator(self.dsn) as connection:
            return list(await connection.fetch(query, *values))

    async def states(self) -> list[tuple[int, int, int | None]]:
        return [(row["state"], row["attempts"], row["answer"]) for row in await self.ask(_ROWS, self.webhook)]

    async def make_due(self) -> None:
        await self.ask(_DUE)

    async def letters(self) -> int:
        (row,) = await self.ask(_LETTERS, self.webhook)
        return int(row["count"])

    async def webhook_row(self) -> WebhookRow:
        async with connections.connected(self.dsn, "nocontent_control") as control:
            found = await webhooks.find(control, self.tenant_id, self.webhook)
        assert found is not None
        return found


@pytest.fixture
async def stage(dsn: str, owner: Member, hook: Receiver, pair: Pair) -> AsyncIterator[Stage]:
    async with (
        connections.connected(dsn, "nocontent_control") as control,
        connections.connected(dsn, "nocontent_mailer") as mailer,
        Client(allows_loopback=True, trust=pair.trusted()) as client,
    ):
        webhook = await webhooks.add(control, owner.tenant_id, hook.url)
        yield Stage(dsn, owner.tenant_id, webhook, hook, mailer, Sender(client.post, KEYS))
        await webhooks.end(control, owner.tenant_id, webhook)


def _alert(cause: UUID | None = None) -> Event:
    return Event("budget-alert", cause or uuid4(), [UUID(int=7)], [20_485, 80, 12_000_000_000, 15_000_000_000])


async def test_an_event_is_posted_once_its_cause_is_committed_and_verifies(stage: Stage) -> None:
    transaction = stage.mailer.transaction()
    await transaction.start()
    assert await stage.put()
    await transaction.rollback()
    cause = uuid4()
    assert await stage.put(_alert(cause))
    assert not await stage.put(_alert(cause))
    assert await deliveries.put_to_all(stage.mailer, stage.tenant_id, _alert(cause)) == 0
    await stage.post()
    await stage.post()
    (received,) = stage.hook.received
    body = Webhook(signing.secret(KEYS, stage.webhook)).verify(received.body, dict(received.headers))
    assert body == json.loads(received.body)
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "type": "budget-alert",
        "data": {
            "budget_id": "00000000-0000-0000-0000-000000000007", "period_start": "2026-02-01", "threshold_percent": 80,
            "spend_nanousd": 12_000_000_000, "limit_nanousd": 15_000_000_000,
        },
    }  # fmt: skip


async def test_errors_of_a_day_are_repeated_with_pauses_under_one_id_and_then_given_up(stage: Stage) -> None:
    stage.hook.respond = receiver.status(500)
    await stage.put()
    rests = []
    for attempt in range(1, backoff.ATTEMPTS_MAX + 1):
        await stage.post()
        if attempt > 1:  # The first pause is short.
            await stage.post()
        assert len(stage.hook.received) == attempt
        (row,) = await stage.ask(_ROWS, stage.webhook)
        rests.append(row["rest"])
        await stage.make_due()
    assert [round(rest.total_seconds()) for rest in rests[:-1]] == [*backoff.PAUSES_S]
    assert await stage.states() == [(4, backoff.ATTEMPTS_MAX, 5)]
    assert len({each.headers["webhook-id"] for each in stage.hook.received}) == 1
    assert len({each.body for each in stage.hook.received}) == 1
    stage.hook.respond = receiver.raw(receiver.OK)
    await stage.put()
    await stage.post()
    assert (await stage.webhook_row()).failing_since is None


async def test_a_receiver_that_is_gone_ends_its_webhook_and_owners_get_a_letter(stage: Stage) -> None:
    stage.hook.respond = receiver.status(410)
    for _ in range(2):
        await stage.put()
    await worker.post_claimed(stage.mailer, stage.sender, (await deliveries.claim(stage.mailer, 10))[:1])
    await stage.make_due()
    await stage.post()
    assert len(stage.hook.received) == 1
    assert sorted(await stage.states()) == [(4, 1, 6), (5, 1, None)]
    assert await stage.letters() == 1
    assert (await stage.webhook_row()).ended_because == "gone"
    assert not await stage.put()


async def test_three_days_of_failures_end_a_webhook_and_owners_get_one_letter(stage: Stage) -> None:
    stage.hook.respond = receiver.status(503)
    for days, is_over in ((0, False), (2.9, False), (3.1, True)):
        await stage.ask(_AGE, stage.webhook, timedelta(days=days))
        await stage.put()
        await stage.make_due()
        await stage.post()
        assert await stage.letters() == is_over
        assert (await stage.webhook_row()).ended_because == ("failing" if is_over else None)


async def test_a_worker_that_loses_the_database_after_the_answer_posts_again_under_the_same_id(stage: Stage) -> None:
    async with connections.connected(stage.dsn, "nocontent_mailer") as lost:
        await deliveries.put(lost, stage.tenant_id, stage.webhook, _alert())

        async def respond(writer: asyncio.StreamWriter) -> None:
            lost.terminate()
            await receiver.raw(receiver.OK)(writer)

        stage.hook.respond = respond
        with pytest.raises(Exception, match="closed"):
            await worker.post_claimed(lost, stage.sender, await deliveries.claim(lost, 10))
    stage.hook.respond = receiver.raw(receiver.OK)
    await stage.post()
    assert len(stage.hook.received) == 1  # It may still be another worker's.
    await stage.make_due()
    await stage.post()
    assert len(stage.hook.received) == 2
    assert len({each.headers["webhook-id"] for each in stage.hook.received}) == 1
    assert await stage.states() == [(3, 2, 2)]


async def test_a_worker_that_comes_late_changes_nothing_but_to_delivered(stage: Stage) -> None:
    await stage.put()
    (first,) = await deliveries.claim(stage.mailer, 10)
    await stage.make_due()
    (second,) = await deliveries.claim(stage.mailer, 10)
    assert (first.delivery_id, first.attempt, second.attempt) == (second.delivery_id, 1, 2)
    failed = deliveries.Outcome("5xx", is_delivered=False, rest_s=5)
    assert await deliveries.settle(stage.mailer, first, failed) is None
    assert await stage.states() == [(2, 2, None)]
    await deliveries.settle(stage.mailer, second, failed)
    assert await stage.states() == [(1, 2, 5)]
    await deliveries.settle(stage.mailer, first, deliveries.Outcome("2xx", is_delivered=True))
    assert await stage.states() == [(3, 2, 2)]
    await deliveries.settle(stage.mailer, second, failed)
    assert await stage.states() == [(3, 2, 2)]


async def test_a_slow_receiver_holds_four_places_and_one_that_fails_holds_one(stage: Stage) -> None:
    async with connections.connected(stage.dsn, "nocontent_control") as control:
        other = await webhooks.add(control, stage.tenant_id, stage.hook.url)
    for wanted in (stage.webhook, other):
        for _ in range(6):
            await deliveries.put(stage.mailer, stage.tenant_id, wanted, _alert())
    claimed = await deliveries.claim(stage.mailer, 100)
    assert sorted(each.webhook_id for each in claimed) == sorted([stage.webhook] * 4 + [other] * 4)
    assert await deliveries.claim(stage.mailer, 100) == []
    for each in claimed:
        is_delivered = each.webhook_id == other
        outcome = deliveries.Outcome("2xx" if is_delivered else "timed-out", is_delivered=is_delivered, rest_s=60)
        await deliveries.settle(stage.mailer, each, outcome)
    await stage.make_due()
    claimed = await deliveries.claim(stage.mailer, 100)
    assert sorted(each.webhook_id for each in claimed) == sorted([stage.webhook] + [other] * 2)
    async with connections.connected(stage.dsn, "nocontent_control") as control:
        await webhooks.end(control, stage.tenant_id, other)


async def test_deliveries_go_on_while_one_receiver_waits(stage: Stage) -> None:
    released = asyncio.Event()

    async def respond(writer: asyncio.StreamWriter) -> None:
        if len(stage.hook.received) == 1:
            await released.wait()
        await receiver.raw(receiver.OK)(writer)
        if len(stage.hook.received) == 9:
            released.set()

    stage.hook.respond = respond
    for _ in range(9):
        await stage.put()
    counts = await worker.post_claimed(stage.mailer, stage.sender, await deliveries.claim(stage.mailer, 128))
    assert counts == {"webhooks_delivered": 9}


async def test_without_keys_nothing_is_claimed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.put()
    for file in ("", "/nowhere/keys"):
        monkeypatch.setenv("NOCONTENT_WEBHOOK_KEYS_FILE", file)
        done = await worker.work(stage.mailer)
        assert done.figures["webhooks_waiting"] == 1
        assert "webhooks_delivered" not in done.figures
        assert await stage.states() == [(1, 0, None)]
