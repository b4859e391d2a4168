"""The views and the gauge of streams, on hand-made ledgers."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import UUID

import pytest

from ingest.store import connections, streams
from ingest.store.connections import Connection
from tests.support.cluster import operator

ONE, TWO = UUID(int=1), UUID(int=2)
LONG_AGO_S, LATELY_S, NOW_S = 3_600, 60, 5
SEQUENCE_MAX = 2**53 - 1
_TENANTS = "INSERT INTO tenants (tenant_id, name, revision) SELECT $1::integer, 't' || $1::integer, 1"
_BATCH = """
INSERT INTO batches
SELECT now() - make_interval(secs => $1), $2, $3, gen_random_uuid(), $4, 10, 2, 1, 4, 3, 2, 1
"""
_STREAMS = """
SELECT tenant_id, stream_id, batches, accepted, duplicates, coarsened, first_sequence, last_sequence, missing,
    dropped_queue_full, dropped_retries_exhausted, dropped_refused, dropped_shutdown,
    last_received_at - first_received_at = interval '55 seconds' AS is_timed
FROM streams
"""
_GAPS = "SELECT tenant_id, stream_id, first, last FROM stream_gaps ORDER BY tenant_id, stream_id, first"


class Came(NamedTuple):
    """Batches of a stream, and how long ago they arrived."""

    age_s: int
    sequences: Sequence[int]
    stream_id: UUID = ONE
    tenant_id: int = 1


async def plant(connection: Connection, *came: Came) -> None:
    async with connection.transaction():  # All as of one moment.
        await connection.executemany(_TENANTS, [(1,), (2,)])
        for age_s, sequences, stream_id, tenant_id in came:
            await connection.executemany(_BATCH, [(age_s, stream_id, sequence, tenant_id) for sequence in sequences])


async def test_the_view_sums_up_each_stream(database: str) -> None:
    async with operator(database) as connection:
        await plant(connection, Came(LATELY_S, [3, 4, 7]), Came(NOW_S, [9]), Came(NOW_S, [-1], TWO))
        (row,) = await connection.fetch(_STREAMS)
    assert tuple(row.values()) == (1, ONE, 4, 40, 8, 4, 3, 9, 3, 16, 12, 8, 4, True)


async def test_the_view_has_every_gap_with_both_ends(database: str) -> None:
    async with operator(database) as connection:
        await plant(connection, Came(NOW_S, [3, 4, 7, 9]), Came(NOW_S, [0, 2], TWO), Came(NOW_S, [5, 8], ONE, 2))
        gaps = [tuple(row.values()) for row in await connection.fetch(_GAPS)]
    assert gaps == [(1, ONE, 5, 6), (1, ONE, 8, 8), (1, TWO, 1, 1), (2, ONE, 6, 7)]


_CASES: dict[str, tuple[int, Sequence[Came]]] = {
    "nothing came": (0, []),
    "all came": (0, [Came(LATELY_S, range(5))]),
    "two are missing": (2, [Came(LATELY_S, [3, 6])]),
    "the stream did not begin at 0": (0, [Came(LATELY_S, [9, 10])]),
    "it may still be on its way": (0, [Came(LATELY_S, [3]), Came(NOW_S, [6])]),
    "the one before came long ago": (2, [Came(LONG_AGO_S, [3]), Came(LATELY_S, [6])]),
    "all of it is long ago": (0, [Came(LONG_AGO_S, [3, 6])]),
    "it came late": (0, [Came(LATELY_S, [3, 6]), Came(NOW_S, [4, 5])]),
    "one of two came late": (1, [Came(LATELY_S, [3, 6]), Came(NOW_S, [4])]),
    "an old one came late": (0, [Came(LONG_AGO_S, range(1, 6)), Came(LATELY_S, [0, 6])]),
    "batches without a stream": (0, [Came(LATELY_S, [-1], UUID(int=number)) for number in range(3, 6)]),
    "one of them and a stream": (0, [Came(LATELY_S, [-1, 1])]),
    "two streams and two tenants": (
        6,
        [Came(LATELY_S, [0, 3]), Came(LATELY_S, [0, 3], TWO), Came(LATELY_S, [0, 3], ONE, 2)],
    ),
    "more than a bigint holds": (
        SEQUENCE_MAX,
        [Came(LATELY_S, [0, SEQUENCE_MAX], UUID(int=number)) for number in range(1_100)],
    ),
}


@pytest.mark.parametrize("case", _CASES)
async def test_what_is_missing_lately_is_counted(database: str, case: str) -> None:
    expected, came = _CASES[case]
    async with operator(database) as connection:
        await plant(connection, *came)
    async with connections.connected(database, "nocontent_writer") as connection:
        assert await streams.missing_lately(connection) == expected
        assert await streams.missing_by_tenant(connection) == expected


async def test_a_busy_tenant_is_looked_at_as_far_as_its_newest_batches(database: str) -> None:
    async with operator(database) as connection:
        await plant(connection, Came(300, [0, 2]), Came(60, range(3, 2_003)), Came(60, [5, 8], ONE, 2))
    async with connections.connected(database, "nocontent_writer") as connection:
        assert await streams.missing_lately(connection) == 2


async def test_a_database_that_is_too_busy_to_say_costs_no_connection(database: str) -> None:
    async with AsyncExitStack() as opened:
        other = await opened.enter_async_context(operator(database))
        # The writer's connections have a lock timeout, which is shorter than ours.
        hasty = await opened.enter_async_context(connections.connected(database, "nocontent_writer"))
        patient = await opened.enter_async_context(operator(database))
        async with other.transaction():
            await other.execute("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE")
            assert await streams.missing_lately(hasty) == streams.UNKNOWN
            assert await streams.missing_lately(patient) == streams.UNKNOWN
        assert await streams.missing_lately(hasty) == 0
        assert await streams.missing_lately(patient) == 0
