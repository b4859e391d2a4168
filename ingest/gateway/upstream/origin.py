"""Where a provider is: a base URL, parsed once."""

import ipaddress
import re
from typing import NamedTuple, Self

_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([0-9]{1,5}))?"
    r"((?:/[A-Za-z0-9._~-]+)*)/?",
    re.ASCII,
)
_PORT_MAX = 65_535
_PRIVATE_NAMES = ("localhost", "local", "internal", "svc", "lan", "home.arpa", "test")


class Origin(NamedTuple):
    """Scheme, host and port, with the path that stands before every request's own."""

    host: str  # As DNS and certificates have it: without brackets.
    port: int
    is_secure: bool
    field: bytes  # The value of the field Host.
    prefix: bytes

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse a URL that `is_url`."""
        match = _URL.fullmatch(url)
        assert match is not None
        scheme, host, port, prefix = match.groups()
        return cls(
            host.strip("[]"),
            int(port) if port else {"http": 80, "https": 443}[scheme],
            scheme == "https",
            (f"{host}:{port}" if port else host).encode("ascii"),
            prefix.encode("ascii"),
        )

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """Return the address, or None if the host is a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def may_be_reached(self, *, allows_plain: bool) -> bool:
        """Return whether keys and prompts may go there: encrypted, or not beyond this machine or its network."""
        if self.is_secure:
            return True
        address = self.address
        if address is not None:
            return address.is_loopback or (allows_plain and address.is_private and not address.is_unspecified)
        name = self.host.lower()
        is_private = "." not in name or any(name.endswith(f".{each}") for each in _PRIVATE_NAMES)
        return name == "localhost" or (allows_plain and is_private)


def is_url(url: str) -> bool:
    """Return whether this is a base URL: http or https, a host, and at most a port and a path."""
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match[3] or 1) <= _PORT_MAX:
        return False
    if match[2].startswith("["):
        try:
            ipaddress.IPv6Address(match[2][1:-1])
        except ValueError:
            return False
    elif re.search(r"(?:\A|\.)[0-9]+\Z", match[2]):  # The last label is a number: an address, in one notation alone.
        try:
            ipaddress.IPv4Address(match[2])
        except ValueError:
            return False
    return True
