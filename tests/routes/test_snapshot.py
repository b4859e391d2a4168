"""`GET /v1/gateway/snapshot`, and what a gateway's bearers permit, on the whole service with PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from starlette.applications import Starlette

from ingest.intake.service import Service
from ingest.knowledge import gateway_keys, keys
from ingest.knowledge.gateway import GatewaySnapshot
from ingest.knowledge.gateway_keys import NOW_HEADER, Purpose
from ingest.knowledge.keys import Keys
from ingest.knowledge.tokens import Credential
from ingest.reports import gateway
from ingest.reports.app import create
from ingest.routes import grants
from ingest.store import connections, tenants
from ingest.store.connections import Connection
from tests.support import customers, direct, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Server
from tests.support.wire import Answer

PATH = "/v1/gateway/snapshot"
_USE = ("gateway:use",)


class Stage(NamedTuple):
    """A service with a file of keys, and its tenants."""

    server: Server
    key_file: Path
    tenants: dict[str, Customer]

    def bearer(self, purpose: Purpose, tenant_id: int = 0) -> str:
        known = Keys.parse(self.key_file.read_text())
        return gateway_keys.bearer(known, purpose, tenant_id)

    def get(self, path: str, bearer: str, headers: dict[str, str] | None = None) -> Answer:
        with closing(self.server.sender(bearer)) as sender:
            return sender.get(path, headers or {})

    def snapshot(self) -> GatewaySnapshot:
        answer = self.get(PATH, self.bearer("snapshot"))
        assert answer.status == 200
        return msgspec.json.decode(answer.body, type=GatewaySnapshot)


@pytest.fixture(scope="module")
def stage(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder, dsn = tmp_path_factory.mktemp("routes"), postgres.migrated()
    key_file = folder / "keys"
    keys.write(key_file)
    specs = {
        "user": CustomerSpec(scopes=_USE),
        "both": CustomerSpec(scopes=("events:write", *_USE)),
        "ending": CustomerSpec(scopes=_USE, expires_in=timedelta(days=1)),
        "proxy": CustomerSpec(),
        "ended": CustomerSpec(scopes=_USE, expires_in=timedelta(seconds=-1)),
        "disabled": CustomerSpec(scopes=_USE, is_disabled=True),
    }
    made = customers.prepare(dsn, specs)
    with service.serving(dsn, folder / "log", gateway_key_file=key_file) as server:
        yield Stage(server, key_file, made)
    postgres.drop(dsn)


def id_of(customer: Customer) -> str:
    found = Credential.parse(customer.token)
    assert found is not None
    return found.token_id


def test_it_has_the_tokens_of_the_scope_that_are_good_with_their_tenants(stage: Stage) -> None:
    found = stage.snapshot()
    good = [stage.tenants[name] for name in ("user", "both", "ending")]
    assert {token.token_id: token.tenant_id for token in found.tokens} == {id_of(each): each.tenant_id for each in good}
    assert [tenant.tenant_id for tenant in found.tenants] == sorted(each.tenant_id for each in good)
    for token, customer in zip(found.tokens, sorted(good, key=id_of), strict=True):
        credential = Credential.parse(customer.token)
        assert credential is not None
        assert token.secret_sha256 == credential.secret_sha256
        assert (token.expires_at_ms is not None) == (customer is stage.tenants["ending"])


def test_all_workers_give_it_one_tag_and_the_time(stage: Stage) -> None:
    bearer = stage.bearer("snapshot")
    with stage.server.one_to_each_worker(bearer) as senders:
        answers = [sender.get(PATH) for sender in senders]
        [tag] = {answer.headers["etag"] for answer in answers}
        unchanged = [sender.get(PATH, {"If-None-Match": tag}) for sender in senders]
    assert [(each.status, each.body) for each in unchanged] == [(304, b"")] * len(senders)
    assert all(abs(int(each.headers[NOW_HEADER]) - time.time() * 1_000) < 10_000 for each in (*answers, *unchanged))
    assert {each.headers["cache-control"] for each in answers} == {"no-store"}


@pytest.mark.parametrize("path", [PATH, "/v1/policy"])
def test_a_bearer_of_another_key_or_purpose_or_tenant_is_none(stage: Stage, path: str) -> None:
    tenant_id = stage.tenants["both"].tenant_id
    other = Keys.make()
    bearers = [
        "", "x", stage.bearer("snapshot")[:-1], gateway_keys.bearer(other, "snapshot"),
        gateway_keys.bearer(other, "events", tenant_id), stage.bearer("snapshot", tenant_id), stage.bearer("events"),
        stage.bearer("events", tenant_id).replace(f"_{tenant_id}_", f"_{tenant_id + 1}_"),
        stage.bearer("events", 999_999_999), stage.bearer("events", 1 << 33),
        stage.bearer("events", tenant_id) if path == PATH else stage.bearer("snapshot"),
        *([stage.tenants["both"].token] if path == PATH else ()),
    ]  # fmt: skip
    for bearer in bearers:
        answer = stage.get(path, bearer)
        assert (answer.status, answer.problem) == (401, "bad-token")


def test_it_reads_no_query(stage: Stage) -> None:
    assert stage.get(f"{PATH}?a=1", stage.bearer("snapshot")).problem == "query-not-empty"


def test_a_gateway_reports_for_its_tenants_and_may_do_nothing_else(stage: Stage) -> None:
    tenant_id = stage.tenants["both"].tenant_id
    bearer, body = stage.bearer("events", tenant_id), sample.body(sample.event())
    with closing(stage.server.sender(bearer)) as sender:
        assert sender.post(body).json == {"accepted": 1, "duplicates": 0}
        assert sender.post(body).json == {"accepted": 0, "duplicates": 1}
        assert sender.get("/v1/policy").status == 200
        for path in ("/v1/usage?since=2026-01-01T00:00:00Z", "/v1/invoices", "/v1/streams/x", "/v1/exports"):
            assert (sender.get(path).status, sender.get(path).problem) == (403, "scope-missing"), path
    with closing(stage.server.sender(stage.tenants["both"].token)) as sender:
        assert sender.post(body).json == {"accepted": 0, "duplicates": 1}  # It is the same tenant's.


def test_a_gateway_reports_for_no_tenant_that_is_disabled(stage: Stage) -> None:
    bearer = stage.bearer("events", stage.tenants["disabled"].tenant_id)
    with closing(stage.server.sender(bearer)) as sender:
        assert sender.post(sample.body(sample.event())).problem == "tenant-disabled"


def test_a_token_of_a_gateway_is_none_of_the_service(stage: Stage) -> None:
    with closing(stage.server.sender(stage.tenants["user"].token)) as sender:
        assert sender.post(sample.body(sample.event())).problem == "scope-missing"


def test_a_rotated_key_is_known_within_seconds_beside_the_one_before(stage: Stage) -> None:
    old = stage.bearer("snapshot")
    keys.write(stage.key_file)
    service.wait_until(lambda: stage.get(PATH, stage.bearer("snapshot")).status == 200)
    assert stage.get(PATH, old).status == 200


def test_without_a_key_no_bearer_is_good(server: Server) -> None:
    known = Keys.make()
    with closing(server.sender(gateway_keys.bearer(known, "snapshot"))) as sender:
        assert sender.get(PATH).problem == "bad-token"
    with closing(server.sender(gateway_keys.bearer(known, "events", 1))) as sender:
        assert sender.post(sample.body(sample.event())).problem == "bad-token"


def test_a_file_that_others_may_read_stops_the_start(database: str, tmp_path: Path) -> None:
    key_file = tmp_path / "keys"
    keys.write(key_file)
    key_file.chmod(0o644)
    ended = service.command("serve", env=service.environment(database, gateway_key_file=key_file))
    assert ended.returncode != 0
    assert b"NOCONTENT_GATEWAY_KEY_FILE" in ended.stderr


@pytest.fixture
async def control(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_control") as connection:
        yield connection


class Worker(NamedTuple):
    """A worker's application in this process, and what a gateway sends it."""

    composed: Starlette
    running: Service
    bearer: str

    async def ask(self) -> Answer:
        return await direct.ask(self.composed, "GET", PATH, token=self.bearer)


