"""TLS towards the upstreams."""

import ssl
from pathlib import Path

from ingest.config import PREFIX
from ingest.errors import CannotStart

_NAME = f"{PREFIX}GATEWAY_UPSTREAM_CA_FILE"
# Where systems keep one file with all authorities, beside what OpenSSL was built with.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies chain and name, with all authorities in memory; raise CannotStart.

    OpenSSL would read a folder of authorities during handshakes, when this process may no longer open files.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    bundle = ca_file or _system_bundle()
    try:
        made.load_verify_locations(bundle)
    except ssl.SSLError:
        raise CannotStart(f"{_NAME} must name a file of certificates, PEM.") from None
    except OSError:
        raise CannotStart(f"{_NAME} names a file that cannot be read.") from None
    return made


def _system_bundle() -> str:
    own: str | None = ssl.get_default_verify_paths().cafile  # The stub has no None.
    for file in (own or "", *_BUNDLES):
        if Path(file).is_file():
            return file
    raise CannotStart(f"This system has no file of certificate authorities: set {_NAME}.")
