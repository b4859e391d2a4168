"""TLS for senders: real handshakes with a running service whose certificate changes."""

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.serving import tls
from tests.support import cluster, crowd, customers, sample, service, wire
from tests.support.certificates import Authority, Pair
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.reporter import Reporter
from tests.support.service import Server, wait_until
from tests.support.wire import Sender

NAME = "ingest.example"
SENDERS = 4
SOON_S = 3 * tls.POLL_S
TAKEN = "ingest_certificate_not_after_timestamp_seconds"


class Site(NamedTuple):
    """A service with TLS, and the authority of its certificate."""

    server: Server
    authority: Authority
    pair: Pair
    token: str


@pytest.fixture(scope="module")
def site(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    pair = _mounted(folder, authority.issue("first", NAME, "127.0.0.1"))
    dsn = postgres.migrated()
    token = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec())).token
    with service.serving(dsn, folder / "log", pair=pair) as server:
        yield Site(server, authority, pair, token)


def _mounted(folder: Path, pair: Pair) -> Pair:
    """Mount a pair as Kubernetes does: files that lead through a link to a folder."""
    _swap(folder, pair)
    shown = Pair(folder / "tls.crt", folder / "tls.key", pair.root)
    for file in shown.files:
        file.symlink_to(Path("data") / file.name)
    return shown


def _swap(folder: Path, pair: Pair) -> None:
    """Replace the folder with another one, atomically."""
    data = folder / f"data-{pair.cert.stem}"
    data.mkdir()
    (data / "tls.crt").write_bytes(pair.cert.read_bytes())
    (data / "tls.key").write_bytes(pair.key.read_bytes())
    (folder / "data.new").symlink_to(data.name)
    (folder / "data.new").rename(folder / "data")


@contextlib.contextmanager
def _connected(bind: str, trust: ssl.SSLContext, name: str | None = NAME) -> Iterator[ssl.SSLSocket]:
    host, _, port = bind.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as plain,
        trust.wrap_socket(plain, server_hostname=name) as secure,
    ):
        yield secure


def _served(site: Site) -> bytes | None:
    """Return the certificate presented to a new handshake."""
    with _connected(site.server.bind, site.pair.trusted()) as secure:
        return secure.getpeercert(binary_form=True)


def test_a_batch_over_tls_is_stored(site: Site) -> None:
    event = sample.event()
    with closing(site.server.sender(site.token)) as sender:
        answer = sender.post(sample.body(event))
    assert (answer.status, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
    (row,) = cluster.fetch(site.server.dsn, "SELECT 1 FROM events WHERE event_id = $1", event["event_id"])
    assert row


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        (ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True),
    ],
)  # fmt: skip
def test_versions_before_1_2_are_refused(site: Site, version: ssl.TLSVersion, *, is_taken: bool) -> None:
    trust = site.pair.trusted()
    trust.set_ciphers("DEFAULT:@SECLEVEL=0")  # Otherwise the client would refuse them.
    trust.minimum_version = trust.maximum_version = version
    if is_taken:
        with _connected(site.server.bind, trust) as secure:
            assert secure.version() == version.name.replace("_", ".")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)), _connected(site.server.bind, trust):
            pass


