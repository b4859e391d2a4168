"""The fourth gate, on the ledger: its numbers have the bounds of schema/limits.py, whoever writes them."""

import asyncpg
import pytest

from ingest.store.batches import NO_SEQUENCE
from schema import limits
from schema.event import DROP_REASONS
from tests.support.cluster import operator

_INT_MAX = 2**31 - 1
_BOUNDS = {
    "tenant_id": (1, _INT_MAX),
    "sequence": (NO_SEQUENCE, limits.SEQUENCE_MAX),
    "accepted": (0, limits.EVENTS_MAX),
    "duplicates": (0, limits.EVENTS_MAX),
    "coarsened": (0, limits.EVENTS_MAX * (4 + limits.TAGS_MAX)),
    **{f"dropped_{reason}": (0, limits.DROPPED_MAX) for reason in DROP_REASONS},
}
_NUMBERS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'nocontent' AND table_name = 'batches' AND data_type IN ('smallint', 'integer', 'bigint')
"""
_BEYOND = (asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError)
_VALIDATED = "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'batches'::regclass AND contype = 'c'"


def _insert(**changed: int) -> str:
    values = {"tenant_id": 1} | {name: 0 for name in _BOUNDS if name != "tenant_id"} | changed
    names, numbers = ", ".join(values), ", ".join(map(str, values.values()))
    return f"INSERT INTO batches (stream_id, digest, {names}) VALUES (gen_random_uuid(), gen_random_uuid(), {numbers})"


async def test_every_number_of_the_ledger_has_a_bound(database: str) -> None:
    async with operator(database) as connection:
        assert {row["column_name"] for row in await connection.fetch(_NUMBERS)} == _BOUNDS.keys()
        assert [tuple(row) for row in await connection.fetch(_VALIDATED)] == [("batches_numbers_check", True)]


@pytest.mark.parametrize("column", _BOUNDS)
async def test_the_ledger_takes_what_the_contract_allows_and_no_more(shared_database: str, column: str) -> None:
    least, most = _BOUNDS[column]
    async with operator(shared_database) as connection:
        trying = connection.transaction()
        await trying.start()
        for allowed in (least, most):
            await connection.execute(_insert(**{column: allowed}))
        for refused in (least - 1, most + 1):
            with pytest.raises(_BEYOND):
                async with connection.transaction():
                    await connection.execute(_insert(**{column: refused}))
        await trying.rollback()


async def test_a_batch_has_no_more_events_than_the_contract_allows(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(_insert(accepted=limits.EVENTS_MAX, duplicates=1))
