"""Sums of usage as the roll-up writes them, plans and tenants on them, for tests of billing."""

from datetime import UTC, date, datetime
from functools import cache

from ingest.knowledge.billing import Plan, Subscription, Terms
from ingest.store import tenants
from ingest.store.billing import plans
from ingest.store.connections import Connection

_KEY = (
    "tenant_id, grain, at, provider, requested_model, routed_model, status, task_category, tag_1, tag_2, tag_3, tag_4"
)
_COLUMNS = """
SELECT attname, attname ~ '_(bins|counts)$' AS is_list FROM pg_attribute
WHERE attrelid = 'nocontent.usage'::regclass AND attnum > 0 AND NOT attisdropped
"""
_BILLED = ("events", "savings_reported_nanousd", "savings_priced_nanousd")


async def put(connection: Connection, tenant_id: int, at: datetime, events: int, saved: tuple[int, int]) -> None:
    """Write the sums of a quarter of an hour, in place of those there were."""
    columns = {row["attname"]: row["is_list"] for row in await connection.fetch(_COLUMNS)}
    others = [name for name in columns if name not in {*_KEY.split(", "), *_BILLED}]
    filled = ", ".join("'{}'" if columns[name] else "0" for name in others)
    await connection.execute(
        f"""
        INSERT INTO nocontent.usage ({_KEY}, {", ".join((*_BILLED, *others))})
        VALUES ($1, 1, $2, -1, -1, -1, -1, -1, -1, -1, -1, -1, $3, $4, $5, {filled})
        ON CONFLICT ({_KEY}) DO UPDATE SET events = excluded.events,
            savings_reported_nanousd = excluded.savings_reported_nanousd,
            savings_priced_nanousd = excluded.savings_priced_nanousd
        """,
        tenant_id, at, events, *saved,
    )  # fmt: skip


@cache
def terms(  # noqa: PLR0913 (the amounts of a plan)
    *, per_million: int = 0, free: int = 0, share: int = 0, flat: int = 0, minimum: int = 0, rate: int = 1_000_000
) -> Terms:
    """Return the first version of a plan."""
    return Terms(
        plan_id=1, version=1, since=date(2020, 1, 1), per_million_events_nano=per_million, free_events=free,
        savings_share_ppm=share, usd_rate_ppm=rate, flat_cents=flat, minimum_cents=minimum,
    )  # fmt: skip


async def plan(connection: Connection, name: str, amounts: Terms, currency: str = "USD", issuer: str = "NC") -> Plan:
    """Add a plan."""
    bare = Plan(plan_id=0, name=name, issuer=issuer, currency=currency, versions=())
    return await plans.add(connection, bare, amounts)


async def subscribe(connection: Connection, name: str, on: Plan, month: date, time_zone: str = "UTC") -> int:
    """Add a tenant that is on a plan from a month on."""
    tenant = await tenants.add(connection, name)
    await plans.assign(connection, tenant, Subscription(month=month, plan_id=on.plan_id, time_zone=time_zone))
    return tenant


def utc(year: int, month: int, day: int = 1, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)
