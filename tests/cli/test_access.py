"""`nocontent access`: every table and file of the list is in the index, rows are the database's, and no one else's."""

import asyncio
import hashlib
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from markupsafe import escape

from ingest.store import batches, connections
from ingest.store.tenant_files import TENANT_FILES
from ingest.store.tenant_tables import TENANT_TABLES
from ingest.store.usage import rollups
from tests.support import bills, cluster, sample, staff
from tests.support.command import Run
from tests.support.entries import entry

_CANARY = "yellow-canary"
_TAG = """
UPDATE events SET tag_1 = (SELECT term_id FROM tag_names WHERE tenant_id = $1 AND tag_value = $2)
WHERE tenant_id = $1 AND event_id = $3
"""
_COUNTED = {  # By table: rows of the views have the same number.
    table.name: f"SELECT count(*) FROM nocontent.{table.name} WHERE {table.column} = 1" for table in TENANT_TABLES
}
_SECRETS = "SELECT encode(secret_sha256, 'hex') AS hash FROM ingest_tokens"


@pytest.fixture
def events(run: Run, database: str) -> list[str]:
    """Return the ids of three events of acme, of which the first has a tag; another tenant has as much."""
    for tenant, words in (("acme", "night-shift"), ("other", _CANARY)):
        lines = (
            f"tenant add {tenant}", f"tags declare {tenant} team", f"vocabulary add {tenant} tag:team {words}",
            f"vocabulary add {tenant} model {words}-1", f"token issue {tenant}",
            f"prices set {tenant} anthropic claude-opus-4-5 --input 4",
        )  # fmt: skip
        assert [run(line)[0] for line in lines] == [0] * len(lines)
    own, others = [sample.event() for _ in range(3)], [sample.event() for _ in range(2)]
    found = [str(event["event_id"]) for event in own]
    asyncio.run(_fill(database, own, others, found[0]))
    assert run(f"annotate --tenant acme --reason wrong-cost --event {found[1]} --yes")[0] == 0
    asyncio.run(bills.issue(database, [100]))
    return found


async def _fill(dsn: str, own: list[dict[str, object]], others: list[dict[str, object]], tagged: str) -> None:
    async with connections.connected(dsn, "nocontent_writer") as writer:
        await batches.store(writer, [entry(*own, tenant_id=1), entry(*others, tenant_id=2)])
    async with cluster.operator(dsn) as owner:
        await owner.execute(_TAG, 1, "night-shift", tagged)
        await owner.execute(_TAG, 2, _CANARY, str(others[0]["event_id"]))
    async with connections.connected(dsn, "nocontent_biller") as biller:
        await rollups.roll_up(biller)


def _archive(run: Run, folder: Path, more: str = "") -> tuple[zipfile.ZipFile, dict[str, dict[str, object]]]:
    status, said, errors = run(f"access --tenant acme {more} {folder}")
    assert not errors, errors
    assert status == 0
    path = Path(said.split(": ")[1].splitlines()[0])
    assert path.stat().st_mode & 0o777 == 0o600
    archive = zipfile.ZipFile(path)
    index = json.loads(archive.read("index.json"))
    return archive, {each["name"]: each for each in index["entries"]}


def test_every_table_and_file_is_in_the_index_with_its_rows(
    run: Run, database: str, events: list[str], tmp_path: Path
) -> None:
    archive, index = _archive(run, tmp_path)
    assert list(index) == [*(table.name for table in TENANT_TABLES), *(file.name for file in TENANT_FILES)]
    page = archive.read("index.html").decode()
    for name, each in index.items():
        assert all(each[said] for said in ("holds", "why", "clock")), name
        assert f">{escape(name)}<" in page
        if each["file"] is None:
            assert each["left_out"], name
            continue
        lines = archive.read(str(each["file"])).splitlines()
        (counted,) = cluster.fetch(database, _COUNTED[name])
        assert len(lines) == each["rows"] == counted["count"], name
        assert hashlib.sha256(archive.read(str(each["file"]))).hexdigest() == each["sha256"]
    filled = {name for name, each in index.items() if each["rows"]}
    assert filled >= {"tenants", "ingest_tokens", "vocabulary", "events", "annotations", "batches", "usage", "audit"}
    gone_on = datetime.now(UTC).date() + timedelta(days=cluster.RETENTION_DAYS + 2)
    assert {index[name]["until"] for name in ("events", "annotations", "batches")} == {gone_on.isoformat()}
    assert index["invoices"]["until"] is None
    assert filled >= {"prices", "invoices", "invoice_lines"}
    assert events


