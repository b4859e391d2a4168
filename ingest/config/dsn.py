"""Check DSNs and mask their secrets; no error quotes any part of a DSN, except the names of known parameters."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from ingest.errors import CannotStart

MASK = "****"
# All parameters that asyncpg reads; it would send any other to PostgreSQL as a setting of the session.
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_FREE = ("host", "dbname", "database", "user", "password", "passfile", "sslpassword", "krbsrvname", "gsslib", "service")
_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": _SSLMODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _VERSIONS,
    "ssl_max_protocol_version": _VERSIONS,
    "target_session_attrs": _SESSIONS,
}
KNOWN = {*_FREE, *_FILES, *_CHOICES, "port"}
SECRETS = {"password", "passfile", "sslpassword"}
# Parameters of libpq (manual, 34.1.2), and those that the service sets itself: an error may name these.
_OURS = ("application_name", "role", "search_path", "lock_timeout", "synchronous_commit", "options")
_LIBPQS = (
    "channel_binding", "client_encoding", "connect_timeout", "fallback_application_name", "gssdelegation", "gssencmode",
    "hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts",
    "max_protocol_version", "min_protocol_version", "oauth_client_id", "oauth_client_secret", "oauth_issuer",
    "oauth_scope", "replication", "require_auth", "requirepeer", "requiressl", "scram_client_key", "scram_server_key",
    "servicefile", "ssl_max_protocol", "ssl_min_protocol", "sslcertmode", "sslcompression", "sslkeylogfile", "sslsni",
    "tcp_user_timeout",
)  # fmt: skip
_PORT_MAX = 65_535
_ENCODE = "percent-encode in user and password @ as %40, : %3A, / %2F, ? %3F, # %23, [ %5B, ] %5D and % %25"
_WHOLE = re.compile(
    r"(?P<scheme>postgres(?:ql)?)://(?:(?P<user>[^][:@/?#]*)(?P<password>:[^][@/?#]*)?@)?(?P<hosts>[^@/?#]*)"
    r"(?P<path>/[^@?#]*)?(?:\?(?P<query>[^@?#]*))?",
    re.IGNORECASE | re.ASCII,
)
# A password with unencoded delimiters ends at the last @, if what follows it can only be hosts and a database.
_TO_LAST = re.compile(
    r"(?P<before>postgres(?:ql)?://[^][:@/?#\s]*):[^?#]*@(?P<after>[A-Za-z0-9.,:_-]+(?:/[A-Za-z0-9_-]*)?)",
    re.IGNORECASE | re.ASCII,
)
_HOST = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[A-Za-z0-9._~%-]+|/[^:,]*))(?P<port>:[0-9]*)?", re.ASCII)
_ESCAPE_OR_NOT = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)


def check(dsn: str, name: str) -> None:
    """Raise CannotStart, which names the setting, if this is not a DSN or asyncpg would not follow it."""
    fault = next(_faults(dsn), None) or next(_files_missing(dsn), None)
    if fault is not None:
        raise CannotStart(f"{name} {fault}.")


def shown(dsn: str) -> str:
    """Return a DSN for printing: its secrets masked, or all of it if they cannot be told apart."""
    parts = _WHOLE.fullmatch(dsn)
    if parts is None or next(_faults(dsn), None) is not None:
        to_last = _TO_LAST.fullmatch(dsn)
        if to_last is not None:
            return f"{to_last['before']}:{MASK}@{to_last['after']}"
        return MASK if dsn else ""
    login = "" if parts["user"] is None else f"{parts['user']}{':' + MASK if parts['password'] else ''}@"
    query = [f"{key}={MASK if key in SECRETS else value}" for key, value in _items(parts["query"])]
    place = f"{parts['scheme']}://{login}{parts['hosts']}{parts['path'] or ''}"
    return f"{place}?{'&'.join(query)}" if query else place


def _faults(dsn: str) -> Iterator[str]:
    if "://" not in dsn and re.search(r"\b(?:host|dbname|user|password|port|service)\s*=", dsn):
        yield "must be one URL, postgresql://user@host:port/database, instead of keywords and values"
    if not re.match(r"postgres(?:ql)?://", dsn, re.IGNORECASE):
        yield "must begin with postgresql://, as in postgresql://user@host:port/database"
    if not dsn.isascii() or re.search(r"[\x00-\x20\x7f]", dsn):
        yield "has a space, a line break or a character that is not ASCII: percent-encode it"
    parts = _WHOLE.fullmatch(dsn)
    if parts is None:
        yield f"has a delimiter in the wrong place: {_ENCODE}"
        return
    yield from _escapes(dsn)
    hosts = parts["hosts"].split(",") if parts["hosts"] else []
    yield from _host_faults(hosts)
    try:
        urlsplit(dsn)
    except ValueError:
        yield f"has brackets that do not enclose an IPv6 address: {_ENCODE}"
    items = list(_items(parts["query"]))
    yield from _query_faults(items)
    yield from _place_faults(dict(items), hosts)


def _escapes(dsn: str) -> Iterator[str]:
    if _ESCAPE_OR_NOT.search(dsn):
        yield f"has a % that does not begin an escape: {_ENCODE}"
    decoded = unquote_to_bytes(dsn)
    if b"\0" in decoded:
        yield "has a NUL (%00)"
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        yield "has escapes that are not UTF-8"


def _host_faults(hosts: list[str]) -> Iterator[str]:
    for host in hosts:
        found = _HOST.fullmatch(host)
        if host.count(":") > 1 and not host.startswith("["):
            yield f"has an IPv6 address without brackets, as in [::1]:5432, or a : in a password: {_ENCODE}"
        if found is None:
            yield f"has a host or a port that is not valid: {_ENCODE}"
        elif found["v6"] is not None and not _is_v6(found["v6"]):
            yield "has brackets that do not enclose an IPv6 address"
        elif found["port"] and not _is_port(found["port"][1:]):
            yield f"has a port outside 1 to {_PORT_MAX:,}"


def _query_faults(items: list[tuple[str, str]]) -> Iterator[str]:
    for key, value in items:
        if key in _LIBPQS:
            yield f"has the parameter {key}, which libpq reads and this driver does not: leave it out"
        elif key in _OURS:
            yield f"has the parameter {key}, which the service sets itself: leave it out"
        elif key not in KNOWN:
            yield f"has a parameter that is not one of {', '.join(sorted(KNOWN))}, or a ? in a password: {_ENCODE}"
        elif value and key in _CHOICES and value not in _CHOICES[key]:
            yield f"has a {key} that is not one of {', '.join(_CHOICES[key])}"


def _place_faults(query: Mapping[str, str], hosts: list[str]) -> Iterator[str]:
    given = query.get("host", "")
    named = [_text(host) for host in given.split(",")] if given and not hosts else []
    yield from _host_faults(named)
    ports = query["port"].split(",") if query.get("port") and not hosts else []
    if not all(map(_is_port, ports)):
        yield f"has a port outside 1 to {_PORT_MAX:,}"
    if len(ports) > 1 and len(ports) != len(named):
        yield "has a different number of ports and hosts"


def _files_missing(dsn: str) -> Iterator[str]:
    parts = _WHOLE.fullmatch(dsn)
    for key, value in _items(parts["query"]) if parts else ():
        if value and key in _FILES and not _is_readable(Path(_text(value))):
            yield f"names a file in {key} that cannot be read"


def _is_readable(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError:
        return False


def _items(query: str | None) -> Iterator[tuple[str, str]]:
    for item in query.split("&") if query else []:
        key, equals, value = item.partition("=")
        yield key if equals else "", value  # asyncpg refuses an item without `=`.


def _text(value: str) -> str:
    """Decode a value of the query as asyncpg does."""
    return unquote_to_bytes(value.replace("+", " ")).decode("utf-8")


def _is_port(digits: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", digits, re.ASCII) is not None and 0 < int(digits) <= _PORT_MAX


def _is_v6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
