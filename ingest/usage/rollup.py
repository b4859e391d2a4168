"""The round of the job that keeps the sums of usage up to date: it rolls up what writers marked."""

import time

from ingest.jobs.job import Round
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.usage import rollups
from ingest.store.usage.rollups import Conflict

REST_S = 2.0
BUSY_REST_S = 20.0  # A slice of 10 s is read once then, instead of in each round while it is written.
BUSY_EVENTS = 100_000  # In one round.
CONFLICT_REST_S = 0.5
COMMIT_S = 1.0  # From the start of a writer's transaction, when its mark is dated, to its COMMIT.
ROUND_S_MAX = 60.0  # Then the round ends and is recorded, long before the lead does (5 min), and another one follows.


async def roll_up(connection: Connection) -> Round:
    """Roll up what is pending, chunk by chunk; what writers mark meanwhile is left for the next round."""
    events, hours, is_complete = 0, 0, False
    until = time.monotonic() + ROUND_S_MAX
    figures: dict[Figure, int] = {}
    while not is_complete and time.monotonic() < until:
        began = time.monotonic()
        try:
            chunk = await rollups.roll_up(connection)
        except Conflict:  # With somebody else's roll-up, such as `nocontent jobs` at a terminal.
            return Round(figures, is_complete=False, rest_s=CONFLICT_REST_S)
        events, hours = events + chunk.events, hours + chunk.recomputed_hours
        figures = {
            "rows_summed": events, "hours_recomputed": hours,
            "marks_pending": chunk.pending_marks, "events_pending": chunk.pending_events,
        }  # fmt: skip
        # Then whatever was committed before this chunk is in the sums: that is the lag which is watched.
        is_left_new = chunk.oldest_pending_s <= time.monotonic() - began + COMMIT_S
        is_complete = is_left_new and not chunk.pending_recounts
    return Round(figures, is_complete=is_complete, rest_s=BUSY_REST_S if events >= BUSY_EVENTS else REST_S)
