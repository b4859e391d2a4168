"""`nocontent site`: counts as a table, CSV and a page; names of closed lists alone."""

from pathlib import Path

import pytest

from tests.support import cluster
from tests.support.command import runner

_COUNTED = """
SELECT nocontent.count_site_pages(ARRAY[today, today, today - 1, today - 99], '{1,4,1,1}', '{3,2,4,7}'),
    nocontent.count_site_referrers(ARRAY[today, today], '{10,999}', '{4,6}')
FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS known
"""


def test_counts_are_printed_by_name(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", database)
    run = runner(capsys)
    assert run("site")[1].count("nothing was counted") == 2
    for _ in range(2):
        cluster.fetch(database, _COUNTED)
    printed = run("site --days 30")[1]
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["Pages"], ["sign-in", "14"], ["insights", "4"], ["Sites", "that"], ["other", "12"], ["google", "8"],
    ]  # fmt: skip
    table = [line.split(",")[1:] for line in run("site --csv")[1].splitlines()]
    assert table == [
        ["kind", "name", "views"],
        ["page", "sign-in", "6"], ["page", "insights", "4"], ["page", "sign-in", "8"],
        ["referrer", "other", "12"], ["referrer", "google", "8"],
    ]  # fmt: skip
    page = tmp_path / "site.html"
    assert run(f"site --html {page}")[0] == 0
    text = page.read_text("utf-8")
    assert ">sign-in<" in text
    assert text.count('<rect width="100.00"') == 3
    assert "<script" not in text
    assert "http" not in text
    assert run(f"site --html {tmp_path / 'away' / 'site.html'}")[0] == 2
