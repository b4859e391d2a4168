"""A connection pooler that does not hold a session is named at once, and never causes a 500."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from ingest.errors import CannotStart, Unavailable
from ingest.store import connections, endings, session, snapshot
from ingest.store.endings import Act
from tests.support import cluster, customers, direct, pooler, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec
from tests.support.pooler import Habit
from tests.support.service import Logged

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None,
    reason="PgBouncer is not installed (Debian: apt-get install pgbouncer); a pooler of ours stands in",
)
UNFIT = {
    Habit.REFUSES_NAMES: "start-up parameter",
    Habit.DISCARDS: "role",
    Habit.RESETS_ROLE: "role",
    Habit.ROTATES: "",
    Habit.FORGETS: "",
}
COMMANDS = (["serve"], ["migrate"], ["maintain"], ["tenant", "list"], ["retention", "show"])


@pytest.fixture(scope="module")
def customer(shared_database: str) -> Customer:
    return customers.act(shared_database, lambda connection: customers.add(connection, "pooled", CustomerSpec()))


@pytest.mark.parametrize("habit", UNFIT, ids=lambda habit: habit.name)
async def test_an_unfit_pooler_is_named_with_what_it_does_not_hold(shared_database: str, habit: Habit) -> None:
    with pooler.pooling(shared_database, habit) as between:
        with pytest.raises(CannotStart, match="A connection pooler at NOCONTENT_DSN") as caught:
            await connections.connect_as_operator(between.dsn, "nocontent_writer")
        assert UNFIT[habit] in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("habit", [Habit.REFUSES_NAMES, Habit.DISCARDS, Habit.RESETS_ROLE, Habit.ROTATES])
async def test_at_run_time_an_unfit_pooler_is_a_database_that_is_away(
    shared_database: str, habit: Habit, logged: Logged
) -> None:
    with pooler.pooling(shared_database, habit) as between, pytest.raises(Unavailable):
        async with connections.connected(between.dsn, "nocontent_writer"):
            pass
    line = logged()[0]
    assert line["event"] in {"session-lost", "database-lost"}
    assert line.get("setting") or line.get("sqlstate")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_says_it_in_one_sentence(shared_database: str, arguments: list[str]) -> None:
    with pooler.pooling(shared_database, Habit.DISCARDS) as between:
        ended = service.command(*arguments, env=service.environment(between.dsn))
    said = ended.stderr.decode().splitlines()
    assert ended.returncode == 2
    assert [line for line in said if "connection pooler" in line] == said[-1:]
    assert "Traceback" not in ended.stderr.decode()


@pytest.mark.parametrize("habit", [Habit.SESSION, Habit.REFUSES])
async def test_a_pooler_in_session_mode_works(shared_database: str, customer: Customer, habit: Habit) -> None:
    with pooler.pooling(shared_database, habit) as between:
        async with direct.working(between.dsn) as worker:
            assert (await worker.get("/readyz")).status == 200
            event = sample.event()
            first = await worker.post(sample.body(event), customer.token)
            assert (first.status, first.body) == (200, b'{"accepted":1,"duplicates":0}')
            # The event is stored now: COPY fails, and the others are stored without it.
            again = await worker.post(sample.body(event, sample.event()), customer.token)
            assert again.body == b'{"accepted":1,"duplicates":1}'
        async with connections.connected(between.dsn, "nocontent_writer") as connection:
            assert session.is_pooled(connection)
            assert session.begin(connection) != "BEGIN"
    async with connections.connected(shared_database, "nocontent_writer") as connection:
        assert not session.is_pooled(connection)
        assert session.begin(connection) == "BEGIN"


async def test_an_acknowledgement_means_on_disk_behind_a_pooler_too(database: str) -> None:
    """The server's default is fast, and a pooler handed the writer a connection without our setting."""
    await asyncio.to_thread(cluster.run, database, f"ALTER DATABASE {_name(database)} SET synchronous_commit = off")
    with pooler.pooling(database, Habit.SESSION) as between:
        async with connections.connected(between.dsn, "nocontent_writer") as connection:
            await connection.execute("SET synchronous_commit = off")
            await connection.execute(session.begin(connection))
            assert await connection.fetchval("SHOW synchronous_commit") == "on"
            await connection.execute("ROLLBACK")


