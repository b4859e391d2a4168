"""Receives finished requests from the workers, and reports them; whatever is lost on the way is counted and reported.

A loss is never left out. It may be counted twice, or an event be both stored and counted, if the companion is killed
between the act and its count.
"""

import select
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from ingest.gateway.companion import metrics
from ingest.gateway.telemetry.counts import OTHERS, CompanionCounts
from ingest.gateway.telemetry.event import Translator
from ingest.gateway.telemetry.finished import PARCEL_BYTES_MAX, Finished, Parcel
from ingest.gateway.telemetry.reporters import Account, Reporters
from ingest.knowledge.gateway import GatewayTenant
from nocontent_reporter import Reporter

ROUND_MAX: Final = 256  # Requests that are taken at once.
# Between rounds, for as many as come meanwhile to be taken at once: the kernel keeps them, whoever is killed, and has
# room for some 500. To wake up for each would cost more than what is done with it.
PAUSE_S: Final = 0.02
TICK_S: Final = 0.25
METER_S: Final = 1.0
TIDY_S: Final = 30.0
CLOSE_S: Final = 8.0  # For the reporters at the end; `launch.END_S` is longer.
DRAIN_S: Final = 2.0
TRANSLATORS_MAX: Final = 1_024
Tenants = Callable[[int], GatewayTenant | None]


