"""The steps of an erasure. Each may be done twice and goes on after a kill; what is done is in the database alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from msgspec import UNSET

from ingest import logs
from ingest.rights.erasing.throttle import Throttle
from ingest.rights.receipts import documents, subjects
from ingest.rights.receipts.documents import Order, Outcome, Receipt
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice
from ingest.store.rights import counting, erasing, erasures
from ingest.store.rights.erasures import Erasure, Step
from ingest.store.rights.errors import SubjectChanged, WritersBusy
from ingest.store.webhooks import deliveries
from ingest.store.webhooks.deliveries import Event

VACUUM_WAIT = timedelta(hours=1)  # Then the job goes on: a long transaction keeps dead rows from any VACUUM.
# Why rows of a tenant stay, by table; `erasures` and their counts are the proof itself.
WHY_KEPT: Mapping[str, str] = {
    "audit": "acts of the operator, without ids of tokens and words: accountability",
    "invoices": "issued documents: tax law; numbers and amounts, no name",
    "invoice_lines": "issued documents: tax law; numbers and amounts, no name",
    "handovers": "which document the payment processor has: tax law; no name",
    "payments": "payments of issued documents: tax law; no name",
    "erasures": "that this was erased, so that it is not restored or its number given again",
    "erasure_counts": "the numbers of this receipt",
}


class Register(Protocol):
    """Keeps orders and receipts outside of the database."""

    def order(self, erasure: documents.Erasure, subject: documents.Subject, ordered_at: datetime) -> Order: ...

    def receipt(self, erasure_id: UUID, outcome: Outcome) -> Receipt: ...

    @property
    def backup_days(self) -> int: ...


class Release(NamedTuple):
    """The program that erased, as a receipt names it."""

    policy_digest: str
    schema_version: int


class Work(NamedTuple):
    """The dependencies of the steps of an erasure, and the end of the round."""

    connection: Connection
    register: Register
    release: Release
    throttle: Throttle
    until: float  # By the monotonic clock: then the round ends, and another one goes on.

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.until


class Progress(NamedTuple):
    """The rows that were deleted, and whether the step is done."""

    rows: int
    is_done: bool


async def order(work: Work, erasure: Erasure) -> Progress:
    """Write the order outside of the database, before the first row goes."""
    gone = await erasing.subject(work.connection, erasure)
    if gone is None:
        raise SubjectChanged
    subject = subjects.subject(erasure.subject.tenant_id, gone.created_at, gone.word)
    wanted = await document(work.connection, erasure)
    await asyncio.to_thread(work.register.order, wanted, subject, datetime.now(UTC))  # It waits for the disk.
    return Progress(0, await erasing.advance(work.connection, erasure, "ordered"))


async def document(connection: Connection, erasure: Erasure) -> documents.Erasure:
    """Return an erasure as its order and receipt have it."""
    return documents.Erasure(
        erasure_id=erasure.erasure_id,
        tenant_id=erasure.subject.tenant_id,
        scope=await _scope(connection, erasure),
        requested_at=erasure.requested_at,
    )


async def _scope(connection: Connection, erasure: Erasure) -> documents.Scope:
    wanted = erasure.subject
    if wanted.scope == "range":
        assert wanted.first is not None
        assert wanted.last is not None
        return documents.RangeScope(first=wanted.first, last=wanted.last)
    if wanted.scope == "tag":
        assert wanted.term_id is not None
        assert wanted.last is not None
        return documents.TagScope(term_id=wanted.term_id, first=wanted.first or UNSET, last=wanted.last)
    if wanted.scope == "stream":
        assert wanted.stream_id is not None
        assert wanted.sequence is not None
        return documents.StreamScope(stream_id=wanted.stream_id, sequence=wanted.sequence)
    if wanted.scope == "events":
        return documents.EventsScope(events=await erasures.event_ids(connection, erasure))
    return documents.TenantScope()


async def bar(work: Work, erasure: Erasure) -> Progress:
    """Make sure that no writer is left that does not know of the erasure."""
    try:
        await erasing.bar_writers(work.connection, erasure)
    except WritersBusy:
        return Progress(0, is_done=False)
    return Progress(0, is_done=True)


async def erase(work: Work, erasure: Erasure) -> Progress:
    """Delete the events, day by day."""
    erased = await delete_events(work, erasure)
    if erased.is_done:
        await erasing.advance(work.connection, erasure, "erased")
    return erased


async def delete_events(work: Work, erasure: Erasure) -> Progress:
    """Delete events until all are gone or the round is over."""
    rows = 0
    for day in await erasing.days(work.connection, erasure.subject):
        place: erasing.Place | None = erasing.FIRST
        while place is not None:
            if work.is_over:
                return Progress(rows, is_done=False)
            done = await erasing.erase_events(work.connection, erasure, day, place)
            rows, place = rows + done.erased, done.last
            await work.throttle.rest()
    return Progress(rows, is_done=True)


async def clear(work: Work, erasure: Erasure) -> Progress:
    """Delete and reduce rows of the other tables, by the list; a tenant's own row goes last."""
    cleared = await delete_rows(work, erasure)
    if cleared.is_done:
        await erasing.advance(work.connection, erasure, "cleared")
    return cleared


