"""A year of rollups of one large tenant, inserted into `usage` as the job would have left them, without the events."""

from typing import NamedTuple

import asyncpg

from ingest.store.usage.columns import ARRAYS, DIMENSIONS, KEY, SUMS, Grain

EVENTS = 50_000_000
DAYS = 365


class Shape(NamedTuple):
    """The rows of a grain in one of its periods, the days that have them, and the bins of a row's histogram."""

    seconds: int
    rows: int
    days: int
    bins: int


# As `filling` makes them of 23 models, 5 of them asked for, and 3 statuses; with 10 categories and 9 teams in the fine
# grains. Nobody reads hours of all dimensions but of the last two days.
SHAPES = {
    Grain.QUARTER: Shape(900, 1, DAYS, 60),
    Grain.HOUR_MODEL: Shape(3_600, 60, 60, 40),
    Grain.DAY_MODEL: Shape(86_400, 69, 2 * DAYS, 55),
    Grain.HOUR: Shape(3_600, 1_500, 4, 4),
    Grain.DAY: Shape(86_400, 3_000, DAYS, 20),
}
_COUNTS = {"events": "n", "input_tokens": "n * 800", "output_tokens": "n * 120", "cache_read_tokens": "n * 200",
    "reported_cost_nanousd": "n * 1000000 * (100 + row % 7)", "reported_cost_events": "n * 9 / 10",
    "computed_cost_nanousd": "n * 9000000", "computed_cost_events": "n / 20",
    "unpriced_events": "n - n * 9 / 10 - n / 20", "baseline_cost_nanousd": "n * 240000000",
    "baseline_events": "n * 8 / 10", "savings_reported_nanousd": "n * 90000000",
    "savings_priced_events": "n / 10", "savings_priced_nanousd": "n * 7000000", "streamed": "n / 2", "cached": "n / 9",
    "fallback": "n / 50", "retried": "n / 40", "escalated": "n / 70"}  # fmt: skip
_INSERT = f"""
INSERT INTO nocontent.usage ({", ".join((*KEY, *SUMS, *ARRAYS))})
SELECT {{tenant}}, {{grain}}, at, {{dimensions}}, {", ".join(_COUNTS.get(name, "0") for name in SUMS)},
    bins, counts, bins, counts
FROM (
    SELECT at, row, greatest(1, ({{events}} * (0.6 + 0.8 * random()))::bigint) AS n
    FROM generate_series(
        date_bin(make_interval(secs => {{seconds}}), now(), '2000-01-01Z') - make_interval(days => {{days}}), now(),
        make_interval(secs => {{seconds}})
    ) AS at CROSS JOIN generate_series(0, {{rows}} - 1) AS row
) AS drawn CROSS JOIN LATERAL (
    SELECT array_agg(bin ORDER BY bin) AS bins, array_agg(greatest(1, n / {{bins}}) ORDER BY bin) AS counts
    FROM generate_series(60, 60 + {{bins}} - 1) AS bin WHERE n >= 0
) AS histogram
"""
_OF_MODEL = {"provider": "1 + row % 23 % 7", "requested_model": "1 + row % 5", "routed_model": "1 + row % 23",
    "status": "row / 23 % 3"}  # fmt: skip
_ALL = _OF_MODEL | {"status": "0", "task_category": "1 + row / 23 % 10", "tag_1": "8192 + row / 230 % 14"}
_DIMENSIONS = {
    Grain.QUARTER: dict[str, str](), Grain.HOUR_MODEL: _OF_MODEL, Grain.DAY_MODEL: _OF_MODEL, Grain.HOUR: _ALL,
    Grain.DAY: _ALL,
}  # fmt: skip


async def fill(connection: asyncpg.Connection, tenant_id: int, events: int = EVENTS) -> int:
    """Insert the rows of a tenant, and return their number."""
    for grain, shape in SHAPES.items():
        per_row = events / DAYS * shape.seconds / 86_400 / shape.rows
        own = _DIMENSIONS[grain]
        absent = "-1" if grain in (Grain.QUARTER, Grain.HOUR_MODEL, Grain.DAY_MODEL) else "0"
        statement = _INSERT.format(
            tenant=tenant_id, grain=int(grain), events=per_row,
            dimensions=", ".join(own.get(name, absent) for name in DIMENSIONS),
            seconds=shape.seconds, days=shape.days, rows=shape.rows, bins=shape.bins,
        )  # fmt: skip
        await connection.execute(statement, timeout=600)
    await connection.execute("VACUUM (ANALYZE) nocontent.usage", timeout=600)
    return int(await connection.fetchval("SELECT count(*) FROM nocontent.usage WHERE tenant_id = $1", tenant_id))
