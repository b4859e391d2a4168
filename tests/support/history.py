"""Random histories of all that changes rows, marks, prices and sums; whatever happens, sums are those of the rows."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from ingest.store import batches, connections, rows
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.connections import Connection
from ingest.store.usage import rollups
from ingest.store.usage.rollups import Conflict, Rolled
from schema.decode import decode
from schema.vocabulary import Mode
from tests.support import sample, sums
from tests.support.gauge import VOCABULARIES, window
from tests.support.sums import DAY, Sums

TENANTS = (1, 2, 3)
_AGES = (timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=1), timedelta(hours=23), 2 * DAY, 3 * DAY)
_MODELS = ("claude-opus-4-5", "claude-haiku-4-5", "gpt-5", "never-heard-of-it")  # The last is coarsened.
_PRICE = """
INSERT INTO nocontent.prices (tenant_id, provider, model, since, until, input_tokens_above, input_tokens_up_to,
    input_picousd, cache_read_picousd, cache_write_5m_picousd, cache_write_1h_picousd, output_picousd, revision)
SELECT $1, term.provider, term.routed_model, $2, 'infinity', tier.above, tier.up_to, $3, $4, -1, -1, $5, 0
FROM (SELECT DISTINCT provider, routed_model FROM nocontent.events ORDER BY 1, 2 LIMIT 2) AS term,
    (VALUES (-1, 500), (500, 2147483647)) AS tier (above, up_to)
ON CONFLICT (tenant_id, provider, model, since, from_minute, input_tokens_above) DO UPDATE
    SET input_picousd = excluded.input_picousd, output_picousd = excluded.output_picousd
