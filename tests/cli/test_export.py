"""`nocontent export`: everything of a tenant as of one moment, read back by other programs, whatever cuts it."""

import asyncio
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from ingest.rights.exporting import errors
from ingest.store.rights import datasets
from ingest.store.tenant_tables import TENANT_TABLES
from tests.support import cluster, exports, staff
from tests.support.cluster import Cluster
from tests.support.command import Run, runner
from tests.support.service import ROOT

_ROWS = 3_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAST = "--rows-per-second 10000000"


@pytest.fixture(scope="module")
def filled(postgres: Cluster) -> Iterator[str]:
    """Yield a database in which acme and other have rows; acme's are in the rollups."""
    dsn = postgres.migrated()
    cluster.run(dsn, "INSERT INTO nocontent.tenants (tenant_id, name, revision) VALUES (1, 'acme', 1), (2, 'other', 1)")
    for tenant_id in (1, 2):
        exports.words(dsn, tenant_id)
        exports.store(dsn, tenant_id, _ROWS)
        cluster.run(
            dsn,
            f"INSERT INTO refusals VALUES (now(), now(), {tenant_id}, 0, {tenant_id}, now(), 2, 14, 'time.too-old')",
        )
    exports.annotate(dsn, 1)
    exports.roll_up(dsn)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def run_filled(filled: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NOCONTENT_DSN", filled)
    return runner(capsys)


def _manifest(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_bytes())
    return found


def _verdicts(folder: Path) -> set[str]:
    days = _manifest(folder)["days"]
    assert isinstance(days, list)
    return {day["verdict"] for day in days}


def _json_rows(folder: Path, name: str) -> list[dict[str, object]]:
    paths = sorted(folder.glob(f"{name}/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def _at(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def test_json_lines_are_the_rows(run_filled: Run, filled: str, tmp_path: Path) -> None:
    status, said, _ = run_filled(f"export acme {tmp_path}/all {_FAST}")
    rows = _json_rows(tmp_path / "all", "events")
    assert (status, len(rows)) == (0, _ROWS)
    assert [{**row, "occurred_at": _at(row["occurred_at"])} for row in rows] == exports.events(filled, 1)
    assert all(len(str(row["occurred_at"])) == len("2026-11-28T05:00:00.000000Z") for row in rows)
    assert f"{_ROWS:,} rows" in said


_DUCK = """
import duckdb, json, sys
found = duckdb.sql(
    "SELECT * REPLACE (epoch_us(occurred_at) AS occurred_at)"
    f" FROM '{sys.argv[1]}' ORDER BY occurred_at, event_id"
)
print(json.dumps([dict(zip(found.columns, row)) for row in found.fetchall()], default=str))
"""


def test_parquet_read_by_duckdb_and_pyarrow_is_the_rows(run_filled: Run, filled: str, tmp_path: Path) -> None:
    assert run_filled(f"export acme {tmp_path}/all --format parquet {_FAST}")[0] == 0
    # In a process of its own: duckdb complains at the end of one whose garbage collector is off.
    ran = subprocess.run(
        [sys.executable, "-c", _DUCK, f"{tmp_path}/all/events/*.parquet"], capture_output=True, check=True
    )
    rows = [
        {**row, "occurred_at": _EPOCH + timedelta(microseconds=row["occurred_at"])} for row in json.loads(ran.stdout)
    ]
    assert rows == exports.events(filled, 1)
    schema = parquet.read_schema(next((tmp_path / "all" / "events").glob("*.parquet")))
    assert {name: str(schema.field(name).type) for name in ("occurred_at", "provider", "cost_nanousd")} == {
        "occurred_at": "timestamp[us, tz=UTC]",
        "provider": "dictionary<values=string, indices=int32, ordered=0>",
        "cost_nanousd": "int64",
    }
    for table in datasets.STANDING:
        columns = parquet.read_table(tmp_path / "all" / f"{table.name}.parquet").column_names
        assert columns == [field.name for field in table.fields]


def test_csv_is_the_rows(run_filled: Run, filled: str, tmp_path: Path) -> None:
    assert run_filled(f"export acme {tmp_path}/all --format csv {_FAST}")[0] == 0
    paths = sorted((tmp_path / "all" / "events").glob("*.csv"))
    assert all(path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n") for path in paths)
    rows: list[dict[str, str]] = []
    for path in paths:
        with path.open(newline="") as file:
            rows += csv.DictReader(file)
    expected = exports.events(filled, 1)
    for row, wanted in zip(rows, expected, strict=True):
        assert _at(row.pop("occurred_at")) == wanted.pop("occurred_at")
        assert json.loads(row.pop("tags")) == wanted.pop("tags")
        assert row == {name: _cell(value) for name, value in wanted.items()}


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_the_manifest_proves_the_export(run_filled: Run, filled: str, tmp_path: Path) -> None:
    assert run_filled(f"export acme {tmp_path}/all {_FAST}")[0] == 0
    found = _manifest(tmp_path / "all")
    files = found["files"]
    assert isinstance(files, list)
    assert {file["file"] for file in files} | {"manifest.json"} == {
        str(path.relative_to(tmp_path / "all")) for path in (tmp_path / "all").rglob("*") if path.is_file()
    }
    for file in files:
        raw = (tmp_path / "all" / file["file"]).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (file["bytes"], file["sha256"])
        assert raw.count(b"\n") == file["rows"]
    days = found["days"]
    assert isinstance(days, list)
    assert {day["verdict"] for day in days} == {"equal"}
    assert sum(day["exported"]["events"] for day in days) == _ROWS
    assert all(day["exported"] == day["expected"] for day in days)
    (sums,) = cluster.fetch(filled, _SUMS)
    own = found["sums"]
    assert isinstance(own, dict)
    assert (own["input_tokens"], own["cost_nanousd"]) == (sums["input"], sums["cost"])
    annotations = (tmp_path / "all" / "annotations.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in annotations] == ["test-traffic"] * 7
    (refused,) = map(json.loads, (tmp_path / "all" / "refusals.jsonl").read_text().splitlines())
    assert [refused[name] for name in ("door", "field", "cause", "requests")] == [
        "litellm", "latency_ms", "time.too-old", 1,
    ]  # fmt: skip
    assert found["ledger"] == {"accepted": _ROWS, "exported_events": _ROWS}


_SUMS = """
SELECT sum(input_tokens) AS input, sum(greatest(cost_nanousd, 0)) AS cost FROM nocontent.events WHERE tenant_id = 1
"""


def test_an_export_has_no_secret_and_nothing_of_other_tenants(run: Run, database: str, tmp_path: Path) -> None:
    run("tenant add other")
    for tenant in ("acme", "other"):
        run(f"token issue {tenant}")
        run(f"tags declare {tenant} canary-{tenant}")
        run(f"vocabulary add {tenant} tag:canary-{tenant} value-{tenant}")
    for form in ("jsonl", "csv"):
        assert run(f"export acme {tmp_path}/{form} --format {form}")[0] == 0
    said = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    tokens = {row["name"]: row for row in cluster.fetch(database, _TOKENS)}
    assert b"canary-acme" in said
    assert b"value-acme" in said
    assert str(tokens["acme"]["token_id"]).encode() in said
    assert b"other" not in said.replace(b'"other"', b"")
    assert str(tokens["other"]["token_id"]).encode() not in said
    for token in tokens.values():
        secret = token["secret_sha256"]
        assert all(form not in said for form in (secret, secret.hex().encode(), secret.hex().upper().encode()))


_TOKENS = "SELECT name, token_id, secret_sha256 FROM nocontent.ingest_tokens JOIN nocontent.tenants USING (tenant_id)"


def test_a_range_and_a_tag_choose_events(run_filled: Run, filled: str, tmp_path: Path) -> None:
    day = datetime.now(UTC).date() - timedelta(days=1)
    first, before = f"{day}T06:00:00Z", f"{day}T18:30:00Z"
    line = f"export acme {tmp_path}/some --data events --tag team=editor --from {first} --before {before} {_FAST}"
    assert run_filled(line)[0] == 0
    expected = [
        row for row in exports.events(filled, 1)
        if _at(first) <= _at(row["occurred_at"]) < _at(before) and row["tags"] == {"team": "editor", "region": "eu"}
    ]  # fmt: skip
    rows = _json_rows(tmp_path / "some", "events")
    assert [row["event_id"] for row in rows] == [row["event_id"] for row in expected]
    assert expected
    assert _verdicts(tmp_path / "some") == {"not-comparable"}
    assert {path.name for path in (tmp_path / "some").iterdir()} == {"events", "manifest.json"}


def _spawn(dsn: str, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "ingest", "export", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "NOCONTENT_DSN": dsn}, stderr=subprocess.PIPE)


def test_an_export_that_is_killed_goes_on_as_of_its_moment(run: Run, database: str, tmp_path: Path) -> None:
    own = asyncio.run(staff.hire(database, "acme"))
    exports.words(database, 1)
    exports.store(database, 1, 2_000, days=4)
    before = exports.events(database, 1)
    folder = tmp_path / "all"
    process = _spawn(database, "acme", str(folder), "--rows-per-second", "1000")
    while len([*folder.glob("events/*.jsonl")]) < 2:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "manifest.json").exists()
    assert asyncio.run(own.letters()) == []
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("events/*.jsonl")}
    exports.store(database, 1, 1_000, days=4)  # Of later moments.
    assert run(f"export acme {folder} {_FAST}")[0] == 0
    assert [row["event_id"] for row in _json_rows(folder, "events")] == [row["event_id"] for row in before]
    assert all(path.stat().st_mtime_ns == at for path, at in sorted(kept.items())[:-1]), "they were written again"
    assert _verdicts(folder) == {"equal"}
    assert not [*folder.rglob("*.part")]
    letters = [("export-ready", "admin"), ("export-ready", "owner")]
    assert asyncio.run(own.letters()) == letters
    assert run(f"export acme {folder} {_FAST}")[0] == 0, "a complete export is checked"
    assert run(f"export acme {tmp_path}/part --data events")[0] == 0
    assert asyncio.run(own.letters()) == letters, "the same export, and a part of everything, make none more"


def test_a_part_that_was_changed_is_noticed(run_filled: Run, tmp_path: Path) -> None:
    line = f"export acme {tmp_path}/all --data vocabulary {_FAST}"
    assert run_filled(line)[0] == 0
    with (tmp_path / "all" / "vocabulary.jsonl").open("ab") as file:
        file.write(b"{}\n")
    status, _, said = run_filled(line)
    assert (status, "(export.file-changed)" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--from 2026-02-02 --before 2026-02-01", "export.bad-range"),
        ("--from CANARY", "export.bad-range"),
        ("--tag team=CANARY --data events", "export.unknown-tag"),
        ("--tag team=editor", "export.tag-without-events"),
        ("--data CANARY", "--data takes"),
        ("--rows-per-second 0", "--rows-per-second"),
    ],
)
def test_a_bad_wish_is_refused_in_one_sentence(run_filled: Run, tmp_path: Path, arguments: str, reason: str) -> None:
    status, _, said = run_filled(f"export acme {tmp_path}/x {arguments}")
    assert (status, "CANARY" in said, len(said.splitlines())) == (2, False, 1)
    assert reason in said


def test_a_folder_of_something_else_is_left_alone(run_filled: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    assert "(export.folder-not-empty)" in run_filled(f"export acme {tmp_path}")[2]
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert "(export.folder-refused)" in run_filled(f"export acme {tmp_path}/letter.txt")[2]
    assert run_filled(f"export acme {tmp_path}/one --data account {_FAST}")[0] == 0
    assert "(export.folder-of-another)" in run_filled(f"export acme {tmp_path}/one --data audit")[2]
    assert "no tenant has that name" in run_filled(f"export nobody {tmp_path}/two")[2]


_COLUMNS = """
SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0
    AND NOT attisdropped
"""


def test_every_table_and_column_of_a_tenant_is_exported_or_left_out_by_name(filled: str) -> None:
    tables = {table.table for table in datasets.STANDING} | set(datasets.BY_DAY.values())
    assert tables == {table.name for table in TENANT_TABLES}
    taken = {(table.table, column.name) for table in datasets.STANDING for column in table.columns}
    others = {
        (row["relname"], row["attname"])
        for row in cluster.fetch(filled, _COLUMNS)
        if row["relname"] in {table.table for table in datasets.STANDING}
    } - taken
    names = {name if f"*.{name}" in datasets.LEFT_OUT else f"{table}.{name}" for table, name in others}
    assert names == {each.removeprefix("*.") for each in datasets.LEFT_OUT}


def test_every_error_is_documented() -> None:
    page = (ROOT / "docs" / "export.md").read_text()
    assert [reason for reason in errors.SENTENCES if f"`{reason}`" not in page] == []
