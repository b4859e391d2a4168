"""A past: millions of rows that PostgreSQL makes by itself, in the order of their times, over as many days as asked."""

import asyncio
from collections.abc import Callable

import asyncpg

CONNECTIONS = 2
WINDOW_ROWS_MAX = 500_000
# The nth row of a window is as far in it as n of its rows. `uuidv7` (PostgreSQL 18) takes how far from now.
# Tenants are as unequal as customers are: of a hundred, the first has a fifth of all rows.
_FILL = """
INSERT INTO nocontent.events (
    occurred_at, event_id, cost_nanousd, baseline_cost_nanousd, tenant_id, input_tokens, output_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, latency_ms, ttft_ms,
    task_category, provider, requested_model, routed_model, http_status, outcome, tag_1, tag_2, tag_3, tag_4
)
SELECT
    uuid_extract_timestamp(event_id), event_id, (luck * 40e6)::bigint, (luck * 90e6)::bigint,
    ceil($5 * power(random(), 3))::integer, (luck * 4e3)::integer, (luck * 600)::integer,
    0, 0, 0, 0, 200 + (luck * 9e3)::integer, 200,
    1 + number % 10, 1 + number % 7, 1 + number % 5, 1 + (number * 7) % 23, 200, 1 << 8, 8192 + number % 9, 0, 0, 0
FROM (
    SELECT
        number,
        random() * random() AS luck,
        uuidv7($2::timestamptz + ($3::timestamptz - $2) * (number::float8 / $4) - clock_timestamp()) AS event_id
    FROM generate_series(1, $1::integer) AS number
) AS made
"""


async def fill(dsn: str, rows: int, days: int, tenants: int, step: Callable[[int], object]) -> None:
    """Fill the last days up to now, calling `step` with the rows of each window that is done."""
    windows = max(days, -(-rows // WINDOW_ROWS_MAX))
    places = iter(range(windows))

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("SET synchronous_commit = off")  # Nobody has been told that it is stored.
            for place in places:
                count = rows * (place + 1) // windows - rows * place // windows
                begin, end = (await connection.fetchrow(_WINDOW, days, place, windows)) or (None, None)
                await connection.execute(_FILL, count, begin, end, float(count), tenants)
                step(count)
        finally:
            await connection.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM (ANALYZE) nocontent.events")  # What autovacuum would have done by now.
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


_WINDOW = """
SELECT
    now() - make_interval(days => $1) * (1 - $2::float8 / $3),
    now() - make_interval(days => $1) * (1 - ($2::float8 + 1) / $3)
"""
