"""The poll: what of the service's answers reaches the board, and what does not."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from ingest.errors import CannotStart
from ingest.gateway.admission.board import Board, BoardFile, BoardWriter
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion import poll
from ingest.gateway.companion.poll import Outcome, Poller
from ingest.knowledge import keys
from ingest.knowledge.gateway import GatewaySnapshot, GatewayTenant
from ingest.knowledge.keys import Keys
from tests.gateway.service import SmallService, grant, small_service, with_tenant
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("poll")


@pytest.fixture
def service(folder: Path) -> Iterator[SmallService]:
    with small_service(grant(GatewayTenant(7), GatewayTenant(8))[0], folder) as service:
        yield service


@pytest.fixture
def file() -> Iterator[BoardFile]:
    made = BoardFile.make()
    yield made
    os.close(made.file)


class Make(Protocol):
    def __call__(self, url: str, key: Callable[[], Keys] = ..., root: str = ...) -> Poller: ...


@pytest.fixture
def make(file: BoardFile) -> Iterator[Make]:
    """Yield a function that makes a poller of an address."""
    with ExitStack() as stack:

        def made(url: str, key: Callable[[], Keys] = Keys.make, root: str = "") -> Poller:
            settings = AdmissionSettings(gateway_service_url=url, gateway_service_ca_file=root)
            return stack.enter_context(closing(Poller(settings, key, BoardWriter(file))))

        yield made


@pytest.fixture
def asking(service: SmallService, make: Make) -> Poller:
    """Return a poller of the service, with its key as of now."""
    key = service.key
    return make(service.url, lambda: key)


def shown(file: BoardFile) -> GatewaySnapshot:
    found = Board(file).read()
    assert found is not None
    return msgspec.structs.replace(found, now_ms=0)


def test_an_answer_goes_on_the_board_and_is_confirmed_by_the_next(
    service: SmallService, asking: Poller, file: BoardFile
) -> None:
    board = Board(file)
    assert asking.poll() is Outcome.CHANGED
    assert shown(file) == service.snapshot
    first = board.read()
    assert asking.poll() is Outcome.UNCHANGED
    assert board.read() is first
    service.revoke(service.snapshot.tokens[0].token_id)
    assert asking.poll() is Outcome.CHANGED
    assert [token.tenant_id for token in shown(file).tokens] == [8]


def test_the_clock_is_that_of_the_service(service: SmallService, asking: Poller, file: BoardFile) -> None:
    service.clock_ahead_ms = -86_400_000
    board = Board(file)
    assert asking.poll() is Outcome.CHANGED
    assert 0 <= board.service_now_ms() - service.now_ms() < 1_000
    service.clock_ahead_ms = 86_400_000  # It was corrected; nothing else has changed.
    assert asking.poll() is Outcome.UNCHANGED
    assert 0 <= board.service_now_ms() - service.now_ms() < 1_000


@pytest.mark.parametrize(
    ("spoil", "outcome"),
    [
        (lambda service: setattr(service, "is_away", True), Outcome.UNAVAILABLE),
        (lambda service: setattr(service, "key", Keys.make()), Outcome.REFUSED),
        (lambda service: setattr(service, "snapshot", _without_tenants(service.snapshot)), Outcome.DOUBTFUL),
        (lambda service: setattr(service, "snapshot", _twice(service.snapshot)), Outcome.DOUBTFUL),
    ],
)
def test_what_is_not_sound_changes_nothing(
    service: SmallService, asking: Poller, file: BoardFile, spoil: Callable[[SmallService], None], outcome: Outcome
) -> None:
    sound = service.snapshot
    assert asking.poll() is Outcome.CHANGED
    board = Board(file)
    age_ms = board.age_ms()
    spoil(service)
    assert asking.poll() is outcome
    assert shown(file) == sound
    assert board.age_ms() >= age_ms


def _without_tenants(snapshot: GatewaySnapshot) -> GatewaySnapshot:
    return msgspec.structs.replace(snapshot, revision=snapshot.revision + 1, tenants=())


def _twice(snapshot: GatewaySnapshot) -> GatewaySnapshot:
    return msgspec.structs.replace(snapshot, revision=snapshot.revision + 1, tokens=snapshot.tokens * 2)


def test_an_older_answer_counts_only_if_no_newer_one_comes(
    service: SmallService, asking: Poller, file: BoardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = service.snapshot
    newer = with_tenant(before, GatewayTenant(8, mode="on"))
    service.snapshot = newer
    assert asking.poll() is Outcome.CHANGED
    service.snapshot = before  # Another worker of the service answers.
    assert asking.poll() is Outcome.OLDER
    assert shown(file) == newer
    service.snapshot = newer
    assert asking.poll() is Outcome.UNCHANGED
    monkeypatch.setattr(poll, "OLDER_MS", 0)
    service.snapshot = before  # The database was restored.
    assert asking.poll() is Outcome.CHANGED
    assert shown(file) == before


def test_two_keys_are_in_force_while_one_replaces_the_other(service: SmallService, asking: Poller, make: Make) -> None:
    service.key = keys.write(service.key_file)
    assert asking.poll() is Outcome.CHANGED
    assert make(service.url, lambda: service.key).poll() is Outcome.CHANGED
    service.key = keys.write(service.key_file)
    assert asking.poll() is Outcome.REFUSED


def test_tls_is_verified(folder: Path, make: Make) -> None:
    pair = Authority(folder).issue("service", "127.0.0.1")
    with small_service(grant(GatewayTenant(7))[0], folder, pair) as service:
        assert make(service.url, lambda: service.key).poll() is Outcome.UNREACHABLE
        assert make(service.url, lambda: service.key, str(pair.root)).poll() is Outcome.CHANGED
        elsewhere = service.url.replace("127.0.0.1", "localhost")
        assert make(elsewhere, lambda: service.key, str(pair.root)).poll() is Outcome.UNREACHABLE


@contextmanager
def answering(*pieces: bytes, pause: threading.Event | None = None) -> Iterator[str]:
    """Yield the address of a server that writes some bytes to whoever connects, and then waits or closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    for piece in pieces:
                        peer.sendall(piece)
                    peer.recv(65_536)
                    if pause is not None:
                        pause.wait(10)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


