"""Certificates of the tests' own authority, in files as an operator has them."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography import x509

DAYS = 30


class Pair(NamedTuple):
    """A chain with its key, and the certificate of its authority."""

    cert: Path
    key: Path
    root: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.cert, self.key

    def trusted(self) -> ssl.SSLContext:
        """Return the TLS context of a sender that verifies chain and name."""
        return ssl.create_default_context(cafile=str(self.root))

    @property
    def ends_at(self) -> float:
        return x509.load_pem_x509_certificate(self.cert.read_bytes()).not_valid_after_utc.timestamp()

    def take(self, other: "Pair") -> None:
        """Overwrite this pair's files with another, the chain first."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """An authority that issues certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.root = folder / "root.pem"
        self._ca.cert_pem.write_to_path(self.root)

    def issue(self, file: str, *names: str, user: str | None = None, days: float = DAYS) -> Pair:
        """Issue a certificate for host names, addresses, or a user of PostgreSQL."""
        issued = self._ca.issue_cert(*names, common_name=user, not_after=datetime.now(UTC) + timedelta(days=days))
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key", self.root)
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        pair.key.write_bytes(issued.private_key_pem.bytes())
        pair.key.chmod(0o600)
        return pair
