"""Shipping the price book: once, as a difference, and with marks for the hours that a changed price is part of."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ingest.pricing.book import Book, shipped
from ingest.pricing.rates import PartRates, Rates
from ingest.store import migrate
from ingest.store.connections import Connection
from ingest.store.usage import book
from tests.support.cluster import operator

_COUNT = "SELECT count(*) FROM prices WHERE tenant_id = 0"
_REVISION = "SELECT revision FROM control"
_TERM = "SELECT term_id FROM vocabulary WHERE tenant_id = 0 AND kind = $1 AND term = $2"
_MARKS = "SELECT tenant_id, first, last, events, xid FROM usage_marks WHERE tenant_id < 1000 ORDER BY tenant_id, first"
_MEASURES = """
SELECT attname FROM pg_attribute WHERE attrelid = 'usage'::regclass AND attnum > 12 AND NOT attisdropped
ORDER BY attnum
"""
_AUDIT = "SELECT FROM audit WHERE tenant_id = 0 AND act = 'prices.ship'"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with operator(database) as connected:
        await connected.execute("DELETE FROM usage_marks")
        yield connected


async def ship(connection: Connection, wanted: Book) -> int:
    async with connection.transaction():
        return await book.ship(connection, wanted)


async def test_migrate_ships_the_book_once(connection: Connection) -> None:
    rows = sum(len(entry.schedule) for entry in shipped().entries())
    assert await connection.fetchval(_COUNT) == rows
    revision = await connection.fetchval(_REVISION)
    assert await migrate.migrate(connection) == []
    assert await connection.fetchval(_REVISION) == revision
    assert await connection.fetch(_AUDIT) == []


async def test_rows_are_the_books_to_the_last_rate_and_bound(connection: Connection) -> None:
    found = await connection.fetch(
        f"SELECT {book.COLUMNS} FROM prices WHERE provider = $1 AND model = $2",
        *await ids(connection, "anthropic", "claude-opus-4-6"),
    )
    assert {book.read_row(row).rates for row in found} == {*shipped().schedule("anthropic", "claude-opus-4-6")}


async def ids(connection: Connection, provider: str, model: str) -> tuple[int, int]:
    return await connection.fetchval(_TERM, 2, provider), await connection.fetchval(_TERM, 3, model)


def changed(provider: str, model: str, schedule: tuple[Rates, ...]) -> Book:
    """Return the shipped book with another schedule for a model."""
    whole = shipped()
    return whole._replace(models={**whole.models, provider: {**whole.models[provider], model: schedule}})


async def test_what_an_operator_has_changed_by_hand_is_shipped_again(connection: Connection) -> None:
    await connection.execute("UPDATE prices SET output_picousd = 0 WHERE tenant_id = 0 AND output_picousd = 25000000")
    assert await ship(connection, shipped()) > 0
    assert await ship(connection, shipped()) == 0
    assert len(await connection.fetch(_AUDIT)) == 1
    assert await connection.fetchval("SELECT count(*) FROM prices WHERE output_picousd = 25000000") > 10


async def test_own_rates_stay_when_the_book_changes(connection: Connection) -> None:
    provider, model = await ids(connection, "anthropic", "claude-opus-4-5")
    await connection.execute(
        "INSERT INTO prices VALUES (1, $1, $2, '-infinity', 'infinity', 0, 1440, -1, 2147483647, 1, 1, 1, 1, 1, 0)",
        provider,
        model,
    )
    assert await ship(connection, changed("anthropic", "claude-opus-4-5", ())) == 1
    assert (
        await connection.fetchval("SELECT tenant_id FROM prices WHERE provider = $1 AND model = $2", provider, model)
        == 1
    )


async def add_sum(connection: Connection, tenant: int, at: str, place: tuple[int, int, int]) -> None:
    """Add a sum of one hour by model with no events, which is all that marking looks at."""
    names = [row[0] for row in await connection.fetch(_MEASURES)]
    values = ", ".join("'{}'" if name.endswith(("_bins", "_counts")) else "0" for name in names)
    await connection.execute(
        f"INSERT INTO usage VALUES ($1, 2, '{at}', $2, $3, $4, 0, -1, -1, -1, -1, -1, {values})", tenant, *place
    )


async def test_a_changed_price_marks_the_days_with_sums_of_its_model(connection: Connection) -> None:
    provider, model = await ids(connection, "anthropic", "claude-opus-4-5")
    _, other = await ids(connection, "anthropic", "claude-haiku-4-5")
    await add_sum(connection, 1, "2026-11-01T03:00Z", (provider, other, model))
    await add_sum(connection, 1, "2026-11-01T05:00Z", (provider, model, other))  # Savings are at its price.
    await add_sum(connection, 1, "2026-11-02T05:00Z", (provider, other, other))
    await add_sum(connection, 2, "2026-11-03T23:00Z", (provider, model, model))
    await add_sum(connection, 2, "2026-10-31T23:00Z", (provider, model, model))
    (rates,) = shipped().schedule("anthropic", "claude-opus-4-5")
    november = datetime(2026, 11, 1, tzinfo=UTC)
    split = (
        rates._replace(span=rates.span._replace(until=november)),
        rates._replace(span=rates.span._replace(since=november), picousd=PartRates(1, 1, 1, 1, 1)),
    )
    assert await ship(connection, changed("anthropic", "claude-opus-4-5", split)) == 3
    await connection.execute("DELETE FROM usage_marks")  # The row whose end has changed was everywhere.
    cheaper = (split[0], split[1]._replace(picousd=PartRates(2, 2, 2, 2, 2)))
    assert await ship(connection, changed("anthropic", "claude-opus-4-5", cheaper)) == 2
    marks = [
        (
            row["tenant_id"],
            f"{row['first']:%m-%dT%H:%M:%S.%f}",
            f"{row['last']:%m-%dT%H:%M:%S.%f}",
            row["events"],
            row["xid"],
        )
        for row in await connection.fetch(_MARKS)
    ]
    assert marks == [
        (1, "11-01T03:00:00.000000", "11-01T05:59:59.999999", 0, None),
        (2, "11-03T23:00:00.000000", "11-03T23:59:59.999999", 0, None),
    ]