def test_owners_and_admins_get_a_letter_about_an_archive_of_everything(
    run: Run, database: str, events: list[str], tmp_path: Path
) -> None:
    assert events
    own = asyncio.run(staff.hire(database, "acme"))
    _archive(run, tmp_path, "--tag team=night-shift")
    assert asyncio.run(own.letters()) == []
    _archive(run, tmp_path)
    assert asyncio.run(own.letters()) == [("export-ready", "admin"), ("export-ready", "owner")]


def test_rows_are_those_of_the_database(run: Run, database: str, events: list[str], tmp_path: Path) -> None:
    archive, _ = _archive(run, tmp_path)
    rows = [json.loads(line) for line in archive.read("data/events.jsonl").splitlines()]
    assert {row["event_id"]: row["annotation"] for row in rows} == dict.fromkeys(events) | {events[1]: "wrong-cost"}
    assert {row["event_id"]: row["tags"] for row in rows}[events[0]] == {"team": "night-shift"}
    query = "SELECT row_to_json(own)::text AS row FROM (SELECT * FROM usage WHERE tenant_id = 1) AS own"
    stored = [json.loads(row["row"]) for row in cluster.fetch(database, query)]
    sums = [json.loads(line) for line in archive.read("data/usage.jsonl").splitlines()]
    assert sorted(row["events"] for row in sums) == sorted(row["events"] for row in stored)
    assert sum(row["input_tokens"] for row in sums) == sum(row["input_tokens"] for row in stored)


def test_no_other_tenant_and_no_secret_is_in_it(run: Run, database: str, events: list[str], tmp_path: Path) -> None:
    archive, index = _archive(run, tmp_path)
    whole = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert (_CANARY in whole, "night-shift" in whole) == (False, True)
    for row in cluster.fetch(database, _SECRETS):
        assert row["hash"] not in whole
    assert index["ingest_tokens"]["columns_left_out"]
    for row in cluster.fetch(database, "SELECT event_id FROM events WHERE tenant_id = 2"):
        assert str(row["event_id"]) not in whole
    assert events


def test_a_persons_archive_has_what_has_the_tag(run: Run, events: list[str], tmp_path: Path) -> None:
    archive, index = _archive(run, tmp_path, "--tag team=night-shift")
    rows = [json.loads(line) for line in archive.read("data/events.jsonl").splitlines()]
    assert [row["event_id"] for row in rows] == events[:1]
    assert {name for name, each in index.items() if each["file"]} == {
        "events", "annotations", "usage", "vocabulary", "audit",
    }  # fmt: skip
    assert index["annotations"]["rows"] == 0
    assert index["vocabulary"]["rows"] == 1
    assert "as a whole" in str(index["invoices"]["left_out"])
    assert set(index) == {*(table.name for table in TENANT_TABLES), *(file.name for file in TENANT_FILES)}


def test_who_is_not_there_gets_no_archive(run: Run, events: list[str], tmp_path: Path) -> None:
    for line in (f"--tenant acme --tag team={_CANARY}", "--tenant CANARY", "--tenant acme --tag CANARY"):
        status, said, errors = run(f"access {line} {tmp_path}")
        assert (status, said) == (2, "")
        assert "canary" not in errors.lower()
    assert list(tmp_path.iterdir()) == []
    assert run(f"access --tenant acme {tmp_path / 'absent'}")[0] == 2
    assert events