async def delete_rows(work: Work, erasure: Erasure) -> Progress:
    """Delete rows of other tables until all are gone or the round is over."""
    wanted, rows = erasure.subject, 0
    if wanted.scope == "tenant":
        tables = await erasing.tables(work.connection)
    else:
        tables = {"stream": {"batches": "delete"}, "range": {"usage": "delete"}}.get(wanted.scope, {})
    await erasing.erase_word(work.connection, erasure)
    await _repeat(work, lambda: erasing.reduce_audit(work.connection, erasure))
    if wanted.scope in {"range", "tag", "events"}:
        rows += await _repeat(work, lambda: erasing.erase_annotations(work.connection, erasure))
    for table, act in tables.items():
        if act == "reduce":  # Again: until its people were deleted, some may have signed in.
            await _repeat(work, lambda: erasing.reduce_audit(work.connection, erasure))
        if act != "delete":
            await erasing.count_kept(work.connection, erasure, table)
        elif table != "events":
            rows += await _repeat(work, lambda table=table: erasing.erase_rows(work.connection, erasure, table))  # type: ignore[misc]  # mypy infers no default.
        if work.is_over:
            return Progress(rows, is_done=False)
    return Progress(rows, is_done=True)


async def _repeat(work: Work, act: Callable[[], Awaitable[int]]) -> int:
    """Repeat an act until it finds nothing or the round is over; return the rows."""
    rows = 0
    while not work.is_over and (done := await act()):
        rows += done
        await work.throttle.rest()
    return rows


async def sum_up(work: Work, erasure: Erasure) -> Progress:
    """Wait until the sums of the erased hours are made again, and have autovacuum come to the tables."""
    if not await erasing.is_summed(work.connection, erasure.subject):
        return Progress(0, is_done=False)
    await erasing.sample_again(work.connection, erasure)
    await erasing.flush_statistics(work.connection)
    for table in await erasing.touched(work.connection, erasure):
        await erasing.vacuum_soon(work.connection, erasure, table)
    await erasing.advance(work.connection, erasure, "summed")
    return Progress(0, is_done=True)


async def free(work: Work, erasure: Erasure) -> Progress:
    """Wait until the space of the erased rows is free; go on after an hour, since it is a matter of time alone."""
    tables = await erasing.touched(work.connection, erasure)
    now = await connections.now(work.connection)
    is_late = now - erasure.step_at > VACUUM_WAIT
    assert erasure.ordered_at is not None
    # Autovacuum may have come before this step; without dead rows it does not come again.
    is_free = not await erasing.unvacuumed(work.connection, tables, erasure.ordered_at)
    if not is_free and not is_late:
        return Progress(0, is_done=False)
    if is_free:
        await erasing.note_vacuumed(work.connection, erasure)
    else:
        logs.warning("erasure-space-pending", tenant_id=erasure.subject.tenant_id)
    for table in tables:
        await erasing.vacuum_as_usual(work.connection, table)
    await erasing.advance(work.connection, erasure, "vacuumed")
    return Progress(0, is_done=True)


async def verify(work: Work, erasure: Erasure) -> Progress:
    """Count again, as a role that does not delete by itself; delete what came meanwhile and count once more."""
    left = await left_of(work.connection, erasure)
    if left:
        await delete_events(work, erasure)
        await delete_rows(work, erasure)
        return Progress(left, is_done=False)
    await erasing.advance(work.connection, erasure, "verified")
    return Progress(0, is_done=True)


async def left_of(connection: Connection, erasure: Erasure) -> int:
    """Count what an erasure has not deleted yet."""
    ids = await erasures.event_ids(connection, erasure) if erasure.subject.scope == "events" else ()
    return sum((await counting.count(connection, erasure.subject, ids)).values())


async def finish(work: Work, erasure: Erasure) -> Progress:
    """Write the receipt, which says the same however often it is written; end the erasure, with letters about it."""
    assert erasure.verified_at is not None
    outcome = Outcome(
        requested_at=erasure.requested_at,
        finished_at=erasure.verified_at,
        counts=tuple(_counts(await erasures.counts(work.connection, erasure))),
        policy_digest=work.release.policy_digest,
        schema_version=work.release.schema_version,
        backup_days=work.register.backup_days,
    )
    await asyncio.to_thread(work.register.receipt, erasure.erasure_id, outcome)
    notice = Notice("erasure-receipt", (erasure.erasure_id,), (), erasure.erasure_id)
    async with work.connection.transaction():
        is_first = await erasing.advance(work.connection, erasure, "finished")
        if is_first:  # After the erasure of a whole tenant there is nobody left to write to.
            roles = KINDS["erasure-receipt"].roles
            await outbox.put_to_roles(work.connection, erasure.subject.tenant_id, roles, notice)
            event = Event("erasure-receipt", erasure.erasure_id, notice.ids)
            await deliveries.put_to_all(work.connection, erasure.subject.tenant_id, event)
    if is_first:
        logs.info("erasure-finished", tenant_id=erasure.subject.tenant_id)
    return Progress(0, is_done=True)


def _counts(found: list[erasures.Count]) -> list[documents.Count]:
    return [
        documents.Count(
            table=count.table,
            erased=count.erased,
            reduced=count.reduced,
            kept=count.kept,
            why_kept=WHY_KEPT[count.table] if count.kept else UNSET,
        )
        for count in found
    ]


# By the step that is done, the next one.
NEXT: Mapping[Step, Callable[[Work, Erasure], Awaitable[Progress]]] = {
    "requested": order,
    "ordered": bar,
    "barred": erase,
    "erased": clear,
    "cleared": sum_up,
    "summed": free,
    "vacuumed": verify,
    "verified": finish,
}