async def test_a_session_that_loses_its_role_later_is_not_believed(
    shared_database: str, customer: Customer, logged: Logged
) -> None:
    async with direct.working(shared_database) as worker:
        known = worker.service.snapshot.revision
        async with connections.connected(shared_database, "nocontent_writer") as connection:
            await connection.execute("RESET ROLE")
            with pytest.raises(Unavailable):
                await snapshot.refresh(connection, worker.service.snapshot)
        assert worker.service.snapshot.revision == known
        assert (await worker.post(sample.body(), customer.token)).status == 200
    assert ("session-lost", "role") in {(line["event"], line.get("setting")) for line in logged()}


async def test_a_token_without_its_tenant_is_no_bug(shared_database: str, customer: Customer) -> None:
    async with direct.working(shared_database) as worker:
        del worker.service.snapshot.tenants[customer.tenant_id]
        answer = await worker.post(sample.body(), customer.token)
        assert (answer.status, answer.problem) == (503, "unavailable")


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (asyncpg.InvalidSQLStatementNameError, Act.LEAVE),
        (asyncpg.DuplicatePreparedStatementError, Act.LEAVE),
        (asyncpg.ProtocolViolationError, Act.DOUBT),
    ],
)
def test_what_a_pooler_says_is_never_held_against_a_batch(error: type[asyncpg.PostgresError], act: Act) -> None:
    told = error.new({"S": "ERROR", "V": "ERROR", "C": str(error.sqlstate), "M": "of a pooler"})
    assert endings.of(told).act is act
    assert endings.of(told).answer.__name__ in {"Unavailable", "OutcomeUnknown"}


# PgBouncer itself.


@contextmanager
def bouncing(dsn: str, folder: Path, *lines: str) -> Iterator[str]:
    """Run PgBouncer in front of a database until the block ends."""
    assert PGBOUNCER is not None
    parts = urlsplit(dsn)
    sockets = cluster.sockets(dsn)
    owner = pwd.getpwuid(Path(sockets).stat().st_uid)
    (port,) = service.free_ports(1)
    with cluster.open_folder() as opened:
        (opened / "users").write_text('"postgres" ""\n')
        text = [
            "[databases]", f"* = host={sockets} port=5432", "[pgbouncer]", f"listen_port = {port}",
            "listen_addr = 127.0.0.1", "unix_socket_dir =", "auth_type = trust", f"auth_file = {opened}/users",
            *lines,
        ]  # fmt: skip
        (opened / "pgbouncer.ini").write_text("\n".join(text) + "\n")
        opened.chmod(0o755)
        own = ["-u", owner.pw_name] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [PGBOUNCER, *own, str(opened / "pgbouncer.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            service.wait_until(lambda: _listens(port))
            yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"
        finally:
            process.terminate()
            process.wait(10)
    assert folder.exists()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _name(dsn: str) -> str:
    return dsn.partition("?")[0].rpartition("/")[2]


@needs_pgbouncer
@pytest.mark.parametrize("lines", [(), ("ignore_startup_parameters = search_path, role, lock_timeout",)])
def test_pgbouncer_in_session_mode_works_as_it_is(postgres: Cluster, tmp_path: Path, lines: tuple[str, ...]) -> None:
    dsn = postgres.migrated()
    customer = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec()))
    with bouncing(dsn, tmp_path, "pool_mode = session", *lines) as between:
        assert service.command("migrate", env=service.environment(between)).returncode == 0
        with service.serving(between, tmp_path / "log") as server:
            sender = server.sender(customer.token)
            assert {sender.post(sample.body()).status for _ in range(100)} == {200}
            sender.close()
    postgres.drop(dsn)


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_pgbouncer_in_another_mode_is_refused_in_one_sentence(shared_database: str, tmp_path: Path, mode: str) -> None:
    with bouncing(shared_database, tmp_path, f"pool_mode = {mode}", "default_pool_size = 5") as between:
        for arguments in (["serve"], ["maintain"]):
            ended = service.command(*arguments, env=service.environment(between))
            assert ended.returncode == 2
            assert b"A connection pooler at NOCONTENT_DSN does not hold" in ended.stderr
            assert b"Traceback" not in ended.stderr
