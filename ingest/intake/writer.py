"""Writes batches by group commit: those waiting when the connection is free share a transaction, then are answered."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from ingest import logs
from ingest.errors import IngestError, Unavailable
from ingest.intake import metrics
from ingest.intake.queue import Queue, Waiting
from ingest.store import batches, connections, endings
from ingest.store.batches import Entry, Outcome
from ingest.store.endings import Act, Ending
from ingest.store.errors import OutcomeUnknown
from schema.receipt import Receipt

ATTEMPTS_MAX = 3  # Of a transaction that PostgreSQL asks us to repeat: a deadlock, a conflict.
SPLIT_S_MAX = 8.0  # To search for the batch at fault; senders retry whatever is not stored by then.
RECONNECT_S = (0.05, 0.1, 0.25, 0.5, 1.0)
_SYNC_WAIT_CANCELLED = "01000"  # COMMIT "succeeded" without waiting for the synchronous standby.

Store = Callable[[connections.Connection, list[Entry]], Awaitable[list[Outcome]]]


class Writer:
    """One connection and the loop that feeds it."""

    def __init__(self, dsn: str, queue: Queue) -> None:
        self._dsn = dsn
        self._queue = queue
        self._connection: connections.Connection | None = None
        self._was_warned = False

    async def run(self) -> None:
        """Write until the queue is closed and empty."""
        while group := await self._queue.take():
            started = time.monotonic()
            await self._flush(group)
            metrics.flush_rows.observe(sum(waiting.entry.events for waiting in group))
            metrics.flush_seconds.observe(time.monotonic() - started)
        if self._connection is not None:
            await connections.close(self._connection)

    async def _flush(self, group: Sequence[Waiting]) -> None:
        """Store a group, and answer every request in it, whatever happens."""
        try:
            ending = await self._transact(batches.store, group)
            if ending is None:
                metrics.flushes.labels("copied").inc()
            elif ending.act is Act.SKIP:
                await self._store_in_parts(group, "repeated")
            elif ending.act is Act.SPLIT:
                await self._store_in_parts(group, "mended")
            else:
                _fail(group, ending.answer)
        finally:
            _fail(group, OutcomeUnknown)  # No effect on those answered already.

    async def _store_in_parts(self, group: Sequence[Waiting], outcome: str) -> None:
        """Store what COPY could not: first as a whole, then in halves, until the batch at fault is alone."""
        parts = deque([group])
        ends_at = time.monotonic() + SPLIT_S_MAX
        while parts:
            part = parts.popleft()
            if time.monotonic() > ends_at:
                _fail(part, Unavailable)
                continue
            ending = await self._transact(batches.store_skipping, part)
            if ending is None:
                continue
            if ending.act is Act.SPLIT and len(part) > 1:
                # The halves go behind the other parts, so that good batches are stored before the search goes on.
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
                continue
            outcome = "failed"
            _fail(part, ending.answer)
        metrics.flushes.labels(outcome).inc()

    async def _transact(self, store: Store, part: Sequence[Waiting]) -> Ending | None:
        """Run one transaction, repeat it if PostgreSQL asks, and answer; return how it ended if it did not commit."""
        for _ in range(ATTEMPTS_MAX):
            try:
                connection = await self._connected()
            except Unavailable:
                metrics.transactions.labels("away").inc()
                return endings.AWAY
            self._was_warned = False
            try:
                async with asyncio.timeout(batches.COMMIT_TIMEOUT_S):
                    outcomes = await store(connection, [waiting.entry for waiting in part])
            except (*endings.LOST, connections.PostgresError, asyncio.CancelledError) as error:
                ending = endings.of(error)
                await self._leave(ending, error, part)
                if isinstance(error, asyncio.CancelledError):
                    raise
                if ending.act is Act.AGAIN:
                    continue
                return ending
            if self._was_warned:
                metrics.transactions.labels("unconfirmed").inc()
                logs.error("flush-failed", sqlstate=_SYNC_WAIT_CANCELLED, count=len(part))
                return endings.UNCONFIRMED
            metrics.transactions.labels("committed").inc()
            _answer(part, outcomes)
            return None
        return endings.AWAY

    async def _leave(self, ending: Ending, error: BaseException, part: Sequence[Waiting]) -> None:
        """Count and log a failure, and close a connection that cannot be trusted any more."""
        metrics.transactions.labels(endings.outcome(error)).inc()
        if ending.act is not Act.SKIP:
            rows = sum(waiting.entry.events for waiting in part)
            sqlstate = connections.sqlstate(error)
            logs.error("flush-failed", error=type(error).__name__, sqlstate=sqlstate, count=len(part), rows=rows)
        if ending.act in {Act.LEAVE, Act.DOUBT} and self._connection is not None:
            metrics.flushes.labels("lost").inc()
            lost, self._connection = self._connection, None
            # Gracefully, so that PostgreSQL cancels a COMMIT that waits for a standby, and ends its backend.
            await connections.close(lost)

    async def _connected(self) -> connections.Connection:
        """Return the connection, or open a new one with a few retries; raises Unavailable."""
        if self._connection is None or self._connection.is_closed():
            for delay_s in RECONNECT_S:
                try:
                    self._connection = await connections.connect(self._dsn, "nocontent_writer")
                    self._connection.add_log_listener(self._note_warning)
                    break
                except Unavailable:
                    await asyncio.sleep(delay_s)
            else:
                raise Unavailable
        return self._connection

    def _note_warning(self, _connection: object, message: connections.LogMessage) -> None:
        if getattr(message, "sqlstate", None) == _SYNC_WAIT_CANCELLED:
            self._was_warned = True


def _answer(group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.receipt.done():
            continue
        if isinstance(outcome, Receipt):
            waiting.receipt.set_result(outcome)
        else:
            waiting.receipt.set_exception(outcome)


def _fail(group: Sequence[Waiting], answer: type[IngestError]) -> None:
    for waiting in group:
        if not waiting.receipt.done():
            waiting.receipt.set_exception(answer())
            waiting.receipt.exception()  # Retrieved, because the waiting request may be gone.
