"""Numbers that a gateway's processes share: requests that finished, that arrived at the companion, that are settled.

Every cell has one writer, so no process waits for another, and none that is killed leaves a number half written.
Workers number the finished requests of each tenant; the companion notes the last number that arrived. Whatever became
of a message, or of the process that held it, the difference is what is missing.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

PLACES: Final = 64  # Of workers: those that run, and killed ones that have not been settled.
SLOTS: Final = 512  # Of tenants of a worker; the first is of all others together.
TENANTS: Final = 4_096  # Of the companion.
_SLOT_CELLS: Final = 3  # Tenant, finished, arrived.
_TENANT_CELLS: Final = 3  # Tenant, taken, settled.
_TENANTS_AT: Final = PLACES * SLOTS * _SLOT_CELLS
_CELLS: Final = _TENANTS_AT + TENANTS * _TENANT_CELLS
_BYTES: Final = -(-_CELLS * 8 // mmap.PAGESIZE) * mmap.PAGESIZE
NAME: Final = "counts-1"  # With the version of the places of its numbers.
TURN_S: Final = 20.0
TURN_POLL_S: Final = 0.05
OTHERS: Final = 0  # The slot of tenants without one of their own.


class _Passed(Protocol):
    def detach(self) -> int: ...


class CountsFile:
    """An open file of counts; multiprocessing can pass it to a worker."""

    def __init__(self, file: int) -> None:
        self.file = file

    @classmethod
    def make(cls, folder: Path | None) -> Self:
        """Make counts in memory, or open those in a folder, which outlive the gateway; raises OSError.

        Wait for the companion of a gateway before this one, which may still be reporting from the folder.
        """
        if folder is None:
            file = os.memfd_create("nocontent-counts", os.MFD_CLOEXEC)
        else:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            _await_turn(file)
        os.ftruncate(file, _BYTES)
        return cls(file)

    def __reduce__(self) -> "tuple[object, tuple[_Passed]]":
        return _received, (DupFd(self.file),)


def _await_turn(file: int) -> None:
    """Take the folder for as long as a process has this file open; raises BlockingIOError after TURN_S."""
    ends_at = time.monotonic() + TURN_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(TURN_POLL_S)
        else:
            return


def _received(passed: _Passed) -> CountsFile:
    return CountsFile(passed.detach())


class Missing(NamedTuple):
    """Requests of a tenant that finished at a place and have not arrived; the tenant is 0 in the slot of others."""

    slot: int
    tenant_id: int
    events: int
    finished: int


class WorkerCounts:
    """A worker's place among the counts: it numbers what it finishes."""

    def __init__(self, file: CountsFile) -> None:
        self._file = _opened_again(file)
        self._cells = _mapped(file)
        self.place = self._claim()
        self._slots: dict[int, int] = {}
        for slot in range(1, SLOTS):
            tenant_id = self._cells[_slot_at(self.place, slot)]
            if not tenant_id:
                break
            self._slots[tenant_id] = slot

    def number(self, tenant_id: int) -> tuple[int, int]:
        """Count a finished request; return its slot and its number there."""
        slot = self._slots.get(tenant_id)
        if slot is None:
            slot = self._new_slot(tenant_id)
        at = _slot_at(self.place, slot) + 1
        self._cells[at] += 1
        return slot, self._cells[at]

    def close(self) -> None:
        """Give up the place."""
        os.close(self._file)

    def _new_slot(self, tenant_id: int) -> int:
        slot = len(self._slots) + 1
        if slot >= SLOTS:
            return OTHERS
        self._cells[_slot_at(self.place, slot)] = tenant_id
        self._slots[tenant_id] = slot
        return slot

    def _claim(self) -> int:
        """Take a place for as long as the process lives: one where nothing is missing, if there is one."""
        dirty = [place for place in range(PLACES) if any(_missing(self._cells, place))]
        for place in [*(each for each in range(PLACES) if each not in dirty), *dirty]:
            if hold(self._file, place):
                return place
        raise OSError


