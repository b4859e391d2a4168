"""TLS to PostgreSQL with real handshakes: what is verified, what is refused, and what is logged."""

import asyncio
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.errors import CannotStart, Unavailable
from ingest.store import connections
from tests.support import cluster, customers, sample, secured, service
from tests.support.certificates import Authority, Pair
from tests.support.customers import CustomerSpec
from tests.support.reporter import Reporter
from tests.support.secured import HOST, PASSWORD, Secured
from tests.support.service import Server, wait_until
from tests.support.wire import Answer

_MEANS = "SELECT version || ' ' || coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def database() -> Iterator[Secured]:
    with secured.started() as server:
        yield server


@pytest.fixture
def root(database: Secured, tmp_path: Path) -> Path:
    """Return a file of authorities that a test may change."""
    file = tmp_path / "root.pem"
    file.write_bytes(database.authority.root.read_bytes())
    return file


def _means(dsn: str) -> str:
    """Connect as the service does, and return the TLS version and our certificate's subject as the server sees them."""

    async def ask() -> str:
        async with connections.connected(dsn, "nocontent_writer") as connection:
            await connection.execute("SET ROLE NONE")  # Only the role that logged in sees it.
            return str(await connection.fetchval(_MEANS))

    return asyncio.run(ask())


def test_a_verified_connection_is_encrypted(database: Secured, root: Path) -> None:
    assert _means(database.verified(root)) == "TLSv1.3 "


def test_a_certificate_takes_the_place_of_a_password(database: Secured, root: Path, tmp_path: Path) -> None:
    def dsn(pair: Pair) -> str:
        means = {"sslmode": "verify-full", "sslrootcert": root, "sslcert": pair.cert, "sslkey": pair.key}
        return database.dsn("certified", "", means)

    assert "/CN=" in _means(dsn(database.authority.issue("client", user="certified")))
    with pytest.raises(Unavailable):
        _means(dsn(database.authority.issue("somebody", user="somebody")))
    with pytest.raises(Unavailable):
        _means(dsn(Authority(tmp_path).issue("strange", user="certified")))


def _show_a_strangers(database: Secured, root: Path) -> None:
    (root.parent / "strange").mkdir()
    database.show(Authority(root.parent / "strange").issue("server", HOST))


def _show_one_for_another_name(database: Secured, _root: Path) -> None:
    database.show(database.authority.issue("elsewhere", "db.example"))


def _speak_no_tls(database: Secured, _root: Path) -> None:
    database.speak_tls(is_on=False)


def _lose_the_authorities(_database: Secured, root: Path) -> None:
    root.unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_show_a_strangers, "certificate is not to be trusted: unable to get local issuer certificate"),
        (_show_one_for_another_name, "certificate is not to be trusted: it is for another name"),
        (_speak_no_tls, "does not speak TLS"),
        (_lose_the_authorities, "does not answer at NOCONTENT_DSN (FileNotFoundError)"),
    ],
)
def test_who_may_be_somebody_else_is_refused(
    spoil: Callable[[Secured, Path], None], says: str, database: Secured, root: Path
) -> None:
    dsn = database.verified(root)
    spoil(database, root)
    try:
        with pytest.raises(CannotStart) as refused:
            asyncio.run(connections.connect_as_operator(dsn, "nocontent_writer"))
        with pytest.raises(Unavailable):
            _means(dsn)
    finally:
        database.speak_tls(is_on=True)
        database.show(database.authority.issue("server", HOST))
    assert says in str(refused.value)
    assert [part for part in (PASSWORD, HOST, str(root), "db.example") if part in str(refused.value)] == []