@pytest.mark.parametrize("cipher", ["AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(site: Site, cipher: str) -> None:
    trust = site.pair.trusted()
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    trust.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError), _connected(site.server.bind, trust):
        pass


def test_plain_http_hears_nothing(site: Site) -> None:
    assert wire.raw(site.server.bind, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == b""


def test_a_sender_can_tell_another_service_by_chain_and_by_name(site: Site, tmp_path: Path) -> None:
    with (
        pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"),
        _connected(site.server.bind, Authority(tmp_path).issue("other", NAME).trusted()),
    ):
        pass
    with (
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
        _connected(site.server.bind, site.pair.trusted(), "other.example"),
    ):
        pass


def test_a_sender_that_names_no_host_is_served(site: Site) -> None:
    with _connected(site.server.bind, site.pair.trusted(), "127.0.0.1") as secure:  # TLS sends no SNI for an address.
        assert secure.getpeercert()


@pytest.mark.parametrize(("offered", "agreed"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), (["spdy/3"], None)])
def test_http1_alone_is_agreed_on_in_the_handshake(site: Site, offered: list[str], agreed: str | None) -> None:
    trust = site.pair.trusted()
    trust.set_alpn_protocols(offered)
    with _connected(site.server.bind, trust) as secure:
        assert secure.selected_alpn_protocol() == agreed
        secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        received = b""
        while part := secure.recv(65_536):
            received += part
    answer = wire.parsed(received)
    assert (answer.status, answer.problem) == (505, "version-unsupported")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


class Load(threading.Thread):
    """A sender of batches, every other one over a new connection, that keeps the responses."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.heard: Counter[str] = Counter()
        self.ending = threading.Event()
        self._site = site

    def run(self) -> None:
        with closing(self._site.server.sender(self._site.token)) as kept:
            while not self.ending.is_set():
                with closing(self._site.server.sender(self._site.token)) as new:
                    for sender in (kept, new):
                        self.heard[_outcome(sender)] += 1


def _outcome(sender: Sender) -> str:
    try:
        return str(sender.post(sample.body()).status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def test_a_certificate_is_replaced_under_load_without_a_failure(site: Site) -> None:
    before = _served(site)
    new = site.authority.issue("second", NAME, "127.0.0.1", days=60)
    loads = [Load(site) for _ in range(SENDERS)]
    with site.server.one_to_each_worker(site.token) as kept:
        for load in loads:
            load.start()
        _swap(site.pair.cert.parent, new)
        swapped_at = time.monotonic()
        wait_until(lambda: site.server.log.read_text().count('"certificate-reloaded"') == service.WORKERS)
        assert time.monotonic() - swapped_at < SOON_S
        shown = {_served(site) for _ in range(20)}
        assert [sender.post(sample.body()).status for sender in kept] == [200, 200]
    for load in loads:
        load.ending.set()
        load.join(service.WAIT_S)
    assert set(sum((load.heard for load in loads), Counter())) == {"200"}
    assert shown == {ssl.PEM_cert_to_DER_cert(new.cert.read_text().partition(ssl.PEM_FOOTER)[0] + ssl.PEM_FOOTER)}
    assert before not in shown
    assert _gauge(site.server) == new.ends_at


def test_no_word_of_the_key_or_of_a_handshake_reaches_the_log(site: Site) -> None:
    with pytest.raises(ssl.SSLError), _connected(site.server.bind, site.pair.trusted(), "other.example"):
        pass
    with _connected(site.server.bind, site.pair.trusted()) as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        os.write(secure.fileno(), b"This is not a record of TLS.")
        secure.recv(1_000)
    with _connected(site.server.bind, site.pair.trusted()) as secure:
        secure.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # Closes with a reset.
    log = site.server.log.read_text()
    assert '"level":"error"' not in log
    assert "tls.key" not in log
    assert [line for line in site.pair.key.read_text().splitlines() if line in log] == []


def test_a_crowded_worker_sends_senders_away_over_tls_too(site: Site) -> None:
    crowd.send_away(site.server, site.token)


# Slow because each worker waits TLS_END_S for senders that do not respond.
def test_workers_are_replaced_once_the_pair_is_good_and_wait_for_nobody_who_does_not_read(site: Site) -> None:
    def count(event: str) -> int:
        return site.server.log.read_text().count(f'"event":"{event}"')

    before = site.server.workers()
    good = site.pair.key.read_bytes()
    reporter = Reporter(site.server.sender(site.token))
    reporter.start()
    with site.server.one_to_each_worker():
        site.pair.key.write_bytes(b"no key")
        site.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("worker-not-replaced") == 1)
        assert site.server.workers() == before
        site.pair.key.write_bytes(good)
        replaced_at = time.monotonic()
        site.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("worker-replaced") == service.WORKERS)
        assert time.monotonic() - replaced_at < 15  # With uvloop's own wait of 30 s for each it would be 60.
    reporter.ending.set()
    reporter.join(service.WAIT_S)
    assert not set(before) & set(site.server.workers())
    assert set(reporter.heard) <= {"200", "503", "closed"}
    assert reporter.heard["closed"] <= service.WORKERS
    assert count("stopped") == service.WORKERS
    assert count("bug") == 0
    assert "Traceback" not in site.server.log.read_text()


def _gauge(server: Server) -> float:
    with closing(Sender(server.metrics_bind)) as scraper:
        shown = scraper.get("/metrics").body.decode()
    found = re.search(rf"^{TAKEN} (\S+)$", shown, re.MULTILINE)
    assert found is not None
    return float(found[1])