class CompanionCounts:
    """The companion's view of the counts."""

    def __init__(self, file: CountsFile) -> None:
        self._file = _opened_again(file)
        self._cells = _mapped(file)
        self._tenants: dict[int, int] = {}
        for place in range(TENANTS):
            at = _TENANTS_AT + place * _TENANT_CELLS
            if not self._cells[at]:
                break
            self._tenants[self._cells[at]] = at

    def tenants(self) -> list[int]:
        """Return the tenants of which anything was ever taken."""
        return list(self._tenants)

    def skipped(self, place: int, slot: int, number: int) -> int:
        """Return how many requests before this one of its slot have not arrived; they never will, as order is kept."""
        return max(0, number - self._cells[_slot_at(place % PLACES, slot % SLOTS) + 2] - 1)

    def arrive(self, place: int, slot: int, number: int) -> None:
        """Note that a request has arrived, and that whatever was missing before it is taken as lost."""
        at = _slot_at(place % PLACES, slot % SLOTS) + 2
        self._cells[at] = max(self._cells[at], number)

    def take(self, tenant_id: int, events: int) -> bool:
        """Count events and losses of a tenant that have to be settled; return whether there was room for the tenant."""
        at = self._tenants.get(tenant_id)
        if at is None:
            if len(self._tenants) >= TENANTS:
                return False
            at = self._tenants[tenant_id] = _TENANTS_AT + len(self._tenants) * _TENANT_CELLS
            self._cells[at] = tenant_id
        self._cells[at + 1] += events
        return True

    def settle(self, tenant_id: int, at_risk: int) -> None:
        """Note that all that was taken of a tenant is stored, on the disk, or reported as lost, but for some."""
        at = self._tenants.get(tenant_id)
        if at is not None:
            self._cells[at + 2] = max(self._cells[at + 2], self._cells[at + 1] - at_risk)

    def unsettled(self, tenant_id: int) -> int:
        """Return what was taken of a tenant and not settled."""
        at = self._tenants.get(tenant_id)
        return 0 if at is None else self._cells[at + 1] - self._cells[at + 2]

    def dead_places(self) -> Iterator[int]:
        """Yield the places of ended workers where something is missing; each is held until the next is asked for."""
        for place in range(PLACES):
            if any(_missing(self._cells, place)) and hold(self._file, place):
                try:
                    yield place
                finally:
                    release(self._file, place)

    def missing(self, place: int) -> list[Missing]:
        """Return what is missing at a place."""
        return list(_missing(self._cells, place))


def hold(file: int, place: int) -> bool:
    """Take the lock of a place, for as long as a file is open; return whether nobody else has it."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK, place))
    except OSError:
        return False
    return True


def release(file: int, place: int) -> None:
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, _lock(fcntl.F_UNLCK, place))


def _lock(kind: int, place: int) -> bytes:
    """Return a `struct flock` of one byte."""
    return struct.pack("hhqqi", kind, os.SEEK_SET, place, 1, 0)


def _opened_again(file: CountsFile) -> int:
    """Open a file anew: locks are those of an opening, and the one that was passed on is everybody's."""
    return os.open(f"/proc/self/fd/{file.file}", os.O_RDWR | os.O_CLOEXEC)


def _mapped(file: CountsFile) -> "memoryview[int]":
    return memoryview(mmap.mmap(file.file, _BYTES)).cast("q")


def _slot_at(place: int, slot: int) -> int:
    return (place * SLOTS + slot) * _SLOT_CELLS


def _missing(cells: "memoryview[int]", place: int) -> Iterator[Missing]:
    for slot in range(SLOTS):
        tenant_id, finished, arrived = cells[(at := _slot_at(place, slot)) : at + _SLOT_CELLS]
        if slot != OTHERS and not tenant_id:
            return
        if finished > arrived:
            yield Missing(slot, tenant_id, finished - arrived, finished)
