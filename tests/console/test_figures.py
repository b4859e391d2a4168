"""Overview, Usage and Routing: the figures of `nocontent usage`, of the own tenant, as page, CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from ingest.console import figures
from tests.support import cluster, console, usage
from tests.support.command import Run, runner
from tests.support.console import Console, Visitor

DAYS = 75  # So there is usage of last month, whatever the day.
_NANO = 1_000_000_000


@pytest.fixture(scope="module")
def analyst(running: Console) -> Iterator[Visitor]:
    """Yield an analyst of acme, which like globex has usage of its own, up to now."""
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for seed, name in enumerate(console.TENANTS):
        tenant_id = cluster.fetch(running.dsn, "SELECT tenant_id FROM tenants WHERE name = $1", name)[0][0]
        recent = usage.facts(seed, ends - timedelta(hours=24), 24, [])
        usage.store(running.dsn, tenant_id, recent + usage.facts(seed + 10, ends - timedelta(days=DAYS), 24 * DAYS, []))
    with running.visitor("analyst") as visitor:
        yield visitor


@pytest.fixture
def command(running: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NOCONTENT_DSN", running.dsn)
    return runner(capsys)


def _rows(visitor: Visitor, path: str) -> list[dict[str, str]]:
    answer = visitor.get(path)
    assert answer.status == 200, console.text(answer)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def _printed(command: Run, days: int, by: str = "", tenant: str = "acme") -> list[dict[str, object]]:
    """Return the rows of the command over the last days of UTC."""
    before = datetime.now(UTC).date() + timedelta(days=1)
    since = before - timedelta(days=days)
    status, said, _ = command(f"usage {tenant} --since {since} --before {before} {by and '--by ' + by} --json")
    assert status == 0
    return cast("list[dict[str, object]]", json.loads(said)["rows"])


def _part(row: dict[str, object], part: str, name: str) -> int:
    return cast("dict[str, dict[str, int]]", row)[part][name]


def _group(row: dict[str, object]) -> str:
    return next(iter(cast("dict[str, str]", row["group"]).values()))


def _nanousd(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return (-1 if text.startswith("-") else 1) * (abs(int(whole)) * _NANO + int(fraction.ljust(9, "0")))


def test_the_overview_says_what_the_command_does(analyst: Visitor, command: Run) -> None:
    (row,) = _printed(command, 30)
    said = console.text(analyst.get("/overview?range=30d"))
    saved = _part(row, "savings", "total_nanousd")
    for amount in (_part(row, "cost", "total_nanousd"), _part(row, "savings", "baseline_nanousd"), saved):
        assert figures.money(amount) in said
    assert figures.count(cast("int", row["events"])) in said
    covered = _part(row, "savings", "baseline_events") / cast("int", row["events"])
    assert f"{figures.share(covered)} of requests have a reported baseline" in said
    assert f"{_part(row, 'cost', 'unpriced_events'):,} of {row['events']:,} requests have neither" in said


@pytest.mark.parametrize("by", ["model", "category", "provider", "status", "requested"])
def test_the_table_of_usage_is_that_of_the_command(analyst: Visitor, command: Run, by: str) -> None:
    wanted = {_group(row): row for row in _printed(command, 30, by)}
    found = _rows(analyst, f"/usage?by={by}&csv=group")
    assert {row["group"] for row in found} == set(wanted)
    for row in found:
        one = wanted[row["group"]]
        assert int(row["requests"]) == one["events"]
        assert int(row["tokens_out"]) == _part(one, "tokens", "output")
        assert int(row["unpriced_requests"]) == _part(one, "cost", "unpriced_events")
        for column, part, name in (
            ("spend_usd", "cost", "total_nanousd"),
            ("baseline_usd", "savings", "baseline_nanousd"),
            ("savings_usd", "savings", "total_nanousd"),
        ):
            assert _nanousd(row[column]) == _part(one, part, name)


def test_routes_failures_and_times_are_those_of_the_command(analyst: Visitor, command: Run) -> None:
    wanted = {_group(row): row for row in _printed(command, 30, "model")}
    times = _rows(analyst, "/routing?range=30d&csv=times")
    assert {row["model"] for row in times} == set(wanted)
    for row in times:
        for name in ("latency", "ttft"):
            for share in ("p50_ms", "p95_ms", "p99_ms"):
                assert float(row[f"{name}_{share}"]) == _part(wanted[row["model"]], name, share)
    statuses = {
        cast("dict[str, str]", row["group"])["status"]: row["events"] for row in _printed(command, 30, "status")
    }
    found = _rows(analyst, "/routing?range=30d&csv=statuses")
    assert {row["status"]: int(row["requests"]) for row in found} == statuses
    routes = _rows(analyst, "/routing?range=30d&csv=routes")
    assert sum(int(row["fallback"]) for row in routes) == sum(
        _part(row, "flags", "fallback") for row in _printed(command, 30)
    )
    errors = _rows(analyst, "/routing?range=30d&csv=errors")
    failed = sum(float(row["failed"]) * int(row["requests"]) for row in errors)
    assert round(failed) == sum(cast("int", number) for name, number in statuses.items() if name != "ok")


@pytest.mark.parametrize("range_", ["24h", "7d", "14d", "30d", "90d", "12m", "month", "last-month"])
def test_the_chart_has_the_amounts_of_its_table(analyst: Visitor, range_: str) -> None:
    drawn = json.loads(analyst.get(f"/overview/series?range={range_}").body)
    table = _rows(analyst, f"/overview?range={range_}&csv=figures")
    now, earlier = drawn["series"]
    assert [row["start"] for row in table] == drawn["labels"]
    assert now["values"] == [pytest.approx(_nanousd(row["spend_usd"]) / _NANO) for row in table]
    before = [row["spend_before_usd"] for row in table if row["spend_before_usd"]]
    assert earlier["values"] == [pytest.approx(_nanousd(amount) / _NANO) for amount in before]
    svg = analyst.get(f"/overview?range={range_}").body.decode().partition('<svg viewBox="0 0 720 216"')[2]
    assert svg.partition("</svg>")[0].count("<rect") == len(table)


def test_the_lines_of_groups_add_up_to_all(analyst: Visitor) -> None:
    drawn = json.loads(analyst.get("/usage/series?by=provider&measure=requests").body)
    whole = json.loads(analyst.get("/overview/series?measure=requests").body)["series"][0]["values"]
    assert [sum(amounts) for amounts in zip(*(line["values"] for line in drawn["series"]), strict=True)] == whole


def test_figures_are_of_the_own_tenant_alone(running: Console, analyst: Visitor, command: Run) -> None:
    (others,) = _printed(command, 30, tenant="globex")
    with running.visitor("billing", "globex") as neighbour:
        assert f"{others['events']:,}" in console.text(neighbour.get("/overview"))
    for path in ("/overview", "/usage", "/routing", "/overview?range=12m"):
        assert f"{others['events']:,}" not in console.text(analyst.get(path))


@pytest.mark.parametrize(
    "query", ["range=forever", "range=", "measure=prompts", "by=event_id", "by=tag:CANARY", "by=", "measure=CANARY"]
)
def test_what_no_link_asks_is_refused_without_an_echo(analyst: Visitor, query: str) -> None:
    answer = analyst.get(f"/usage?{query}")
    assert answer.status == 400
    assert b"CANARY" not in answer.body


@pytest.mark.parametrize(
    "query",
    ["since=2026-11-08&until=2026-11-07", "since=&until=", "since=soon&until=later", "since=2026-01-01",
     "since=%3Cscript%3E&until=2026-01-01"],
)  # fmt: skip
def test_dates_that_make_no_range_get_a_sentence(analyst: Visitor, query: str) -> None:
    answer = analyst.get(f"/overview?{query}")
    assert answer.status == 200
    assert "Choose a first day that is not after the last one" in console.text(answer)
    assert b"<script>" not in answer.body


def test_chosen_dates_are_shown_and_kept_by_the_links(analyst: Visitor) -> None:
    answer = analyst.get("/usage?by=category&since=2026-01-01&until=2026-01-31")
    said = answer.body.decode()
    assert "No requests in this period" in console.text(answer)
    assert 'value="2026-01-01"' in said
    assert "/usage?by=category&amp;range=7d" in said


def test_every_page_teaches_when_it_is_empty(analyst: Visitor) -> None:
    for path in ("/overview", "/usage", "/routing"):
        answer = analyst.get(f"{path}?since=2020-01-01&until=2020-01-02")
        assert "No requests in this period" in console.text(answer)
        assert b'<svg viewBox="0 0 720' not in answer.body


def test_what_is_not_summed_up_yet_is_said(running: Console, analyst: Visitor) -> None:
    tenant_id = cluster.fetch(running.dsn, "SELECT tenant_id FROM tenants WHERE name = 'acme'")[0][0]
    pending = "SELECT coalesce(sum(events), 0) + 17 FROM usage_marks WHERE tenant_id = $1"
    expected = cluster.fetch(running.dsn, pending, tenant_id)[0][0]
    marking = "INSERT INTO usage_marks (tenant_id, first, last, events) VALUES ($1, $2, $2, 17)"
    cluster.fetch(running.dsn, marking, tenant_id, datetime.now(UTC) - timedelta(hours=1))
    try:
        assert f". {expected} requests since" in console.text(analyst.get("/overview"))
    finally:
        cluster.fetch(running.dsn, "DELETE FROM usage_marks WHERE tenant_id = $1 AND events = 17", tenant_id)
