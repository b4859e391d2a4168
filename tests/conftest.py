"""Fixtures for all tests: one PostgreSQL, fresh databases in it, and one service with two workers."""

import gc
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest

from ingest import logs
from ingest.store import connections
from ingest.store.connections import Connection
from tests.support import cluster, customers, service
from tests.support.cluster import Cluster, Watch, operator
from tests.support.command import Run, runner
from tests.support.customers import Customer
from tests.support.service import Logged, Server
from tests.support.wire import Sender

# The slowest files, each over a sixtieth of the whole run. Parallel runs start with them, so that no worker waits for
# one that starts last.
LONGEST = (
    "browser/test_console.py",
    "gateway/faults/test_kills.py",
    "faults/test_outcomes.py", "faults/test_kills.py", "faults/test_backup.py", "serving/test_rollout.py",
    "observe/test_rules.py", "usage/processor/test_stripe_processor.py", "faults/test_cuts.py",
    "gates/test_each_gate_matters.py", "serving/test_shutdown.py", "faults/test_failover.py",
    "store/test_privileges.py",
    "bad_day/test_2_logs.py", "serving/test_tls.py", "test_corpus.py", "store/test_tls.py", "prove/test_families.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turns = {Path(__file__).parent / name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.path, len(turns)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what is collected here: a million objects that stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    with cluster.started() as server:
        yield server


@pytest.fixture
def database(postgres: Cluster) -> Iterator[str]:
    """Yield the DSN of a fresh database with all tables."""
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def writer(database: str) -> AsyncIterator[Connection]:
    """Yield a connection to a fresh database, as the role that stores."""
    async with connections.connected(database, "nocontent_writer") as connection:
        yield connection


@pytest.fixture
async def biller(database: str) -> AsyncIterator[Connection]:
    """Yield a connection to a fresh database, as the role that sums up and bills."""
    async with connections.connected(database, "nocontent_biller") as connection:
        yield connection


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Connection]:
    """Yield a connection to a fresh database, as a superuser."""
    async with operator(database) as connection:
        yield connection


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs command lines on a fresh database, which has the tenant acme."""
    monkeypatch.setenv("NOCONTENT_DSN", database)
    run = runner(capsys)
    assert run("tenant add acme")[0] == 0
    return run


@pytest.fixture(scope="module")
def shared_database(postgres: Cluster) -> Iterator[str]:
    """Yield the DSN of a database for those tests of a file that leave it unchanged."""
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture(scope="session")
def served_database(postgres: Cluster) -> str:
    return postgres.migrated()


@pytest.fixture(scope="session")
def tenants(served_database: str) -> dict[str, Customer]:
    """Return the tenants of `customers.PREPARED`, in the service's database."""
    return customers.prepare(served_database)


@pytest.fixture(scope="session")
def server(
    served_database: str, tenants: dict[str, Customer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    log: Path = tmp_path_factory.mktemp("serve") / "serve.log"
    assert tenants
    with service.serving(served_database, log) as running:
        yield running


@pytest.fixture(scope="session")
def watch(server: Server) -> Iterator[Watch]:
    counting = Watch(server.dsn)
    yield counting
    counting.close()


@pytest.fixture
def sender_of(server: Server, tenants: dict[str, Customer]) -> Iterator[Callable[[str], Sender]]:
    """Yield a function that returns a sender with a prepared tenant's token."""
    made: list[Sender] = []

    def make(name: str) -> Sender:
        made.append(server.sender(tenants[name].token))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


@pytest.fixture
def sender(sender_of: Callable[[str], Sender]) -> Sender:
    return sender_of("main")


@pytest.fixture(autouse=True)
def _own_lines() -> Iterator[None]:
    """Flush the log after each test, because a thread writes it and lines could land between two tests."""
    yield
    logs.flush()


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Logged:
    """Return a function that returns the lines logged since its last call, and none of other tests."""

    def read() -> list[dict[str, object]]:
        logs.flush()
        return [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    read()
    return read
