"""Reads at the moment what an export must come to: sums of rollups by day, and what changed until its end."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.prefixes import ALL, Prefix
from ingest.store.rights.exporting import Slice
from ingest.store.usage.columns import TOKENS

SUMS = ("events", *TOKENS, "cost_nanousd")


class Day(NamedTuple):
    """The sums of a day's events by the rollups; `pending` events are stored and not summed up."""

    sums: Mapping[str, int]
    pending: int
    is_recounted: bool  # Its hours are to be summed again, so that the sums may be wrong.


_ADDED = ", ".join(f"sum({name})::bigint AS {name}" for name in ("events", *TOKENS))
_SUMMED = f"""
SELECT (at AT TIME ZONE 'UTC')::date AS day, {_ADDED},
    sum(reported_cost_nanousd)::bigint AS cost_nanousd
FROM nocontent.usage WHERE tenant_id = $1 AND grain = 2 AND at >= $2 AND at < $3 GROUP BY 1
"""  # noqa: S608 (the names are our own)
# Rollups leave annotated events out. OFFSET 0: as in `counting`.
_ANNOTATED = f"""
SELECT (event.occurred_at AT TIME ZONE 'UTC')::date AS day, count(*) AS events,
    {", ".join(f"sum({name})::bigint AS {name}" for name in TOKENS)},
    sum(greatest(cost_nanousd, 0))::bigint AS cost_nanousd
FROM nocontent.annotations annotation
CROSS JOIN LATERAL (
    SELECT occurred_at, cost_nanousd, {", ".join(TOKENS)} FROM {{prefix}}events
    WHERE tenant_id = $1 AND occurred_at = annotation.occurred_at AND event_id = annotation.event_id OFFSET 0
) AS event
WHERE annotation.tenant_id = $1 AND annotation.occurred_at >= $2 AND annotation.occurred_at < $3 GROUP BY 1
"""  # noqa: S608 (the names are our own)
_PENDING = """
SELECT first, last, events FROM nocontent.usage_marks WHERE tenant_id = $1 AND last >= $2 AND first < $3
"""


async def days(connection: Connection, wanted: Slice) -> dict[date, Day]:
    """Return the sums of each day of a slice that has any, as of the connection's transaction."""
    values = (wanted.tenant_id, wanted.first, wanted.before)
    found = {
        row["day"]: Day({name: row[name] for name in SUMS}, 0, is_recounted=False)
        for row in await connection.fetch(_SUMMED, *values)
    }
    empty = Day(dict.fromkeys(SUMS, 0), 0, is_recounted=False)
    for row in await connection.fetch(_ANNOTATED.format(prefix=wanted.prefix), *values):
        known = found.get(row["day"], empty)
        found[row["day"]] = known._replace(sums={name: known.sums[name] + row[name] for name in SUMS})
    for mark in await connection.fetch(_PENDING, *values):
        if mark["events"]:
            day = mark["first"].astimezone(UTC).date()
            known = found.get(day, empty)
            found[day] = known._replace(pending=known.pending + mark["events"])
        else:
            first = max(mark["first"], wanted.first).astimezone(UTC).date()
            last = min(mark["last"], wanted.before).astimezone(UTC).date()
            for place in range((last - first).days + 1):
                day = first + timedelta(days=place)
                found[day] = found.get(day, empty)._replace(is_recounted=True)
    return found


class Facts(NamedTuple):
    """Things about a database and a tenant that the manifest names."""

    at: datetime
    schema: str  # The last migration.
    first_day: date | None  # The first that still has events.
    next_day: date | None
    frozen_before: date | None  # Rows of days before it were deleted, even if a day is there again.
    first_batch: date | None
    last_batch: date | None
    ledger_accepted: int
    open_erasures: tuple[UUID, ...]  # Recorded and not finished.


_FACTS = """
SELECT transaction_timestamp() AS at, (SELECT max(name) FROM nocontent.migrations) AS schema,
    (SELECT min(to_date(right(relname, 8), 'YYYYMMDD')) FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'nocontent.events'::regclass AND relname ~ '^events_[0-9]{{8}}$') AS first_day,
    (SELECT max(to_date(right(relname, 8), 'YYYYMMDD')) + 1 FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'nocontent.events'::regclass AND relname ~ '^events_[0-9]{{8}}$') AS next_day,
    greatest(
        (SELECT usage_frozen_before FROM nocontent.retention WHERE retention_id = 1),
        (SELECT usage_frozen_before FROM nocontent.tenants WHERE tenant_id = $1)
    ) AS frozen_before,
    (SELECT min(received_at AT TIME ZONE 'UTC')::date FROM {prefix}batches WHERE tenant_id = $1) AS first_batch,
    (SELECT max(received_at AT TIME ZONE 'UTC')::date FROM {prefix}batches WHERE tenant_id = $1) AS last_batch,
    (SELECT coalesce(sum(accepted), 0)::bigint FROM {prefix}batches WHERE tenant_id = $1) AS ledger_accepted,
    ARRAY(SELECT erasure_id FROM nocontent.erasures WHERE tenant_id = $1 AND step <> 'finished') AS open_erasures
"""
_IS_CITUS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
_ERASURES = """
SELECT erasure_id, scope, requested_at, finished_at FROM nocontent.erasures
WHERE tenant_id = $1 AND (requested_at >= $2 OR erasure_id = ANY($3)) ORDER BY requested_at
"""


async def facts(connection: Connection, tenant_id: int, prefix: Prefix = ALL) -> Facts:
    """Return the facts as of the connection's transaction."""
    row = await connection.fetchrow(_FACTS.format(prefix=prefix), tenant_id)
    assert row is not None
    return Facts(*row.values())._replace(open_erasures=tuple(row["open_erasures"]))


async def is_citus(connection: Connection) -> bool:
    """Return whether rows lie on several nodes, whose transactions have numbers of their own."""
    return bool(await connection.fetchval(_IS_CITUS))


class Erasure(NamedTuple):
    """An erasure that may have taken rows of the moment before they were exported."""

    erasure_id: UUID
    scope: str
    requested_at: datetime
    finished_at: datetime | None


async def erasures(connection: Connection, tenant_id: int, since: Facts) -> list[Erasure]:
    """Return the erasures that were recorded after the facts, or not finished then."""
    found = await connection.fetch(_ERASURES, tenant_id, since.at, list(since.open_erasures))
    return [Erasure(*row.values()) for row in found]


_TAG = """
SELECT value.term_id FROM nocontent.vocabulary value JOIN nocontent.vocabulary key
    ON key.tenant_id = value.tenant_id AND key.kind = 4 AND key.term_id = value.parent_id
WHERE value.tenant_id = $1 AND value.kind = 5 AND key.term = $2 AND value.term = $3
"""


async def tag(connection: Connection, tenant_id: int, key: str, value: str) -> int | None:
    """Return the id of a tag's value, if the tenant has it."""
    found = await connection.fetchval(_TAG, tenant_id, key, value)
    return None if found is None else int(found)
