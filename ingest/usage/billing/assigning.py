"""Decides from which month a plan or a time zone applies: none that has begun, except the first of a tenant."""

from datetime import date, datetime

from ingest.errors import CannotStart
from ingest.knowledge.billing import Plan, Subscription
from ingest.store.billing import accounts, plans
from ingest.store.connections import Connection
from ingest.usage.billing import periods

BACKDATED_MONTHS_MAX = 12  # Of a tenant's first month.
AHEAD_MONTHS_MAX = 24


async def assign(
    connection: Connection, tenant_id: int, plan: Plan | None, time_zone: str | None, month: date | None
) -> Subscription:
    """Put a tenant on a plan, or on none, from a month on, by default the first that may change; raises CannotStart."""
    now = await accounts.now(connection)
    known = await plans.subscriptions(connection, tenant_id)
    if known:
        invoiced = (await accounts.read(connection, tenant_id, now.date())).invoiced
        current = periods.current(known, now, invoiced)
        first = current.month if now < current.start else periods.following(current.month)
        zone = time_zone or known[-1].time_zone
        await _require_same_issuer(connection, known, plan)
    else:
        if plan is None:
            raise CannotStart("The tenant is on no plan.")
        zone = time_zone or "UTC"
        first = periods.following(_month_in(zone, now), -BACKDATED_MONTHS_MAX)
    default = first if known else _month_in(zone, now)
    chosen = Subscription(month=month or default, plan_id=plan.plan_id if plan else None, time_zone=zone)
    if not first <= chosen.month <= periods.following(default, AHEAD_MONTHS_MAX):
        last = periods.following(default, AHEAD_MONTHS_MAX)
        raise CannotStart(
            f"The month must be between {first:%Y-%m} and {last:%Y-%m}: others have begun or are too far."
        )
    if plan and plan.versions[0].since > chosen.month:
        raise CannotStart(f"The plan begins in {plan.versions[0].since:%Y-%m}.")
    periods.require_whole_quarters(zone, chosen.month)
    await plans.assign(connection, tenant_id, chosen)
    return chosen


async def _require_same_issuer(connection: Connection, known: tuple[Subscription, ...], plan: Plan | None) -> None:
    every = await plans.read_all(connection)
    for each in known:
        old = None if each.plan_id is None else every[each.plan_id]
        if old and plan and (old.issuer, old.currency) != (plan.issuer, plan.currency):
            raise CannotStart("A tenant keeps its issuer and its currency: this plan has others.")


def _month_in(zone: str, now: datetime) -> date:
    return now.astimezone(periods.zone(zone)).date().replace(day=1)
