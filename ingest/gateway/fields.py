"""Which fields of a head pass, to the upstream and to the client: all but those of a connection and of ours."""

import re

from ingest.gateway.records import Decision

Fields = list[tuple[bytes, bytes]]
_OWN = b"x-nocontent-"
_TOKEN = re.compile(rb"nct_[0-9a-f]{12}_")
# Of one connection, or of the way there (RFC 9110, section 7.6.1).
_HOPS = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
_TO_UPSTREAM_NEVER = _HOPS | {
    b"accept-encoding", b"authorization", b"content-encoding", b"content-length", b"cookie", b"expect", b"forwarded",
    b"host", b"via", b"x-api-key", b"x-real-ip",
}  # fmt: skip
_FAMILIES = (_OWN, b"x-forwarded-")  # What a proxy in front says of the client is not the provider's business.
# What a provider says of itself as a server would be taken for the gateway's.
_TO_CLIENT_NEVER = _HOPS | {b"alt-svc", b"server", b"set-cookie", b"strict-transport-security"}
# What is compressed cannot be counted, and other codings might not be the client's.
_IDENTITY = (b"accept-encoding", b"identity")
CLOSE = (b"connection", b"close")


def upstream(given: Fields, credentials: Fields) -> Fields:
    """Return the fields of a request to the upstream."""
    named = _named(given)
    passing = [
        field
        for field in given
        if field[0] not in _TO_UPSTREAM_NEVER and not field[0].startswith(_FAMILIES) and not _has_token(field[1])
    ]
    if named:
        passing = [field for field in passing if field[0] not in named]
    return [*passing, *credentials, _IDENTITY]


def client(given: Fields) -> Fields:
    """Return the provider's fields of an answer that the client gets."""
    named = _named(given)
    passing = [field for field in given if field[0] not in _TO_CLIENT_NEVER and not field[0].startswith(_OWN)]
    return [field for field in passing if field[0] not in named] if named else passing


def decision(made: Decision, model: str, mode: str) -> Fields:
    """Return the fields that say what was decided; the model is the one that was asked."""
    return [
        (b"x-nocontent-reason", made.reason.encode("ascii")),
        (b"x-nocontent-model", _shown(model)),
        (b"x-nocontent-category", _shown(made.category)),
        (b"x-nocontent-confidence", b"%d" % made.confidence),
        (b"x-nocontent-mode", mode.encode("ascii")),
    ]


def _has_token(value: bytes) -> bool:
    """Return whether a field has a gateway token, as a client that also speaks to other servers may send it."""
    return b"nct_" in value and _TOKEN.search(value) is not None


def _shown(name: str) -> bytes:
    """Return a name as a field can have it: a client may ask for a model of any name."""
    return name.encode("ascii", "replace") if name.isprintable() and len(name) <= NAME_CHARS_MAX else b"unknown"


def _named(given: Fields) -> set[bytes]:
    """Return the names of fields that a field Connection adds to those of the connection."""
    named: set[bytes] = set()
    for name, value in given:
        if name == b"connection":
            named.update(each.strip().lower() for each in value.split(b","))
    return named - {b"close", b"keep-alive", b""}


NAME_CHARS_MAX = 192
