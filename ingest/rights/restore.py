"""Notices a restore to before an erasure: compares the orders in the folder with the erasures in the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from ingest import logs
from ingest.errors import CannotStart, Unavailable
from ingest.rights.receipts.errors import FolderUnusable
from ingest.rights.receipts.folder import Folder
from ingest.store import connections
from ingest.store.connections import Connection, Role
from ingest.store.rights import orders

COMPARE_S = 30.0
LOOK_S = 1.0
_ADVICE = "run `nocontent erase replay` first; see docs/backup.md."


async def require_replayed(connection: Connection, folder: Folder | None) -> None:
    """Raise CannotStart if the database lacks erasures that were ordered, so that it would serve what was erased."""
    if folder is None:
        return
    try:
        missing = await lacking(connection, folder)
    except FolderUnusable:
        raise CannotStart("NOCONTENT_ERASURES_DIR names a folder that this process cannot read.") from None
    if missing:
        raise _cannot_start(missing)


async def warn_of_absent_orders(connection: Connection, folder: Folder | None) -> None:
    """Log how many erasures have no order in the folder: another one, or none, would hide a restore."""
    there = set() if folder is None else await asyncio.to_thread(folder.ordered)
    if absent := await orders.ordered(connection) - there:
        logs.warning("orders-absent", count=len(absent))


async def lacking(connection: Connection, folder: Folder) -> list[UUID]:
    """Return the orders of the folder, valid or not, that the database does not know."""
    ordered = await asyncio.to_thread(folder.ordered)  # The folder may be on a file server that does not answer.
    return await orders.unknown(connection, ordered) if ordered else []


async def end_if_lacking(dsn: str, role: Role, folder: Folder) -> None:
    """Raise CannotStart when the database lacks erasures, as after a restore beneath a running process."""
    while True:
        await asyncio.sleep(COMPARE_S)
        if missing := await _look(dsn, role, folder):
            raise _cannot_start(missing)


async def _look(dsn: str, role: Role, folder: Folder) -> list[UUID] | None:
    """Return what the database lacks, or None if it or the folder is away, after logging that."""
    try:
        async with connections.connected(dsn, role) as connection:
            missing = await lacking(connection, folder)
    except FolderUnusable:
        logs.error("erasures-unreadable")
    except Unavailable:
        pass  # Logged where it was noticed.
    else:
        if missing:
            logs.error("erasures-missing", count=len(missing))
        return missing
    return None


def _cannot_start(missing: list[UUID]) -> CannotStart:
    return CannotStart(f"The database lacks {len(missing)} erasures: an earlier state was restored; {_ADVICE}")


class RestoreWatch:
    """Compares again while a process runs: every half minute, and at once when the revision goes back."""

    def __init__(self, dsn: str, role: Role, folder: Folder, revision: Callable[[], int]) -> None:
        self._dsn = dsn
        self._role: Role = role
        self._folder = folder
        self._revision = revision
        self._clear = asyncio.Event()
        self._blocked = asyncio.Event()
        self._blocked.set()

    @property
    def is_clear(self) -> bool:
        """Return whether the database had every erasure, as far as was seen last."""
        return self._clear.is_set()

    async def run(self) -> None:
        """Compare until cancelled. While the database or the folder is away, what was found last holds."""
        known, compared_at = self._revision(), float("-inf")
        while True:
            revision = self._revision()
            if revision < known:
                self._set(is_clear=False)
            known = revision
            if not self.is_clear or time.monotonic() - compared_at > COMPARE_S:
                await self._compare()
                compared_at = time.monotonic()
            await asyncio.sleep(LOOK_S)

    async def run_while_clear(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run what must not run on a database that lacks erasures: it is cancelled, and begun again later."""
        while True:
            await self._clear.wait()
            running, blocked = asyncio.ensure_future(work()), asyncio.ensure_future(self._blocked.wait())
            try:
                await asyncio.wait({running, blocked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                running.cancel()
                blocked.cancel()
                await asyncio.gather(running, blocked, return_exceptions=True)
            if not running.cancelled():
                return running.result()

    async def _compare(self) -> None:
        missing = await _look(self._dsn, self._role, self._folder)
        if missing is not None:
            self._set(is_clear=not missing)

    def _set(self, *, is_clear: bool) -> None:
        now, before = (self._clear, self._blocked) if is_clear else (self._blocked, self._clear)
        now.set()
        before.clear()
