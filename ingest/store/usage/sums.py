"""Writes rows of `usage`: adds to those there are, or makes those of some hours and their days again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import numpy as np

from ingest.store.connections import Connection
from ingest.store.usage import grains
from ingest.store.usage.cells import EPOCH, TIMEOUT_S
from ingest.store.usage.columns import ARRAYS, DIMENSIONS, HISTOGRAMS, KEY, SUMS, Grain
from ingest.store.usage.grains import Entries, Rows

_KEY_TYPES = {"tenant_id": "integer", "grain": "smallint", "at": "bigint"} | dict.fromkeys(DIMENSIONS, "smallint")
_ENDS = tuple(f"{name}_{end}" for name in HISTOGRAMS for end in ("first", "last"))
_AT = f"{EPOCH} + at * interval '1 second'"


def _unnest(names: tuple[str, ...]) -> str:
    places = ", ".join(f"${place}::{_KEY_TYPES.get(name, 'bigint')}[]" for place, name in enumerate(names, 1))
    return f"unnest({places})"


# OFFSET 0 keeps the planner from reading all sums there are for the sake of a few.
_STORED = f"""
SELECT place - 1 AS row, {", ".join(ARRAYS)}
FROM {_unnest(KEY)} WITH ORDINALITY AS own ({", ".join(KEY)}, place) CROSS JOIN LATERAL (
    SELECT {", ".join(ARRAYS)} FROM nocontent.usage AS stored
    WHERE stored.at = {EPOCH} + own.at * interval '1 second'
        AND {" AND ".join(f"stored.{name} = own.{name}" for name in KEY if name != "at")}
    OFFSET 0
) AS stored
"""  # noqa: S608 (the names are our own)
_INPUT = (*KEY, *SUMS, *_ENDS)
_SLICES = ", ".join(
    f"(${place}::{'smallint' if name.endswith('bins') else 'bigint'}[])"
    f"[{name.partition('_')[0]}_first : {name.partition('_')[0]}_last]"
    for place, name in enumerate(ARRAYS, len(_INPUT) + 1)
)
# A sum that does not fit in a bigint is an error (22003).
_ADD = f"""
INSERT INTO nocontent.usage AS stored ({", ".join((*KEY, *SUMS, *ARRAYS))})
SELECT {", ".join(_AT if name == "at" else name for name in (*KEY, *SUMS))}, {_SLICES}
FROM {_unnest(_INPUT)} AS summed ({", ".join(_INPUT)})
ON CONFLICT ({", ".join(KEY)}) DO UPDATE SET
    {", ".join(f"{name} = stored.{name} + excluded.{name}" for name in SUMS)},
    {", ".join(f"{name} = excluded.{name}" for name in ARRAYS)}
"""  # noqa: S608 (the names are our own)


_ROWS_PER_STATEMENT = 2_000  # The worker's loop waits for each, some 50 ms.


async def add(connection: Connection, rows: Rows) -> None:
    """Add rows to those there are, in a REPEATABLE READ transaction: nobody else may add to the same ones meanwhile."""
    for piece in rows.pieces(_ROWS_PER_STATEMENT):
        stored = await connection.fetch(_STORED, *piece.keys.T.tolist(), timeout=TIMEOUT_S)
        await _write(connection, _with_stored(piece, stored))


async def insert(connection: Connection, rows: Rows) -> None:
    """Insert rows of hours that have none: they were deleted in this transaction."""
    for piece in rows.pieces(_ROWS_PER_STATEMENT):
        await _write(connection, piece)


def _with_stored(rows: Rows, stored: Sequence[asyncpg.Record]) -> Rows:
    """Return rows with the histograms that are stored, whereas SQL adds the other sums."""
    histograms = []
    for name, own in zip(HISTOGRAMS, rows.histograms, strict=True):
        places = [record["row"] for record in stored for _ in record[f"{name}_bins"]]
        bins = [value for record in stored for value in record[f"{name}_bins"]]
        counts = [value for record in stored for value in record[f"{name}_counts"]]
        known = Entries(*(np.array(values, np.int64) for values in (places, bins, counts)))
        histograms.append(grains.joined([own, known]))
    return rows._replace(histograms=tuple(histograms))


async def _write(connection: Connection, rows: Rows) -> None:
    ends = [column for entries in rows.histograms for column in grains.ends(entries, len(rows.keys))]
    flat = [values.tolist() for entries in rows.histograms for values in (entries.bins, entries.counts)]
    columns = [*rows.keys.T.tolist(), *rows.sums.T.tolist(), *ends, *flat]
    await connection.execute(_ADD, *columns, timeout=TIMEOUT_S)


_DELETE = "DELETE FROM nocontent.usage WHERE tenant_id = $1 AND grain = ANY($2::smallint[]) AND at >= $3 AND at < $4"
HOURLY = (Grain.QUARTER, Grain.HOUR_MODEL, Grain.HOUR)
_DAILY = (Grain.DAY_MODEL, Grain.DAY)


async def delete_hours(connection: Connection, tenant_id: int, first: datetime, before: datetime) -> None:
    """Delete the rows of hours, not those of their day."""
    await connection.execute(_DELETE, tenant_id, list(HOURLY), first, before)


def _histogram(name: str) -> str:
    """Return a subquery with the histogram of each key of a day."""
    key = ", ".join(("grain", *DIMENSIONS))
    return f"""(
    SELECT {key}, array_agg(bin ORDER BY bin) AS {name}_bins, array_agg(counted ORDER BY bin) AS {name}_counts
    FROM (
        SELECT {key}, bin, nocontent.total(counted) AS counted
        FROM hourly CROSS JOIN LATERAL unnest({name}_bins, {name}_counts) AS entry (bin, counted)
        GROUP BY {key}, bin
    ) AS counted
    GROUP BY {key}
) AS {name}"""  # noqa: S608 (the names are our own)


_DAYS = f"""
WITH hourly AS MATERIALIZED (
    SELECT {", ".join(("grain", *DIMENSIONS, *SUMS, *ARRAYS))} FROM nocontent.usage
    WHERE tenant_id = $1 AND grain IN ({Grain.HOUR_MODEL}, {Grain.HOUR}) AND at >= $2 AND at < $3
), summed AS (
    SELECT {", ".join(("grain", *DIMENSIONS))}, {", ".join(f"nocontent.total({name}) AS {name}" for name in SUMS)}
    FROM hourly GROUP BY {", ".join(("grain", *DIMENSIONS))}
)
INSERT INTO nocontent.usage ({", ".join((*KEY, *SUMS, *ARRAYS))})
SELECT $1, grain + 1, $2, {", ".join((*DIMENSIONS, *SUMS))}, {", ".join(f"coalesce({name}, '{{}}')" for name in ARRAYS)}
FROM summed
LEFT JOIN {_histogram("latency")} USING ({", ".join(("grain", *DIMENSIONS))})
LEFT JOIN {_histogram("ttft")} USING ({", ".join(("grain", *DIMENSIONS))})
"""  # noqa: S608 (the names are our own)
assert (Grain.HOUR_MODEL + 1, Grain.HOUR + 1) == _DAILY


async def make_day(connection: Connection, tenant_id: int, day: datetime) -> None:
    """Make the rows of a day again, from those of its hours."""
    before = day + timedelta(days=1)
    await connection.execute(_DELETE, tenant_id, list(_DAILY), day, before)
    await connection.execute(_DAYS, tenant_id, day, before, timeout=TIMEOUT_S)
