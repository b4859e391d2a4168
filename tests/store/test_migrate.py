"""Migrations: applied once, never edited after they have landed."""

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
    assert sorted(map(len, ran)) == [0, len(migrate.migrations())]


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


def test_the_database_keeps_the_checksum_of_each_file(database: str) -> None:
    kept = {row["name"]: row["sha256"] for row in cluster.fetch(database, "SELECT name, sha256 FROM migrations")}
    files = sorted(migrate.FOLDER.glob("*.sql"))
    assert kept == {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_statements_are_split_where_they_end() -> None:
    for migration in migrate.migrations():
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