_HEAD = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nX-Nocontent-Now-Ms: %b\r\nContent-Length: %d\r\n\r\n'
_EMPTY = msgspec.json.encode(GatewaySnapshot(1, 1))
_NEWER = _EMPTY[:-1] + b',"limits":[]}'  # A field that this gateway does not know may restrict somebody.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (_HEAD % (b"1", len(_EMPTY)) + _EMPTY, Outcome.CHANGED),
        (_HEAD % (b"soon", len(_EMPTY)) + _EMPTY, Outcome.DOUBTFUL),
        (_HEAD % (b"9" * 30, len(_EMPTY)) + _EMPTY, Outcome.DOUBTFUL),
        (_HEAD % (b"-1", len(_EMPTY)) + _EMPTY, Outcome.DOUBTFUL),
        (_HEAD % (b"1", len(_NEWER)) + _NEWER, Outcome.DOUBTFUL),
        (_HEAD % (b"1", len(_EMPTY)) + _EMPTY[:-1] + b"x", Outcome.DOUBTFUL),
        (_HEAD % (b"1", len(_EMPTY) + 1) + _EMPTY, Outcome.UNREACHABLE),
        (_HEAD % (b"1", 1 << 40) + b" " * ((1 << 24) + 1), Outcome.DOUBTFUL),
        (b"HTTP/1.1 304 Not Modified\r\nX-Nocontent-Now-Ms: 1\r\n\r\n", Outcome.UNAVAILABLE),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nX-Nocontent-Now-Ms: 1\r\n\r\n", Outcome.UNAVAILABLE),
        (b"quack\r\n\r\n", Outcome.UNREACHABLE),
        (b"", Outcome.UNREACHABLE),
    ],
)  # fmt: skip
def test_an_answer_of_another_program_does_no_harm(
    make: Make, file: BoardFile, answer: bytes, outcome: Outcome
) -> None:
    with answering(answer) as url:
        assert make(url).poll() is outcome
        assert (Board(file).read() is not None) == (outcome is Outcome.CHANGED)


def test_an_answer_that_never_ends_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "ANSWER_S", 0.2)
    ended = threading.Event()
    with answering(b"HTTP/1.1 200 OK\r\nContent-Le", pause=ended) as url:
        assert make(url).poll() is Outcome.UNREACHABLE
        ended.set()


@pytest.mark.parametrize(
    "url",
    [
        "service",
        "ftp://service",
        "http://",
        "http://user@service",
        "https://service/v1",
        "https://service?a",
        "http://a:b",
    ],
)
def test_a_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(CannotStart):
        poll.check(AdmissionSettings(gateway_service_url=url))


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8080", True), ("http://[::1]:8080", True), ("http://localhost", True), ("https://a", True),
        ("http://service", False), ("http://10.0.0.1", False), ("http://ingest.example", False),
    ],
)  # fmt: skip
def test_who_may_is_told_without_tls_on_this_machine_alone(url: str, may: bool) -> None:  # noqa: FBT001 - a case.
    with nullcontext() if may else pytest.raises(CannotStart, match="must be https://"):
        poll.check(AdmissionSettings(gateway_service_url=url))


def test_a_file_without_certificates_stops_the_start(folder: Path) -> None:
    (folder / "empty.pem").write_text("")
    for name in ("empty.pem", "none.pem"):
        with pytest.raises(CannotStart):
            poll.check(AdmissionSettings(gateway_service_url="https://a", gateway_service_ca_file=str(folder / name)))
