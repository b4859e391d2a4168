"""A year of random usage, corrections, credits, plan changes and moves adds up to the cent, by another path.

The other path counts quarters of an hour into local months one by one, and computes with decimals.
"""

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.knowledge.billing import DocumentKind, Invoice, LineKind, Plan, State, Subscription
from ingest.store.billing import invoices, plans
from ingest.store.connections import Connection
from ingest.usage.billing import close, periods
from tests.support import metering
from tests.support.cluster import Cluster, operator
from tests.support.slow_billing import slow

_FIRST, _MONTHS = date(2025, 1, 1), 12
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "America/Havana")
_NUMBERS = itertools.count(1)
_QUARTER = timedelta(minutes=15)
_AMOUNTS = (
    metering.terms(per_million=3_333_333_333, free=1_000, share=200_001, flat=1_999, minimum=10_000),
    metering.terms(per_million=12_500_000_001, share=333_333),
    metering.terms(share=1_000_000, minimum=2_500),
    metering.terms(flat=4_900),
)


class Year:
    """A tenant's year as the test knows it: usage by quarter, and subscriptions by month."""

    def __init__(self, connection: Connection, tenant_id: int, plan: Plan, zone: str) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self.usage: dict[datetime, tuple[int, int, int]] = {}
        self.months: dict[date, tuple[Plan | None, str]] = {_FIRST: (plan, zone)}
        self.closed = -1  # The last month that is closed, as a count from the first.

    async def use(self, at: datetime, events: int, saved: tuple[int, int]) -> None:
        self.usage[at] = (events, *saved)
        await metering.put(self.connection, self.tenant_id, at, events, saved)

    def on(self, month: date) -> tuple[Plan | None, str]:
        return self.months[max(each for each in self.months if each <= month)]

    def month_of(self, at: datetime) -> date:
        """Find a quarter's month on the clocks on the wall: a month lasts until its own wall shows a later one."""
        month = _FIRST
        while at.astimezone(ZoneInfo(self.on(month)[1])).date() >= periods.following(month):
            month = periods.following(month)
        return month

    def due(self) -> dict[date, dict[LineKind, int]]:
        """Return what each closed month comes to today, by kind."""
        sums: dict[date, list[int]] = defaultdict(lambda: [0, 0])
        for at, (events, reported, priced) in self.usage.items():
            month = self.month_of(at)
            sums[month][0] += events
            sums[month][1] += reported + priced
        found = {}
        for count in range(self.closed + 1):
            month = periods.following(_FIRST, count)
            plan = self.on(month)[0]
            found[month] = slow(plan.versions[0], *sums[month]) if plan else dict.fromkeys(LineKind, 0)
        return found

    async def documents(self) -> list[Invoice]:
        found = [
            await invoices.read(self.connection, self.tenant_id, each.name)
            for each in await invoices.listed(self.connection, self.tenant_id)
        ]
        return [each for each in found if each is not None]

    async def close(self) -> None:
        """Close the next month."""
        self.closed += 1
        month = periods.following(_FIRST, self.closed)
        until = periods.midnight(periods.following(month), self.on(month)[1]) + periods.GRACE
        first = await close.close_at(self.connection, until, [self.tenant_id])
        assert len(first.documents) in ({1, 2} if self.on(month)[0] else {0, 1})
        assert (first.waiting, first.is_complete) == (0, True)
        assert (await close.close_at(self.connection, until, [self.tenant_id])).documents == ()

    async def check(self) -> None:
        """Compare what was billed with what is due."""
        billed: dict[date, Counter[LineKind]] = defaultdict(Counter)
        for document in await self.documents():
            assert document.total_cents == sum(line.cents for line in document.lines)
            assert (document.total_cents >= 0) == (document.kind is DocumentKind.INVOICE) or document.total_cents == 0
            for line in document.lines:
                billed[line.month][line.kind] += 0 if document.waived else line.cents
        due = self.due()
        assert {month: {kind: billed[month][kind] for kind in LineKind} for month in due} == due