def test_the_authorities_are_read_anew_by_each_connection(database: Secured, root: Path, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    successor = Authority(tmp_path / "next")
    old, both, new = root.read_bytes(), root.read_bytes() + successor.root.read_bytes(), successor.root.read_bytes()
    dsn = database.verified(root)
    try:
        for authorities, pair in (
            (both, database.authority.issue("server", HOST)),  # First trust both,
            (both, successor.issue("server", HOST)),  # then change the server's certificate,
            (new, successor.issue("server", HOST)),  # then trust the new one alone.
        ):
            root.write_bytes(authorities)
            database.show(pair)
            assert _means(dsn) == "TLSv1.3 "
        root.write_bytes(old)
        with pytest.raises(Unavailable):
            _means(dsn)
    finally:
        database.show(database.authority.issue("server", HOST))


@pytest.mark.parametrize(
    ("mode", "option", "says"),
    [
        ("require", "", ("database-not-verified", "METRICS_BIND is in use")),
        ("require", "--strict", ("database-not-verified", "sslmode=verify-full")),
        ("verify-ca", "--strict", ("database-not-verified", "sslmode=verify-full")),
        ("verify-full", "--strict", ("METRICS_BIND is in use",)),
    ],
)
def test_a_start_looks_at_the_way_to_the_database(
    mode: str, option: str, says: tuple[str, ...], database: Secured, root: Path
) -> None:
    dsn = database.dsn("service", PASSWORD, {"sslmode": mode, "sslrootcert": root})
    with socket.socket() as taken:  # A connection that is not refused gets this far, and is closed.
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = service.environment(dsn, metrics_bind=f"127.0.0.1:{taken.getsockname()[1]}")
        said = service.command("serve", *option.split(), env=env).stderr.decode()
    words = ("database-not-verified", "sslmode=verify-full", "METRICS_BIND is in use")
    assert tuple(word for word in words if word in said) == says
    assert PASSWORD not in said


class Served(NamedTuple):
    """A service on that database, with the files of its DSN and authorities."""

    server: Server
    token: str
    dsn_file: Path
    root: Path


@pytest.fixture(scope="module")
def served(database: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    root, dsn_file = folder / "root.pem", folder / "dsn"
    root.write_bytes(database.authority.root.read_bytes())
    dsn_file.write_text(database.verified(root))
    token = customers.act(database.operator, lambda connection: customers.add(connection, "main", CustomerSpec())).token
    with service.serving("", folder / "log", dsn_file=dsn_file, maintain=False, drain_s=1) as server:
        yield Served(server, token, dsn_file, root)


# Slow because a worker trusts its snapshot for SNAPSHOT_AGE_S_MAX after losing the database.
def test_a_database_that_cannot_be_verified_is_away_until_its_authority_is_known(
    database: Secured, served: Served, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    try:
        with closing(served.server.sender(served.token)) as sender:
            assert sender.post(sample.body()).status == 200
            database.show(stranger.issue("server", HOST))
            database.disconnect()
            wait_until(lambda: _problem(sender.post(sample.body())) == "unavailable")
            wait_until(lambda: b'"failing":["database"]' in sender.get("/readyz").body)
            served.root.write_bytes(database.authority.root.read_bytes() + stranger.root.read_bytes())
            wait_until(lambda: _are_ready(served.server))
            assert sender.post(sample.body()).status == 200
    finally:
        database.show(database.authority.issue("server", HOST))
    log = served.server.log.read_text()
    assert '"event":"database-lost","error":"SSLCertVerificationError"' in log
    assert [part for part in (PASSWORD, HOST, str(served.root)) if part in log] == []


def _problem(answer: Answer) -> str:
    """Return the problem of a 503; each may come from another worker."""
    return answer.problem if answer.status == 503 else ""


def _are_ready(server: Server) -> bool:
    with server.one_to_each_worker() as senders:
        return {sender.get("/readyz").status for sender in senders} == {200}


def test_a_login_is_succeeded_by_another_without_a_refused_batch(database: Secured, served: Served) -> None:
    """After a change of the password, new connections fail until the workers know the new one."""
    reporters = [Reporter(served.server.sender(served.token)) for _ in range(4)]
    for reporter in reporters:
        reporter.start()
    cluster.run(database.operator, "CREATE ROLE successor LOGIN PASSWORD 'another-battery' IN ROLE nocontent_writer")
    served.dsn_file.write_text(
        database.verified(served.root).replace(f"service:{PASSWORD}", "successor:another-battery")
    )
    served.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: served.server.log.read_text().count('"worker-replaced"') == service.WORKERS)
    cluster.run(database.operator, "ALTER ROLE service NOLOGIN")
    database.disconnect()
    time.sleep(1)  # The senders go on.
    for reporter in reporters:
        reporter.ending.set()
        reporter.join(service.WAIT_S)
    cluster.run(database.operator, "ALTER ROLE service LOGIN")
    # A kept connection may close just as it is used; no request is refused.
    heard = sum((reporter.heard for reporter in reporters), Counter())
    assert set(heard) <= {"200", "closed"}
    assert heard["closed"] <= len(reporters) * service.WORKERS
    sent = {event_id for reporter in reporters for event_id in reporter.stored}
    stored = {str(row["event_id"]) for row in cluster.fetch(database.operator, "SELECT event_id FROM nocontent.events")}
    assert sent
    assert sent <= stored
    assert "battery" not in served.server.log.read_text()
