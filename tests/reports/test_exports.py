"""`GET /v1/exports`: a manifest, and parts that equal the rows of its moment, also when cut and gone on with."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, cast

import pytest

from tests.support import cluster, sample, service, usage
from tests.support import focus as rules
from tests.support.customers import Customer
from tests.support.event_ids import READERS
from tests.support.service import Server
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]
Part = dict[str, object]
EVENTS = 4_000
SNAPSHOT = "10:20:"
PAST = datetime(2026, 3, 30, tzinfo=UTC)  # Of rollups.


class Stored(NamedTuple):
    """The events of two tenants, by PostgreSQL's account, and a range of days that has all of them."""

    ids: dict[str, list[str]]
    first: date
    before: date

    @property
    def query(self) -> str:
        return f"from={self.first}&before={self.before}"


@pytest.fixture(scope="module")
def stored(server: Server, tenants: Mapping[str, Customer]) -> Stored:
    today = datetime.now(UTC).date()
    for name in ("exporter", "mover"):
        sender = server.sender(tenants[name].token)
        for _ in range(EVENTS // 1_000):
            assert sender.post(sample.body(*(sample.event() for _ in range(1_000)))).status == 200
        sender.close()
        usage.store(server.dsn, tenants[name].tenant_id, usage.facts(len(name), PAST, 48, []))
    query = "SELECT event_id::text AS id FROM events WHERE tenant_id = $1 ORDER BY occurred_at, event_id"
    ids = {
        name: [row["id"] for row in cluster.fetch(server.dsn, query, tenants[name].tenant_id)]
        for name in ("exporter", "mover")
    }
    return Stored(ids, today - timedelta(days=2), today + timedelta(days=2))


def manifest(sender: Sender, stored: Stored, data: str = "events") -> dict[str, object]:
    answer = sender.get(f"/v1/exports?{stored.query}&data={data}")
    assert answer.status == 200, answer.body
    return answer.json


def parts(found: dict[str, object]) -> list[Part]:
    return cast("list[Part]", found["parts"])


def link(part: Part, form: str) -> str:
    return cast("dict[str, str]", part["links"])[form]


def read(sender: Sender, path: str) -> bytes:
    answer = sender.get(path)
    assert answer.status == 200, answer.body[:500]
    return answer.body


@pytest.mark.parametrize(("form", "ids"), READERS.items())
def test_the_parts_have_the_rows(
    sender_of: SenderOf, stored: Stored, form: str, ids: Callable[[bytes], list[str]]
) -> None:
    for name, own in stored.ids.items():
        sender = sender_of(name)
        found = parts(manifest(sender, stored))
        assert [each for part in found for each in ids(read(sender, link(part, form)))] == own
        assert sum(cast("int", part["rows"]) for part in found) == EVENTS


def test_the_sums_of_the_manifest_are_those_of_the_rows(sender_of: SenderOf, stored: Stored) -> None:
    sender = sender_of("exporter")
    service.wait_until(lambda: all(part["sums"] for part in parts(manifest(sender, stored))))
    for part in parts(manifest(sender, stored)):
        rows = [json.loads(line) for line in read(sender, link(part, "jsonl")).splitlines()]
        for name, total in cast("dict[str, int]", part["sums"]).items():
            assert total == (len(rows) if name == "events" else sum(row[name] or 0 for row in rows)), name


def test_a_part_has_what_was_stored_at_the_moment(sender_of: SenderOf, stored: Stored) -> None:
    sender = sender_of("mover")
    before = manifest(sender, stored)
    paths = [link(part, "jsonl") for part in parts(before)]
    whole = [read(sender, path) for path in paths]
    assert sender.post(sample.body(sample.event(), sample.event())).status == 200
    assert [read(sender, path) for path in paths] == whole
    after = [READERS["jsonl"](read(sender, link(part, "jsonl"))) for part in parts(manifest(sender, stored))]
    assert sum(map(len, after)) == EVENTS + 2
    stored.ids["mover"][:] = [each for ids in after for each in ids]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_cut_part_is_gone_on_with(server: Server, tenants: Mapping[str, Customer], stored: Stored, form: str) -> None:
    sender = server.sender(tenants["exporter"].token)
    for part in parts(manifest(sender, stored)):
        path = link(part, form)
        whole, found = read(sender, path), b""
        cuts = 0
        while not found or len(found) < len(whole):
            size = len(whole) // 3 + 1
            after = f"&after={_last_id(found, form)}" if found else ""
            piece, is_cut = _cut(server, tenants["exporter"].token, path + after, size)
            cuts += is_cut
            found += piece[: piece.rindex(b"\n") + 1] if is_cut else piece
        assert found == whole
        assert cuts >= 2 or len(whole) < 100_000
    sender.close()


def _last_id(found: bytes, form: str) -> str:
    line = found.splitlines()[-1]
    return str(json.loads(line)["event_id"]) if form == "jsonl" else line.decode().partition(",")[0]


def _cut(server: Server, token: str, path: str, size: int) -> tuple[bytes, bool]:
    """Read so many bytes of an answer, then leave; return them, and whether that was before the end."""
    host, _, port = server.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        lines = f"GET {path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"  # Without chunks: bytes are rows.
        connection.sendall(lines.encode())
        data = b""
        while len(data) < size and (piece := connection.recv(65_536)):
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0]
        return body, len(data) >= size


