"""The lanes of the jobs on rollups and invoices: what a round of each job does, and how long it rests."""

import time
from datetime import UTC, datetime

from ingest.jobs.job import Job, Lane, Round
from ingest.store import jobs as store
from ingest.store.connections import Connection, Role
from ingest.store.usage import comparison
from ingest.store.usage.comparison import Place
from ingest.usage.billing import close as closing
from ingest.usage.processor.job import hand_over
from ingest.usage.rollup import roll_up

HOURS_A_ROUND = 10
COMPARE_S_MAX = 5.0  # Then the round ends, with whatever hour it has reached.
COMPARE_REST_S = 30.0
CLOSE_REST_S = 600.0
_HOUR_S = 3_600
ROLE: Role = "nocontent_biller"


async def compare(connection: Connection) -> Round:
    """Compare the next few hours. The rotation stays at one that differs until it agrees again."""
    known = (await store.progress(connection)).figures
    place = Place(known["compared_tenant"], datetime.fromtimestamp(known["compared_hour"] * _HOUR_S, UTC))
    compared = differing = 0
    until = time.monotonic() + COMPARE_S_MAX
    while compared < HOURS_A_ROUND and time.monotonic() < until:
        following = await comparison.next_place(connection, place)
        if following is None:
            place = Place(0, datetime.fromtimestamp(0, UTC))
            break
        compared += 1
        if await comparison.agrees(connection, following) is False:
            differing = 1
            break
        place = following
    prices = await comparison.prices(connection)
    figures: dict[store.Figure, int] = {
        "hours_compared": compared, "hours_differing": differing,
        "compared_tenant": place.tenant_id, "compared_hour": int(place.hour.timestamp()) // _HOUR_S,
        "mismatch_ppm": prices.mismatch_ppm, "events_unpriced": prices.unpriced_events,
    }  # fmt: skip
    return Round(figures, is_complete=True, rest_s=COMPARE_REST_S)


async def close(connection: Connection) -> Round:
    """Issue the documents that are due."""
    closed = await closing.close(connection)
    figures: dict[store.Figure, int] = {"documents_issued": len(closed.documents), "months_waiting": closed.waiting}
    return Round(figures, closed.is_complete, CLOSE_REST_S)


ROLLUP = Job("rollup", roll_up)
# Rollups have a connection of their own, so that nothing delays them.
LANES = (
    Lane("rollup", ROLE, (ROLLUP,)),
    Lane("jobs", ROLE, (Job("compare", compare), Job("close", close), Job("hand_over", hand_over))),
)
