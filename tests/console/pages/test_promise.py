"""The promise in the console: what `nocontent policy` prints, the last proof, and counts of pages alone."""

from http import HTTPStatus
from pathlib import Path

import msgspec

from ingest.knowledge import capacity, contract
from tests.console.test_proof import SUMMARY
from tests.support import cluster, console
from tests.support.console import Console, text

_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = 'page_counts' ORDER BY 1"


def test_the_page_has_capacity_and_digest(running: Console) -> None:
    with running.visitor("auditor") as auditor:
        answer = auditor.get("/promise")
        lines = auditor.get("/promise?csv=event-bits").body.decode().splitlines()
    assert answer.status == HTTPStatus.OK
    assert contract.digest() in text(answer)
    assert f"{capacity.total(capacity.of_event()):.1f}" in text(answer)
    assert lines[1:] == [f"{field},{bits:.1f}" for field, bits in capacity.of_event()]
    assert "No report is shown here yet." in text(answer)


def test_the_last_proof_is_shown(running: Console, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with (
        console.serving(running.dsn, tmp_path, proof_report=report, page_counts="false") as other,
        other.visitor("analyst") as analyst,
    ):
        assert "is no report that this version can read" in text(analyst.get("/promise"))
        report.write_bytes(msgspec.json.encode(SUMMARY))
        page = text(analyst.get("/promise"))
        assert "pass on 2026-11-28 07:00 , of 127.0.0.1:8080" in page
        assert "It was of another policy than the one above" in page
        same = msgspec.structs.replace(SUMMARY, policy_digest=contract.digest(), verdict="fail")
        report.write_bytes(msgspec.json.encode(same))
        page = text(analyst.get("/promise"))
        assert "fail on 2026-11-28 07:00" in page
        assert "It was of another policy" not in page
        assert "Nothing: NOCONTENT_PAGE_COUNTS is false." in page


def test_what_is_counted_names_a_page_and_a_day(running: Console) -> None:
    columns = cluster.fetch(running.dsn, _COLUMNS)
    assert [row[0] for row in columns] == ["day", "page", "views"]
    with running.visitor("billing") as billing:
        assert billing.get("/promise").status == HTTPStatus.NOT_FOUND
