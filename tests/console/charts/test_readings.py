"""Figures of pages: those of `nocontent usage`, in the viewer's days, with every event in one unit."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ingest.console.charts import periods, readings
from ingest.console.charts.periods import UTC_ZONE, Period
from ingest.console.charts.readings import Course, Group
from ingest.reports.answers import Row
from ingest.store import connections, vocabulary_reads
from ingest.store.usage.reads import COLUMNS, Dimension, Tag
from tests.support import cluster, customers, usage
from tests.support.command import Run, runner
from tests.support.usage import Fact

SINCE = datetime(2026, 3, 28, tzinfo=UTC)  # Clocks in Europe change on the 29th; in Beirut at midnight.
NOW = datetime(2026, 4, 3, 7, 10, tzinfo=UTC)
ZONES = [
    UTC_ZONE,
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/New_York"),
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("Asia/Beirut"),
]
TENANT = 1
_BY = {"model": "routed_model", "category": "task_category", "tag:team": "tag:team"}


@pytest.fixture(scope="module")
def database(shared_database: str) -> str:
    assert customers.one(shared_database, "acme").tenant_id == TENANT
    return shared_database


@pytest.fixture(scope="module")
def facts(database: str) -> list[Fact]:
    query = "SELECT term_id FROM tag_names WHERE tag_key = 'team' AND tag_value <> 'unknown'"
    found = usage.facts(7, SINCE, 24 * 6, [row["term_id"] for row in cluster.fetch(database, query)])
    usage.store(database, TENANT, found)
    return found


@pytest.fixture
def command(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NOCONTENT_DSN", database)
    return runner(capsys)


def _course(dsn: str, period: Period) -> Course:
    async def read() -> Course:
        async with connections.connected(dsn, "nocontent_usage_reader") as connection:
            return await readings.course(connection, TENANT, period)

    return asyncio.run(read())


def _groups(dsn: str, period: Period, name: str) -> tuple[list[Group], list[Group]]:
    """Return groups without and with times."""

    async def read() -> tuple[list[Group], list[Group]]:
        async with connections.connected(dsn, "nocontent_usage_reader") as connection:
            dimension = await _dimension(connection, name)
            return (
                await readings.groups(connection, TENANT, period, (name,), (dimension,)),
                await readings.times(connection, TENANT, period, (name,), (dimension,)),
            )

    return asyncio.run(read())


async def _dimension(connection: connections.Connection, name: str) -> Dimension:
    if name in COLUMNS:
        return COLUMNS[name]
    key = name.removeprefix("tag:")
    return Tag(key, (await vocabulary_reads.tag_keys(connection, TENANT))[key])


def _plain(row: Row) -> dict[str, object]:
    plain: dict[str, object] = json.loads(msgspec.json.encode(row))
    return plain


def test_a_viewers_days_have_every_event_once(facts: list[Fact], database: str) -> None:
    for zone in ZONES:
        period = periods.of_name("7d", NOW, zone).period
        found = _course(database, period)
        wanted: Counter[datetime] = Counter()
        for fact in facts:
            hour = fact.at.replace(minute=0)  # An hour is of the day in which it begins.
            if period.since <= hour < period.before:
                day = hour.astimezone(zone).date() if zone is not UTC_ZONE else hour.date()
                wanted[datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)] += fact.measures["events"]
        by_day = {at: row.events for at, row in zip(found.starts, found.units, strict=True) if row.events}
        assert by_day == dict(wanted)
        assert found.total.events == sum(wanted.values()) > 0


@pytest.mark.parametrize("zone", ZONES[:3], ids=str)
def test_the_figures_are_those_of_the_command(command: Run, facts: list[Fact], database: str, zone: ZoneInfo) -> None:
    assert facts
    for by, name in _BY.items():
        days = readings.local_days_max([COLUMNS[name]] if name in COLUMNS else [Tag("team", 0)])
        for choice in ("24h", "7d", "30d"):
            period = periods.of_name(choice, NOW, zone, days).period
            ends = f"--since {period.since:%Y-%m-%dT%H:%M:%SZ} --before {period.before:%Y-%m-%dT%H:%M:%SZ}"
            _, said, _ = command(f"usage acme {ends} --by {by} --json")
            wanted = {json.dumps(row["group"]): row for row in json.loads(said)["rows"]}
            groups, times = _groups(database, period, name)
            assert {json.dumps(_plain(group.row)["group"]): _plain(group.row) for group in times} == wanted
            without = {key: row | {"latency": None, "ttft": None} for key, row in wanted.items()}
            assert {json.dumps(_plain(group.row)["group"]): _plain(group.row) for group in groups} == without
            assert [group.row.cost.total_nanousd for group in groups] == sorted(
                (row["cost"]["total_nanousd"] for row in wanted.values()), reverse=True
            )


def test_a_course_adds_up_to_its_total_and_parts_to_the_whole(facts: list[Fact], database: str) -> None:
    assert facts

    async def read(period: Period) -> tuple[Course, Mapping[int, Course]]:
        async with connections.connected(database, "nocontent_usage_reader") as connection:
            whole = await readings.course(connection, TENANT, period)
            dimension = COLUMNS["routed_model"]
            return whole, await readings.courses(connection, TENANT, period, dimension, (1, 2, 3, 99))

    for name, zone in (("24h", ZONES[1]), ("7d", ZONES[1]), ("90d", ZONES[1]), ("12m", ZONES[1])):
        whole, parts = asyncio.run(read(periods.of_name(name, NOW, zone).period))
        assert sum(row.cost.total_nanousd for row in whole.units) == whole.total.cost.total_nanousd
        assert parts[99].total.events == 0
        for number in range(len(whole.units)):
            assert sum(part.units[number].events for part in parts.values()) == whole.units[number].events


def test_read_once_or_apart_the_sums_are_the_same(facts: list[Fact], database: str) -> None:
    assert facts

    async def read(name: str, choice: str) -> None:
        async with connections.connected(database, "nocontent_usage_reader") as connection:
            dimension = await _dimension(connection, name)
            period = periods.of_name(choice, NOW, ZONES[1], readings.local_days_max((dimension,))).period
            found = await readings.divided(connection, TENANT, period, name, dimension)
            ids = [group.ids[0] for group in found.groups]
            assert ids
            assert found.course == await readings.course(connection, TENANT, period)
            assert found.groups == await readings.groups(connection, TENANT, period, (name,), (dimension,))
            parts = await readings.parts(connection, TENANT, period, found, ids)
            assert parts == await readings.courses(connection, TENANT, period, dimension, ids)
            assert (found.rows is None) == (name == "routed_model" and choice != "12m")

    for name in ("routed_model", "task_category", "tag:team"):
        for choice in ("24h", "30d", "12m"):
            asyncio.run(read(name, choice))


def test_a_period_without_usage_is_of_zeros(database: str) -> None:
    period = periods.of_dates("2026-02-01", "2026-02-03", NOW, ZONES[1]).period
    found = _course(database, period)
    assert [row.events for row in found.units] == [0, 0, 0]
    assert (found.total.cost.total_nanousd, found.total.latency) == (0, None)
    assert found.starts[0] == datetime(2026, 2, 1, tzinfo=ZONES[1])
    assert _groups(database, period, "routed_model") == ([], [])


def test_only_days_of_few_dimensions_are_read_by_hours() -> None:
    assert readings.local_days_max([COLUMNS["routed_model"], COLUMNS["status"]]) == periods.LOCAL_DAYS_MAX
    assert readings.local_days_max([COLUMNS["task_category"]]) == readings.local_days_max([Tag("team", 1)]) == 2
    assert timedelta(days=periods.DAYS_MAX) / timedelta(days=1) < readings.UNITS_MAX
