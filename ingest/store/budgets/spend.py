"""What was spent against a budget, by the rollups: reported costs, and computed ones where none was reported.

A quarter of an hour is exact for a whole tenant. Parts of it are summed by hours, and an hour is of the day in which it
begins; whole days of UTC in the middle are read from their own sums, which are fewer.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.store.budgets.budgets import Budget, Scope
from ingest.store.connections import Connection
from ingest.store.usage.columns import TAGS, Grain
from ingest.store.usage.days import DAY, floor

_GRAINS = {  # Of hours, and of days.
    Scope.TENANT: (Grain.QUARTER, None), Scope.MODEL: (Grain.HOUR_MODEL, Grain.DAY_MODEL),
    Scope.CATEGORY: (Grain.HOUR, Grain.DAY), Scope.TAG_VALUE: (Grain.HOUR, Grain.DAY),
}  # fmt: skip
_IS_OF = {
    Scope.TENANT: "$5::smallint IS NULL", Scope.MODEL: "routed_model = $5", Scope.CATEGORY: "task_category = $5",
    Scope.TAG_VALUE: f"$5 IN ({', '.join(TAGS)})",
}  # fmt: skip
_SPENT_MAX = 2**63 - 1
_SPENT = """
SELECT least(coalesce(sum(part.spent), 0), {most})::bigint
FROM unnest($2::smallint[], $3::timestamptz[], $4::timestamptz[]) AS span (grain, since, before)
CROSS JOIN LATERAL (
    SELECT sum(reported_cost_nanousd) + sum(computed_cost_nanousd) AS spent FROM nocontent.usage known
    WHERE known.tenant_id = $1 AND known.grain = span.grain AND at >= span.since AND at < span.before AND {is_of}
    OFFSET 0
) AS part
"""
_BY_DAY = """
SELECT width_bucket(at, $3::timestamptz[]) - 1 AS day,
    least(sum(reported_cost_nanousd) + sum(computed_cost_nanousd), {most})::bigint AS spent
FROM nocontent.usage
WHERE tenant_id = $1 AND grain = $2 AND at >= ($3::timestamptz[])[1] AND at < $4 AND {is_of} GROUP BY 1
"""
# As `trim_usage` reckons it.
_KEPT_SINCE = """
SELECT coalesce(
    (SELECT (horizon - greatest(usage_days - retention_days, 0))::timestamp AT TIME ZONE 'UTC'
    FROM nocontent.retention WHERE retention_id = 1 AND usage_days IS NOT NULL),
    '2000-01-01T00:00:00Z'
)
"""


class _Span(NamedTuple):
    grain: Grain
    since: datetime
    before: datetime


async def between(connection: Connection, budget: Budget, since: datetime, before: datetime) -> int:
    """Return nano-USD that the events of a time cost, at most what fits in a bigint."""
    spans = list(_spans(budget.spec.scope, since, before))
    grains, firsts, ends = zip(*spans, strict=True)
    statement = _SPENT.format(most=_SPENT_MAX, is_of=_IS_OF[budget.spec.scope])
    return int(
        await connection.fetchval(
            statement, budget.tenant_id, list(grains), list(firsts), list(ends), budget.spec.term_id
        )
    )  # fmt: skip


async def kept_since(connection: Connection) -> datetime:
    """Return the time before which sums may be gone; ask it after a sum, because that day moves before rows go."""
    since: datetime = await connection.fetchval(_KEPT_SINCE)
    return since


async def by_day(connection: Connection, budget: Budget, starts: Sequence[datetime], before: datetime) -> list[int]:
    """Return nano-USD of each of some days that follow each other, which begin at `starts`."""
    grain, _ = _GRAINS[budget.spec.scope]
    statement = _BY_DAY.format(most=_SPENT_MAX, is_of=_IS_OF[budget.spec.scope])
    rows = await connection.fetch(statement, budget.tenant_id, grain, list(starts), before, budget.spec.term_id)
    spent = {row["day"]: int(row["spent"]) for row in rows}
    return [spent.get(day, 0) for day in range(len(starts))]


def _spans(scope: Scope, since: datetime, before: datetime) -> Iterator[_Span]:
    fine, coarse = _GRAINS[scope]
    first, last = floor(since - timedelta(microseconds=1), DAY) + DAY, floor(before, DAY)
    if coarse is None or first >= last:
        yield _Span(fine, since, before)
        return
    yield _Span(fine, since, first)
    yield _Span(coarse, first, last)
    yield _Span(fine, last, before)
