"""The report of a proof, as the kit writes it, is read; anything else in its place is not."""

import os
from pathlib import Path

import msgspec
import pytest

from ingest.console import proof
from ingest.console.proof import Unreadable
from ingest.prove.summary import FamilySum, PlaceSum, Summary

_FAMILY = FamilySum("quotes", 10, 7, 2, 1, 0, 0)
SUMMARY = Summary(
    verdict="pass", url_host="127.0.0.1:8080", started_at="2026-11-28T07:00:00Z", duration_s=9.5, version="1.0.0",
    policy_digest="a" * 64, cases_planned=10, cases_sent=10, cases_sha256="b" * 64, seed=1, marker="c",
    families=[_FAMILY], totals=_FAMILY, places=[PlaceSum("answers", 12_345, [], [], is_gated=True)],
    policy_faults=[], faults=[], skipped=[],
)  # fmt: skip


def test_a_report_of_the_kit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(SUMMARY), indent=2))
    report = proof.read(str(file))
    assert (report.verdict, report.started_at.isoformat()) == ("pass", "2026-11-28T07:00:00+00:00")
    assert [family.family for family in report.families] == ["quotes"]
    assert report.places[0].bytes == 12_345


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", msgspec.json.encode({"verdict": "fine"}), b" " * (proof.REPORT_BYTES_MAX + 1)],
    ids=["empty", "no report", "no JSON", "another verdict", "too large"],
)
def test_another_file_is_not_a_report(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        proof.read(str(file))
    assert str(caught.value) == ""


def test_what_is_no_file_is_not_a_report(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(Unreadable):
            proof.read(str(path))
