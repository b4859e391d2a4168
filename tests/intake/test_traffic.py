"""Refusals and arrivals as a served process counts them, and as the database adds them: by closed lists alone."""

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from ingest.intake import traffic
from ingest.intake.errors import Rejected
from ingest.intake.problems import FACES
from ingest.intake.traffic import TENANT_CELLS_MAX, Traffic
from ingest.knowledge.tokens import Credential
from ingest.store import connections, tokens
from ingest.store.connections import Connection
from ingest.store.lending import Connections
from ingest.store.traffic import FIELDS, OTHER, PROBLEMS
from ingest.store.traffic import Sender as Source
from schema.event import NAMES
from schema.rules import RULES, Violation
from tests.support import cluster, customers, litellm, otlp, sample, service
from tests.support.cluster import Cluster, operator
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Logged
from tests.support.wire import Sender

CANARY = "CANARY-REFUSED what the caller wrote"
_SPECS = {
    "acme": CustomerSpec(),
    "globex": CustomerSpec(),
    "limited": CustomerSpec(quota=10),
    "expired": CustomerSpec(expires_in=timedelta(seconds=-1)),
    "policy-only": CustomerSpec(scopes=("policy:read",)),
    "disabled": CustomerSpec(is_disabled=True),
    "revoked": CustomerSpec(),
}
_REFUSALS = """
SELECT door, cause, field, requests, records FROM refusals WHERE tenant_id = $1 ORDER BY door, cause, field
"""
_ARRIVALS = """
SELECT door, reporter_version, token_id, requests, refused, events, lag_ms FROM arrivals WHERE tenant_id = $1
ORDER BY door, reporter_version
"""
_USED = "SELECT tenant_id FROM ingest_tokens WHERE last_used_at = date_trunc('hour', last_used_at)"
_EVERYTHING = """
SELECT count(*) FROM (
    SELECT row_to_json(row)::text AS text FROM refusals row UNION ALL SELECT row_to_json(row)::text FROM arrivals row
) AS kept WHERE text ILIKE '%canary%'
"""


def _send(sender: Sender) -> None:
    """Send good requests, and one that is refused for each of some reasons."""
    assert sender.post(sample.body(sample.event(), sample.event())).status == 200
    ours = {"User-Agent": "nocontent-reporter/1.2.3"}
    early = sample.event(event_id=sample.uuid7(sample.now_ms() + 60_000))
    assert sender.post(sample.body(early), ours).status == 200
    for _ in range(2):
        assert sender.post(sample.body(sample.event(prompt=CANARY)), ours).rules == ["content.prompt"]
    assert sender.post(sample.body(sample.event(latency_ms=CANARY))).rules == ["shape.wrong-type"]
    assert sender.post(sample.body(sample.event(routed_model="canary-model"))).rules == ["vocabulary.unknown-model"]
    assert sender.post(b"{").rules == ["shape.malformed-json"]
    assert sender.post(CANARY.encode(), {"Content-Type": "text/plain"}).problem == "media-type-unsupported"
    assert sender.post(gzip.compress(bytes(64_000_000)), {"Content-Encoding": "gzip"}).problem == "body-too-large"
    records = json.dumps([litellm.record(), litellm.record(**litellm.FAILURE), None]).encode()
    assert sender.post(records, path="/v1/integrations/litellm").status == 200
    assert otlp.export(sender, otlp.traces(otlp.span({"gen_ai.prompt": CANARY}))).status == 400


@pytest.fixture(scope="module")
def told(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Customer]]]:
    """Yield a database after a service that refused requests, and its tenants."""
    dsn = postgres.migrated()
    prepared = customers.prepare(dsn, _SPECS)
    customers.act(
        dsn,
        lambda control: tokens.revoke(control, prepared["revoked"].tenant_id, _token_id(prepared["revoked"])),
    )
    with service.serving(dsn, tmp_path_factory.mktemp("traffic") / "serve.log", workers=1) as server:
        senders = {name: server.sender(customer.token) for name, customer in prepared.items()}
        _send(senders["acme"])
        many = sample.body(*(sample.event() for _ in range(11)))
        answers = [senders[name].post(many).problem for name in list(_SPECS)[2:]]
        assert answers == ["batch-over-quota", "expired-token", "scope-missing", "tenant-disabled", "revoked-token"]
        assert server.sender(str(Credential.make())).post(many).problem == "bad-token"
        for sender in senders.values():
            sender.close()
    yield dsn, prepared
    postgres.drop(dsn)


def _token_id(customer: Customer) -> str:
    credential = Credential.parse(customer.token)
    assert credential is not None
    return credential.token_id


def _rows(dsn: str, query: str, tenant_id: int) -> list[tuple[object, ...]]:
    return [tuple(row) for row in cluster.fetch(dsn, query, tenant_id)]


def test_refusals_are_counted_by_door_rule_and_field(told: tuple[str, dict[str, Customer]]) -> None:
    dsn, prepared = told
    latency = FIELDS.index("latency_ms")
    model = FIELDS.index("routed_model")
    assert _rows(dsn, _REFUSALS, prepared["acme"].tenant_id) == [
        (1, "body-too-large", 0, 1, 0),
        (1, "content.prompt", 0, 2, 0),
        (1, "media-type-unsupported", 0, 1, 0),
        (1, "shape.malformed-json", 0, 1, 0),
        (1, "shape.wrong-type", latency, 1, 0),
        (1, "vocabulary.unknown-model", model, 1, 0),
        (2, "content.diagnostics", 0, 0, 1),
        (2, "shape.wrong-type", 0, 0, 1),
        (4, "content.prompt", 0, 1, 0),
    ]


