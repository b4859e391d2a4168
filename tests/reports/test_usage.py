"""`GET /v1/usage`: sums that equal those added up in Python, in any grain and grouping, page by page."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import urlencode

import pytest

from ingest.usage import histogram
from tests.support import cluster, sample, service, usage
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.usage import Fact
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]
SINCE = datetime(2026, 3, 30, tzinfo=UTC)
BEFORE = SINCE + timedelta(days=4)  # Over the end of a month.
RANGE = {"since": "2026-03-30T00:00:00Z", "before": "2026-04-03T00:00:00Z"}
Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def stored(server: Server, tenants: Mapping[str, Customer]) -> dict[str, list[Fact]]:
    """Store facts of two tenants, and return them."""
    found = {}
    for seed, name in enumerate(("accountant", "bookkeeper")):
        tenant_id = tenants[name].tenant_id
        found[name] = usage.facts(seed, SINCE, 96, sorted(_tag_ids(server, tenant_id, "team").values()))
        usage.store(server.dsn, tenant_id, found[name])
    return found


def _tag_ids(server: Server, tenant_id: int, key: str) -> dict[str, int]:
    query = "SELECT tag_value, term_id FROM tag_names WHERE tenant_id = $1 AND tag_key = $2"
    return {row["tag_value"]: row["term_id"] for row in cluster.fetch(server.dsn, query, tenant_id, key)}


def ask(sender: Sender, **given: str) -> Answer:
    return sender.get(f"/v1/usage?{urlencode(given)}")


def rows_of(answer: Answer) -> Rows:
    assert answer.status == 200, answer.body
    return cast("Rows", answer.json["rows"])


_BUCKETS: dict[str, Callable[[datetime], datetime]] = {
    "hour": lambda at: at.replace(minute=0),
    "day": lambda at: at.replace(minute=0, hour=0),
    "month": lambda at: at.replace(minute=0, hour=0, day=1),
    "total": lambda _: SINCE,
}


@pytest.mark.parametrize("granularity", _BUCKETS)
@pytest.mark.parametrize(
    "group_by",
    ["", "provider", "status", "task_category", "tag:team", "requested_model,routed_model", "tag:team,status"],
)
def test_the_sums_are_those_of_the_facts(
    sender_of: SenderOf, stored: dict[str, list[Fact]], server: Server, granularity: str, group_by: str
) -> None:
    names = group_by.split(",") if group_by else []
    sender = sender_of("accountant")
    given = {**RANGE, "granularity": granularity, **({"group_by": group_by} if group_by else {}), "limit": "1000"}
    found = rows_of(ask(sender, **given))
    wanted: dict[tuple[object, ...], list[Fact]] = {}
    for fact in stored["accountant"]:
        ids = tuple(_id_of(fact, name) for name in names)
        wanted.setdefault((_BUCKETS[granularity](fact.at), *ids), []).append(fact)
    assert len(found) == len(wanted)
    for row, key in zip(found, sorted(wanted), strict=True):
        _compare(row, usage.add(wanted[key]))
        assert datetime.fromisoformat(cast("str", row["at"])) == key[0]
    assert server.dsn


def _id_of(fact: Fact, name: str) -> int:
    if name == "tag:team":
        return max(fact.tags) and min(tag for tag in fact.tags if tag)
    return fact.dimensions[usage.DIMENSIONS.index(name)]


def _compare(row: dict[str, object], fact: Fact) -> None:
    parts = cast("dict[str, dict[str, int]]", row)
    assert row["events"] == fact.measures["events"]
    assert parts["tokens"] == {
        name.removesuffix("_tokens"): fact.measures[name] for name in fact.measures if name.endswith("_tokens")
    }
    assert parts["cost"]["total_nanousd"] == (
        fact.measures["reported_cost_nanousd"] + fact.measures["computed_cost_nanousd"]
    )
    assert parts["savings"]["total_nanousd"] == (
        fact.measures["savings_reported_nanousd"] + fact.measures["savings_priced_nanousd"]
    )
    assert parts["price_check"]["mismatch_nanousd"] == fact.measures["mismatch_nanousd"]
    assert parts["flags"]["escalated"] == fact.measures["escalated"]
    for name, counted in (("latency", fact.latency), ("ttft", fact.ttft)):
        assert parts[name]["events"] == counted.total()
        median = sorted(counted.elements())[(counted.total() + 1) // 2 - 1]
        assert parts[name]["p50_ms"] == pytest.approx(histogram.value(median), abs=0.06)


def test_pages_are_the_whole_answer(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    sender = sender_of("accountant")
    given = {**RANGE, "granularity": "hour", "group_by": "task_category,tag:team"}
    whole = rows_of(ask(sender, **given, limit="1000"))
    found: Rows = []
    cursor: dict[str, str] = {}
    while True:
        answer = ask(sender, **given, limit="7", **cursor)
        found += rows_of(answer)
        if answer.json["next"] is None:
            break
        assert len(rows_of(answer)) == 7
        cursor = {"cursor": str(answer.json["next"])}
    assert found == whole
    assert len(whole) > 50


def test_a_tenant_reads_its_own_usage_alone(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    for name, facts in stored.items():
        (row,) = rows_of(ask(sender_of(name), **RANGE, granularity="total"))
        assert row["events"] == usage.add(facts).measures["events"]
    assert rows_of(ask(sender_of("usage-only"), **RANGE, granularity="total")) == []


def test_a_cursor_of_another_tenant_reads_ones_own_rows(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    given = {**RANGE, "granularity": "hour", "limit": "5"}
    cursor = str(ask(sender_of("bookkeeper"), **given).json["next"])
    mine = rows_of(ask(sender_of("accountant"), **RANGE, granularity="hour", limit="1000"))
    assert all(row in mine for row in rows_of(ask(sender_of("accountant"), **given, cursor=cursor)))


def test_groups_are_named(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    found = rows_of(ask(sender_of("accountant"), **RANGE, granularity="total", group_by="tag:team,status,provider"))
    groups = [cast("dict[str, str | None]", row["group"]) for row in found]
    assert {group["tag:team"] for group in groups} == {None, "search", "assistant", "editor", "unknown"}
    assert {group["status"] for group in groups} == {"ok", "error", "refused"}
    assert all(group["provider"] for group in groups)


def test_without_percentiles_the_sums_are_the_same(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    given = {**RANGE, "granularity": "hour", "group_by": "status"}
    rows = rows_of(ask(sender_of("accountant"), **given))
    without = rows_of(ask(sender_of("accountant"), **given, percentiles="false"))
    assert without == [row | {"latency": None, "ttft": None} for row in rows]


def test_an_answer_has_a_tag_and_is_not_sent_twice(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    sender = sender_of("accountant")
    first = ask(sender, **RANGE)
    again = sender.get(f"/v1/usage?{urlencode(RANGE)}", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"
    others = sender_of("bookkeeper").get(f"/v1/usage?{urlencode(RANGE)}", {"If-None-Match": first.headers["etag"]})
    assert others.status == 200


def test_pending_events_are_counted_and_dated(
    sender_of: SenderOf, server: Server, tenants: Mapping[str, Customer], stored: dict[str, list[Fact]]
) -> None:
    assert stored
    sender = sender_of("bookkeeper")
    assert (ask(sender, **RANGE).json["pending_events"], ask(sender, **RANGE).json["as_of"]) == (0, RANGE["before"])
    first = SINCE + timedelta(hours=5, seconds=20)
    mark = (tenants["bookkeeper"].tenant_id, first, first + timedelta(seconds=9))
    cluster.fetch(server.dsn, "INSERT INTO usage_marks (tenant_id, first, last, events) VALUES ($1, $2, $3, 17)", *mark)
    try:
        answer = ask(sender, **RANGE)
        assert (answer.json["pending_events"], answer.json["as_of"]) == (17, "2026-03-30T05:00:20Z")
        assert ask(sender_of("accountant"), **RANGE).json["pending_events"] == 0
    finally:
        cluster.fetch(server.dsn, "DELETE FROM usage_marks WHERE tenant_id = $1", mark[0])


def test_accepted_events_are_in_the_sums_within_seconds(sender_of: SenderOf) -> None:
    sender = sender_of("reviewer")
    sent = [sample.event(), sample.event(cost_nanousd=None, baseline_cost_nanousd=None, requested_model="unknown")]
    assert sender.post(sample.body(*sent)).status == 200
    service.wait_until(lambda: bool(rows_of(ask(sender, granularity="total"))))
    answer = ask(sender, granularity="total", group_by="requested_model,tag:team")
    found = {cast("dict[str, str]", row["group"])["requested_model"]: row for row in rows_of(answer)}
    assert {name: row["events"] for name, row in found.items()} == {"unknown": 1, "claude-opus-4-5": 1}
    known = cast("dict[str, dict[str, int]]", found["claude-opus-4-5"])
    assert known["savings"]["reported_nanousd"] == 6_460_000 - 1_292_000
    assert known["latency"]["events"] == 1
    assert known["latency"]["p95_ms"] == pytest.approx(840, rel=0.05)
    assert answer.json["pending_events"] == 0


CANARY = "nct_CANARY0CANARY"
_LONG_KEY = "tag:" + "k" * 300


@pytest.mark.parametrize(
    ("query", "problem", "parameter"),
    [
        ("canary=1", "parameter-unknown", None),
        (CANARY, "parameter-unknown", None),
        ("=", "parameter-unknown", None),
        ("&", "parameter-unknown", None),
        ("%73ince=2026-01-01T00:00:00Z", "parameter-unknown", None),
        ("limit=1&limit=1", "parameter-repeated", "limit"),
        ("limit=0", "parameter-invalid", "limit"),
        ("limit=1001", "parameter-invalid", "limit"),
        ("limit=%F0%9F%92%A9", "parameter-invalid", "limit"),
        (f"limit={CANARY}", "parameter-invalid", "limit"),
        ("percentiles=no", "parameter-invalid", "percentiles"),
        ("granularity=week", "parameter-invalid", "granularity"),
        ("since=yesterday", "parameter-invalid", "since"),
        ("since=2026-02-30T00:00:00Z", "parameter-invalid", "since"),
        ("since=2026-01-01T00:00:00", "parameter-invalid", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "parameter-invalid", "since"),
        ("before=9999-12-31T23:00:00-14:00", "parameter-invalid", "before"),
        ("since=2026-01-01T00:00:00.5Z", "parameter-invalid", "since"),
        ("granularity=hour&since=2026-01-01T00:30:00Z", "time-misaligned", "since"),
        ("granularity=day&since=2026-01-01T01:00:00Z", "time-misaligned", "since"),
        ("granularity=day&since=2026-01-01T00:00:00%2B05:30", "time-misaligned", "since"),
        ("granularity=total&before=2026-01-01T00:00:01Z", "time-misaligned", "before"),
        ("since=2026-01-02T00:00:00Z&before=2026-01-01T00:00:00Z", "range-reversed", "since"),
        ("since=2026-01-02T00:00:00Z&before=2026-01-02T00:00:00Z", "range-reversed", "since"),
        ("granularity=month&since=2010-01-01T00:00:00Z&before=2026-01-01T00:00:00Z", "range-too-long", "since"),
        ("granularity=day&since=2016-01-01T00:00:00Z&before=2026-01-01T00:00:00Z", "range-too-long", "since"),
        ("granularity=hour&since=2026-01-01T00:00:00Z&before=2026-02-06T00:00:00Z", "range-too-long", "since"),
        ("granularity=total&since=2026-01-01T01:00:00Z&before=2026-03-01T00:00:00Z", "range-too-long", "since"),
        ("group_by=provider,status,routed_model,requested_model", "grouping-too-fine", "group_by"),
        ("group_by=provider,provider", "grouping-too-fine", "group_by"),
        ("group_by=event_id", "parameter-invalid", "group_by"),
        ("group_by=", "parameter-invalid", "group_by"),
        (f"group_by={_LONG_KEY}", "tag-undeclared", "group_by"),
        ("group_by=tag:canary", "tag-undeclared", "group_by"),
        ("cursor=", "cursor-invalid", "cursor"),
        (f"cursor={CANARY}", "cursor-invalid", "cursor"),
        ("cursor=" + "A" * 512, "cursor-invalid", "cursor"),
        ("since=" + "2" * 1_100, "query-too-long", None),
    ],
)
def test_a_bad_question_gets_its_own_problem_and_no_echo(
    sender_of: SenderOf, query: str, problem: str, parameter: str | None
) -> None:
    answer = sender_of("accountant").get(f"/v1/usage?{query}")
    assert (answer.status, answer.problem, answer.json.get("parameter")) == (400, problem, parameter)
    assert b"anary" not in answer.body.lower()


def test_a_cursor_of_another_question_is_refused(sender_of: SenderOf, stored: dict[str, list[Fact]]) -> None:
    assert stored
    sender = sender_of("accountant")
    given = {**RANGE, "granularity": "hour", "limit": "2"}
    cursor = str(ask(sender, **given).json["next"])
    for other in ({"granularity": "day"}, {"group_by": "status"}, {"since": "2026-03-31T00:00:00Z"}):
        answer = ask(sender, **given | other, cursor=cursor)
        assert (answer.status, answer.problem) == (400, "cursor-invalid")
    cut = ask(sender, **given, cursor=cursor[:-3])
    assert (cut.status, cut.problem) == (400, "cursor-invalid")


def test_a_token_without_the_scope_reads_nothing(sender_of: SenderOf) -> None:
    answer = sender_of("main").get("/v1/usage")
    assert (answer.status, answer.problem) == (403, "scope-missing")


def test_the_default_range_is_recent(sender_of: SenderOf) -> None:
    for granularity in _BUCKETS:
        answer = ask(sender_of("usage-only"), granularity=granularity)
        assert answer.status == 200, answer.body
        assert datetime.fromisoformat(str(answer.json["before"])) > datetime.now(UTC)
