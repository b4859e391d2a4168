"""Loading and reloading a worker's certificate, checked by handshakes in memory."""

import contextlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.errors import CannotStart
from ingest.serving import tls
from tests.support import service
from tests.support.certificates import Authority, Pair
from tests.support.service import Logged

NAME = "ingest.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("served", NAME)


def _certificate(pair: Pair) -> tls.Certificate:
    return tls.Certificate(str(pair.cert), str(pair.key))


def _shown(certificate: tls.Certificate, trust: ssl.SSLContext) -> bytes | None:
    """Shake hands in memory, and return the certificate presented."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(down, up, server_hostname=NAME)
    server = certificate.context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.getpeercert(binary_form=True)


def test_what_is_no_pair_keeps_the_one_before_and_is_said_once(
    authority: Authority, pair: Pair, logged: Logged
) -> None:
    certificate = _certificate(pair)
    before = _shown(certificate, pair.trusted())
    pair.key.write_text("no key")
    for _ in range(4):
        certificate.look()
    assert _shown(certificate, pair.trusted()) == before
    assert [line["event"] for line in logged()] == ["certificate-not-loaded"]
    pair.key.unlink()  # Another change, also invalid.
    for _ in range(4):
        certificate.look()
    assert [line["event"] for line in logged()] == ["certificate-not-loaded"]
    pair.take(authority.issue("new", NAME))
    certificate.look()
    assert [line["event"] for line in logged()] == ["certificate-reloaded"]
    assert _shown(certificate, pair.trusted()) != before


def test_a_pair_that_is_half_written_at_one_look_is_loaded_at_the_next(
    authority: Authority, pair: Pair, logged: Logged
) -> None:
    certificate = _certificate(pair)
    before = _shown(certificate, pair.trusted())
    new = authority.issue("new", NAME)
    pair.cert.write_bytes(new.cert.read_bytes())
    certificate.look()
    assert _shown(certificate, pair.trusted()) == before
    pair.take(new)
    certificate.look()
    assert _shown(certificate, pair.trusted()) != before
    assert [line["event"] for line in logged()] == ["certificate-reloaded"]


def test_a_change_that_leaves_times_and_sizes_as_they_were_is_seen(authority: Authority, pair: Pair) -> None:
    certificate = _certificate(pair)
    before = _shown(certificate, pair.trusted())
    stats = [file.stat() for file in pair.files]
    new = authority.issue("new", NAME)
    while [file.stat().st_size for file in new.files] != [stat.st_size for stat in stats]:
        new = authority.issue("new", NAME)  # A signature may be a byte shorter than another.
    pair.take(new)
    for file, stat in zip(pair.files, stats, strict=True):
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    certificate.look()
    assert _shown(certificate, pair.trusted()) != before


def test_what_has_not_changed_is_not_loaded_again(pair: Pair, logged: Logged) -> None:
    certificate = _certificate(pair)
    for file in pair.files:
        file.touch()
    certificate.look()
    assert logged() == []


@pytest.mark.parametrize("days", [1, 365 * 30])
def test_the_end_of_a_certificate_is_read(authority: Authority, days: int) -> None:
    """From 2050 on the expiry is a GeneralizedTime."""
    pair = authority.issue("long", NAME, days=days)
    assert _certificate(pair).not_after == pair.ends_at


def _take_another(pair: Pair) -> None:
    pair.key.write_bytes(Authority(pair.key.parent).issue("other", NAME).key.read_bytes())


def _encrypt(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    secretly = serialization.BestAvailableEncryption(b"hunter2")
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secretly))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda pair: pair.key.unlink(), "NOCONTENT_TLS_KEY_FILE names a file that cannot be read"),
        (lambda pair: pair.cert.unlink(), "NOCONTENT_TLS_CERT_FILE names a file that cannot be read"),
        (_take_another, "does not match the certificate"),
        (_encrypt, "is encrypted"),
        (lambda pair: pair.key.write_text(""), "must be PEM"),
        (lambda pair: pair.cert.write_text("A plain word."), "must be PEM"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_told_apart_and_nothing_of_it_is_told(
    spoil: Callable[[Pair], object], says: str, pair: Pair, tmp_path: Path
) -> None:
    key = pair.key.read_text().splitlines()
    spoil(pair)
    with pytest.raises(CannotStart, match=says) as refused:
        _certificate(pair)
    assert str(tmp_path) not in str(refused.value)
    assert [line for line in key if line in str(refused.value)] == []


def test_a_start_without_a_good_pair_ends_in_one_line_and_asks_for_no_password(pair: Pair) -> None:
    _encrypt(pair)
    settings = {"tls_cert_file": pair.cert, "tls_key_file": pair.key}
    ended = service.command("serve", env=service.environment("postgresql://nobody@127.0.0.1:1/nothing", **settings))
    assert (ended.returncode, ended.stderr.count(b"\n"), ended.stdout) == (2, 1, b"")
    assert b"is encrypted" in ended.stderr