def test_after_the_last_row_there_is_nothing(sender_of: SenderOf, stored: Stored) -> None:
    sender = sender_of("exporter")
    for part in parts(manifest(sender, stored)):
        path = link(part, "csv")
        assert read(sender, f"{path}&after={_last_id(read(sender, path), 'csv')}") == b""


def test_gzip_is_the_same(sender_of: SenderOf, stored: Stored) -> None:
    sender = sender_of("exporter")
    (path, *_) = [link(part, "jsonl") for part in parts(manifest(sender, stored))]
    packed = sender.get(path, {"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == read(sender, path)
    assert len(packed.body) < len(read(sender, path)) / 4


def test_the_ledger_has_the_batches(
    sender_of: SenderOf, server: Server, tenants: Mapping[str, Customer], stored: Stored
) -> None:
    sender = sender_of("exporter")
    rows = [
        json.loads(line)
        for part in parts(manifest(sender, stored, "ledger"))
        for line in read(sender, link(part, "jsonl")).splitlines()
    ]
    query = "SELECT count(*) AS batches, sum(accepted) AS accepted FROM batches WHERE tenant_id = $1"
    (wanted,) = cluster.fetch(server.dsn, query, tenants["exporter"].tenant_id)
    assert (len(rows), sum(row["accepted"] for row in rows)) == (wanted["batches"], wanted["accepted"])


def test_every_table_of_a_tenant_is_its_own(
    sender_of: SenderOf, server: Server, tenants: Mapping[str, Customer]
) -> None:
    for name, other in (("exporter", "mover"), ("mover", "exporter")):
        sender = sender_of(name)
        found = parts(sender.get("/v1/exports?from=2026-03-01&before=2026-05-01").json)
        tables = [part for part in found if part["day"] is None and part["name"] != "focus"]
        assert len(tables) > 15
        for part in tables:
            before = _count(server, str(part["name"]), tenants[name].tenant_id)
            rows = [json.loads(line) for line in read(sender, link(part, "jsonl")).splitlines()]
            # Arrivals and the like are written every few seconds.
            assert before <= len(rows) <= _count(server, str(part["name"]), tenants[name].tenant_id), part["name"]
            assert other not in json.dumps(rows)
            heads = read(sender, link(part, "csv")).decode().splitlines()
            assert len(heads) >= len(rows) + 1
        (own,) = [part for part in tables if part["name"] == "tenant"]
        assert json.loads(read(sender, link(own, "jsonl")))["name"] == name


def _count(server: Server, name: str, tenant_id: int) -> int:
    tables = {"tenant": "tenants", "tokens": "ingest_tokens", "usage_pending": "usage_marks", "letters": "outbox"}
    table = tables.get(name, name)
    at = {"usage": "at", "usage_marks": "first", "audit": "at"}.get(table)
    within = f" AND {at} >= '2026-03-01Z' AND {at} < '2026-05-01Z'" if at else ""
    (row,) = cluster.fetch(server.dsn, f"SELECT count(*) AS n FROM {table} WHERE tenant_id = $1{within}", tenant_id)
    return int(row["n"])


def test_focus_has_the_tenants_usage(sender_of: SenderOf, server: Server, tenants: Mapping[str, Customer]) -> None:
    for name in ("exporter", "mover"):
        rows = rules.read(read(sender_of(name), "/v1/exports/focus.csv?from=2026-03-30&before=2026-04-02"))
        assert rules.broken(rows) == set()
        assert {(row["BillingAccountId"], row["BillingAccountName"]) for row in rows} == {
            (f"tenant-{tenants[name].tenant_id}", name)
        }
        query = "SELECT sum(events) AS events FROM usage WHERE tenant_id = $1 AND grain = 5 AND at < '2026-04-02Z'"
        (wanted,) = cluster.fetch(server.dsn, query, tenants[name].tenant_id)
        assert sum(int(row["x_Requests"]) for row in rows) == wanted["events"]


_PATHS = (
    "/v1/exports?from=2026-03-01&before=2026-04-01",
    "/v1/exports/focus.csv?from=2026-03-01&before=2026-04-01",
    "/v1/exports/vocabulary.jsonl",
    f"/v1/exports/events/2026-03-01.jsonl?snapshot={SNAPSHOT}",
)


@pytest.mark.parametrize("path", _PATHS)
def test_a_token_without_the_scope_reads_nothing(sender_of: SenderOf, server: Server, path: str) -> None:
    answer = sender_of("accountant").get(path)
    assert (answer.status, answer.problem) == (403, "scope-missing")
    stranger = server.sender()
    assert stranger.get(path).status == 401
    stranger.close()


_DAY = "/v1/exports/events/2026-11-01"
_LATER = "0199f5e0-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("path", "status", "problem", "parameter"),
    [
        ("?before=2026-04-01", 400, "parameter-missing", "from"),
        ("?from=2026-04-01", 400, "parameter-missing", "before"),
        ("?from=2026-04-01&before=2026-04-01", 400, "range-reversed", "from"),
        ("?from=2020-04-01&before=2026-04-01", 400, "range-too-long", "from"),
        ("?from=canary&before=2026-04-01", 400, "parameter-invalid", "from"),
        ("?from=2026-02-30&before=2026-04-01", 400, "parameter-invalid", "from"),
        ("?from=1026-02-01&before=2026-04-01", 400, "parameter-invalid", "from"),
        ("?from=2026-03-01&before=2026-04-01&data=canary", 400, "parameter-invalid", "data"),
        ("?from=2026-03-01&before=2026-04-01&data=events,events", 400, "parameter-invalid", "data"),
        ("?from=2026-03-01&from=2026-03-01", 400, "parameter-repeated", "from"),
        ("?canary=1", 400, "parameter-unknown", None),
        ("/canary.jsonl", 404, "export-not-found", None),
        ("/vocabulary.canary", 404, "export-not-found", None),
        ("/vocabulary", 404, "export-not-found", None),
        ("/vocabulary.jsonl?from=2026-03-01&before=2026-04-01", 400, "parameter-unknown", None),
        ("/usage.jsonl", 400, "parameter-missing", "from"),
        ("/focus.csv", 400, "parameter-missing", "from"),
        ("/focus.jsonl", 404, "export-not-found", None),
        ("/canary/2026-11-01.jsonl?snapshot=10:20:", 404, "export-not-found", None),
        ("/events/canary.jsonl?snapshot=10:20:", 404, "export-not-found", None),
        ("/events/2026-11-31.jsonl?snapshot=10:20:", 404, "export-not-found", None),
        ("/events/2026-11-01.xml?snapshot=10:20:", 404, "export-not-found", None),
        ("/events/2026-11-01.jsonl", 400, "parameter-missing", "snapshot"),
        ("/events/2026-11-01.jsonl?snapshot=canary", 400, "snapshot-invalid", "snapshot"),
        ("/events/2026-11-01.jsonl?snapshot=20:10:", 400, "snapshot-invalid", "snapshot"),
        ("/events/2026-11-01.jsonl?snapshot=10:99999999999:", 400, "snapshot-invalid", "snapshot"),
        ("/events/2026-11-01.jsonl?snapshot=10:20:&after=canary", 400, "after-invalid", "after"),
        (f"/events/2026-11-01.jsonl?snapshot=10:20:&after={_LATER}", 400, "after-invalid", "after"),
        ("/ledger/2026-11-01.jsonl?snapshot=10:20:&after=canary", 400, "after-invalid", "after"),
        (f"/ledger/2026-11-01.jsonl?snapshot=10:20:&after={_LATER}:9999999999999999999", 400, "after-invalid", "after"),
        ("/events/2026-11-01.jsonl?snapshot=" + "1" * 5_000, 400, "query-too-long", None),
    ],
)
def test_a_bad_question_gets_its_own_problem_and_no_echo(
    sender_of: SenderOf, path: str, status: int, problem: str, parameter: str | None
) -> None:
    answer = sender_of("exporter").get(f"/v1/exports{path}")
    assert (answer.status, answer.problem, answer.json.get("parameter")) == (status, problem, parameter)
    assert b"anary" not in answer.body.lower()


def test_a_rest_of_parquet_is_refused(sender_of: SenderOf, stored: Stored) -> None:
    sender = sender_of("exporter")
    part = parts(manifest(sender, stored))[-1]
    answer = sender.get(f"{link(part, 'parquet')}&after={stored.ids['exporter'][-1]}")
    assert (answer.status, answer.problem, answer.json["parameter"]) == (400, "parameter-invalid", "after")


def test_events_are_stored_while_streams_are_not_read(
    server: Server, tenants: Mapping[str, Customer], stored: Stored
) -> None:
    sender = server.sender(tenants["exporter"].token)
    path = link(max(parts(manifest(sender, stored)), key=lambda part: cast("int", part["rows"])), "jsonl")
    with _unread(server, tenants["exporter"].token, path, 12):
        slowest_s = 0.0
        for _ in range(20):
            began = time.perf_counter()
            assert sender.post(sample.body()).status == 200
            slowest_s = max(slowest_s, time.perf_counter() - began)
        other = server.sender(tenants["mover"].token)
        assert other.get(f"/v1/exports?{stored.query}").status == 200
        other.close()
    assert slowest_s < 2
    sender.close()


@contextmanager
def _unread(server: Server, token: str, path: str, count: int) -> Iterator[None]:
    """Ask for an export on some connections, and do not read it."""
    host, _, port = server.bind.rpartition(":")
    asked = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(socket.create_connection((host, int(port)))).sendall(asked)
        time.sleep(0.3)
        yield
