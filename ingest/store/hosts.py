"""A DSN of several hosts, taken apart: asyncpg's limit of time is for all of them, and a silent one would use it up."""

from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit


def each(dsn: str) -> list[str]:
    """Give a DSN for each host of one, in their order; asyncpg says what is wrong with it."""
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