@pytest.fixture
async def worker(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    monkeypatch.setattr(grants, "MADE_S", 0.0)
    known, composed = Keys.make(), create()
    running = await direct.serve(composed, database)
    running.callers.gateway_keys = lambda: known
    yield Worker(composed, running, gateway_keys.bearer(known, "snapshot"))
    await running.stop()


async def test_an_act_about_other_things_leaves_the_tag(worker: Worker, control: Connection) -> None:
    await customers.add(control, "user", CustomerSpec(scopes=_USE))
    proxy = await customers.add(control, "proxy", CustomerSpec())
    await known_of(worker, control)
    before = await worker.ask()
    assert len(msgspec.json.decode(before.body, type=GatewaySnapshot).tokens) == 1
    await tenants.set_quota(control, proxy.tenant_id, 1_000)
    await known_of(worker, control)
    after = await worker.ask()
    assert after.headers["etag"] == before.headers["etag"]
    await tenants.set_disabled(control, proxy.tenant_id - 1, disabled=True)
    await known_of(worker, control)
    last = await worker.ask()
    assert last.headers["etag"] != before.headers["etag"]
    assert msgspec.json.decode(last.body, type=GatewaySnapshot).tenants == ()


async def known_of(worker: Worker, control: Connection) -> None:
    """Wait until a worker knows of the last act."""
    revision = await control.fetchval("SELECT revision FROM control WHERE control_id = 1")
    async with asyncio.timeout(service.WAIT_S):
        while worker.running.snapshot.revision < revision:  # noqa: ASYNC110 (the refresher sets it)
            await asyncio.sleep(0.02)


async def test_a_worker_whose_own_knowledge_is_old_says_nothing(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await worker.ask()).status == 200
    monkeypatch.setattr(gateway, "AGE_S_MAX", -1.0)
    assert (await worker.ask()).problem == "unavailable"


async def test_a_snapshot_beyond_what_gateways_read_is_not_sent(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "SNAPSHOT_BYTES_MAX", 10)
    assert (await worker.ask()).problem == "unavailable"


async def test_what_a_gateway_sends_is_counted_for_the_tenant_and_no_token(
    worker: Worker, control: Connection, owner: Connection
) -> None:
    tenant_id = (await customers.add(control, "user", CustomerSpec(scopes=_USE))).tenant_id
    await known_of(worker, control)
    assert worker.running.callers.gateway_keys is not None
    bearer = gateway_keys.bearer(worker.running.callers.gateway_keys(), "events", tenant_id)
    for body, status in ((sample.body(sample.event()), 200), (b"{", 400)):
        assert (await direct.ask(worker.composed, "POST", "/v1/events", body, bearer)).status == status
    await worker.running.traffic.flush()
    assert await owner.fetchval("SELECT sum(requests) FROM nocontent.refusals WHERE tenant_id = $1", tenant_id) == 1
    assert await owner.fetchval("SELECT count(*) FROM nocontent.arrivals WHERE tenant_id = $1", tenant_id) == 0
