"""Tenants with tokens and terms, made as an operator would."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

from ingest.knowledge.diagnostics import Diagnostics
from ingest.store import connections, tenants, tokens, vocabulary
from ingest.store.connections import Connection
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import Mode

TAGS = {"team": ("search", "assistant", "editor"), "region": ("eu", "us")}
_T = TypeVar("_T")


class Customer(NamedTuple):
    """A tenant and a token for it."""

    tenant_id: int
    token: str


class CustomerSpec(NamedTuple):
    """The settings of a tenant to make."""

    modes: Mapping[Kind, Mode] = {}
    quota: int | None = None
    diagnostics: Diagnostics = Diagnostics.REFUSE
    scopes: Sequence[str] = tokens.SCOPES_DEFAULT
    is_disabled: bool = False
    expires_in: timedelta | None = None


EVERYTHING = dict.fromkeys((Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.TAG_VALUE), Mode.COARSEN)
# All exist before the server starts, so that no test waits until the workers know them.
PREPARED = {
    "main": CustomerSpec(),
    "other": CustomerSpec(),
    "learner": CustomerSpec(dict.fromkeys(EVERYTHING, Mode.LEARN), scopes=tokens.SCOPES),
    "spender": CustomerSpec(dict.fromkeys(EVERYTHING, Mode.LEARN), scopes=tokens.SCOPES),
    "reader": CustomerSpec(dict.fromkeys(EVERYTHING, Mode.LEARN)),
    "coarsener": CustomerSpec(EVERYTHING),
    "discarder": CustomerSpec(diagnostics=Diagnostics.DISCARD),
    "limited": CustomerSpec(quota=10),
    "sparing": CustomerSpec(quota=10),
    "thrifty": CustomerSpec(quota=10),
    "losing": CustomerSpec(quota=10),
    "modest": CustomerSpec(quota=10),
    "frugal": CustomerSpec(quota=10),
    "spare": CustomerSpec(quota=10),
    "disabled": CustomerSpec(is_disabled=True),
    "expired": CustomerSpec(expires_in=timedelta(seconds=-1)),
    "policy-only": CustomerSpec(scopes=("policy:read",)),
    "events-only": CustomerSpec(scopes=("events:write",)),
    "accountant": CustomerSpec(scopes=("usage:read", "invoices:read")),
    "bookkeeper": CustomerSpec(scopes=("events:write", "usage:read", "invoices:read")),
    "reviewer": CustomerSpec(scopes=("events:write", "usage:read")),
    "usage-only": CustomerSpec(scopes=("usage:read",)),
    "invoices-only": CustomerSpec(scopes=("invoices:read",)),
    "exporter": CustomerSpec(scopes=("events:write", "exports:read")),
    "mover": CustomerSpec(scopes=("events:write", "exports:read")),
    "revoked": CustomerSpec(),
    "switched": CustomerSpec(),
}


def prepare(dsn: str, specs: Mapping[str, CustomerSpec] = PREPARED) -> dict[str, Customer]:
    """Make every tenant of a table."""

    async def make(connection: Connection) -> dict[str, Customer]:
        return {name: await add(connection, name, wanted) for name, wanted in specs.items()}

    return act(dsn, make)


def one(dsn: str, name: str = "main") -> Customer:
    """Make an ordinary tenant."""
    return prepare(dsn, {name: CustomerSpec()})[name]


async def add(connection: Connection, name: str, wanted: CustomerSpec) -> Customer:
    """Make one tenant with a token, the tags of TAGS and their values."""
    tenant = await tenants.add(connection, name)
    for key, values in TAGS.items():
        assert await vocabulary.declare_tag(connection, tenant, key) is None
        key_id = await vocabulary.tag_key_id(connection, tenant, key)
        assert key_id is not None
        for value in values:
            assert await vocabulary.add(connection, tenant, Candidate(Kind.TAG_VALUE, key_id, value)) is None
    for kind, mode in wanted.modes.items():
        await tenants.set_mode(connection, tenant, kind, mode)
    await tenants.set_quota(connection, tenant, wanted.quota)
    await tenants.set_diagnostics(connection, tenant, wanted.diagnostics)
    token = await tokens.issue(connection, tenant, wanted.scopes, wanted.expires_in)
    if wanted.is_disabled:
        await tenants.set_disabled(connection, tenant, disabled=True)
    return Customer(tenant, token)


def act(dsn: str, work: Callable[[Connection], Awaitable[_T]]) -> _T:
    """Perform an act as the control plane does."""

    async def run() -> _T:
        async with connections.connected(dsn, "nocontent_control") as connection:
            return await work(connection)

    return asyncio.run(run())
