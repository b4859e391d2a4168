"""Ships the price book into `prices`, as tenant 0's rows, and marks the hours whose prices have changed."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from ingest.pricing.book import Book
from ingest.pricing.rates import ALWAYS, FOREVER, PartRates, Rates, Span
from ingest.store import acts
from ingest.store.acts import Act
from ingest.store.connections import Connection
from schema.event import Kind

BOOK = 0  # The tenant of the shipped rates, as of the shipped terms.
COLUMNS = """
provider, model, since, until, from_minute, before_minute, input_tokens_above, input_tokens_up_to, input_picousd,
    cache_read_picousd, cache_write_5m_picousd, cache_write_1h_picousd, output_picousd
""".strip()
# The biller reads prices and sums in one transaction, which holds the lock that this waits for: a sum at the old price
# is committed and marked, and the next one begins after the change.
LOCK = "LOCK TABLE nocontent.prices IN ACCESS EXCLUSIVE MODE"
_TERMS = "SELECT term, term_id FROM nocontent.vocabulary WHERE tenant_id = 0 AND kind = $1"
_SHIPPED = f"SELECT {COLUMNS} FROM nocontent.prices WHERE tenant_id = 0"  # noqa: S608 (the names are our own)
UNNEST = """
unnest($1::smallint[], $2::smallint[], $3::timestamptz[], $4::timestamptz[], $5::smallint[], $6::smallint[],
    $7::integer[], $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
""".strip()
_REMOVE = f"""
DELETE FROM nocontent.prices price USING {UNNEST} AS gone ({COLUMNS})
WHERE price.tenant_id = 0 AND price.provider = gone.provider AND price.model = gone.model AND price.since = gone.since
    AND price.from_minute = gone.from_minute AND price.input_tokens_above = gone.input_tokens_above
"""  # noqa: S608 (the names are our own)
_ADD = f"INSERT INTO nocontent.prices (tenant_id, {COLUMNS}, revision) SELECT 0, *, $14 FROM {UNNEST}"  # noqa: S608 (likewise)
# As mark_repriced does for one model: a mark for each day of a tenant with sums of a model whose price has changed.
_MARK = """
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
SELECT tenant_id, min(at), max(at) + interval '1 hour' - interval '1 microsecond', 0, NULL
FROM nocontent.usage
WHERE grain = 2 AND EXISTS (
    SELECT FROM unnest($1::smallint[], $2::smallint[], $3::timestamptz[], $4::timestamptz[])
        AS changed (provider, model, since, until)
    WHERE usage.provider = changed.provider AND changed.model IN (usage.requested_model, usage.routed_model)
        AND at > changed.since - interval '1 hour' AND at < changed.until
)
GROUP BY tenant_id, date_trunc('day', at, 'UTC')
"""


class PriceRow(NamedTuple):
    """A row of `prices`, without its tenant and revision."""

    provider: int
    model: int
    rates: Rates


def read_row(record: asyncpg.Record) -> PriceRow:
    """Read a row of COLUMNS. asyncpg's infinities have no time zone."""
    provider, model, since, until, from_minute, before_minute, above, up_to, *picousd = record
    span = Span(since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), from_minute, before_minute)
    return PriceRow(provider, model, Rates(span, above, up_to, PartRates(*picousd)))


def bound(at: datetime) -> datetime:
    """Return a bound as asyncpg writes it: it takes only naive extremes for PostgreSQL's infinities."""
    return at.replace(tzinfo=None) if at in (ALWAYS, FOREVER) else at


def columns_of(rows: Iterable[PriceRow]) -> list[list[object]]:
    """Return the values of rows by column, for `unnest`."""
    values = [_values(row) for row in sorted(rows)]
    return [[row[place] for row in values] for place in range(len(COLUMNS.split(",")))]


def _values(row: PriceRow) -> tuple[object, ...]:
    span = row.rates.span
    times = (bound(span.since), bound(span.until), span.from_minute, span.before_minute)
    return (row.provider, row.model, *times, row.rates.above, row.rates.up_to, *row.rates.picousd)


async def ship(connection: Connection, book: Book) -> int:
    """Make tenant 0's rows those of the book, in the caller's transaction; return how many were added or removed."""
    providers, models = [
        {row["term"]: row["term_id"] for row in await connection.fetch(_TERMS, kind)}
        for kind in (Kind.PROVIDER, Kind.MODEL)
    ]
    wanted = {
        PriceRow(providers[entry.provider], models[entry.model], rates)
        for entry in book.entries()
        for rates in entry.schedule
    }
    known = set(map(read_row, await connection.fetch(_SHIPPED)))
    if wanted == known:
        return 0
    await connection.execute(LOCK)
    known = set(map(read_row, await connection.fetch(_SHIPPED)))
    gone, new = known - wanted, wanted - known
    act = Act(connection, await acts.next_revision(connection))
    await connection.execute(_REMOVE, *columns_of(gone))
    await connection.execute(_ADD, *columns_of(new), act.revision)
    await connection.execute(_MARK, *columns_of(gone | new)[:4])
    await connection.execute("ANALYZE nocontent.prices")  # Sums join every event with it.
    if known:  # The first book is no change.
        await act.note(BOOK, "prices.ship")
    return len(gone) + len(new)
