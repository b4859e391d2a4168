"""Splits a DSN into its hosts, and finds hosts that somebody could impersonate."""

import inspect
import ipaddress
import ssl
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from asyncpg import connect_utils


def each(dsn: str) -> list[str]:
    """Return a DSN for each host of one, in their order; asyncpg reports what is wrong with it.

    asyncpg's timeout is for all hosts together, and a silent host would use it up.
    """
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    login, at, found = parts.netloc.rpartition("@")
    if "," in found:
        return [urlunsplit(parts._replace(netloc=login + at + host)) for host in found.split(",")]
    given = query.pop("host", [""])[-1].split(",")
    ports = query.pop("port", [""])[-1].split(",")
    if found or len(given) == 1 or len(ports) not in {1, len(given)}:
        return [dsn]
    places = zip(given, ports * (len(given) // len(ports)), strict=True)
    queries = [query | {"host": [host]} | ({"port": [port]} if port else {}) for host, port in places]
    return [urlunsplit(parts._replace(query=urlencode(one, doseq=True))) for one in queries]


def is_exposed(dsn: str) -> bool:
    """Return whether a host is reached over a network without checking certificate and name (sslmode=verify-full).

    asyncpg parses the DSN, which it has connected with before: PGSSLMODE, PGHOST and service files count too.
    """
    read = connect_utils._parse_connect_dsn_and_args  # type: ignore[attr-defined]  # noqa: SLF001 (no public way)
    nothing_else = dict.fromkeys(inspect.signature(read).parameters)
    addresses, parameters = read(**nothing_else | {"dsn": dsn})
    context = parameters.ssl
    if isinstance(context, ssl.SSLContext) and context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED:
        return False
    return not all(isinstance(address, str) or _is_loopback(address[0]) for address in addresses)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
