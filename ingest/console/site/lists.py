"""The closed lists by which the site is counted. A number is for ever; what is on no list is OTHER."""

import re
from collections.abc import Iterator, Mapping
from importlib import resources

OTHER, NONE, OWN = 0, 1, 2
# Where it begins; of the rest, such as a path or a query string, nothing is read.
_HOST = re.compile(r"https?://([a-z0-9.-]{1,253})(?::[0-9]{1,5})?(?:[/?#]|\Z)", re.IGNORECASE)


def lines(name: str) -> Iterator[tuple[int, str, list[str]]]:
    text = (resources.files("ingest.console.site") / name).read_text("ascii")
    for line in text.splitlines():
        if not line.startswith("#"):
            number, own, *hosts = line.split()
            yield int(number), own, hosts


_SITES = tuple(lines("referrers.txt"))
PAGES: Mapping[int, str] = {OTHER: "other"} | {number: name for number, name, _ in lines("pages.txt")}
REFERRERS: Mapping[int, str] = {OTHER: "other"} | {number: name for number, name, _ in _SITES}
_PAGE_NUMBERS = {name: number for number, name in PAGES.items()}
_HOST_NUMBERS = {host: number for number, _, hosts in _SITES for host in hosts}


def page_number(name: str) -> int:
    """Return the number of a public page."""
    return _PAGE_NUMBERS.get(name, OTHER)


def referrer_number(given: str, own_host: str) -> int:
    """Return the number of the site that a Referer header names."""
    if not given:
        return NONE
    host = host_of(given)
    return OWN if host and host == own_host else _HOST_NUMBERS.get(host, OTHER)


def host_of(url: str) -> str:
    """Return the host of a URL without "www.", or nothing if it has none that could be on a list."""
    found = _HOST.match(url)
    return "" if found is None else found[1].lower().removeprefix("www.")
