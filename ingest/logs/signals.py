"""Signals blocked for a block of code, and permanently in the threads and processes started in it."""

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def held(numbers: Collection[signal.Signals] | None = None) -> Iterator[None]:
    """Block these signals, or all, in this thread until the end of the block.

    The kernel delivers a signal to any thread that does not block it, from the thread's start on, so a thread that
    blocks its own is too late.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() if numbers is None else numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
