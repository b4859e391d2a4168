"""Many tenants with sums of usage by day, written straight to the tables: more than a test could send for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from ingest.store.usage.columns import SUMS
from schema.event import Kind
from tests.support import cluster
from tests.support.cluster import Cluster

TENANTS = 150
ROUTE = ("summarization", "claude-opus-4-5", "claude-haiku-4-5")
_TENANTS = """
INSERT INTO tenants (tenant_id, name, revision)
SELECT number, 'tenant-' || number, 0 FROM generate_series(1, $1) AS number
"""
_MEASURED = {
    "events": 10,
    "reported_cost_nanousd": 60,
    "reported_cost_events": 10,
    "baseline_cost_nanousd": 80,
    "baseline_events": 5,
    "savings_reported_nanousd": 20,
}
_SUMS = ", ".join(SUMS)
_VALUES = ", ".join(str(_MEASURED.get(name, 0)) for name in SUMS)
_USAGE = f"""
INSERT INTO usage (
    tenant_id, grain, at, provider, requested_model, routed_model, status, task_category, tag_1, tag_2, tag_3, tag_4,
    {_SUMS}, latency_bins, latency_counts, ttft_bins, ttft_counts
)
SELECT tenant_id, 5, $4::timestamptz, 0, $2, $3, 0, $1, 0, 0, 0, 0,
    {_VALUES}, '{{90, 99}}', '{{7, 3}}', '{{}}', '{{}}'
FROM tenants
"""
_ID = "SELECT term_id FROM vocabulary WHERE tenant_id = 0 AND kind = $1 AND term = $2"


@contextmanager
def made(postgres: Cluster) -> Iterator[str]:
    """Yield a database with TENANTS tenants."""
    dsn = postgres.migrated()
    cluster.fetch(dsn, _TENANTS, TENANTS)
    yield dsn
    postgres.drop(dsn)


def use(dsn: str, first: date) -> None:
    """Have every tenant use ROUTE, and nothing else, on the first day of a month and on the 15th."""
    ids = [
        cluster.fetch(dsn, _ID, int(kind), term)[0][0]
        for kind, term in zip((Kind.TASK_CATEGORY, Kind.MODEL, Kind.MODEL), ROUTE, strict=True)
    ]
    for day in (first, first.replace(day=15)):
        cluster.fetch(dsn, _USAGE, *ids, datetime(day.year, day.month, day.day, tzinfo=UTC))
