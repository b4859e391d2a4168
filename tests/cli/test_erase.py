"""`nocontent erase`: a dry run deletes nothing, a subject that is not there is said so, and faults have ids."""

import asyncio
import re
from pathlib import Path

import pytest

from ingest.rights.erasing.subjects import FAULTS
from tests.support import cluster, erasing
from tests.support.command import Run

ROOT = Path(__file__).parents[2]
_ALL = "SELECT count(*) FROM events UNION ALL SELECT count(*) FROM erasures UNION ALL SELECT count(*) FROM audit"
_RANGE = "erase range tenant-1 --from 2020-01-01 --before 2026-01-01"
_NOTHING = 3


@pytest.fixture
def events(database: str, run: Run) -> list[dict[str, object]]:
    assert run is not None
    cluster.run(database, "DELETE FROM tenants")
    return asyncio.run(erasing.fill(database))


def _state(dsn: str) -> list[int]:
    return [row[0] for row in cluster.fetch(dsn, _ALL)]


def test_a_dry_run_counts_and_changes_nothing(run: Run, database: str, events: list[dict[str, object]]) -> None:
    before = _state(database)
    first = erasing.at(events[0]).isoformat()
    for line, counted in (
        ("erase tenant tenant-1", "events"),
        (f"erase range tenant-1 --from {first} --before {erasing.at(events[4]).isoformat()}", "4 rows"),
        ("erase tag tenant-1 team=search", "6 rows"),
        (f"erase events tenant-1 {events[0]['event_id']} {events[1]['event_id']}", "2 rows"),
    ):
        status, out, _ = run(line)
        assert (status, counted in out, "a dry run" in out) == (0, True, True), line
    assert _state(database) == before


@pytest.mark.parametrize(
    "line",
    [
        "erase tenant nobody --yes",
        f"{_RANGE} --yes",
        "erase tag tenant-1 team=nothing --yes",
        "erase tag tenant-1 nothing=search --yes",
        "erase events tenant-1 0195f2c4-7d3a-7b10-8c55-6a1e2d3c4b5a --yes",
        "erase stream tenant-1 0195f2c4-7d3a-7b10-8c55-6a1e2d3c4b5a --yes",
    ],
)
def test_what_is_not_there_is_never_called_deleted(
    run: Run, database: str, events: list[dict[str, object]], line: str
) -> None:
    assert events
    before = _state(database)
    status, out, _ = run(line)
    assert (status, "erase.nothing-found" in out) == (_NOTHING, True)
    assert _state(database) == before


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("erase range tenant-1 --from 2026-01-01 --before 2199-01-01 --yes", "erase.range-in-future"),
        ("erase range tenant-1 --from 2026-01-02 --before 2026-01-01 --yes", "erase.range-empty"),
        ("erase range tenant-1 --from yesterday --before 2026-01-01 --yes", "erase.bad-time"),
        ("erase range tenant-1 --from 2026-01-01T10:00 --before 2026-01-02 --yes", "erase.bad-time"),
        ("erase range tenant-1 --from 2026-01-01 --before 0001-01-01 --yes", "erase.bad-time"),
        ("erase range tenant-1 --from 0001-01-01T00:00+23:59 --before 2026-01-01 --yes", "erase.bad-time"),
        ("erase tag tenant-1 team --yes", "erase.bad-tag"),
        ("erase events tenant-1 secret-name --yes", "erase.bad-id"),
        ("erase events tenant-1 --file /nowhere --yes", "erase.file-unreadable"),
        ("erase show 0195f2c4-7d3a-7b10-8c55-6a1e2d3c4b5a", "erase.unknown"),
    ],
)
def test_a_fault_has_an_id_and_repeats_no_argument(
    run: Run, events: list[dict[str, object]], line: str, fault: str
) -> None:
    assert events
    status, out, err = run(line)
    assert (status, out) == (2, "")
    assert f"({fault})" in err
    assert "secret-name" not in err


def test_a_recorded_erasure_is_listed_shown_and_waited_for(
    run: Run, database: str, events: list[dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert events
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    status, out, err = run("erase tenant tenant-1 --yes")
    assert (status, err) == (0, "")
    found = re.search(r"recorded: erasure (\S+)", out)
    assert found is not None
    assert run("erase tenant tenant-1 --yes")[::2] == (2, _said("erase.already-recorded"))
    assert found[1] in run("erase list")[1]
    assert run(f"erase wait {found[1]} --seconds 0.1")[0] == 1
    asyncio.run(erasing.reach(database, "finished"))
    status, out, _ = run(f"erase wait {found[1]}")
    assert (status, "12 erased" in out, "finished" in out) == (0, True, True)
    assert run("erase tenant tenant-1 --yes")[0] == _NOTHING


def _said(fault: str) -> str:
    return f"nocontent: {FAULTS[fault]} ({fault}).\n"


def test_every_fault_is_documented() -> None:
    page = (ROOT / "docs/erasure.md").read_text()
    assert [fault for fault in [*FAULTS, "erase.nothing-found", "erase.unknown"] if f"`{fault}`" not in page] == []
