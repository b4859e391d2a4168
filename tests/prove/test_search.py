"""Planted canaries are found in every kind of place, and none is found elsewhere."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.prove import search
from ingest.prove.canaries import Canaries
from ingest.prove.client import address
from ingest.prove.search import SearchResult
from tests.prove.servers import answering
from tests.support import cluster

_canaries = Canaries(b"of these tests")
_CANARY = _canaries.make()


def _nothing() -> None:
    pass


def _found(*searched: SearchResult) -> set[str]:
    return {find.canary for one in searched for _, find in one.finds}


def _in_files(*paths: Path) -> SearchResult:
    return search.in_files("files", _canaries, paths, _nothing)


def test_a_canary_in_a_log_is_found(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text("a line\n" * 1_000)
    assert _found(_in_files(log)) == set()
    log.write_text("a line\n" * 1_000 + f'{{"error": "{_CANARY.upper()}"}}\n')
    assert _found(_in_files(log)) == {_CANARY}


def test_a_canary_in_a_folder_of_data_files_is_found(tmp_path: Path) -> None:
    (tmp_path / "base" / "1").mkdir(parents=True)
    (tmp_path / "base" / "1" / "16384").write_bytes(bytes(8_192) + base64.b64encode(b"xy" + _CANARY.encode()))
    assert _found(_in_files(tmp_path)) == {_CANARY}


@pytest.mark.parametrize("cut", [1, 7, 14])
def test_a_canary_across_the_border_of_two_pieces_is_found(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_PIECE_BYTES", 4_096)
    (tmp_path / "wal").write_bytes(bytes(4_096 - cut) + _CANARY.encode() + bytes(9_000))
    assert _found(_in_files(tmp_path)) == {_CANARY}


def test_two_files_do_not_make_one_canary(tmp_path: Path) -> None:
    for name, part in {"a": _CANARY[:7], "b": _CANARY[7:]}.items():
        (tmp_path / name).write_text(part)
    assert _found(_in_files(tmp_path / "a", tmp_path / "b")) == set()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert _in_files(tmp_path / "loop").unread == (str(tmp_path / "loop"),)


_PLANTS = {
    "text": (f"CREATE TABLE plant AS SELECT 'note of {_CANARY}' AS note", "plain"),
    "jsonb": (f"""CREATE TABLE plant AS SELECT '{{"a": "{_CANARY}"}}'::jsonb AS note""", "plain"),
    "bytes": (f"CREATE TABLE plant AS SELECT '{_CANARY}'::bytea AS note", "hex"),
    "an array": (f"CREATE TABLE plant AS SELECT ARRAY['{_CANARY}'] AS note", "plain"),
    "another schema": (
        f'CREATE SCHEMA "of""us"; CREATE TABLE "of""us"."pl.ant" AS SELECT \'{_CANARY}\' AS note',
        "plain",
    ),
    "a comment": (f"COMMENT ON TABLE nocontent.events IS '{_CANARY}'", "plain"),
    "a name": (f"CREATE TABLE {_CANARY} (a int)", "plain"),
}
# Each with the place that must report it, and a statement that removes it if it belongs to the cluster.
_APART = {
    "a large object": ("SELECT lo_from_bytea(0, convert_to(repeat('x', 2041) || '{}', 'UTF8'))", "large objects", ""),
    "a comment": ("COMMENT ON TABLE nocontent.events IS '{}'", "comments", ""),
    "a comment on a role": (
        "COMMENT ON ROLE nocontent_reader IS '{}'", "comments", "COMMENT ON ROLE nocontent_reader IS NULL",
    ),
    "a role's setting": (
        "ALTER ROLE nocontent_reader SET kept.note = '{}'", "settings of roles",
        "ALTER ROLE nocontent_reader RESET kept.note",
    ),
    "a name of a session": ("SET application_name = '{}'", "sessions", ""),
    "a replication slot": (
        "SELECT pg_create_physical_replication_slot('{}')", "sessions", "SELECT pg_drop_replication_slot('{}')",
    ),
    "the audit": (
        ("ALTER TABLE nocontent.audit DROP CONSTRAINT audit_act_fkey, DROP CONSTRAINT audit_act_check;"
        "INSERT INTO nocontent.audit (tenant_id, act) VALUES (1, '{}')"), "audit", "",
    ),
    "a session's last statement": ("SELECT '{}'", "sessions", ""),
}  # fmt: skip


@pytest.mark.parametrize("plant", _PLANTS)
async def test_a_canary_in_the_database_is_found(plant: str, database: str) -> None:
    statement, form = _PLANTS[plant]
    assert _found(*await search.in_database(_canaries, database, _nothing)) == set()
    async with cluster.operator(database) as connection:
        await connection.execute(statement)
    searched = await search.in_database(_canaries, database, _nothing)
    assert _found(*searched) == {_CANARY}
    assert form in {find.form for one in searched for _, find in one.finds}


async def test_a_canary_outside_of_our_tables_is_found_in_its_place(database: str) -> None:
    planted = {plant: _canaries.make() for plant in _APART}
    async with cluster.operator(database) as connection:
        for plant, (statement, _, _) in _APART.items():
            await connection.execute(statement.format(planted[plant]))
        try:
            searched = await search.in_database(_canaries, database, _nothing)
        finally:
            for plant, (_, _, undo) in _APART.items():
                await connection.execute(undo.format(planted[plant]) or "SELECT 1")
    found = {one.place: _found(one) & set(planted.values()) for one in searched}  # One of each piece of a table.
    assert {place for _, place, _ in _APART.values()} == {place for place, canaries in found.items() if canaries}


async def test_a_canary_in_a_long_large_object_is_found_across_a_border(database: str) -> None:
    long = f"convert_to(repeat('x', 1048570) || '{_CANARY}' || repeat('x', 3000000), 'UTF8')"
    async with cluster.operator(database) as connection:
        await connection.execute(f"SELECT lo_from_bytea(0, {long})")
    searched = await search.in_database(_canaries, database, _nothing)
    assert _found(*(one for one in searched if one.place == "large objects")) == {_CANARY}


_SEGMENT = "SELECT pg_walfile_name(pg_current_wal_insert_lsn())"


async def test_a_message_in_wal_is_found_wherever_a_page_ends(database: str) -> None:
    async with cluster.operator(database) as connection:
        folder = Path(await connection.fetchval("SHOW data_directory")) / "pg_wal"
        statement = "SELECT pg_logical_emit_message(false, '', $1::text)"
        # Into a segment of its own: of each form the first canary is named, and one of a test before may be compressed.
        await connection.execute("SELECT pg_switch_wal()")
        segments = [await connection.fetchval(_SEGMENT)]
        await connection.execute(statement, f" {_CANARY} " * 1_000)  # Over two pages at least.
        segments.append(await connection.fetchval(_SEGMENT))
        await connection.execute("SELECT pg_switch_wal()")
    searched = search.in_files("data files", _canaries, [folder / name for name in segments], _nothing)
    assert _CANARY in _found(searched)
    assert any(where.endswith("without headers") for where, _ in searched.finds)


async def test_a_canary_in_the_metrics_is_found() -> None:
    said = b"ingest_events_total 1\n"
    async with answering(lambda _request: (200, said)) as url:
        assert _found(*await search.in_metrics(_canaries, address(url), "/metrics")) == set()
        said = f'ingest_events_total{{team="{_CANARY}"}} 1\n'.encode()
        assert _CANARY in _found(*await search.in_metrics(_canaries, address(url), "/metrics"))


async def test_an_echo_at_the_port_of_the_metrics_is_found() -> None:
    async with answering(lambda _: (200, b"ingest_events_total 1\n")) as url:
        port, metrics = await search.in_metrics(_canaries, address(url), "/metrics")
        assert (port.place, port.finds, metrics.finds) == ("metrics port", (), ())
    async with answering(lambda request: (404, request)) as url:
        port, _ = await search.in_metrics(_canaries, address(url), "/metrics")
        assert len(port.finds) >= 10


@contextmanager
def _process(*arguments: str) -> Iterator[int]:
    program = "import sys; word = sys.argv[1][::-1] * 3; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory as a file")
def test_a_canary_in_memory_is_found_and_not_gated() -> None:
    with _process("nothing") as clean, _process(_CANARY) as dirty:
        assert _found(search.in_memory(_canaries, [clean])) == set()
        searched = search.in_memory(_canaries, [dirty])
    assert _found(searched) == {_CANARY}
    assert not searched.is_gated
