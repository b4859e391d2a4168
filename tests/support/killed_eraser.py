"""A process that does rounds of erasing, and kills itself where it is told to: the work of a step done, and not noted.

Run as `python -m tests.support.killed_eraser DSN PLACE`; a place is a step, or `slice` for the first slice of events.
"""

import asyncio
import os
import signal
import sys
from datetime import date

from ingest.rights.erasing import round as erasing
from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.rights import erasing as store
from ingest.store.rights.erasing import Place, Slice
from ingest.store.rights.erasures import Erasure, Step
from tests.support.erasing import RELEASE


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(place: str) -> None:
    advance, erase_events = store.advance, store.erase_events

    async def dying_advance(connection: Connection, erasure: Erasure, step: Step) -> bool:
        if step == place:
            _die()
        return await advance(connection, erasure, step)

    async def dying_slice(connection: Connection, erasure: Erasure, day: date, after: Place) -> Slice:
        done = await erase_events(connection, erasure, day, after)
        if place == "slice" and done.erased:
            _die()
        return done

    store.advance, store.erase_events = dying_advance, dying_slice


async def _run(dsn: str) -> None:
    async with connections.connected(dsn, erasing.ROLE) as connection:
        await erasing.erase(connection, lambda: RELEASE)


if __name__ == "__main__":
    _arm(sys.argv[2])
    asyncio.run(_run(sys.argv[1]))
