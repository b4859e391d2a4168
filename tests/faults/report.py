"""The report of a run."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.faults.checker import Verdict
from tests.faults.killer import KINDS, Killer
from tests.support.counts import listed


class Line(Struct):
    """The fields of a log line that the report needs."""

    level: str
    event: str
    error: str = ""
    sqlstate: str = ""
    place: str = ""
    suppressed: int = 1  # A line that counts others counts as many.


def table(killer: Killer, verdict: Verdict, proxy_starts: int, seconds: float) -> Iterator[str]:
    """Yield the lines of the report above the last."""
    notebook = killer.load.notebook
    yield f"kills       {listed(killer.struck)}; of them {killer.hasty:,} before the last was over"
    yield f"answers     {listed(notebook.answers)}"
    yield f"broken      {listed(notebook.errors)}"
    yield f"retries     {notebook.retries:,}"
    yield f"batches     {listed(Counter(batch.fate.value for batch in notebook.batches))}"
    receipts = notebook.receipts
    yield (
        f"receipts    {receipts['accepted']:,} accepted, {receipts['duplicates']:,} duplicates,"
        f" {receipts['replayed']:,} receipts replayed"
    )
    yield (
        f"stored      {verdict.stored.total():,} events, {verdict.credited.total():,} in the ledger,"
        f" {verdict.refused:,} refused but stored, {verdict.denied:,} denied but stored,"
        f" {verdict.halves:,} batches in part"
    )
    reported = verdict.reported
    yield (
        f"reporters   {reported.all:,} events reported, {reported.kept:,} kept in spools; {reported.stored:,} stored,"
        f" {reported.dropped:,} dropped and counted, {reported.unkept:,} gone with a killed process,"
        f" {reported.gaps:,} gaps in streams"
    )
    yield f"rollups     {verdict.summed:,} events in them, {verdict.sums:,} sums that differ from the rows"
    events_per_s, batches_per_s = verdict.acknowledged / seconds, len(notebook.batches) / seconds
    yield f"load        {events_per_s:,.0f} events/s, {batches_per_s:,.0f} batches/s for {seconds:,.0f} s"
    yield from _recoveries(killer.recoveries_s)
    deployment = killer.deployment
    yield (
        f"starts      {deployment.service_starts:,} of the service, {deployment.database_starts:,} of PostgreSQL,"
        f" which refused {deployment.database_refusals:,} times, {proxy_starts:,} of proxies"
    )
    yield f"log         {listed(complaints(deployment.log))}"
    yield from (f"FOUND {count:,} × {what}" for what, count in notebook.finds.most_common())


def complaints(log: Path) -> Counter[str]:
    """Count the warnings and errors that the service wrote."""
    found: Counter[str] = Counter()
    for written in log.read_bytes().splitlines():
        try:
            line = msgspec.json.decode(written, type=Line)
        except msgspec.MsgspecError:
            # Half a line of a killed process, or multiprocessing's message about leaked resources.
            found["bug: a traceback" if written.startswith(b"Traceback") else "no line of ours"] += 1
            continue
        if line.level != "info":
            found[" ".join(filter(None, (line.event, line.error, line.sqlstate, line.place)))] += line.suppressed
    return found


def _recoveries(by_kind: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yield the times from a kill to the first receipt of a request that was sent after it."""
    for part in sorted({kind.part for kind in KINDS.values()}):
        kinds = {name: found for name, found in by_kind.items() if KINDS[name].part == part}
        if together := [recovery_s for found in kinds.values() for recovery_s in found]:
            yield f"recovery    {part}: {_spread(together)}"
            yield from (f"            {name}: {_spread(found)}" for name, found in sorted(kinds.items()))


def _spread(recoveries_s: Sequence[float]) -> str:
    return f"median {statistics.median(recoveries_s):.2f} s, max {max(recoveries_s):.2f} s of {len(recoveries_s):,}"