"""
_RECOUNT = "INSERT INTO nocontent.usage_marks (tenant_id, first, last, events) VALUES ($1, $2, $3, 0)"
_DELETE = """
DELETE FROM nocontent.events WHERE tenant_id = $1 AND event_id IN (
    SELECT event_id FROM nocontent.events WHERE tenant_id = $1 ORDER BY event_id LIMIT $2
) RETURNING occurred_at
"""
_DELETE_PENDING = """
DELETE FROM nocontent.events WHERE (tenant_id, event_id) IN (
    SELECT event.tenant_id, event_id FROM nocontent.events event JOIN nocontent.usage_marks mark
        ON mark.xid::xid = event.xmin AND mark.tenant_id = event.tenant_id
        AND event.occurred_at BETWEEN mark.first AND mark.last
    LIMIT 3
)
"""
_SOME = """
SELECT occurred_at, event_id FROM nocontent.events event
WHERE tenant_id = $1 AND $3 = EXISTS (
    SELECT FROM nocontent.annotations annotation
    WHERE annotation.tenant_id = $1 AND annotation.event_id = event.event_id
)
ORDER BY md5(event_id::text || $4::text) LIMIT $2
"""
_ANNOTATE = "SELECT nocontent.annotate_events($1, $2, $3, $4::smallint)"
_REMOVE = "SELECT nocontent.remove_annotations($1, $2, $3)"
_ORPHANS = """
DELETE FROM nocontent.annotations annotation WHERE NOT EXISTS (
    SELECT FROM nocontent.events event
    WHERE event.tenant_id = annotation.tenant_id AND event.occurred_at = annotation.occurred_at
        AND event.event_id = annotation.event_id
)
"""
_HORIZON = "UPDATE nocontent.retention SET horizon = $1 WHERE retention_id = 1"


@dataclass
class History:
    """A database with a history in progress, and connections of each role."""

    dsn: str
    chance: random.Random
    writers: list[Connection]
    owner: Connection
    biller: Connection
    sent: list[Entry] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    open: list[tuple[Connection, asyncpg.transaction.Transaction]] = field(default_factory=list)
    frozen: Sums = field(default_factory=dict)
    dropped: set[datetime] = field(default_factory=set)
    done: list[str] = field(default_factory=list)

    async def step(self) -> None:
        """Do something at random."""
        step = self.chance.choice(_STEPS)
        self.done.append(step.__name__)
        await step(self)

    def _entry(self, events: list[dict[str, object]]) -> Entry:
        body = sample.body(*events)
        decoded = decode(body, VOCABULARIES[Mode.COARSEN], window())
        digest, tenant_id = rows.digest(decoded), self.chance.choice(TENANTS)
        encoded = rows.encode(decoded, tenant_id)
        return Entry(tenant_id, digest, NO_SEQUENCE, digest, len(decoded.tags), 0, (0, 0, 0, 0), encoded)

    def _event(self) -> dict[str, object]:
        chance = self.chance
        at = datetime.now(UTC) - chance.choice(_AGES) - timedelta(milliseconds=chance.randrange(30_000))
        if _day(at) in self.dropped:
            at = datetime.now(UTC) - timedelta(seconds=1)
        fresh = {
            "event_id": sample.uuid7(int(at.timestamp() * 1000)),
            "cost_nanousd": chance.choice([None, 0, 999, 10_000_000, 10**12]),
            "baseline_cost_nanousd": chance.choice([None, 5, 20_000_000]),
            "requested_model": chance.choice(_MODELS), "routed_model": chance.choice(_MODELS),
            "input_tokens": chance.choice([0, 7, 500, 501, 10_000_000]),
            "output_tokens": chance.choice([1_000, 2_000_000]),
            "cache_read_tokens": chance.choice([0, 0, 300]), "cache_write_5m_tokens": chance.choice([0, 0, 0, 9]),
            "latency_ms": chance.choice([0, 1, 999, 1_000, 864_000_000]), "ttft_ms": None,
            "status": chance.choice(["ok", "error"]), "escalated": chance.random() < 0.5,
        }  # fmt: skip
        return sample.event(**fresh)

    def _batch(self) -> Entry:
        fresh = [self._event() for _ in range(self.chance.randint(1, 4))]
        known = self.chance.sample(self.events, min(len(self.events), self.chance.choice([0, 0, 2])))
        self.events = (self.events + fresh)[-20:]
        own = self._entry(fresh + [event for event in known if not self._is_dropped(event)])
        self.sent = [*self.sent, own][-10:]
        return own

    def _is_dropped(self, event: dict[str, object]) -> bool:
        milliseconds = UUID(str(event["event_id"])).int >> 80
        return _day(datetime.fromtimestamp(milliseconds / 1000, UTC)) in self.dropped

    async def send(self) -> None:
        """Store batches, with repeated events at times, as the service's writer does."""
        await _store(self.chance.choice(self._free()), [self._batch() for _ in range(self.chance.randint(1, 3))])

    async def replay(self) -> None:
        """Store batches again, whose days are all there."""
        if self.sent and not self.dropped:
            await _store(self._free()[0], self.chance.sample(self.sent, 1))

    async def begin(self) -> None:
        """Store a batch in a transaction that stays open."""
        if len(self._free()) > 1:
            writer = self._free()[-1]
            transaction = writer.transaction()
            await transaction.start()
            own = self._entry([self._event()])
            # The two parts of the writer's transaction, since it commits at once.
            fresh = await batches._enter(writer, [own])  # noqa: SLF001 (above)
            await batches._copy(writer, fresh)  # noqa: SLF001 (above)
            self.open.append((writer, transaction))

    async def end(self) -> None:
        """Commit an open transaction, or roll it back."""
        if self.open:
            _, transaction = self.open.pop(self.chance.randrange(len(self.open)))
            await (transaction.commit if self.chance.random() < 0.7 else transaction.rollback)()

    def _free(self) -> list[Connection]:
        busy = [writer for writer, _ in self.open]
        return [writer for writer in self.writers if writer not in busy]

    async def erase(self) -> None:
        """Delete rows and their annotations as the owner, and ask for their hours to be summed again."""
        tenant_id = self.chance.choice(TENANTS)
        async with self.owner.transaction():
            deleted = await self.owner.fetch(_DELETE, tenant_id, self.chance.choice([1, 5, 50]))
            for at in {row["occurred_at"] for row in deleted}:
                await self.owner.execute(_RECOUNT, tenant_id, at, at)
            await self.owner.execute(_ORPHANS)

    async def annotate(self) -> None:
        """Annotate events, whether they are summed yet or not."""
        tenant_id, ids, times = await self._some(is_annotated=False)
        await self.owner.execute(_ANNOTATE, tenant_id, ids, times, self.chance.choice([1, 3]))

    async def unannotate(self) -> None:
        """Remove annotations."""
        await self.owner.execute(_REMOVE, *await self._some(is_annotated=True))

    async def _some(self, *, is_annotated: bool) -> tuple[int, list[UUID], list[datetime]]:
        tenant_id, limit, place = self.chance.choice(TENANTS), self.chance.choice([1, 3, 20]), self.chance.random()
        rows = await self.owner.fetch(_SOME, tenant_id, limit, is_annotated, str(place))
        rows = [row for row in rows if _day(row["occurred_at"]) not in self.dropped]
        return tenant_id, [row["event_id"] for row in rows], [row["occurred_at"] for row in rows]

    async def lose(self) -> None:
        """Delete rows that are not summed yet, without a word."""
        async with self.owner.transaction():
            await self.owner.execute(_DELETE_PENDING)
            await self.owner.execute(_ORPHANS)

    async def restore(self) -> None:
        """Give all rows another transaction id, as a restored dump does."""
        if not self.open:
            await self.owner.execute("UPDATE nocontent.events SET outcome = outcome")

    async def reprice(self) -> None:
        """Change prices, of the book or of a tenant."""
        chance = self.chance
        since = datetime.now(UTC) - chance.choice(_AGES)
        rates = [chance.choice([-1, 0, 15, 10**7, 10**10]) for _ in range(3)]
        async with self.owner.transaction():
            await self.owner.execute("LOCK TABLE nocontent.prices IN ACCESS EXCLUSIVE MODE")
            await self.owner.execute("DELETE FROM nocontent.prices WHERE since <> $1", since)
            await self.owner.execute(_PRICE, chance.choice([0, *TENANTS]), since, *rates)
            for tenant_id in TENANTS:
                await self.owner.execute(_RECOUNT, tenant_id, datetime.now(UTC) - 5 * DAY, datetime.now(UTC))

    async def recompute(self) -> None:
        """Ask for hours at once."""
        now = datetime.now(UTC)
        await rollups.recompute(self.biller, self.chance.choice(TENANTS), now - self.chance.choice(_AGES), now)

    async def crash(self) -> None:
        """Cut the connection before some statement of a roll-up."""
        left = self.chance.randint(1, 14)
        connection = await connections.connect(self.dsn, "nocontent_biller")

        def cut(_record: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                connection.terminate()

        try:
            with connection.query_logger(cut):
                await rollups.roll_up(connection)
        except (asyncpg.InterfaceError, asyncpg.ConnectionDoesNotExistError, ConnectionError):
            pass
        finally:
            connection.terminate()

    async def race(self) -> None:
        """Roll up on two connections at once; each mark counts once."""
        async with connections.connected(self.dsn, "nocontent_biller") as other:
            ended = await asyncio.gather(rollups.roll_up(self.biller), rollups.roll_up(other), return_exceptions=True)
        assert all(isinstance(one, Rolled | Conflict) for one in ended), ended

    async def drop(self) -> None:
        """Drop the oldest day, once nothing of it is pending; its sums stay as they are."""
        day = min((at for at in await self._days()), default=None)
        if day is None or self.open or day > datetime.now(UTC) - 2 * DAY or self.chance.random() < 0.7:
            return
        await self.check()
        self.frozen |= {key: own for key, own in (await sums.stored(self.owner)).items() if _day(key[2]) == day}
        await self.owner.execute(_HORIZON, (day + DAY).date())
        await self.owner.execute("SELECT nocontent.drop_day($1)", f"events_{day:%Y%m%d}")
        self.dropped |= {
            day - past * DAY for past in range(5)
        }  # Earlier days are frozen with it, though they had no rows.

    async def _days(self) -> set[datetime]:
        found = await self.owner.fetch("SELECT DISTINCT date_trunc('day', occurred_at, 'UTC') FROM nocontent.events")
        return {row[0] for row in found}

    async def check(self) -> None:
        """Roll up all there is, and compare."""
        while not (await rollups.roll_up(self.biller)).is_done:
            pass
        found, wanted = await sums.stored(self.owner), await sums.from_rows(self.owner) | self.frozen
        differing = {
            key: (found.get(key), wanted.get(key)) for key in found | wanted if found.get(key) != wanted.get(key)
        }
        assert not differing, (self.done, next(iter(differing.items())))


def _day(at: object) -> datetime:
    assert isinstance(at, datetime)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


async def _store(writer: Connection, group: list[Entry]) -> None:
    try:
        await batches.store(writer, group)
    except asyncpg.UniqueViolationError:
        await batches.store_skipping(writer, group)


_Step = Callable[[History], Awaitable[None]]
_STEPS: tuple[_Step, ...] = (
    *(History.send,) * 8, *(History.begin,) * 3, *(History.end,) * 3, *(History.check,) * 6, *(History.crash,) * 3,
    *(History.race,) * 2, *(History.annotate,) * 2, History.unannotate,
    History.replay, History.erase, History.lose, History.restore, History.reprice, History.recompute, History.drop,
)  # fmt: skip
