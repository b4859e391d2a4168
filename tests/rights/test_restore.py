"""After a restore to before an erasure nothing is served until it is replayed, and nobody else's data is touched."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from ingest.rights import restore
from ingest.rights.receipts import documents, keys, signing, subjects
from ingest.rights.receipts.documents import (
    Erasure,
    EventsScope,
    Order,
    RangeScope,
    Scope,
    StreamScope,
    TagScope,
    TenantScope,
)
from ingest.rights.receipts.folder import Folder
from ingest.store import erased_words, vocabulary
from ingest.store.connections import Connection
from ingest.store.rights import orders
from schema.event import Kind
from schema.learning import Candidate
from tests.support import cluster, customers, logins, sample, service
from tests.support.command import Run, runner
from tests.support.customers import Customer
from tests.support.receipts import KEY, KEYS
from tests.support.service import Server

_ERASURES = """
SELECT erasure_id, tenant_id, scope, first, last, stream_id, sequence, term_id, step FROM nocontent.erasures
"""
_EVENTS = "SELECT event_id FROM nocontent.erasure_events ORDER BY event_id"
_CAN_SEND = """
SELECT tenant_id FROM nocontent.tenants JOIN nocontent.ingest_tokens USING (tenant_id)
WHERE NOT disabled AND revoked_at IS NULL ORDER BY tenant_id
"""
_CREATED_AT = "SELECT created_at FROM nocontent.tenants WHERE tenant_id = $1"
_ABSENT = "SELECT erasure_id FROM nocontent.absent_orders"
LAST = datetime.now(UTC) - timedelta(minutes=5)
FIRST = LAST - timedelta(days=1)


class Place(Protocol):
    """Puts an order into the folder, as of an erasure that the restored database forgot."""

    def __call__(
        self, scope: Scope, word: tuple[str, str] | None = None, created_at: datetime | None = None
    ) -> UUID: ...


@pytest.fixture
def customer(database: str) -> Customer:
    return customers.prepare(database, {name: customers.CustomerSpec() for name in ("main", "other")})["main"]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Return the variables for a folder of orders, which is empty, and for the public keys."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "keys").write_bytes(keys.encode(KEYS))
    return {
        "NOCONTENT_ERASURES_DIR": str(tmp_path / "orders"),
        "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE": str(tmp_path / "keys"),
    }


@pytest.fixture
def folder(settings: dict[str, str]) -> Folder:
    return Folder(settings["NOCONTENT_ERASURES_DIR"])


@pytest.fixture
def run(
    database: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    for name, value in (settings | {"NOCONTENT_DSN": database}).items():
        monkeypatch.setenv(name, value)
    return runner(capsys)


@pytest.fixture
def place(database: str, customer: Customer, folder: Folder) -> Place:
    def put(scope: Scope, word: tuple[str, str] | None = None, created_at: datetime | None = None) -> UUID:
        (row,) = cluster.fetch(database, _CREATED_AT, customer.tenant_id)
        erasure = Erasure(erasure_id=uuid4(), tenant_id=customer.tenant_id, scope=scope, requested_at=LAST)
        subject = subjects.subject(customer.tenant_id, created_at or row["created_at"], word)
        folder.write_order(erasure.erasure_id, signing.sign(documents.order(erasure, subject, LAST), KEY))
        return erasure.erasure_id

    return put


def term_of(dsn: str, customer: Customer, word: tuple[str, str]) -> int:
    async def find(connection: Connection) -> int:
        known = await orders.words(connection, customer.tenant_id)
        return next(each.term_id for each in known if (each.key, each.value) == word)

    return customers.act(dsn, find)


EVENTS = tuple(sorted(UUID(sample.uuid7(sample.now_ms() - 86_400_000)) for _ in range(3)))
STREAM = uuid4()
SCOPES: tuple[tuple[Scope, dict[str, object]], ...] = (
    (TenantScope(), {"scope": "tenant"}),
    (RangeScope(first=FIRST, last=LAST), {"scope": "range", "first": FIRST, "last": LAST}),
    (StreamScope(stream_id=STREAM, sequence=7), {"scope": "stream", "stream_id": STREAM, "sequence": 7}),
    (EventsScope(events=EVENTS), {"scope": "events"}),
)


@pytest.mark.parametrize(("scope", "expected"), SCOPES, ids=lambda each: type(each).__name__)
def test_a_replay_records_what_was_ordered_once(
    scope: Scope, expected: dict[str, object], run: Run, place: Place, database: str
) -> None:
    erasure_id = place(scope)
    assert run("erase replay") == (0, f"{erasure_id}  recorded: the jobs erase it again\n", "")
    (row,) = cluster.fetch(database, _ERASURES)
    assert row["erasure_id"] == erasure_id
    assert dict(row) | expected | {"step": "requested", "tenant_id": 1} == dict(row)
    named = [each["event_id"] for each in cluster.fetch(database, _EVENTS)]
    assert named == (list(EVENTS) if isinstance(scope, EventsScope) else [])
    assert run("erase replay") == (0, "the database lacks no erasure\n", "")
    assert len(cluster.fetch(database, _ERASURES)) == 1
    senders = [each["tenant_id"] for each in cluster.fetch(database, _CAN_SEND)]
    assert senders == ([2] if isinstance(scope, TenantScope) else [1, 2])


@pytest.mark.parametrize("command", ["export main {folder}", "access --tenant main {folder}"])
def test_no_copy_of_the_data_is_made_before_the_replay(run: Run, place: Place, tmp_path: Path, command: str) -> None:
    (copies := tmp_path / "copies").mkdir()
    place(RangeScope(first=FIRST, last=LAST))
    status, _, err = run(command.format(folder=copies))
    assert (status, "lacks 1 erasures" in err, list(copies.iterdir())) == (2, True, [])
    assert run("erase replay")[0] == 0
    assert run(command.format(folder=copies))[0] == 0
    assert list(copies.iterdir())


def test_a_word_is_found_under_another_number(run: Run, place: Place, database: str, customer: Customer) -> None:
    own = term_of(database, customer, ("team", "search"))
    place(TagScope(term_id=own + 20, last=LAST), ("team", "search"))
    assert run("erase replay")[0] == 0
    (row,) = cluster.fetch(database, _ERASURES)
    assert (row["term_id"], row["first"], row["last"]) == (own, None, LAST)


def test_a_word_that_is_not_there_leaves_the_one_with_its_number(
    run: Run, place: Place, database: str, customer: Customer
) -> None:
    others = term_of(database, customer, ("team", "search"))
    erasure_id = place(TagScope(term_id=others, last=LAST), ("team", "payroll"))
    status, said, _ = run("erase replay")
    assert (status, said) == (0, f"{erasure_id}  its subject is not in this database: nothing to erase\n")
    assert cluster.fetch(database, _ERASURES) == []
    assert [row["erasure_id"] for row in cluster.fetch(database, _ABSENT)] == [erasure_id]
    assert run("erase replay")[1] == "the database lacks no erasure\n"

    async def register(connection: Connection) -> object:
        key = await vocabulary.tag_key_id(connection, customer.tenant_id, "team")
        assert key is not None
        return await vocabulary.add(connection, customer.tenant_id, Candidate(Kind.TAG_VALUE, key, "payroll"))

    customers.act(database, register)  # A word of later is not that of the order.
    assert run("erase replay")[1] == "the database lacks no erasure\n"


def test_a_word_that_is_not_there_is_not_learned_from_a_spool(
    run: Run, place: Place, database: str, customer: Customer
) -> None:
    place(TagScope(term_id=9, last=LAST), ("team", "payroll"))
    assert run("erase replay")[0] == 0

    async def is_erased(connection: Connection) -> list[bool]:
        key = await vocabulary.tag_key_id(connection, customer.tenant_id, "team")
        assert key is not None
        candidates = [Candidate(Kind.TAG_VALUE, key, word) for word in ("payroll", "search")]
        return [await erased_words.has(connection, customer.tenant_id, each) for each in candidates]

    assert customers.act(database, is_erased) == [True, False]


def test_a_tenant_is_erased_after_its_parts(run: Run, place: Place, database: str) -> None:
    ids = [place(scope) for scope in (TenantScope(), RangeScope(first=FIRST, last=LAST), TenantScope())]
    assert run("erase replay")[0] == 0
    recorded = {row["erasure_id"] for row in cluster.fetch(database, _ERASURES)}
    absent = {row["erasure_id"] for row in cluster.fetch(database, _ABSENT)}
    assert (recorded | absent, len(absent)) == ({*ids}, 1)  # One erasure of a tenant is enough.
    assert ids[1] in recorded


def test_a_tenant_with_the_number_of_another_is_not_touched(run: Run, place: Place, database: str) -> None:
    erasure_id = place(TenantScope(), created_at=LAST - timedelta(days=400))
    assert run("erase replay")[0] == 0
    assert [row["erasure_id"] for row in cluster.fetch(database, _ABSENT)] == [erasure_id]
    assert cluster.fetch(database, _ERASURES) == []
    assert [row["tenant_id"] for row in cluster.fetch(database, _CAN_SEND)] == [1, 2]


def test_an_order_that_we_did_not_sign_or_that_is_cut_orders_nothing_and_stops_the_start(
    run: Run, place: Place, database: str, folder: Folder, settings: dict[str, str]
) -> None:
    good = place(RangeScope(first=FIRST, last=LAST))
    raw = folder.order(good)
    assert raw is not None
    forged = structs.replace(signing.verify_as(raw, KEYS, Order), ordered_at=LAST + timedelta(seconds=1))
    bad = {uuid4(): (raw, "receipt.wrong-shape"), uuid4(): (raw[:-100], "receipt.not-json")}
    bad[uuid4()] = signing.sign(forged, signing.generate()), "receipt.unknown-key"
    for name, (content, _) in bad.items():  # The first is a good one under another name.
        folder.write_order(name, content)
    status, said, errors = run("erase replay")
    assert (status, errors) == (1, "")
    assert {line[-len(fault) - 1 : -1] for line in said.splitlines() for _, fault in bad.values() if fault in line} == {
        fault for _, fault in bad.values()
    }
    assert [row["erasure_id"] for row in cluster.fetch(database, _ERASURES)] == [good]
    assert _refusal(database, "serve", settings).count("3 erasures") == 1


def _refusal(dsn: str, command: str, settings: dict[str, str]) -> str:
    ended = service.command(*command.split(), env=service.environment(dsn) | settings)
    assert ended.returncode == 2
    return ended.stderr.decode().splitlines()[-1]


def test_the_service_and_the_jobs_do_not_start_before_the_replay(
    run: Run, place: Place, database: str, settings: dict[str, str], tmp_path: Path
) -> None:
    place(RangeScope(first=FIRST, last=LAST))
    for command in ("serve", "console", "jobs", "jobs --once"):
        refusal = _refusal(database, command, settings)
        assert "lacks 1 erasures" in refusal
        assert "`nocontent erase replay`" in refusal
    assert run("erase replay")[0] == 0
    with service.serving(database, tmp_path / "log", workers=1, variables=settings) as server:
        _wait_for(server, 200)


@pytest.mark.parametrize("setting", ["NOCONTENT_ERASURES_DIR", "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE"])
def test_a_replay_names_the_setting_that_it_lacks(run: Run, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(setting)
    status, said, errors = run("erase replay")
    assert (status, said) == (2, "")
    assert f"{setting} is not set" in errors


def test_a_worker_that_outlives_a_restore_is_not_ready_until_the_replay(
    run: Run, place: Place, database: str, settings: dict[str, str], tmp_path: Path
) -> None:
    with service.serving(database, tmp_path / "log", workers=1, variables=settings) as server:
        _wait_for(server, 200)
        place(RangeScope(first=FIRST, last=LAST))
        cluster.run(database, "UPDATE nocontent.control SET revision = revision - 1")
        _wait_for(server, 503)
        sender = server.sender()
        assert sender.get("/readyz").json["failing"] == ["erasures"]
        assert sender.get("/livez").status == 200
        sender.close()
        assert run("erase replay")[0] == 0
        _wait_for(server, 200)
    assert "erasures-missing" in (tmp_path / "log").read_text()


def _wait_for(server: Server, status: int) -> None:
    def is_reached() -> bool:
        try:
            sender = server.sender()
            with contextlib.closing(sender):
                return sender.get("/readyz").status == status
        except OSError:
            return False

    service.wait_until(is_reached)


def test_the_start_warns_of_a_folder_without_the_orders_of_the_database(
    run: Run, place: Place, database: str, settings: dict[str, str], tmp_path: Path
) -> None:
    erasure_id = place(RangeScope(first=FIRST, last=LAST))
    assert run("erase replay")[0] == 0
    cluster.run(database, "UPDATE nocontent.erasures SET step = 'ordered', ordered_at = now()")
    for log, is_absent in ((tmp_path / "with", False), (tmp_path / "without", True)):
        if is_absent:
            (Path(settings["NOCONTENT_ERASURES_DIR"]) / f"{erasure_id}.order.json").unlink()
        with service.serving(database, log, workers=1, variables=settings) as server:
            _wait_for(server, 200)
        assert ('"orders-absent","count":1' in log.read_text()) is is_absent


async def test_every_role_that_looks_may_look(database: str, folder: Folder) -> None:
    folder.write_order(EVENTS[0], b"x")
    for name in ("writer", "biller", "eraser", "maintainer", "control", "exporter", "console"):
        role = f"nocontent_{name}"
        login = await logins.made(database, role)
        async with logins.connected(database, login, role) as connection:
            assert await restore.lacking(connection, folder) == [EVENTS[0]]
