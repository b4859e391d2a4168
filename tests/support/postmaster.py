"""All processes of a PostgreSQL, stopped or killed at once, as the end of its machine would."""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence

from tests.support.service import children, is_gone, wait_until


@contextlib.contextmanager
def frozen(postmaster: int) -> Iterator[None]:
    """Stop all processes until the block ends, as when a virtual machine migrates: connections stay, nobody answers."""
    stopped = _stop_all(postmaster)
    try:
        yield
    finally:
        send_signal(stopped, signal.SIGCONT)


def kill_all(postmaster: int) -> None:
    """SIGKILL all processes, as the OOM killer does to a container."""
    stopped = _stop_all(postmaster)
    send_signal(stopped, signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, stopped)))


def send_signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stop_all(postmaster: int) -> list[int]:
    """Stop the postmaster first, so that it starts no child after they are listed; no process group has them all."""
    os.kill(postmaster, signal.SIGSTOP)
    pids = [postmaster, *children(postmaster)]
    send_signal(pids, signal.SIGSTOP)
    return pids
