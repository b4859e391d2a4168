"""Decides where webhooks may go: the form of a URL, and the addresses to which a connection may be opened.

A URL has the name of a host, never an address, so no notation of an address can hide one. What the name resolves to is
checked at each delivery, and the connection goes to the address that was checked.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from ingest.store.webhooks.errors import BadUrl

URL_BYTES_MAX = 256
LOOPBACK_NAME = "localhost"  # For development.
PORT_DEFAULT, PORT_FIRST, PORT_LAST = 443, 1024, 65_535
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"https://(?P<host>localhost|({_LABEL}[.])+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?)(:(?P<port>[1-9][0-9]{{0,4}}))?"
    r"/([A-Za-z0-9._~!$&()*+,;=:@/-]|%[0-9A-F]{2})*",
    re.ASCII,
)
_ORIGIN = re.compile(r"(?i:https)://[^/?#]+", re.ASCII)
_HOST_BYTES_MAX = 253
# Names that mean something else on each network, or nothing on any.
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".localdomain", ".lan", ".home", ".corp", ".arpa", ".onion")

# Of the IANA registries of special addresses: all that are not for anybody on the internet.
REFUSED_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
GLOBAL_6 = IPv6Network("2000::/3")
REFUSED_6 = tuple(
    IPv6Network(each)
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # Teredo, examples, 6to4, examples.
)
_NAT64 = IPv6Network("64:ff9b::/96")  # Its last 32 bits are the IPv4 address to which a gateway connects.


def normal(url: str, *, allows_loopback: bool) -> str:
    """Return a URL in its one form, host in lower case and with a path; raises BadUrl."""
    found = _ORIGIN.match(url)
    if found is not None:
        url = found[0].lower() + (url[found.end() :] or "/")
    require(url, allows_loopback=allows_loopback)
    return url


def require(url: str, *, allows_loopback: bool) -> None:
    """Raise BadUrl for a URL to which nothing is sent; `allows_loopback` is for a console on loopback alone."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > URL_BYTES_MAX:
        raise BadUrl
    host, port = found["host"], int(found["port"] or PORT_DEFAULT)
    if host == LOOPBACK_NAME and not allows_loopback:
        raise BadUrl
    if len(host) > _HOST_BYTES_MAX or host.endswith(_LOCAL_SUFFIXES):
        raise BadUrl
    if port != PORT_DEFAULT and not PORT_FIRST <= port <= PORT_LAST:
        raise BadUrl


def is_allowed(address: str, *, allows_loopback: bool) -> bool:
    """Return whether a connection may be opened to an address as a resolver returned it."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if allows_loopback and found.is_loopback and getattr(found, "ipv4_mapped", None) is None:
        return True
    return _is_public_4(found) if isinstance(found, IPv4Address) else _is_public_6(found)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in REFUSED_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return _is_public_4(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in GLOBAL_6 and not any(address in network for network in REFUSED_6)
