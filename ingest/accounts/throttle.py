"""Limits on attempts to sign in: of all, of an address, of an account; and of an account from a place that it knows.

Buckets are digests by the key of sessions, which is not in the database, and of the day. In a network from which a
person signed in before, no failures elsewhere count, so nobody can lock an owner out.
"""

import ipaddress
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from ingest.accounts.errors import Throttled
from ingest.knowledge.keys import Keys
from ingest.store.accounts import attempts
from ingest.store.accounts.attempts import Bucket
from ingest.store.connections import Connection

_V4_HOST, _V4_NETWORK, _V6_HOST, _V6_NETWORK = 32, 24, 64, 48
_HOUR_S, _DAY_S = 3_600, 86_400


class Limit(NamedTuple):
    """As many attempts in a span of time."""

    name: str
    span_s: int
    attempts_max: int


ALL = Limit("all", 300, 1_000)
ADDRESS = Limit("address", 300, 10)
ACCOUNT = Limit("account", 300, 10)
ACCOUNT_DAY = Limit("account-day", _DAY_S, 50)
PLACE = Limit("place", 300, 10)
CODE = Limit("code", 300, 5)
CODE_DAY = Limit("code-day", _DAY_S, 50)
CONFIRM = Limit("confirm", 300, 10)
# Requests for a new password. The last link of an account works, so nobody's requests take it from its owner.
RESETS = Limit("resets", _HOUR_S, 1_000)
RESETS_ADDRESS = Limit("resets-address", _HOUR_S, 20)
RESETS_ACCOUNT = Limit("resets-account", _HOUR_S, 5)
RESETS_ACCOUNT_DAY = Limit("resets-account-day", _DAY_S, 20)


class Subject(NamedTuple):
    """Whose attempt it is: the account by a name, the address that it came from, and the person if there is one."""

    account: str
    address: str
    person: str = ""


def places(keys: Keys, subject: Subject) -> tuple[bytes, ...]:
    """Return the digests of the person's network, that of the key that signs first."""
    network = _network(subject.address, _V4_NETWORK, _V6_NETWORK)
    return tuple(key.sign("place", subject.person.encode(), network) for key in keys.own)


def buckets(keys: Keys, subject: Subject, known: Collection[bytes], limits: tuple[Limit, ...]) -> list[Bucket]:
    """Return the buckets of an attempt: those of the limits, or from a known place that of the person there alone."""
    own_places = places(keys, subject)
    if set(own_places) & set(known):
        return [_bucket(keys, PLACE._replace(name=f"place-{limits[-1].name}"), own_places[0])]
    host = _network(subject.address, _V4_HOST, _V6_HOST)
    values = {ALL.name: b"", RESETS.name: b"", ADDRESS.name: host, RESETS_ADDRESS.name: host}
    account = subject.account.encode("utf-8", "replace")
    return [_bucket(keys, limit, values.get(limit.name, account)) for limit in limits]


async def note(connection: Connection, wanted: list[Bucket]) -> None:
    """Count an attempt; raises Throttled if there were too many."""
    wait_s = await attempts.note(connection, wanted)
    if wait_s:
        raise Throttled(wait_s)


async def forget(connection: Connection, wanted: list[Bucket]) -> None:
    """Forget the attempts of an account after a right one; those of an address, of all and of the day stay."""
    await attempts.forget(connection, [each.digest for each in wanted if each.span_s < _DAY_S][-1:])


def _bucket(keys: Keys, limit: Limit, value: bytes) -> Bucket:
    day = f"{datetime.now(UTC):%Y-%m-%d}".encode()
    return Bucket(keys.first.sign("attempts", limit.name.encode(), day, value), limit.span_s, limit.attempts_max)


def _network(address: str, v4_bits: int, v6_bits: int) -> bytes:
    """Return an address without the bits that its owner can choose; what is no address is one of its own."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return b"?"
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped
    bits = v4_bits if known.version == 4 else v6_bits  # noqa: PLR2004 (a version)
    return ipaddress.ip_network((known, bits), strict=False).network_address.packed
