"""An operator's acts on the retention of one tenant, which has fewer days of events than the deployment or as many.

Rows are deleted by maintenance (`ingest.store.expiry`), before a day that is reckoned from the horizon.
"""

from datetime import date
from typing import NamedTuple

from ingest.errors import CannotStart
from ingest.store import acts, retention
from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, Prefix


class TenantRetention(NamedTuple):
    """The days of a tenant: its own, or None for the deployment's; the first kept; the first that is not frozen."""

    days: int | None
    kept_since: date | None
    frozen_before: date | None


class Expiring(NamedTuple):
    """The events that a retention leaves out."""

    events: int
    first: date | None
    last: date | None


_READ = """
SELECT retention_days, {prefix}kept_since(tenant_id), usage_frozen_before FROM nocontent.tenants WHERE tenant_id = $1
"""
_EXPIRING = "SELECT events, first, last FROM {prefix}count_expiring($1, $2)"
_WRITE = """
UPDATE nocontent.tenants SET retention_days = $2, revision = $3, retention_changed = (
    SELECT horizon + retention.retention_days FROM nocontent.retention WHERE retention_id = 1
)
WHERE tenant_id = $1
"""


async def read(connection: Connection, tenant_id: int, prefix: Prefix = ALL) -> TenantRetention:
    """Return the retention of a tenant."""
    (known,) = await connection.fetch(_READ.format(prefix=prefix), tenant_id)
    return TenantRetention(*known.values())


async def expiring(connection: Connection, tenant_id: int, days: int, prefix: Prefix = ALL) -> Expiring:
    """Count the events that would be deleted if the tenant had so many days."""
    (found,) = await connection.fetch(_EXPIRING.format(prefix=prefix), tenant_id, days)
    return Expiring(*found.values())


async def set_days(connection: Connection, tenant_id: int, days: int | None) -> None:
    """Keep a tenant's events for so many days, or as the deployment's; raises CannotStart if those are fewer.

    What was deleted stays deleted: more days only keep what comes.
    """
    async with acts.act(connection) as act:
        known = await retention.read(connection)
        if known is None:
            raise CannotStart("There is no retention yet: run `nocontent maintain` once.")
        if days is not None and days > known.days:
            raise CannotStart(f"A tenant has at most as many days as the deployment, which has {known.days}.")
        await connection.execute(_WRITE, tenant_id, days, act.revision)
        await act.note_days("retention.set-tenant", days, tenant_id)
