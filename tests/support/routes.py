"""Sums of requests of task categories, as a roll-up leaves them, for suggestions."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.support import cluster, usage
from tests.support.usage import Fact

_TERM = "SELECT term_id FROM vocabulary WHERE tenant_id IN (0, {tenant}) AND kind = {kind} AND term = '{term}'"
_STATUSES = {"ok": 0, "error": 1, "cancelled": 4}
_FAST, _SLOW = 70, 90  # Bins of a histogram: 0.8 s and 5 s.


class Requests(NamedTuple):
    """Requests of a category in the last days that asked for a model and were served by one."""

    category: str
    requested: str
    routed: str
    events: int
    status: str = "ok"
    is_slow: bool = False
    reason: str = ""  # Of a gateway.
    flags: Mapping[str, int] = {}


def store(dsn: str, tenant_id: int, *requests: Requests) -> None:
    """Store their sums, of 1,000 tokens of input and 500 of output each, yesterday."""
    at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    usage.store(dsn, tenant_id, [_fact(dsn, tenant_id, at, each) for each in requests])


def _fact(dsn: str, tenant_id: int, at: datetime, each: Requests) -> Fact:
    def term(kind: int, name: str) -> int:
        (row,) = cluster.fetch(dsn, _TERM.format(tenant=tenant_id, kind=kind, term=name))
        return int(row["term_id"])

    dimensions = (
        term(1, each.category), term(2, "anthropic"), term(3, each.requested), term(3, each.routed),
        _STATUSES[each.status],
    )  # fmt: skip
    measures = Counter({
        "events": each.events, "input_tokens": 1_000 * each.events, "output_tokens": 500 * each.events,
        "reported_cost_nanousd": 10_000_000 * each.events, **each.flags,
    })  # fmt: skip
    latency = Counter({_SLOW if each.is_slow else _FAST: each.events})
    tags = (term(5, each.reason) if each.reason else 0, 0, 0, 0)
    return Fact(at, dimensions, tags, measures, latency, Counter())
