"""An operator's acts on plans: adds plans and versions of them, and puts tenants on them."""

from datetime import datetime

import msgspec

from ingest.errors import CannotStart
from ingest.knowledge.billing import Plan, Subscription, Terms
from ingest.store import acts, names
from ingest.store.connections import Connection

_PLANS = "SELECT plan_id, name, issuer, currency FROM nocontent.plans ORDER BY plan_id"
_VERSIONS = """
SELECT plan_id, version, since, per_million_events_nano, free_events, savings_share_ppm, usd_rate_ppm, flat_cents,
    minimum_cents
FROM nocontent.plan_versions ORDER BY plan_id, since
"""
_ADD_ISSUER = "INSERT INTO nocontent.invoice_counters (issuer) VALUES ($1) ON CONFLICT DO NOTHING"
_ADD_PLAN = "INSERT INTO nocontent.plans (plan_id, name, issuer, currency) VALUES ($1, $2, $3, $4)"
_ADD_VERSION = """
INSERT INTO nocontent.plan_versions (plan_id, version, since, per_million_events_nano, free_events, savings_share_ppm,
    usd_rate_ppm, flat_cents, minimum_cents)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_SUBSCRIPTIONS = """
SELECT month, plan_id, time_zone FROM nocontent.subscriptions WHERE tenant_id = $1 ORDER BY month
"""
_ASSIGN = """
INSERT INTO nocontent.subscriptions (tenant_id, month, plan_id, time_zone) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, month) DO UPDATE SET plan_id = excluded.plan_id, time_zone = excluded.time_zone
"""
_SUBSCRIBED = """
SELECT DISTINCT tenant_id FROM nocontent.subscriptions
WHERE NOT EXISTS (
    SELECT FROM nocontent.invoices
    WHERE invoices.tenant_id = subscriptions.tenant_id AND kind = 1 AND period_end > $1
)
ORDER BY tenant_id
"""
_PLAN_ID_MAX = 32_767


async def read_all(connection: Connection) -> dict[int, Plan]:
    """Return all plans by id."""
    versions: dict[int, list[Terms]] = {}
    for row in await connection.fetch(_VERSIONS):
        versions.setdefault(row["plan_id"], []).append(Terms(**dict(row)))
    return {
        row["plan_id"]: Plan(**dict(row), versions=tuple(versions.get(row["plan_id"], ())))
        for row in await connection.fetch(_PLANS)
    }


async def find(connection: Connection, name: str) -> Plan:
    """Return a plan by name; raises CannotStart."""
    for plan in (await read_all(connection)).values():
        if plan.name == name:
            return plan
    raise CannotStart("No plan has that name; see `nocontent plan list`.")


async def add(connection: Connection, plan: Plan, terms: Terms) -> Plan:
    """Add a plan, whose id is ignored, with its first version; raises CannotStart if the name is taken."""
    async with acts.act(connection) as act:
        known = await read_all(connection)
        if plan.name in {each.name for each in known.values()}:
            raise CannotStart("A plan has that name already: add a version by --since.")
        names.require_tenant_name(plan.name)
        added = max(known, default=0) + 1
        if added > _PLAN_ID_MAX:
            raise CannotStart("There are too many plans.")
        await connection.execute(_ADD_ISSUER, plan.issuer)
        await connection.execute(_ADD_PLAN, added, plan.name, plan.issuer, plan.currency)
        first = msgspec.structs.replace(terms, plan_id=added, version=1)
        await connection.execute(_ADD_VERSION, *msgspec.structs.astuple(first)[:2], *_amounts(first))
        await act.note(0, "plan.add")
    return msgspec.structs.replace(plan, plan_id=added, versions=(first,))


async def add_version(connection: Connection, plan: Plan, terms: Terms) -> Terms:
    """Add a version of a plan, after its last one; raises CannotStart if it is not later."""
    async with acts.act(connection) as act:
        known = (await read_all(connection))[plan.plan_id].versions
        if terms.since <= known[-1].since:
            raise CannotStart("The plan has a version of that month or a later one.")
        version = msgspec.structs.replace(terms, plan_id=plan.plan_id, version=known[-1].version + 1)
        await connection.execute(_ADD_VERSION, version.plan_id, version.version, *_amounts(version))
        await act.note(0, "plan.add")
    return version


def _amounts(terms: Terms) -> tuple[object, ...]:
    return msgspec.structs.astuple(terms)[2:]


async def subscriptions(connection: Connection, tenant_id: int) -> tuple[Subscription, ...]:
    return tuple(Subscription(**dict(row)) for row in await connection.fetch(_SUBSCRIPTIONS, tenant_id))


async def without_invoice(connection: Connection, since: datetime) -> list[int]:
    """Return the tenants that are or were on a plan and have no invoice of a period that ended later."""
    return [row["tenant_id"] for row in await connection.fetch(_SUBSCRIBED, since)]


async def assign(connection: Connection, tenant_id: int, subscription: Subscription) -> None:
    """Put a tenant on a plan, or on none, from a month on. Which months may change is the caller's decision."""
    async with acts.act(connection) as act:
        await connection.execute(_ASSIGN, tenant_id, *msgspec.structs.astuple(subscription))
        await act.note(tenant_id, "plan.assign" if subscription.plan_id else "plan.end")
