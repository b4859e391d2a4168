"""An operator's acts on tenants: adds and lists them, sets modes, quotas and diagnostics, disables them."""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from ingest.errors import CannotStart
from ingest.knowledge.diagnostics import Diagnostics
from ingest.store import acts, names
from ingest.store.connections import Connection
from ingest.store.errors import UnknownTenant
from schema.event import Kind
from schema.vocabulary import Mode

_MODE_COLUMNS = {
    Kind.TASK_CATEGORY: "task_category_mode",
    Kind.PROVIDER: "provider_mode",
    Kind.MODEL: "model_mode",
    Kind.TAG_VALUE: "tag_value_mode",
}
KINDS_WITH_MODE = tuple(_MODE_COLUMNS)


class TenantRow(NamedTuple):
    tenant_id: int
    name: str
    modes: dict[Kind, Mode]
    events_per_minute_max: int | None
    diagnostics: Diagnostics
    disabled: bool
    created_at: datetime


_ADD_TENANT = """
INSERT INTO tenants (tenant_id, name, revision)
SELECT greatest((SELECT max(tenant_id) FROM tenants), (SELECT max(tenant_id) FROM erasures), 0) + 1, $1, $2
RETURNING tenant_id
"""
_RENAME = "UPDATE tenants SET name = $2, revision = $3 WHERE tenant_id = $1"
_TENANT = "SELECT tenant_id FROM tenants WHERE name = $1"
_COLUMNS = """
SELECT tenant_id, name, task_category_mode, provider_mode, model_mode, tag_value_mode, events_per_minute_max,
    diagnostics, disabled, created_at
FROM tenants
"""
_LIST_TENANTS = f"{_COLUMNS} ORDER BY tenant_id"
_READ_TENANT = f"{_COLUMNS} WHERE tenant_id = $1"


async def find(connection: Connection, name: str) -> int:
    """Find a tenant by name; raises UnknownTenant."""
    found = await connection.fetchval(_TENANT, name)
    if found is None:
        raise UnknownTenant(name)
    return int(found)


async def add(connection: Connection, name: str) -> int:
    """Add a tenant, or find it, and return its id; raises CannotStart if the name looks like a key or a sentence."""
    async with acts.act(connection) as act:
        found = await connection.fetchval(_TENANT, name)
        if found is None:
            names.require_tenant_name(name)
            found = await connection.fetchval(_ADD_TENANT, name, act.revision)
            await act.note(found, "tenant.add")
    return int(found)


async def rename(connection: Connection, name: str, new: str) -> None:
    """Give a tenant another name; raises CannotStart if it looks like a key or a sentence, or another tenant has it."""
    async with acts.act(connection) as act:
        tenant_id = await find(connection, name)
        names.require_tenant_name(new)
        if await connection.fetchval(_TENANT, new) not in {None, tenant_id}:
            raise CannotStart("Another tenant has that name.")
        await connection.execute(_RENAME, tenant_id, new, act.revision)
        await act.note(tenant_id, "tenant.rename")


async def list_all(connection: Connection) -> list[TenantRow]:
    return [_row(row) for row in await connection.fetch(_LIST_TENANTS)]


async def read(connection: Connection, tenant_id: int) -> TenantRow:
    """Return a tenant that there is."""
    found = await connection.fetchrow(_READ_TENANT, tenant_id)
    assert found is not None
    return _row(found)


def _row(row: asyncpg.Record) -> TenantRow:
    return TenantRow(
        row["tenant_id"],
        row["name"],
        {kind: Mode(row[column]) for kind, column in _MODE_COLUMNS.items()},
        row["events_per_minute_max"],
        Diagnostics(row["diagnostics"]),
        row["disabled"],
        row["created_at"],
    )


async def set_mode(connection: Connection, tenant_id: int, kind: Kind, mode: Mode) -> None:
    """Set what happens to a tenant's unregistered terms of a kind."""
    await _set(connection, tenant_id, _MODE_COLUMNS[kind], mode)


async def set_quota(connection: Connection, tenant_id: int, events_per_minute_max: int | None) -> None:
    """Limit a tenant's events in a minute; None for no limit."""
    await _set(connection, tenant_id, "events_per_minute_max", events_per_minute_max)


async def set_diagnostics(connection: Connection, tenant_id: int, diagnostics: Diagnostics) -> None:
    """Set what happens to a tenant's records with free-text diagnostics."""
    await _set(connection, tenant_id, "diagnostics", diagnostics)


async def set_disabled(connection: Connection, tenant_id: int, *, disabled: bool) -> None:
    """Refuse what a tenant's proxies send, or accept it again."""
    await _set(connection, tenant_id, "disabled", disabled)


async def _set(connection: Connection, tenant_id: int, column: str, value: object) -> None:
    async with acts.act(connection) as act:
        await connection.execute(
            f"UPDATE tenants SET {column} = $2, revision = $3 WHERE tenant_id = $1",  # noqa: S608 (our own name)
            tenant_id, value, act.revision,
        )  # fmt: skip
        await act.note(tenant_id, f"tenant.set-{column.replace('_', '-')}")
