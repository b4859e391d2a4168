"""Quotas: how many events a tenant may send in a minute of PostgreSQL's clock, counted before they are stored.

A batch costs all of its events, even those stored before. The ledger, read once a second, shows what other services on
the same database have stored.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from ingest.errors import Overloaded
from ingest.intake.errors import BatchOverQuota, QuotaExceeded
from ingest.intake.quota_table import Table, TableFull, Usage
from ingest.store import streams
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.connections import Connection
from schema.receipt import Receipt

MINUTE_S = 60


class Left(NamedTuple):
    """A quota, what is left of it, and the seconds until it is reset."""

    quota: int
    events: int
    reset_s: int


class _Known(NamedTuple):
    """Each tenant's events of a minute that other services have entered in the ledger, as far as it is certain."""

    minute: int
    elsewhere: Mapping[int, int]


class Quotas:
    """One worker's view of the service's table; `quota_of` returns a tenant's quota or None, `now_s` the Unix time."""

    def __init__(self, quota_of: Callable[[int], int | None], table: Table, now_s: Callable[[], float]) -> None:
        self._quota_of = quota_of
        self._table = table
        self._now_s = now_s
        self._known = _Known(0, {})

    def left(self, tenant_id: int) -> Left | None:
        """Return what is left of a tenant's quota, or None if it has no quota."""
        quota = self._quota_of(tenant_id)
        if quota is None:
            return None
        spent = self._elsewhere(tenant_id) + sum(self._used(tenant_id, self._minute))
        return Left(quota, max(0, quota - spent), MINUTE_S - int(self._now_s()) % MINUTE_S)

    @contextmanager
    def reserved(self, tenant_id: int) -> "Iterator[Reservation]":
        """Reserve one event, before anything is known of a batch; raises QuotaExceeded, BatchOverQuota."""
        reservation = Reservation(self, tenant_id)
        reservation.extend(1)
        try:
            yield reservation
        finally:
            reservation.release()

    async def refresh(self, connection: Connection, tenant_ids: list[int]) -> None:
        """Read from the ledger what tenants have stored in this minute."""
        minute = self._minute
        stored = await streams.used_this_minute(connection, tenant_ids)
        if self._minute == minute:  # If a minute began in between, the next refresh will do.
            elsewhere = {each: self._entered_elsewhere(each, stored.get(each, 0)) for each in tenant_ids}
            self._known = _Known(minute, elsewhere)

    def require(self, tenant_id: int, more: int, whole: int) -> int:
        """Reserve more events for a batch of `whole` events; return how many, and raise what `reserved` raises."""
        quota = self._quota_of(tenant_id)
        if quota is None:
            return 0
        if whole > quota:
            raise BatchOverQuota
        try:
            is_reserved = self._table.reserve(tenant_id, self._minute, more, quota - self._elsewhere(tenant_id))
        except TableFull:
            raise Overloaded from None
        if not is_reserved:
            raise QuotaExceeded(MINUTE_S - int(self._now_s()) % MINUTE_S)
        return more

    def settle(self, tenant_id: int, change: Usage) -> None:
        self._table.settle(tenant_id, self._minute, change)

    def _used(self, tenant_id: int, minute: int) -> Usage:
        try:
            return self._table.used(tenant_id, minute)
        except TableFull:
            return Usage(0, 0, 0)

    @property
    def _minute(self) -> int:
        return int(self._now_s()) // MINUTE_S

    def _elsewhere(self, tenant_id: int) -> int:
        """Return the events of this minute that other services entered in the ledger, as of the last refresh."""
        return self._known.elsewhere.get(tenant_id, 0) if self._known.minute == self._minute else 0

    def _entered_elsewhere(self, tenant_id: int, stored: int) -> int:
        """Return how many of the stored events are certainly others'.

        A batch of ours in flight may be stored and not settled yet: it must not count twice. In a minute the events of
        others only grow, so what was certain before still is.
        """
        entered, _, reserved = self._used(tenant_id, self._minute)
        return max(self._elsewhere(tenant_id), stored - entered - reserved)


class Reservation:
    """The events of a tenant's quota that one batch holds until it is answered."""

    def __init__(self, quotas: Quotas, tenant_id: int) -> None:
        self._quotas = quotas
        self._tenant_id = tenant_id
        self._events = 0
        self._is_kept = False

    def extend(self, events: int) -> None:
        """Raise the reservation to so many events in all; raises QuotaExceeded, BatchOverQuota."""
        more = max(0, events - self._events)
        self._events += self._quotas.require(self._tenant_id, more, events)

    def keep(self, entry: Entry, stored: "asyncio.Future[Receipt]") -> None:
        """Keep the reservation until the batch has its outcome, even if nobody waits for it any more."""
        self._is_kept = True

        def settle(outcome: "asyncio.Future[Receipt]") -> None:
            if outcome.cancelled() or outcome.exception() is not None:
                self._end(0, 0)
            elif outcome.result().replayed or (entry.sequence == NO_SEQUENCE and not outcome.result().accepted):
                self._end(0, entry.weight)
            else:
                self._end(entry.weight, 0)

        stored.add_done_callback(settle)

    def release(self) -> None:
        """Release the reservation, unless it is kept."""
        if not self._is_kept:
            self._end(0, 0)

    def _end(self, entered: int, replayed: int) -> None:
        if self._events:  # 0 if the tenant has no quota.
            self._quotas.settle(self._tenant_id, Usage(entered, replayed, self._events))
        self._events = 0
