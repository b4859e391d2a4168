"""Migrations: applied once, and never edited after landing."""

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from ingest.errors import CannotStart
from ingest.store import migrate
from schema.event import Kind
from schema.vocabulary import shipped_terms
from tests.support import cluster
from tests.support.cluster import Cluster, operator

_CATALOG = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'nocontent' ORDER BY table_name, ordinal_position
"""


async def test_migrating_twice_changes_nothing(postgres: Cluster) -> None:
    async with operator(await asyncio.to_thread(postgres.empty)) as connection:
        first = await migrate.migrate(connection)
        before = [tuple(row.values()) for row in await connection.fetch(_CATALOG)]
        assert first == [migration.name for migration in migrate.migrations()]
        assert await migrate.migrate(connection) == []
        assert [tuple(row.values()) for row in await connection.fetch(_CATALOG)] == before


async def test_two_who_migrate_at_once_take_turns(postgres: Cluster) -> None:
    dsn = await asyncio.to_thread(postgres.empty)
    async with operator(dsn) as one, operator(dsn) as other:
        ran = await asyncio.gather(migrate.migrate(one), migrate.migrate(other))
    assert sorted([*ran[0], *ran[1]]) == [migration.name for migration in migrate.migrations()]


async def test_who_migrates_waits_for_nobody_but_one_who_migrates(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any login can take an advisory lock; this one is the owner's."""
    monkeypatch.setattr(migrate, "TURN_TIMEOUT", "100ms")
    async with operator(database) as connection, operator(database) as other, other.transaction():
        await other.execute("SELECT pg_advisory_lock(number) FROM unnest($1::bigint[]) AS number", _FORMER_LOCKS)
        assert await migrate.migrate(connection) == []
        await other.execute("LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(CannotStart, match="Another migration is running"):
            await migrate.migrate(connection)
    async with operator(database) as connection:
        assert await migrate.migrate(connection) == []


_FORMER_LOCKS = [0x6E6F636F6E74656E, 0x6B656570]  # Locks that an earlier release took.


async def test_an_edited_migration_is_refused(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    landed = sorted((tmp_path / "sql").iterdir())[2]
    landed.write_text(landed.read_text("ascii") + "-- one more word\n", "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(database) as connection:
        with pytest.raises(CannotStart, match=landed.stem):
            await migrate.migrate(connection)


async def test_a_new_migration_runs_by_itself(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    (tmp_path / "sql/0099_add_nothing.sql").write_text("SELECT 1;\n", "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(database) as connection:
        with pytest.raises(CannotStart):
            await migrate.require_current(connection)
        assert await migrate.migrate(connection) == ["0099_add_nothing"]
        await migrate.require_current(connection)


async def test_a_failing_migration_leaves_no_trace(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    half = "CREATE TABLE nocontent.half (n integer);\n\nSELECT nothing FROM nowhere;\n"
    (tmp_path / "sql/0099_add_half.sql").write_text(half, "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(database) as connection:
        with pytest.raises(Exception, match="nowhere"):
            await migrate.migrate(connection)
        assert await connection.fetchval("SELECT to_regclass('nocontent.half')") is None
        assert await migrate.pending(connection) == ["0099_add_half"]


_ONCE = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citext') AND to_regclass('nocontent.added') IS NULL THEN
        CREATE TABLE nocontent.added (n integer PRIMARY KEY);
    END IF;
END
$$;
"""


async def test_a_conditional_step_waits_for_its_condition(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    (tmp_path / "sql/conditional/0099_add_table.sql").write_text(_ONCE, "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(database) as connection:
        assert await migrate.migrate(connection) == []
        assert await connection.fetchval("SELECT to_regclass('nocontent.added')") is None
        await connection.execute("CREATE EXTENSION citext")
        assert await migrate.pending(connection) == []  # No server has to wait for it.
        for _ in range(2):
            await migrate.migrate(connection)
            assert await connection.fetchval("SELECT to_regclass('nocontent.added')") is not None


async def test_conditional_steps_run_after_all_else_and_in_order(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    steps = {
        "0097_add_table.sql": "CREATE TABLE IF NOT EXISTS nocontent.seen (n integer PRIMARY KEY, terms bigint);\n",
        "conditional/0098_count_terms.sql": "INSERT INTO seen\nSELECT 98, count(*) FROM vocabulary;\n",
        "conditional/0099_count_terms.sql": "INSERT INTO seen\nSELECT 99, max(n) FROM seen;\n",
    }
    for name, text in steps.items():
        (tmp_path / "sql" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sql" / name).write_text(text, "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(await asyncio.to_thread(postgres.empty)) as connection:
        await migrate.migrate(connection)
        terms = await connection.fetchval("SELECT count(*) FROM nocontent.vocabulary")
        seen = [tuple(row.values()) for row in await connection.fetch("SELECT n, terms FROM nocontent.seen ORDER BY n")]
    assert terms > 0
    assert seen == [(98, terms), (99, 98)]


async def test_a_migration_does_not_wait_for_a_long_reader(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    add = "ALTER TABLE nocontent.batches ADD COLUMN region smallint NOT NULL DEFAULT 0;\n"
    (tmp_path / "sql/0099_add_region.sql").write_text(add, "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    async with operator(database) as connection, operator(database) as reader:
        async with reader.transaction():
            await reader.execute("SELECT count(*) FROM batches")
            with pytest.raises(CannotStart, match="A table is locked"):
                await migrate.migrate(connection)
        assert await connection.fetchval("SHOW lock_timeout") == "0"
        assert await migrate.migrate(connection) == ["0099_add_region"]


async def test_a_conditional_step_says_what_it_needs(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.FOLDER, tmp_path / "sql")
    refuse = "DO $$\nBEGIN\n    RAISE EXCEPTION 'first do that';\nEND\n$$;\n"
    (tmp_path / "sql/conditional/0099_refuse_all.sql").write_text(refuse, "ascii")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "sql")
    async with operator(database) as connection:
        with pytest.raises(CannotStart, match="first do that"):
            await migrate.migrate(connection)


def test_the_database_keeps_the_checksum_of_each_file(database: str) -> None:
    kept = {row["name"]: row["sha256"] for row in cluster.fetch(database, "SELECT name, sha256 FROM migrations")}
    files = sorted(migrate.FOLDER.glob("*.sql"))
    assert kept == {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_statements_are_split_where_they_end() -> None:
    for migration in migrate.migrations() + migrate.conditional():
        for statement in migration.statements:
            assert statement.count("$$") in {0, 2}, migration.name


async def test_a_database_without_tables_lacks_every_migration(postgres: Cluster) -> None:
    async with operator(await asyncio.to_thread(postgres.empty)) as connection:
        assert await migrate.pending(connection) == [migration.name for migration in migrate.migrations()]


@pytest.mark.parametrize("kind", [Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL])
def test_every_shipped_term_has_an_id_and_unknown_is_0(database: str, kind: Kind) -> None:
    query = "SELECT term, term_id FROM vocabulary WHERE tenant_id = 0 AND kind = $1 ORDER BY term_id"
    ids = {row["term"]: row["term_id"] for row in cluster.fetch(database, query, kind)}
    assert ids["unknown"] == 0
    assert list(ids) == ["unknown", *shipped_terms(kind)]
