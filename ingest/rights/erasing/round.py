"""The lane and round of the job that carries out erasures: all that are recorded, the oldest first."""

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.jobs.job import Job, Lane, Round
from ingest.rights.erasing import steps
from ingest.rights.erasing.settings import ErasingSettings
from ingest.rights.erasing.steps import Register, Release, Work
from ingest.rights.erasing.throttle import Throttle
from ingest.rights.receipts.errors import AlreadyWritten, FolderUnusable, InvalidReceipt
from ingest.store.connections import Connection, PostgresError, Role, sqlstate
from ingest.store.jobs import Figure
from ingest.store.rights import erasing, erasures
from ingest.store.rights.erasures import Erasure
from ingest.store.rights.errors import SubjectChanged

ROLE: Role = "nocontent_eraser"
ROUND_S_MAX = 20.0  # Then it is recorded, long before the lead ends (5 min), and another one follows.
REST_S = 2.0
TROUBLE_REST_S = 30.0
# An operator has to look at these; erasing goes on once they are mended.
_TROUBLE = (CannotStart, AlreadyWritten, FolderUnusable, InvalidReceipt, SubjectChanged)
_NOT_IN_PROGRESS = "55000"  # Of the functions of 0025.
MakeRelease = Callable[[], Release]


def lane(release: MakeRelease) -> Lane:
    """Return the lane of erasures; `release` is asked for when there is one to carry out."""
    return Lane("erase", ROLE, (Job("erase", partial(erase, release=release)),))


async def erase(connection: Connection, release: MakeRelease) -> Round:
    """Carry out what is recorded, as far as a round goes."""
    waiting = await erasures.unfinished(connection)
    if not waiting:
        await erasing.trim(connection)
        return Round({"erasures_open": 0, "erasure_oldest_s": 0}, is_complete=True, rest_s=REST_S)
    rows = finished = 0
    is_over, rest_s = False, REST_S
    try:
        work = _work(connection, release())
        for erasure in waiting:
            own_rows, now = await _go_on(work, erasure)
            rows, finished = rows + own_rows, finished + (now.step == "finished")
        is_over = work.is_over
    except _TROUBLE as fault:
        logs.error("erasure-failed", error=type(fault).__name__)
        rest_s = TROUBLE_REST_S
    figures: dict[Figure, int] = {
        "rows_erased": rows, "erasures_finished": finished, "erasures_open": len(waiting) - finished,
        "erasure_oldest_s": await erasures.oldest_s(connection),
    }  # fmt: skip
    return Round(figures, is_complete=not is_over, rest_s=rest_s)


def _work(connection: Connection, release: Release) -> Work:
    """Return what the steps need; raises CannotStart."""
    settings = config.load_own(ErasingSettings)
    until = time.monotonic() + ROUND_S_MAX
    return Work(connection, _register(settings), release, Throttle(settings.erasure_percent), until)


def _register(settings: ErasingSettings) -> Register:
    if find_spec("cryptography") is None:
        raise CannotStart("Erasing needs the package cryptography: install nocontent with the extra `rights`.")
    from ingest.rights.receipts import register  # noqa: PLC0415 (of the extra `rights`)

    return register.open_register(settings)


async def _go_on(work: Work, erasure: Erasure) -> tuple[int, Erasure]:
    """Do the steps of an erasure until one has to wait or the round is over; return the rows, and how far it is."""
    rows = 0
    while erasure.step != "finished" and not work.is_over:
        try:
            done = await steps.NEXT[erasure.step](work, erasure)
        except PostgresError as refused:
            if sqlstate(refused) != _NOT_IN_PROGRESS:
                raise
            break  # Another process has done the step: one that led before, and hung.
        rows += done.rows
        if not done.is_done:
            break
        found = await erasures.find(work.connection, erasure.erasure_id)
        assert found is not None
        erasure = found
    return rows, erasure
