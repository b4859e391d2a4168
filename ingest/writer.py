"""Group commit: when the connection is free, what has arrived goes in one transaction, acknowledged after COMMIT."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from ingest import logs, metrics
from ingest.errors import IngestError, OutcomeUnknown, Unavailable
from ingest.queue import Queue, Waiting
from ingest.store import batches, pool
from ingest.store.batches import Entry, Outcome
from schema.receipt import Receipt

ATTEMPTS_MAX = 3  # Of a transaction that PostgreSQL asks to repeat: a deadlock, a lock, a conflict.
RECONNECT_S = (0.05, 0.1, 0.25, 0.5, 1.0)
_SYNC_WAIT_CANCELLED = "01000"  # COMMIT "succeeded", but the synchronous standby was not waited for.


class Writer:
    """One connection and the loop that feeds it."""

    def __init__(self, dsn: str, queue: Queue) -> None:
        self._dsn = dsn
        self._queue = queue
        self._connection: pool.Connection | None = None
        self._was_warned = False

    async def run(self) -> None:
        """Write until the queue is closed and empty."""
        while group := await self._queue.take():
            started = time.monotonic()
            await self._flush(group)
            metrics.flush_rows.observe(sum(waiting.entry.events for waiting in group))
            metrics.flush_seconds.observe(time.monotonic() - started)
        if self._connection is not None:
            await pool.close(self._connection)

    async def _flush(self, group: Sequence[Waiting]) -> None:
        """Store a group and answer everyone in it. Whatever happens, everyone is answered."""
        try:
            await self._store(group)
        except IngestError as failure:
            _fail(group, failure)
        finally:
            _fail(group, Unavailable())  # Does nothing to those that have their answer.

    async def _store(self, group: Sequence[Waiting]) -> None:
        try:
            _answer(group, await self._transact(batches.store, group))
        except batches.REPEATED:
            outcome = "repeated"
        except batches.DATA as bad:
            outcome = "mended"
            logs.error("flush-failed", sqlstate=pool.sqlstate(bad), count=len(group))
        else:
            metrics.flushes.labels("copied").inc()
            return
        try:
            _answer(group, await self._transact(batches.store_skipping, group))
            metrics.flushes.labels(outcome).inc()
        except batches.DATA as bad:
            logs.error("flush-failed", sqlstate=pool.sqlstate(bad), count=len(group))
            await self._isolate(group)

    async def _isolate(self, group: Sequence[Waiting]) -> None:
        """Store each batch by itself, so that one that the database will not have costs only itself."""
        for waiting in group:
            try:
                _answer([waiting], await self._transact(batches.store_skipping, [waiting]))
            except batches.DATA as bad:
                metrics.flushes.labels("failed").inc()
                logs.error("batch-isolated", sqlstate=pool.sqlstate(bad), rows=waiting.entry.events)
                _fail([waiting], Unavailable())

    async def _transact(
        self, store: Callable[[pool.Connection, list[Entry]], Awaitable[list[Outcome]]], group: Sequence[Waiting]
    ) -> list[Outcome]:
        """Run one transaction, again where PostgreSQL asks for it. After any doubt about COMMIT the connection goes."""
        entries = [waiting.entry for waiting in group]
        for attempt in range(ATTEMPTS_MAX):
            connection = await self._connected()
            self._was_warned = False
            try:
                async with asyncio.timeout(batches.COMMIT_TIMEOUT_S):
                    outcomes = await store(connection, entries)
            except batches.RETRYABLE as again:
                logs.warning("flush-failed", sqlstate=pool.sqlstate(again), count=attempt)
            except batches.DATA:
                raise
            except (*pool.LOST, pool.PostgresError, asyncio.CancelledError) as failed:
                raise self._doubt(failed, group) from None
            else:
                if self._was_warned:
                    raise OutcomeUnknown
                return outcomes
        raise Unavailable

    def _doubt(self, failed: BaseException, group: Sequence[Waiting]) -> BaseException:
        """Give what to raise for a transaction that broke off; COMMIT may have happened if the connection did."""
        if isinstance(failed, (*pool.LOST, asyncio.CancelledError)):
            self._drop(failed)
            _fail(group, OutcomeUnknown())
            return failed if isinstance(failed, asyncio.CancelledError) else OutcomeUnknown()
        logs.error("flush-failed", sqlstate=pool.sqlstate(failed), count=len(group))
        return Unavailable()

    async def _connected(self) -> pool.Connection:
        if self._connection is None or self._connection.is_closed():
            for delay_s in RECONNECT_S:
                try:
                    self._connection = await pool.connect(self._dsn, "nocontent_writer")
                    self._connection.add_log_listener(self._hear)
                    break
                except Unavailable:
                    await asyncio.sleep(delay_s)
            else:
                raise Unavailable
        return self._connection

    def _hear(self, _connection: object, message: pool.LogMessage) -> None:
        if getattr(message, "sqlstate", None) == _SYNC_WAIT_CANCELLED:
            self._was_warned = True

    def _drop(self, lost: BaseException) -> None:
        metrics.flushes.labels("lost").inc()
        logs.warning("database-lost", error=type(lost).__name__, sqlstate=pool.sqlstate(lost))
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _answer(group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.receipt.done():
            continue
        if isinstance(outcome, Receipt):
            waiting.receipt.set_result(outcome)
        else:
            waiting.receipt.set_exception(outcome)


def _fail(group: Sequence[Waiting], failure: IngestError) -> None:
    for waiting in group:
        if not waiting.receipt.done():
            waiting.receipt.set_exception(type(failure)())
            waiting.receipt.exception()  # Seen: whoever waited may be gone.
