"""The catalog of `events`: no column holds text, and none is nullable."""

import asyncpg
import pytest

from ingest.store import summary
from tests.support import cluster, lint
from tests.support.cluster import operator

_TEXT = next(rule for rule in lint.RULES if rule.id == "text-column")
_PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'nocontent.events'::regclass"


async def test_no_column_of_events_or_a_partition_holds_text(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        assert await connection.fetchval(_PARTITIONS) == cluster.RETENTION_DAYS + 2 + 7
        assert await lint.offenders(connection, _TEXT) == set()


@pytest.mark.parametrize("kind", ["text", "varchar(9)", "char(1)", "json", "jsonb", "bytea", "xml", "text[]", "name"])
async def test_a_text_column_is_noticed(database: str, kind: str) -> None:
    async with operator(database) as connection:
        await connection.execute(f"ALTER TABLE events ADD COLUMN note {kind}")
        assert "events.note" in await lint.offenders(connection, _TEXT)
        assert (await summary.totals(connection)).text_columns > cluster.RETENTION_DAYS


async def test_a_text_column_of_one_partition_is_noticed(database: str) -> None:
    async with operator(database) as connection:
        name = await connection.fetchval("SELECT inhrelid::regclass::text FROM pg_inherits LIMIT 1")
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {name}")
        await connection.execute(f"ALTER TABLE {name} ADD COLUMN note text")
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(f"ALTER TABLE events ATTACH PARTITION {name} DEFAULT")
        assert (await summary.totals(connection)).text_columns == 1


async def test_null_is_nowhere_in_events(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        nullable = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'events' AND is_nullable = 'YES'"
        )
    assert nullable == []
