"""The tables compared with the responses that clients got."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from tests.faults import sums
from tests.faults.batches import Batch, Fate, Nature, origin
from tests.faults.notebook import Notebook

ROWS_PER_FETCH = 50_000
_EVENTS = "SELECT tenant_id, event_id FROM events"
_LEDGER = "SELECT tenant_id, stream_id, sequence, accepted, duplicates FROM batches WHERE sequence >= 0"
_DROPPED = """
SELECT tenant_id, sum(dropped_queue_full + dropped_retries_exhausted + dropped_refused + dropped_shutdown)
FROM batches GROUP BY tenant_id
"""
_GAPS = """
SELECT tenant_id, max(sequence) + 1 - count(*) FROM batches WHERE sequence >= 0 GROUP BY tenant_id, stream_id
"""
_CREDITED = """
SELECT tenant_id, sum(accepted), coalesce(sum(accepted) FILTER (WHERE sequence < 0), 0) FROM batches GROUP BY tenant_id
"""


class Key(NamedTuple):
    """The key of a batch with a stream in the ledger."""

    tenant_id: int
    stream_id: UUID
    sequence: int


@dataclass
class Reported:
    """What became of the events that reporters have sent through spools."""

    all: int = 0
    kept: int = 0  # Of these, in a spool before its process was killed.
    stored: int = 0
    missing: int = 0  # Kept and not stored.
    dropped: int = 0  # As the reporters counted.
    gaps: int = 0  # Numbers in their streams without a batch.

    @property
    def lost(self) -> int:
        """Return the events that were neither stored nor counted."""
        return max(0, self.missing - self.dropped)

    @property
    def unkept(self) -> int:
        """Return the events that a process had not put into its spool, but for the lost ones."""
        return max(0, self.all - self.stored - self.dropped - self.lost)

    @property
    def overcounted(self) -> int:
        """Return the events that were counted as dropped although they were stored, or twice."""
        return max(0, self.stored + self.dropped - self.all)


@dataclass
class Verdict:
    """The result of a check, in events, except `halves`, which are batches."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    refused: int = 0  # And yet stored; also what had to be refused.
    denied: int = 0  # Stored, though every answer said that nothing was.
    halves: int = 0  # Batches of which some events are stored and some are not.
    strangers: int = 0  # Stored, and never sent.
    summed: int = 0  # In rollups.
    sums: int = 0  # Of rollups, that are not those of the rows.
    reported: Reported = field(default_factory=Reported)
    stored: Counter[int] = field(default_factory=Counter)  # By tenant,
    credited: Counter[int] = field(default_factory=Counter)  # and the same as the ledger has it.

    def faults(self) -> dict[str, int]:
        """Return the faults by name."""
        named = {
            "lost": self.lost,
            "doubled": self.doubled,
            "refused but stored": self.refused,
            "stored though the answer said that nothing was": self.denied,
            "batches stored in part": self.halves,
            "stored and never sent": self.strangers,
            "stored, and counted as dropped": self.reported.overcounted,
            "sums of rollups that differ from the rows": self.sums,
            "gaps in the streams of reporters": self.reported.gaps,
            "tenants whose ledger does not add up": sum(
                self.stored[tenant] != self.credited[tenant] for tenant in {*self.stored, *self.credited}
            ),
        }
        return {name: count for name, count in named.items() if count}


async def check(connection: Connection, notebook: Notebook) -> Verdict:
    """Read every event, the whole ledger, and the rollups."""
    verdict = Verdict(acknowledged=notebook.acknowledged)
    present = await _present(connection, notebook, verdict)
    for batch, there in zip(notebook.batches, present, strict=True):
        missing = batch.own - there
        if batch.nature is Nature.REPORTED:
            _add(verdict.reported, batch, there)
            continue
        if batch.nature is not Nature.GOOD or batch.fate is Fate.REFUSED:
            verdict.refused += there
        elif batch.fate is Fate.ACKNOWLEDGED:
            verdict.lost += missing
        elif batch.fate is Fate.DENIED:
            verdict.denied += there
        verdict.halves += bool(there and missing)
    await _check_ledger(connection, notebook, present, verdict)
    await _check_reported(connection, notebook, verdict)
    verdict.summed, verdict.sums = await sums.summed(connection), await sums.differing(connection)
    return verdict


def _add(reported: Reported, batch: Batch, there: int) -> None:
    reported.all += batch.own
    reported.stored += there
    if batch.was_acknowledged:
        reported.kept += batch.own
        reported.missing += batch.own - there


async def _check_reported(connection: Connection, notebook: Notebook, verdict: Verdict) -> None:
    """Compare what reporters have counted as dropped with what is missing, and look for gaps in their streams."""
    tenants = _reporting(notebook)
    for tenant_id, dropped in await connection.fetch(_DROPPED):
        verdict.reported.dropped += dropped if tenant_id in tenants else 0
    for tenant_id, gaps in await connection.fetch(_GAPS):
        verdict.reported.gaps += gaps if tenant_id in tenants else 0
    verdict.lost += verdict.reported.lost


def _reporting(notebook: Notebook) -> set[int]:
    return {batch.tenant_id for batch in notebook.batches if batch.nature is Nature.REPORTED}


async def _present(connection: Connection, notebook: Notebook, verdict: Verdict) -> list[int]:
    """Count the distinct events of each batch in the table, with one byte of memory per event."""
    ends = list(accumulate(batch.own for batch in notebook.batches))
    seen = bytearray(ends[-1] if ends else 0)
    async with connection.transaction():
        cursor = await connection.cursor(_EVENTS)
        while rows := await cursor.fetch(ROWS_PER_FETCH):
            for tenant_id, event_id in rows:
                verdict.stored[tenant_id] += 1
                known = event_id.int
                number, place = origin(known)
                batch = notebook.batches[number] if number < len(notebook.batches) else None
                if batch is None or not _is_of(batch, tenant_id, place, known):
                    verdict.strangers += 1
                    continue
                at = ends[number] - batch.own + place
                verdict.doubled += seen[at]
                seen[at] = 1
    return [seen.count(1, end - batch.own, end) for batch, end in zip(notebook.batches, ends, strict=True)]


def _is_of(batch: Batch, tenant_id: int, place: int, event_id: int) -> bool:
    return tenant_id == batch.tenant_id and place < batch.own and event_id == batch.event_id(place)


async def _check_ledger(connection: Connection, notebook: Notebook, present: list[int], verdict: Verdict) -> None:
    """Compare the ledger with the rows, by batch if it has a stream, else by tenant; count differences as doubled."""
    expected: dict[Key, tuple[int, int]] = {}
    loose: Counter[int] = Counter()
    reporting = _reporting(notebook)
    for batch, there in zip(notebook.batches, present, strict=True):
        if batch.nature is Nature.REPORTED:
            continue  # Its reporter numbers batches of its own.
        if batch.stream is None:
            loose[batch.tenant_id] += there
        elif there and batch.nature is not Nature.REUSED:
            expected[Key(batch.tenant_id, *batch.stream)] = there, batch.repeats
    for tenant_id, stream_id, sequence, accepted, duplicates in await connection.fetch(_LEDGER):
        if tenant_id in reporting:
            continue
        there, repeats = expected.pop(Key(tenant_id, stream_id, sequence), (0, 0))
        verdict.doubled += abs(accepted - there) or abs(duplicates - repeats)
    verdict.doubled += sum(there for there, _ in expected.values())
    for tenant_id, accepted, accepted_loose in await connection.fetch(_CREDITED):
        verdict.credited[tenant_id] += accepted
        verdict.doubled += abs(accepted_loose - loose[tenant_id])
