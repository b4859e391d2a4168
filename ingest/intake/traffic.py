"""Counts a worker's refusals and arrivals in memory, and adds them to the database's every ten seconds.

At most once: a worker that is killed loses what it has counted, and a request never waits for a count. Neither a value
nor a name of the sender's is counted: a cause is a rule or a problem, a field a name of the contract.
"""

import asyncio
import re
from collections.abc import Sequence

from ingest import logs
from ingest.errors import IngestError, Overloaded, Unavailable
from ingest.intake.problems import FACES
from ingest.intake.token_uses import TokenUses
from ingest.store import rows, tokens, traffic
from ingest.store.batches import Entry
from ingest.store.lending import Connections
from ingest.store.traffic import FIELDS, OTHER, PROBLEMS, Arrived, Cell, Refused, Sender

FLUSH_S = 10.0
STOP_S = 2.0  # For the last counts of a worker that stops.
CELLS_MAX = 5_000  # Of all tenants; the database takes 10,000.
TENANT_CELLS_MAX = 250  # Of one, before its refusals are counted without a cause.
_REPORTER = re.compile(r"nocontent-reporter/([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_LAG_MS_MAX = 2**31 - 1
_NAMES = frozenset(FIELDS)
_NOTHING = Refused(0, 0)
_NOBODY = 0  # No tenant: counts of all of them take turns with the look-ups of each.


class Traffic:
    """The counts of one worker since it last added them to the database's."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.uses = TokenUses()
        self._forget()

    def _forget(self) -> None:
        self._refusals: dict[Cell, Refused] = {}
        self._arrivals: dict[Sender, Arrived] = {}
        self._cells: dict[int, int] = {}

    def refuse(self, sender: Sender, error: IngestError) -> None:
        """Count a refused request by its first rule or its problem; an error of ours is no refusal."""
        if error.violations:
            rule, pointer, _ = error.violations[0]
            self._count(Cell(sender.tenant_id, sender.door, rule, field_of(pointer)), Refused(1, 0))
        elif (problem := FACES[type(error)].problem) in PROBLEMS:
            self._count(Cell(sender.tenant_id, sender.door, problem, None), Refused(1, 0))
        else:
            return
        self._add(sender, Arrived(1, 1, 0, None))

    def reject(self, sender: Sender, rule: str, records: int) -> None:
        """Count records that were refused while the others of their request were stored."""
        self._count(Cell(sender.tenant_id, sender.door, rule, None), Refused(0, records))

    def arrive(self, sender: Sender, entry: Entry | None, now_ms: int) -> None:
        """Count a request that was answered, and how long after its last event it came."""
        lag_ms = None
        if entry is not None and entry.rows:
            lag_ms = max(-_LAG_MS_MAX, min(now_ms - rows.last_ms(entry.rows), _LAG_MS_MAX))
        self._add(sender, Arrived(1, 0, entry.events if entry else 0, lag_ms))

    async def run(self) -> None:
        """Add what was counted until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def stop(self) -> None:
        """Add what was counted last."""
        try:
            async with asyncio.timeout(STOP_S):
                await self.flush()
        except TimeoutError:
            logs.warning("traffic-lost")

    async def flush(self) -> None:
        """Add what was counted, and forget it; without a connection it stays for the next time."""
        if not (self._refusals or self._arrivals or self.uses.due):
            return
        was_taken = False
        try:
            async with self._connections.lend(_NOBODY) as connection:
                refusals, arrivals = self._refusals, self._arrivals
                self._forget()  # First, because nobody knows whether a COMMIT that is cut off counted.
                was_taken = True
                if refusals:
                    await traffic.add_refusals(connection, refusals)
                if arrivals:
                    await traffic.add_arrivals(connection, arrivals)
                was_taken = False
                if self.uses.due:
                    self.uses.noted(await tokens.note_uses(connection, self.uses.due))
        except (Overloaded, Unavailable):
            if was_taken:
                logs.warning("traffic-lost")

    def _count(self, cell: Cell, more: Refused) -> None:
        if cell not in self._refusals and not self._has_room(cell.tenant_id):
            cell = Cell(cell.tenant_id, cell.door, OTHER, None)
        requests, records = self._refusals.get(cell, _NOTHING)
        self._refusals[cell] = Refused(requests + more.requests, records + more.records)

    def _add(self, sender: Sender, more: Arrived) -> None:
        if sender not in self._arrivals and not self._has_room(sender.tenant_id):
            sender = sender._replace(version=0)
        known = self._arrivals.get(sender)
        if known is None:
            self._arrivals[sender] = more
            return
        lags = [lag for lag in (known.lag_ms, more.lag_ms) if lag is not None]
        self._arrivals[sender] = Arrived(
            known.requests + more.requests, known.refused + more.refused, known.events + more.events,
            min(lags, default=None),
        )  # fmt: skip

    def _has_room(self, tenant_id: int) -> bool:
        """Take a place for a new count of a tenant, unless it has too many already."""
        taken = self._cells.get(tenant_id, 0)
        if taken >= TENANT_CELLS_MAX or len(self._refusals) + len(self._arrivals) >= CELLS_MAX:
            return False
        self._cells[tenant_id] = taken + 1
        return True


def field_of(pointer: str) -> str | None:
    """Return the last name of the contract in a pointer that `FIELDS` lists."""
    return next((name for name in reversed(pointer.split("/")) if name in _NAMES), None)


def version_of(user_agents: Sequence[str]) -> int:
    """Return the version of our reporter as a number, 1002003 for 1.2.3, or 0."""
    found = _REPORTER.fullmatch(user_agents[0]) if len(user_agents) == 1 else None
    if found is None:
        return 0
    major, minor, patch = map(int, found.groups())
    return major * 1_000_000 + minor * 1_000 + patch
