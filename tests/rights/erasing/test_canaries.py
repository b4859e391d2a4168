"""Canaries in a tenant's words and name: after an erasure no table, statistic, export, receipt or log has them."""

import asyncio
from pathlib import Path

import pytest

from ingest.prove import search
from ingest.prove.canaries import Canaries
from tests.support import cluster, erasing
from tests.support.cluster import Cluster
from tests.support.command import Run


def _nothing() -> None:
    pass


async def _is_in_database(canaries: Canaries, dsn: str) -> bool:
    found = await search.in_database(canaries, dsn, _nothing)
    assert not [one for one in found if one.unread and one.place == "database"]
    return any(one.finds for one in found)


def _is_in_files(canaries: Canaries, path: Path) -> bool:
    found = search.in_files("files", canaries, [path], _nothing)
    assert found.bytes
    return bool(found.finds)


def test_no_erased_word_or_name_is_left_anywhere(
    run: Run, postgres: Cluster, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(setting, value)
    # A search tells one canary of each from the next, so each word has its own.
    canaries = {label: Canaries(label.encode()) for label in ("gone", "kept", "name")}
    gone, kept, name = (each.make() for each in canaries.values())
    cluster.run(database, "DELETE FROM tenants")
    asyncio.run(erasing.fill(database))
    for table, column, old, new in (
        ("vocabulary", "term", "search", gone),
        ("vocabulary", "term", "assistant", kept),
        ("tenants", "name", "tenant-1", name),
    ):
        cluster.run(database, f"UPDATE {table} SET {column} = '{new}' WHERE tenant_id = 1 AND {column} = '{old}'")
    # PostgreSQL samples what is there often: here a word below eight keys.
    cluster.run(database, f"""
        INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
        SELECT 1, 4, 1000 + key, 0, 'key-' || key, false, 0 FROM generate_series(2, 9) AS key
        UNION ALL SELECT 1, 5, 500 + key, 1000 + key, '{kept}', false, 0 FROM generate_series(2, 9) AS key
    """)  # fmt: skip
    cluster.run(database, "ANALYZE")

    async def left() -> set[str]:
        return {label for label, each in canaries.items() if await _is_in_database(each, database)}

    def in_files(path: Path) -> set[str]:
        return {label for label, each in canaries.items() if _is_in_files(each, path)}

    assert asyncio.run(left()) == {"gone", "kept", "name"}
    assert run(f"export {name} {tmp_path}/before --format csv")[0] == 0
    assert in_files(tmp_path / "before") == {"gone", "kept", "name"}

    assert run(f"erase tag {name} team={gone} --yes")[0] == 0
    asyncio.run(erasing.reach(database, "finished"))
    assert asyncio.run(left()) == {"kept", "name"}
    assert run(f"export {name} {tmp_path}/between --format csv")[0] == 0
    assert in_files(tmp_path / "between") == {"kept", "name"}

    assert run(f"erase tenant {name} --yes")[0] == 0
    asyncio.run(erasing.reach(database, "finished"))
    assert asyncio.run(left()) == set()
    assert in_files(tmp_path / "erasures") == set()
    assert in_files(Path(f"{postgres.data_dir}.log")) == set()
