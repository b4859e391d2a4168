"""Signals that wait: in a block, and for good in the threads and processes that are started in it."""

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def held(numbers: Collection[signal.Signals] | None = None) -> Iterator[None]:
    """Block signals, or all there are, in this thread until the end of the block.

    The kernel hands a signal to any thread of a process that does not block it, from the thread's first moment on: so
    a thread that blocks its own is too late.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() if numbers is None else numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
