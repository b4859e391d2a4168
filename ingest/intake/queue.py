"""The queue of batches that wait for a writer: bounded in rows and bytes, and fair between tenants."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from ingest.errors import Overloaded, Stopping
from ingest.intake import metrics
from ingest.intake.admission import Admission
from ingest.store.batches import Entry
from schema.limits import EVENTS_MAX
from schema.receipt import Receipt

ROWS_MAX = 200_000
BYTES_MAX = 64 * 1024 * 1024
TENANT_ROWS_MAX = ROWS_MAX // 2  # A flood from one tenant leaves half of the room to the others.
GROUP_ROWS_MAX = 8_192  # A COPY of about 1,000 rows is quadratic in PostgreSQL 17 and later: merging pays up to here.
assert EVENTS_MAX <= GROUP_ROWS_MAX <= TENANT_ROWS_MAX


@dataclass(slots=True, eq=False)
class Waiting:
    """A queued entry, and the future of its receipt."""

    entry: Entry
    receipt: asyncio.Future[Receipt]
    came_at: float


@dataclass(slots=True)
class Queue:
    """First in, first out within each tenant; tenants take turns, one batch each."""

    rows: int = 0
    bytes: int = 0
    is_closed: bool = False
    _turns: dict[int, deque[Waiting]] = field(default_factory=dict)
    _tenant_rows: dict[int, int] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(lambda tenant_id, batches: self._has_room(tenant_id, batches * EVENTS_MAX, 0))

    @property
    def age_s(self) -> float:
        """Age of the oldest waiting batch, or 0 if none waits."""
        came_at = min((waiting[0].came_at for waiting in self._turns.values()), default=None)
        return 0.0 if came_at is None else time.monotonic() - came_at

    def require_room(self, tenant_id: int, rows: int, size: int) -> None:
        """Raise Overloaded if there is no room for a batch, and Stopping after `close`."""
        if self.is_closed:
            raise Stopping
        if not self._has_room(tenant_id, rows, size):
            raise Overloaded

    def is_full(self, tenant_id: int) -> bool:
        """Return whether a tenant's batch has to wait to be admitted; raises Stopping."""
        if self.is_closed:
            raise Stopping
        return tenant_id in self.admission or not self._has_room(tenant_id, 1, 0)

    def put(self, entry: Entry) -> asyncio.Future[Receipt]:
        """Queue an entry, and return the future of its receipt; raises what `require_room` raises."""
        self.require_room(entry.tenant_id, entry.weight, len(entry.rows))
        waiting = Waiting(entry, asyncio.get_running_loop().create_future(), time.monotonic())
        self._turns.setdefault(entry.tenant_id, deque()).append(waiting)
        self._tenant_rows[entry.tenant_id] = self._tenant_rows.get(entry.tenant_id, 0) + entry.weight
        self._count(entry.weight, len(entry.rows))
        self._arrived.set()
        return waiting.receipt

    async def take(self) -> list[Waiting]:
        """Wait for a batch, then take those that wait, up to GROUP_ROWS_MAX; return none once closed and empty."""
        while not self._turns and not self.is_closed:
            self._arrived.clear()
            await self._arrived.wait()
        group: list[Waiting] = []
        rows = 0
        while self._turns:
            tenant_id, waiting = next(iter(self._turns.items()))
            entry = waiting[0].entry
            if group and rows + entry.weight > GROUP_ROWS_MAX:
                break
            group.append(waiting.popleft())
            rows += entry.weight
            self._remove(tenant_id, waiting, entry)
        self.admission.admit_all()
        return group

    def close(self) -> None:
        """Accept no more entries; those in the queue can still be taken."""
        self.is_closed = True
        self._arrived.set()
        self.admission.close()

    def _has_room(self, tenant_id: int, rows: int, size: int) -> bool:
        tenant_rows = self._tenant_rows.get(tenant_id, 0) + rows
        return self.rows + rows <= ROWS_MAX and self.bytes + size <= BYTES_MAX and tenant_rows <= TENANT_ROWS_MAX

    def _remove(self, tenant_id: int, waiting: deque[Waiting], entry: Entry) -> None:
        del self._turns[tenant_id]
        if waiting:
            self._turns[tenant_id] = waiting  # To the end of the round.
            self._tenant_rows[tenant_id] -= entry.weight
        else:
            del self._tenant_rows[tenant_id]
        self._count(-entry.weight, -len(entry.rows))

    def _count(self, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes += size
        metrics.queue_rows.set(self.rows)
        metrics.queue_bytes.set(self.bytes)