def test_a_tenant_has_its_own_refusals_alone(told: tuple[str, dict[str, Customer]]) -> None:
    dsn, prepared = told
    found = {name: _rows(dsn, _REFUSALS, prepared[name].tenant_id) for name in list(_SPECS)[1:]}
    assert found == {
        "globex": [],
        "limited": [(1, "batch-over-quota", 0, 1, 0)],
        "expired": [(1, "expired-token", 0, 1, 0)],
        "policy-only": [(1, "scope-missing", 0, 1, 0)],
        "disabled": [(1, "tenant-disabled", 0, 1, 0)],
        "revoked": [(1, "revoked-token", 0, 1, 0)],
    }


def test_arrivals_are_counted_by_token_door_and_version(told: tuple[str, dict[str, Customer]]) -> None:
    dsn, prepared = told
    token_id = _token_id(prepared["acme"])
    *counts, lags = zip(*_rows(dsn, _ARRIVALS, prepared["acme"].tenant_id), strict=True)
    assert list(zip(*counts, strict=True)) == [
        (1, 0, token_id, 6, 5, 2),
        (1, 1_002_003, token_id, 3, 2, 1),
        (2, 0, token_id, 1, 0, 1),
        (4, 0, token_id, 1, 1, 0),
    ]
    assert 0 <= int(str(lags[0])) < 30_000
    assert -60_000 <= int(str(lags[1])) < -30_000  # That clock is a minute ahead.
    assert lags[3] is None


def test_only_an_accepted_token_was_used(told: tuple[str, dict[str, Customer]]) -> None:
    dsn, prepared = told
    used = {tenant_id for (tenant_id,) in cluster.fetch(dsn, _USED)}
    assert used == {prepared[name].tenant_id for name in ("acme", "limited", "policy-only")}


def test_no_value_was_counted(told: tuple[str, dict[str, Customer]]) -> None:
    assert cluster.fetch(told[0], _EVERYTHING)[0][0] == 0


def _refused(rule: str, pointer: str = "") -> Rejected:
    return Rejected((Violation(rule, pointer),))


async def test_the_memory_of_one_tenant_is_bounded(database: str, owner: Connection) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        one, other = [await customers.add(control, name, CustomerSpec()) for name in ("one", "other")]
    counting = Traffic(Connections(database))
    for number in range(2 * TENANT_CELLS_MAX):
        rule, field = list(RULES)[number % 50], NAMES[number // 50]
        counting.refuse(Source(one.tenant_id, _token_id(one), "events", number), _refused(rule, f"/events/0/{field}"))
    counting.refuse(Source(other.tenant_id, _token_id(other), "events", 0), _refused("content.prompt"))
    await counting.flush()
    refused = await owner.fetch("SELECT cause, requests FROM refusals WHERE tenant_id = $1", one.tenant_id)
    arrived = await owner.fetch("SELECT requests FROM arrivals WHERE tenant_id = $1", one.tenant_id)
    assert len(refused) + len(arrived) <= TENANT_CELLS_MAX + 2
    assert [sum(row["requests"] for row in rows) for rows in (refused, arrived)] == [2 * TENANT_CELLS_MAX] * 2
    assert max(refused, key=lambda row: row["requests"])["cause"] == OTHER
    assert [tuple(row) for row in await owner.fetch(_REFUSALS, other.tenant_id)] == [(1, "content.prompt", 0, 1, 0)]


_AWAY = 'ALTER DATABASE "{}" RENAME TO "{}"'


async def test_while_the_database_is_away_counts_wait_and_no_request_fails(
    postgres: Cluster, database: str, logged: Logged
) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        one = await customers.add(control, "one", CustomerSpec())
    source, name = Source(one.tenant_id, _token_id(one), "events", 0), urlsplit(database).path[1:]
    counting = Traffic(Connections(database))
    async with operator(postgres.dsn) as owner:
        counting.refuse(source, _refused("content.prompt"))
        await owner.execute(_AWAY.format(name, f"{name}_away"))
        await counting.flush()
        counting.refuse(source, _refused("content.prompt"))
        await owner.execute(_AWAY.format(f"{name}_away", name))
    await counting.flush()
    await counting.flush()
    async with operator(database) as owner:
        assert [tuple(row) for row in await owner.fetch(_REFUSALS, one.tenant_id)] == [(1, "content.prompt", 0, 2, 0)]
        assert [line["event"] for line in logged()] == ["database-lost"]
        await owner.execute("ALTER TABLE refusals RENAME TO gone")
        counting.refuse(source, _refused("content.prompt"))
        await counting.flush()
        assert [line["event"] for line in logged()] == ["database-lost", "traffic-lost"]


def test_every_problem_and_field_is_one_of_the_code() -> None:
    assert set(PROBLEMS) <= {face.problem for face in FACES.values()}
    assert {*NAMES} < {*FIELDS}
    assert len(FIELDS) == len(set(FIELDS))
    assert traffic.field_of("/columns/latency_ms/3") == "latency_ms"
    assert traffic.field_of("/events/0/*") is None


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        (["nocontent-reporter/0.1.0"], 1_000),
        (["nocontent-reporter/12.34.567"], 12_034_567),
        (["nocontent-reporter"], 0),
        (["nocontent-reporter/1.2.3 (linux)"], 0),
        (["nocontent-reporter/1.2.1000"], 0),
        (["nocontent-reporter/1.2.3", "nocontent-reporter/1.2.3"], 0),
        ([], 0),
    ],
)
def test_the_version_of_our_reporter_is_three_numbers_or_none(sent: list[str], version: int) -> None:
    assert traffic.version_of(sent) == version
