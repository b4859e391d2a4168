"""Attacks on the log: endless refusals, while the log's reader reads, is stuck, or has ended."""

import contextlib
import itertools
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.soak.child import Desk
from tests.soak.order import Order
from tests.soak.posting import Request, sending

PIPELINED = 50
_ASKS = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINED  # No token, and the fewest bytes that are answered.


flood = sending(lambda _order: itertools.repeat(Request(_ASKS, PIPELINED, PIPELINED)))


async def reader_stuck(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    (reader,) = _readers(_log_of(order))
    os.kill(reader, signal.SIGSTOP)
    try:
        await flood(order, desk, answers)
    finally:
        os.kill(reader, signal.SIGCONT)


async def reader_gone(order: Order, desk: Desk, answers: "Counter[str]") -> None:
    with _without_reader(_log_of(order)):
        await flood(order, desk, answers)


@contextlib.contextmanager
def _without_reader(log: Path) -> Iterator[None]:
    (reader,) = _readers(log)
    command = Path(f"/proc/{reader}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    target = Path(f"/proc/{reader}/fd/1").readlink()
    os.kill(reader, signal.SIGKILL)
    try:
        yield
    finally:
        with target.open("ab") as lines:
            subprocess.Popen(command, stdout=lines)  # Ends with the service, which has the other end.


def _log_of(order: Order) -> Path:
    """Return the named pipe that the service writes its log to."""
    log = Path(f"/proc/{order.worker_pids[0]}/fd/2").readlink()
    assert log.is_fifo(), "the log of this run has no reader"
    return log


def _readers(log: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().split(b"\0")[:2] == [b"cat", os.fsencode(log)]:
                found.append(int(process.name))
    return found