class Reports:
    """The companion's side of the hand-over; all methods are called by one thread."""

    def __init__(self, receiving: socket.socket, counts: CompanionCounts, tenants: Tenants, account: Account) -> None:
        self._socket = receiving
        self._counts = counts
        self._tenants = tenants
        self._reporters = Reporters(account, self._gone)
        self._translators: dict[int, tuple[GatewayTenant, Translator]] = {}
        self._metered: dict[int, Counter[str]] = {}
        self._owed: Counter[int] = Counter()  # Losses of tenants for which no reporter could be opened yet.
        self._meters_at = self._tidies_at = time.monotonic() + METER_S

    def run(self, ending: threading.Event) -> None:
        """Receive and report until the gateway ends, then send what can be sent."""
        self.recover()
        while not ending.is_set():
            self.step(TICK_S)
        ends_at = time.monotonic() + DRAIN_S
        while self._receive(TICK_S) and time.monotonic() < ends_at:
            pass
        self.settle()
        self._reporters.close(CLOSE_S)

    def recover(self) -> None:
        """Take over from a companion, or a gateway, that was killed: its spools, and what it had in memory, as lost."""
        metrics.starts.inc()
        for tenant_id in self._reporters.left():
            if (reporter := self._reporters.of(tenant_id)) is not None:
                reporter.flush(0)  # Starts it.
        for tenant_id in self._counts.tenants():
            if events := self._counts.unsettled(tenant_id):
                self._lose(tenant_id, events)

    def step(self, timeout_s: float) -> None:
        """Receive for a while, and settle."""
        ends_at = time.monotonic() + timeout_s
        while (left_s := ends_at - time.monotonic()) > 0:
            if 0 < self._receive(left_s) < ROUND_MAX:
                time.sleep(PAUSE_S)
        self.settle()

    def settle(self) -> None:
        """Note what is safe, and look for what killed workers have left."""
        for place in self._counts.dead_places():
            while self._receive(0):  # What the kernel has kept of it.
                pass
            for missing in self._counts.missing(place):
                self._miss(missing.tenant_id, missing.events)
                self._counts.arrive(place, missing.slot, missing.finished)
        for tenant_id in [each for each in self._owed if self._reporters.of(each) is not None]:
            self._lose(tenant_id, self._owed.pop(tenant_id))
        for tenant_id, reporter in self._reporters:
            if self._counts.unsettled(tenant_id):
                self._counts.settle(tenant_id, reporter.at_risk())
        self._do_what_is_due(time.monotonic())

    def _do_what_is_due(self, now_s: float) -> None:
        if now_s > self._meters_at:
            self._meters_at = now_s + METER_S
            for tenant_id, reporter in self._reporters:
                self._meter(tenant_id, reporter)
        if now_s > self._tidies_at:
            self._tidies_at = now_s + TIDY_S
            self._reporters.tidy()

    def _gone(self, tenant_id: int, reporter: Reporter) -> None:
        """Settle a reporter that was closed."""
        self._counts.settle(tenant_id, reporter.at_risk())
        self._meter(tenant_id, reporter)
        del self._metered[tenant_id]

    def _receive(self, timeout_s: float) -> int:
        """Wait for requests, and take those that are there; return how many there were."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return 0
        messages: list[bytes] = []
        try:
            while len(messages) < ROUND_MAX:
                if not (message := self._socket.recv(PARCEL_BYTES_MAX, socket.MSG_DONTWAIT)):
                    time.sleep(timeout_s)  # All that could send have ended.
                    break
                messages.append(message)
        except BlockingIOError:
            pass
        self._take(messages)
        return len(messages)

    def _take(self, messages: list[bytes]) -> None:
        """Count all as taken before the first is reported: a kill must not lose one that is not counted."""
        parcels = list(_parcels(messages))
        metrics.reports.labels("received").inc(len(parcels))
        by_tenant: defaultdict[int, list[Finished]] = defaultdict(list)
        for parcel in parcels:
            by_tenant[parcel.finished.tenant_id].append(parcel.finished)
        have_room = {tenant_id for tenant_id, taken in by_tenant.items() if self._counts.take(tenant_id, len(taken))}
        for place, slot, number, finished in parcels:
            if skipped := self._counts.skipped(place, slot, number):
                self._miss(0 if slot == OTHERS else finished.tenant_id, skipped)
            self._counts.arrive(place, slot, number)
        for tenant_id, taken in by_tenant.items():
            reporter = self._reporters.of(tenant_id) if tenant_id in have_room else None
            if reporter is None:
                self._lose(tenant_id if tenant_id in have_room else 0, len(taken))
                continue
            event_of = self._translator(tenant_id).event
            for finished in taken:
                reporter.report(event_of(finished))

    def _miss(self, tenant_id: int, events: int) -> None:
        """Take requests that never arrived as lost."""
        self._lose(tenant_id if tenant_id and self._counts.take(tenant_id, events) else 0, events)

    def _lose(self, tenant_id: int, events: int) -> None:
        """Have the service told how many events of a tenant are lost; of tenant 0, /metrics alone tells it."""
        reporter = self._reporters.of(tenant_id) if tenant_id else None
        if reporter is not None:
            reporter.lost(events)
        elif tenant_id:
            self._owed[tenant_id] += events
        else:
            metrics.reports.labels("lost").inc(events)

    def _translator(self, tenant_id: int) -> Translator:
        """Return what makes events of a tenant, as the newest snapshot describes it."""
        tenant, known = self._tenants(tenant_id), self._translators.get(tenant_id)
        if known is None or (tenant is not None and known[0] is not tenant):
            if len(self._translators) >= TRANSLATORS_MAX:
                self._translators.clear()
            tenant = tenant or GatewayTenant(tenant_id)  # It has lost its last token since.
            known = self._translators[tenant_id] = tenant, Translator(tenant)
        return known[1]

    def _meter(self, tenant_id: int, reporter: Reporter) -> None:
        """Add to the metrics what a reporter has counted since the last time."""
        stats, before = reporter.stats(), self._metered.get(tenant_id, Counter())
        now = Counter(stored=stats.stored, refused=sum(stats.refused.values()))
        now["lost"] = sum(events for reason, events in stats.dropped.items() if reason != "refused")
        for outcome in now:
            metrics.reports.labels(outcome).inc(max(0, now[outcome] - before[outcome]))
        self._metered[tenant_id] = now


def _parcels(messages: Iterable[bytes]) -> Iterator[Parcel]:
    """Yield what workers have sent; the number of anything else will be missed."""
    for message in messages:
        with suppress(ValueError):
            yield Parcel.decode(message)
