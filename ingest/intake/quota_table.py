"""Counts the events that each tenant with a quota has sent this minute, in memory shared by a service's workers."""

from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray
from multiprocessing.synchronize import Lock
from typing import NamedTuple

TENANTS_MAX = 16_384
PROBES_MAX = 64  # Slots tried for a tenant; if half are taken, the chance to need more is 2^-64.
LOCK_S_MAX = 0.05  # Another worker holds it for microseconds, unless it is stopped.
_CELLS = 5  # Tenant, minute, and the fields of Usage.


class Usage(NamedTuple):
    """Events of batches that entered the ledger in a minute, that were replayed, and that are in flight."""

    entered: int
    replayed: int
    reserved: int


class TableFull(Exception):
    """There is no slot for another tenant."""


class Table:
    """Counts by tenant and minute; a new minute starts with only the events in flight."""

    def __init__(self) -> None:
        self._cells: MutableSequence[int] = RawArray("q", TENANTS_MAX * _CELLS)
        self._lock: Lock = get_context("spawn").Lock()

    def used(self, tenant_id: int, minute: int) -> Usage:
        with self._locked():
            at = self._place(tenant_id, minute)
            return Usage(*self._cells[at + 2 : at + _CELLS])

    def reserve(self, tenant_id: int, minute: int, events: int, most: int) -> bool:
        """Add to the events in flight, unless the total would exceed `most`; return whether it was done."""
        with self._locked():
            at = self._place(tenant_id, minute)
            if sum(self._cells[at + 2 : at + _CELLS]) + events > most:
                return False
            self._cells[at + 4] += events
            return True

    def settle(self, tenant_id: int, minute: int, change: Usage) -> None:
        """Subtract `reserved` from the events in flight, and add the other fields."""
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
        """Return where a tenant's cells begin, in a free or expired slot if it has none; raises TableFull."""
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
