"""Marks the rows of a transaction, so that a roll-up finds just these: one mark per tenant and 10-second slice.

Writers insert marks in the transaction of the rows, and share no lock: the table has no key. Decision 0023.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ingest.store import rows
from ingest.store.connections import Connection

SLICE_S = 10
_SLICE_US = SLICE_S * 1_000_000
_Times = npt.NDArray[np.int64]


class Marks(NamedTuple):
    """Marks as columns; times in microseconds since 2000."""

    tenant_ids: list[int]
    first: list[int]
    last: list[int]
    events: list[int]


_INSERT = """
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events)
SELECT
    tenant_id,
    '2000-01-01T00:00:00Z'::timestamptz + first * interval '1 microsecond',
    '2000-01-01T00:00:00Z'::timestamptz + last * interval '1 microsecond',
    events
FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[]) AS mark (tenant_id, first, last, events)
"""


async def insert(connection: Connection, marks: Marks) -> None:
    """Insert marks in the transaction that inserted their rows."""
    await connection.execute(_INSERT, *marks)


def of_rows(merged: bytes) -> Marks:
    """Return the marks of rows in the order of the primary key."""
    stored = np.frombuffer(merged, rows.ROW)
    return _of_runs(stored["tenant_id"].astype(np.int64), stored["occurred_at"].astype(np.int64))


def of_ids(inserted: Iterable[tuple[int, UUID]]) -> Marks:
    """Return the marks of rows by tenant and event id, in any order: an id has its time."""
    keys = sorted(inserted)
    tenant_ids = np.array([tenant_id for tenant_id, _ in keys], np.int64)
    return _of_runs(tenant_ids, rows.times_of_ids([event_id for _, event_id in keys]))


def _of_runs(tenant_ids: _Times, times: _Times) -> Marks:
    slices = times // _SLICE_US
    is_first = np.ones(len(times), bool)
    is_first[1:] = (slices[1:] != slices[:-1]) | (tenant_ids[1:] != tenant_ids[:-1])
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(times)) - 1
    return Marks(tenant_ids[first].tolist(), times[first].tolist(), times[last].tolist(), (last - first + 1).tolist())
