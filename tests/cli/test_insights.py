"""`nocontent insights`: a file that can be lost and printed again, and tenants that take no part."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.__main__ import main
from tests.support import cluster, many_tenants
from tests.support.cluster import Cluster
from tests.support.command import Run, runner

_LEDGER = "SELECT count(*) FROM insight_releases"


@pytest.fixture(scope="module")
def crowded(postgres: Cluster) -> Iterator[str]:
    with many_tenants.made(postgres) as dsn:
        many_tenants.use(dsn, date(2024, 1, 1))
        yield dsn


@pytest.fixture
def run(crowded: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NOCONTENT_DSN", crowded)
    return runner(capsys)


def test_a_release_without_its_file_is_printed_again_the_same(run: Run, crowded: str, tmp_path: Path) -> None:
    status, _, said = run(f"insights release 2024-01 --to {tmp_path / 'away' / 'release.json'}")
    assert (status, said) == (
        2, "nocontent: The file cannot be written. The release is in the ledger: print it again.\n"
    )  # fmt: skip
    assert cluster.fetch(crowded, _LEDGER)[0][0] == 1
    kept = tmp_path / "release.json"
    status, _, said = run(f"insights release 2024-01 --to {kept}")
    assert status == 0
    assert "is released: here it is again, without new noise" in said
    assert run("insights release 2024-01")[1].encode() == kept.read_bytes()
    assert run("insights show 2024-01")[1].encode() == kept.read_bytes()
    assert list(tmp_path.iterdir()) == [kept]
    written = json.loads(kept.read_text("utf-8"))
    assert written["parameters"]["epsilon"] == 1.0
    assert "The unit of privacy is the tenant" in written["unit_of_privacy"]
    assert cluster.fetch(crowded, _LEDGER)[0][0] == 1
    assert run("insights ledger")[1].startswith("2024-01  released ")
    assert "epsilon 1  delta 1e-06  scheme 1" in run("insights ledger")[1]


@pytest.mark.parametrize("month", ["2026-13", "CANARY", "2026-1", "2026-10-01"])
def test_what_is_no_month_is_not_repeated(month: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["insights", "show", month])
    said = capsys.readouterr().err
    assert (ended.value.code, "such as 2026-10" in said, "CANARY" in said) == (2, True, False)


def test_a_month_that_is_not_released_is_not_shown(run: Run) -> None:
    assert run("insights show 2023-12")[0] == 1
    assert run("insights release 2999-01")[::2] == (2, "nocontent: That month has not ended.\n")


def test_tenants_are_excluded_and_included(run: Run) -> None:
    assert run("insights exclude tenant-3")[0] == 0
    assert run("insights excluded")[1] == "tenant-3\n"
    assert run("insights include tenant-3")[0] == 0
    assert run("insights excluded")[1] == ""
    assert run("insights exclude nobody")[0] == 2
