"""The events of this minute that each tenant with a quota has sent, in memory that the workers of a service share."""

from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray
from multiprocessing.synchronize import Lock
from typing import NamedTuple

TENANTS_MAX = 16_384
PROBES_MAX = 64  # Of places, for a tenant; with half of them taken, the chance to need more is 2^-64.
LOCK_S_MAX = 0.05  # Another worker holds it for microseconds, unless it is stopped.
_CELLS = 5  # Tenant, minute, and those of Used.


class Usage(NamedTuple):
    """Events of batches that entered the ledger in a minute, that were there before, and that are under way."""

    entered: int
    replayed: int
    reserved: int


class TableFull(Exception):
    """There is no place for another tenant."""


class Table:
    """Counts by tenant and minute; a new minute begins at 0, but for what is under way."""

    def __init__(self) -> None:
        self._cells: MutableSequence[int] = RawArray("q", TENANTS_MAX * _CELLS)
        self._lock: Lock = get_context("spawn").Lock()

    def used(self, tenant_id: int, minute: int) -> Usage:
        with self._locked():
            at = self._place(tenant_id, minute)
            return Usage(*self._cells[at + 2 : at + _CELLS])

    def reserve(self, tenant_id: int, minute: int, events: int, most: int) -> bool:
        """Add to what is under way, unless that would make more than `most` in all."""
        with self._locked():
            at = self._place(tenant_id, minute)
            if sum(self._cells[at + 2 : at + _CELLS]) + events > most:
                return False
            self._cells[at + 4] += events
            return True

    def settle(self, tenant_id: int, minute: int, change: Usage) -> None:
        """Take `reserved` from what is under way, and add the rest."""
        with self._locked():
            at = self._place(tenant_id, minute)
            self._cells[at + 2] += change.entered
            self._cells[at + 3] += change.replayed
            self._cells[at + 4] = max(0, self._cells[at + 4] - change.reserved)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        is_held = self._lock.acquire(timeout=LOCK_S_MAX)
        try:
            yield
        finally:
            if is_held:
                self._lock.release()

    def _place(self, tenant_id: int, minute: int) -> int:
        """Find where a tenant's cells begin, or give it a place that nobody uses any more; raises TableFull."""
        free = -1
        for probe in range(PROBES_MAX):
            at = (tenant_id + probe) % TENANTS_MAX * _CELLS
            owner, since, *_, reserved = self._cells[at : at + _CELLS]
            if owner == tenant_id:
                if since != minute:
                    self._cells[at + 1 : at + 4] = [minute, 0, 0]
                return at
            if free < 0 and (owner == 0 or (since < minute and not reserved)):
                free = at
            if owner == 0:
                break
        if free < 0:
            raise TableFull
        self._cells[free : free + _CELLS] = [tenant_id, minute, 0, 0, 0]
        return free
