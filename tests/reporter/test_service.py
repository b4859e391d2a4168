"""The reporter and the service, as they meet: what was reported is in the table once, or counted."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from ingest.store import vocabulary
from nocontent_reporter import Event, Reporter
from nocontent_reporter.ids import Ids
from schema.event import Kind
from schema.learning import Candidate
from tests.reporter.reported import QUICK, event, reporting
from tests.support import cluster, customers
from tests.support.customers import Customer
from tests.support.service import Server, wait_until

Tenants = Mapping[str, Customer]
DAY_MS = 86_400_000


def url(server: Server) -> str:
    return f"http://{server.bind}"


def stored(server: Server, *reported: Event) -> set[str]:
    """Return the ids of those events that are in the table."""
    ids = [UUID(each.event_id) for each in reported]
    rows = cluster.fetch(server.dsn, "SELECT event_id FROM events WHERE event_id = ANY ($1::uuid[])", ids)
    assert len(rows) == len({row["event_id"] for row in rows})
    return {str(row["event_id"]) for row in rows}


def ids(events: list[Event]) -> set[str]:
    return {each.event_id for each in events}


def report(reporter: Reporter, events: list[Event]) -> None:
    for each in events:
        reporter.report(each)
    assert reporter.flush(20)


def test_what_is_reported_is_in_the_table_once(server: Server, tenants: Tenants, tmp_path: Path) -> None:
    events = [event(input_tokens=number, cost_nanousd=None if number % 2 else number) for number in range(500)]
    for spool, duplicates in ((tmp_path / "spool", 0), (None, 500)):
        with reporting(url(server), spool, token=tenants["main"].token) as reporter:
            report(reporter, events)
            assert (reporter.stats().stored, reporter.stats().duplicates) == (500, duplicates)
    assert stored(server, *events) == ids(events)


def test_each_field_arrives(server: Server, tenants: Tenants) -> None:
    sent = event(
        cache_read_tokens=1, cache_write_5m_tokens=2, cache_write_1h_tokens=3, reasoning_tokens=4, status="refused",
        stop_reason="tool_use", http_status=418, cached=True, fallback=True, retried=True, escalated=True,
        tags=(("region", "eu"), ("team", "search")), provider="Anthropic",
    )  # fmt: skip
    with reporting(url(server), token=tenants["main"].token) as reporter:
        report(reporter, [sent])
        assert reporter.stats().refused == {}
    query = "SELECT * FROM readable_events WHERE event_id = $1"
    (row,) = cluster.fetch(server.dsn, query, UUID(sent.event_id))
    assert {name: row[name] for name in ("cache_read_tokens", "reasoning_tokens", "status", "stop_reason")} == {
        "cache_read_tokens": 1,
        "reasoning_tokens": 4,
        "status": "refused",
        "stop_reason": "tool_use",
    }


def test_the_events_that_the_service_refuses_cost_no_other(server: Server, tenants: Tenants) -> None:
    source = Ids()
    good = [event() for _ in range(60)]
    old = [event(event_id=source.next(1_000_000 + number)) for number in range(150)]
    mixed = [each for pair in zip(good, old[:60], strict=True) for each in pair] + old[60:]
    before = cluster.fetch(server.dsn, "SELECT * FROM stream_gaps")  # Of the streams of other tests.
    with reporting(url(server), token=tenants["main"].token) as reporter:
        report(reporter, mixed)
        assert reporter.stats().refused == {"time.too-old": 150}
    assert stored(server, *mixed) == ids(good)
    assert cluster.fetch(server.dsn, "SELECT * FROM stream_gaps") == before


def test_an_event_ahead_of_the_service_waits(server: Server, tenants: Tenants, tmp_path: Path) -> None:
    now, ahead = event(), event()
    ahead = replace(ahead, event_id=Ids().next(int(ahead.event_id.replace("-", "")[:12], 16) + DAY_MS))
    with reporting(url(server), tmp_path / "spool", token=tenants["main"].token) as reporter:
        report(reporter, [now, ahead])
        assert reporter.stats().parked == 1
    assert stored(server, now, ahead) == {now.event_id}


def test_an_unknown_term_waits_until_an_operator_registers_it(server: Server, tenants: Tenants, tmp_path: Path) -> None:
    tenant = tenants["other"]
    known, waiting = event(), event(routed_model="tests-own-model-3")
    with reporting(url(server), tmp_path / "spool", token=tenant.token) as reporter:
        report(reporter, [known, waiting])
        assert stored(server, known, waiting) == {known.event_id}
        wait_until(lambda: reporter.stats().requests.get("rejected", 0) == 2)  # Once more under the policy as it is.
        candidate = Candidate(Kind.MODEL, 0, "tests-own-model-3")
        assert customers.act(server.dsn, lambda db: vocabulary.add(db, tenant.tenant_id, candidate)) is None
        wait_until(lambda: stored(server, waiting) != set())
        assert reporter.stats().refused == {}


def test_an_undeclared_tag_waits_and_the_others_do_not(server: Server, tenants: Tenants) -> None:
    events = [event(), event(tags=(("undeclared", "search"),)), event(tags=(("team", "unregistered"),))]
    with reporting(url(server), token=tenants["main"].token) as reporter:
        report(reporter, events)
        wait_until(lambda: reporter.stats().requests.get("rejected", 0) == 2)
        assert reporter.flush(20)
        wait_until(lambda: reporter.stats().parked == 2)
    assert stored(server, *events) == {events[0].event_id}


def test_a_tenant_that_coarsens_takes_any_term(server: Server, tenants: Tenants) -> None:
    sent = event(routed_model="tests-other-model", provider="tests-provider")
    with reporting(url(server), token=tenants["coarsener"].token) as reporter:
        report(reporter, [sent])
    assert stored(server, sent) == {sent.event_id}


@pytest.mark.parametrize(
    ("name", "problem"),
    [("expired", "expired-token"), ("disabled", "tenant-disabled"), ("policy-only", "scope-missing")],
)
def test_without_the_right_to_report_everything_is_kept(
    server: Server, tenants: Tenants, tmp_path: Path, name: str, problem: str
) -> None:
    with reporting(url(server), tmp_path / "spool", token=tenants[name].token, options=QUICK) as reporter:
        reporter.report(event())
        wait_until(lambda: reporter.stats().faults.get(problem, 0) > 0)
        assert reporter.stats().waiting == 1
        reporter.close(0)


def test_a_batch_over_the_quota_is_divided(server: Server, tenants: Tenants, tmp_path: Path) -> None:
    events = [event() for _ in range(16)]
    with reporting(url(server), tmp_path / "spool", token=tenants["frugal"].token, options=QUICK) as reporter:
        for each in events:
            reporter.report(each)
        wait_until(lambda: reporter.stats().stored == 8)
        wait_until(lambda: reporter.stats().requests.get("quota-exceeded", 0) > 0)
        assert reporter.stats().waiting == 8
        reporter.close(0)


def test_losses_are_in_the_ledger_once(server: Server, tenants: Tenants, tmp_path: Path) -> None:
    with reporting(url(server), tmp_path / "spool", token=tenants["main"].token) as reporter:
        for _ in range(3):
            reporter.report(event(input_tokens=-1))
        report(reporter, [event()])
        report(reporter, [event()])
    with sqlite3.connect(tmp_path / "spool") as spool:
        (stream_id,) = spool.execute("SELECT stream_id FROM state").fetchone()
    spool.close()
    query = "SELECT batches, missing, dropped_refused FROM streams WHERE stream_id = $1"
    (row,) = cluster.fetch(server.dsn, query, UUID(stream_id))
    assert (row["batches"], row["missing"], row["dropped_refused"]) == (2, 0, 3)
