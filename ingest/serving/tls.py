"""TLS for senders: loads the certificate, and reloads it when its files change."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, NoReturn

from ingest import logs
from ingest.errors import CannotStart
from ingest.serving import metrics

CERT, KEY = "NOCONTENT_TLS_CERT_FILE", "NOCONTENT_TLS_KEY_FILE"
POLL_S = 2.0
FILE_BYTES_MAX = 1_048_576
ALPN = ("http/1.1",)  # Batches need no HTTP/2.
# For TLS 1.2: forward secret and authenticated, by RFC 9325, section 4.2. OpenSSL chooses those of TLS 1.3.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_MISFITS = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}
_UTC_TIME = 0x17  # The other one is GeneralizedTime: RFC 5280, section 4.1.2.5.
_VERSION = 0xA0


class _Loaded(NamedTuple):
    context: ssl.SSLContext
    not_after: float


class Certificate:
    """A certificate chain and its key, from two files, or raises CannotStart; `watch` follows the files.

    A reload makes a new context, which later handshakes use: loading a chain that does not match its key into a context
    in use would leave it without a certificate. Open connections keep their context.
    """

    def __init__(self, cert_file: str, key_file: str) -> None:
        self._files = (Path(cert_file), Path(key_file))
        self._tried = self._digest()
        self._is_in_doubt = False
        self._served = self._load()
        self.context = self._served.context
        self.context.sni_callback = self._choose

    @property
    def not_after(self) -> float:
        """Return the expiry of the served certificate, as Unix time."""
        return self._served.not_after

    async def watch(self) -> None:
        """Poll the files until cancelled."""
        metrics.certificate_not_after_seconds.set(self._served.not_after)
        while True:
            await asyncio.sleep(POLL_S)
            self.look()

    def look(self) -> None:
        """Reload the files if they have changed and are valid.

        Invalid ones may be half written, so the warning is logged if the next look finds them unchanged.
        """
        found = self._digest()
        is_new = found != self._tried
        if not is_new and not self._is_in_doubt:
            return
        self._tried = found
        try:
            self._served = self._load()
        except CannotStart:
            self._is_in_doubt = is_new
            if not is_new:
                logs.warning("certificate-not-loaded")
            return
        self._is_in_doubt = False
        metrics.certificate_not_after_seconds.set(self._served.not_after)
        logs.info("certificate-reloaded")

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _own: ssl.SSLContext) -> None:
        """Set the current context; OpenSSL calls this in every handshake, even if the sender names no host."""
        connection.context = self._served.context

    def _digest(self) -> bytes:
        """Hash the contents: if a link changes its target, times and sizes may stay the same."""
        found = sha256()
        for file in self._files:
            try:
                with file.open("rb") as opened:
                    found.update(sha256(opened.read(FILE_BYTES_MAX)).digest())
            except OSError:
                found.update(b"none")
        return found.digest()

    def _load(self) -> _Loaded:
        cert, key = self._files
        chain = _read(cert, CERT)
        _read(key, KEY)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(ALPN)
        try:
            context.load_cert_chain(cert, key, _refuse_password)
        except ssl.SSLError as refused:
            if refused.reason in _MISFITS:
                raise CannotStart(f"The key in {KEY} does not match the certificate in {CERT}.") from None
            raise CannotStart(f"{CERT} and {KEY} must be PEM files, a chain and its key ({refused.reason}).") from None
        except OSError:  # Removed since they were read above.
            raise CannotStart(f"{CERT} or {KEY} names a file that cannot be read.") from None
        return _Loaded(context, _not_after(chain))


def _read(file: Path, name: str) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX).decode("ascii", "replace")
    except OSError:
        raise CannotStart(f"{name} names a file that cannot be read.") from None


def _refuse_password() -> NoReturn:
    """Prevent OpenSSL from prompting at the terminal."""
    raise CannotStart(f"The key in {KEY} is encrypted: decrypt it, and make the file readable to the service alone.")


def _not_after(chain: str) -> float:
    """Return the expiry of the first certificate, the server's own, as Unix time: `ssl` has no function for it."""
    head, foot = ssl.PEM_HEADER, ssl.PEM_FOOTER
    der = ssl.PEM_cert_to_DER_cert(head + chain.partition(head)[2].partition(foot)[0] + foot)
    ((_, certificate),) = _parts(der)
    _, signed = next(_parts(certificate))
    _serial, _algorithm, _issuer, (_, validity), *_ = (part for part in _parts(signed) if part[0] != _VERSION)
    _, (tag, end) = _parts(validity)
    year = "%y" if tag == _UTC_TIME else "%Y"
    return datetime.strptime(end.decode("ascii"), f"{year}%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and contents of consecutive DER values (X.690, section 8.1); OpenSSL has validated them."""
    at = 0
    while at < len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(der[at : at + more], "big"), at + more
        yield tag, der[at : at + size]
        at += size
