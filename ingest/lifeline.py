"""A process that shall not outlive the one that started it."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # Loaded here: not between fork and exec.


def end_with_parent() -> None:
    """Ask the kernel to send this process SIGTERM when its parent ends, however that ends; elsewhere does nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
