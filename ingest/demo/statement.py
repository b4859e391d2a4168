"""Summarizes the demo's usage: savings and a price check from the rollups, and a draft of an invoice."""

from collections.abc import Iterator
from typing import NamedTuple

from ingest.errors import CannotStart
from ingest.jobs import runner
from ingest.knowledge.billing import Line, LineKind, Plan, Terms
from ingest.store import connections, summary
from ingest.store.billing import plans
from ingest.store.connections import Connection
from ingest.store.summary import Usage
from ingest.usage import rounds
from ingest.usage.billing import assigning, close, periods
from ingest.usage.billing.close import Draft
from ingest.usage.rendering.sheet import money

_NANO, _PPM_OF_PERCENT = 1_000_000_000, 10_000
PLAN = Plan(plan_id=0, name="demo", issuer="DEMO", currency="USD", versions=())
TERMS = Terms(
    plan_id=0, version=1, since=periods.FIRST_MONTH, per_million_events_nano=20 * _NANO, free_events=10_000,
    savings_share_ppm=10 * _PPM_OF_PERCENT, usd_rate_ppm=1_000_000, flat_cents=0, minimum_cents=0,
)  # fmt: skip


class Statement(NamedTuple):
    """The sums of a tenant's usage, and the draft of its current month."""

    usage: Usage
    draft: Draft


async def read(dsn: str, tenant_id: int) -> Statement:
    """Sum what is not summed yet, put the tenant on the demo's plan, and compute a draft."""
    async with connections.connected(dsn, "nocontent_control") as control:
        await _assign(control, tenant_id)
    async with connections.connected(dsn, rounds.ROLE) as biller:
        if await runner.run_once(biller, rounds.ROLLUP) is None:
            raise CannotStart("PostgreSQL refused to add up the demo's usage; see the job-failed line.")
        return Statement(await summary.usage(biller, tenant_id), await close.draft(biller, tenant_id, None))


async def _assign(control: Connection, tenant_id: int) -> None:
    if await plans.subscriptions(control, tenant_id):
        return
    known = {plan.name: plan for plan in (await plans.read_all(control)).values()}
    plan = known.get(PLAN.name) or await plans.add(control, PLAN, TERMS)
    await assigning.assign(control, tenant_id, plan, None, None)


def lines(found: Statement) -> Iterator[str]:
    """Yield the lines to print."""
    used, draft = found.usage, found.draft
    coverage = 100 * used.baseline_events / max(1, used.events)
    yield (
        f"saved       {_usd(used.savings_reported_nanousd):>10} USD; {coverage:.1f} % of {used.events:,} events have a"
        f" baseline; {_usd(used.savings_priced_nanousd)} USD more at the prices of requested models"
    )
    yield (
        f"price check {used.matched_events:>7,} costs agree with the price book, {used.mismatched_events:,} do not"
        f" ({_usd(used.mismatch_nanousd)} USD), {used.unchecked_events:,} are of models that it lacks"
    )
    yield f"draft invoice of {draft.period.month:%B %Y}, plan {PLAN.name}"
    total = 0
    for _, charged in draft.documents:
        total += sum(line.cents for line in charged)
        yield from (f"  {_says(line):46}{money(line.cents, draft.currency):>14}" for line in charged)
    yield f"  {'total':46}{money(total, draft.currency):>14}"


def _says(line: Line) -> str:
    if line.kind is LineKind.EVENTS:
        return f"{line.quantity:,} events beyond {TERMS.free_events:,} free ones"
    if line.kind is LineKind.SAVINGS:
        return f"{TERMS.savings_share_ppm // _PPM_OF_PERCENT} % of savings of {_usd(line.quantity)} USD"
    return line.kind.name.lower()


def _usd(nanousd: int) -> str:
    return f"{nanousd / _NANO:,.2f}"