def _moment(chance: random.Random, last: int) -> datetime:
    day = periods.midnight(_FIRST, "UTC") + timedelta(days=chance.randrange(3, 28 * (last + 1)))
    return day + _QUARTER * chance.randrange(96)


async def _step(year: Year, chance: random.Random, every: list[Plan]) -> None:
    (act,) = chance.choices(
        ("use", "late", "erase", "credit", "waive", "correct", "plan", "zone", "end"), (8, 5, 2, 1, 1, 1, 1, 1, 1)
    )
    if act in {"use", "late"}:
        last = year.closed + 1 if act == "use" else max(0, year.closed)
        saved = (chance.randrange(-(10**11), 10**12), chance.randrange(-(10**10), 10**10))
        await year.use(_moment(chance, last), chance.randrange(5_000_000), saved)
    elif act == "erase" and year.usage:
        await year.use(chance.choice(list(year.usage)), 0, (0, 0))
    elif act in {"credit", "waive"}:
        whole = [
            each
            for each in await year.documents()
            if each.kind is DocumentKind.INVOICE and each.state is not State.VOID
        ]
        if whole:
            await invoices.credit(year.connection, chance.choice(whole), waived=act == "waive")
    elif act == "correct":
        month = periods.following(_FIRST, year.closed + 1)
        await close.correct_at(year.connection, periods.midnight(month, "UTC") + periods.GRACE, year.tenant_id)
    elif act in {"plan", "zone", "end"}:
        month = periods.following(_FIRST, year.closed + 2)
        plan, zone = year.on(month)
        moved = {
            "plan": (chance.choice(every), zone), "zone": (plan, chance.choice(_ZONES)), "end": (None, zone),
        }[act]  # fmt: skip
        year.months = {each: on for each, on in year.months.items() if each < month} | {month: moved}
        await plans.assign(
            year.connection,
            year.tenant_id,
            Subscription(month=month, plan_id=moved[0].plan_id if moved[0] else None, time_zone=moved[1]),
        )


async def _live(dsn: str, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    async with operator(dsn) as connection:
        every = await _plans(connection)
        zone = chance.choice(_ZONES)
        tenant = await metering.subscribe(connection, f"tenant-{next(_NUMBERS)}", every[0], _FIRST, zone)
        year = Year(connection, tenant, every[0], zone)
        for _ in range(_MONTHS):
            for _ in range(steps):
                await _step(year, chance, every)
            await year.close()
            await year.check()
        await _check_mirrors(year)


async def _plans(connection: Connection) -> list[Plan]:
    known = list((await plans.read_all(connection)).values())
    return known or [await metering.plan(connection, f"plan-{n}", terms) for n, terms in enumerate(_AMOUNTS)]


async def _check_mirrors(year: Year) -> None:
    documents = {each.number: each for each in await year.documents()}
    for note in documents.values():
        if note.credits is not None:
            whole = documents[note.credits]
            assert whole.state is State.VOID
            assert note.total_cents == -whole.total_cents
            assert [(line.kind, line.month, -line.quantity, -line.cents) for line in note.lines] == [
                (line.kind, line.month, line.quantity, line.cents) for line in whole.lines
            ]
    assert sum(document.credits is not None for document in documents.values()) == sum(
        document.state is State.VOID for document in documents.values()
    )


@pytest.fixture(scope="module")
def dsn(postgres: Cluster) -> Iterator[str]:
    made = postgres.migrated()
    yield made
    postgres.drop(made)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_a_year_adds_up_to_the_cent(dsn: str, seed: int, steps: int) -> None:
    asyncio.run(_live(dsn, seed, steps))
    asyncio.run(_check_numbers(dsn))


async def _check_numbers(dsn: str) -> None:
    async with operator(dsn) as connection:
        numbers = await connection.fetch("SELECT number FROM nocontent.invoices ORDER BY number")
        last = await connection.fetchval("SELECT last FROM nocontent.invoice_counters")
    assert [row["number"] for row in numbers] == list(range(1, last + 1))
