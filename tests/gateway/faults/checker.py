"""Compares what clients of a gateway saw with what the service has stored, and with the losses that were reported."""

from collections import Counter
from typing import NamedTuple

from tests.gateway.faults.load import Seen
from tests.support import cluster

_STORED = (
    "SELECT input_tokens AS number, count(*) AS rows FROM events WHERE tenant_id = $1 AND input_tokens > 0 GROUP BY 1"
)
_LOSSES = """
SELECT coalesce(sum(dropped_queue_full + dropped_retries_exhausted + dropped_shutdown), 0)::bigint AS lost,
    coalesce(sum(dropped_refused), 0)::bigint AS refused
FROM batches WHERE tenant_id = $1
"""


class Verdict(NamedTuple):
    """What became of the requests of a tenant."""

    finished: int  # As clients saw them.
    stored: int  # Events, of requests that no client saw finish too.
    missing: int  # Finished, and not stored.
    lost: int  # Reported as lost.
    doubled: int
    refused: int
    halves: int

    @property
    def uncounted(self) -> int:
        """Finished requests that are neither stored nor counted as lost."""
        return max(0, self.missing - self.lost)

    @property
    def is_good(self) -> bool:
        return not (self.uncounted or self.doubled or self.refused or self.halves)


def check(dsn: str, tenant_id: int, seen: Seen) -> Verdict:
    stored = Counter({row["number"]: row["rows"] for row in cluster.fetch(dsn, _STORED, tenant_id)})
    [losses] = cluster.fetch(dsn, _LOSSES, tenant_id)
    return Verdict(
        finished=len(seen.whole),
        stored=stored.total(),
        missing=len(seen.whole - stored.keys()),
        lost=losses["lost"],
        doubled=sum(rows - 1 for rows in stored.values()),
        refused=losses["refused"],
        halves=len(seen.halves),
    )
