"""Tunes malloc: a worker reuses the memory that one batch has freed for the next, and threads share what they free."""

import ctypes
import sys
from collections.abc import Mapping

# mallopt(3), GNU C library. By default it returns the memory of each large body to the kernel, which then has to clear
# every page for the next one.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
KEPT_BYTES = 64 * 1024 * 1024
STEP_BYTES = 16 * 1024 * 1024
LARGE_BYTES = 32 * 1024 * 1024  # The largest value allowed.


def keep() -> None:
    """Keep freed memory, up to a bound, if the C library supports it."""
    _set({_M_MMAP_THRESHOLD: LARGE_BYTES, _M_TRIM_THRESHOLD: KEPT_BYTES, _M_TOP_PAD: STEP_BYTES})


def share() -> None:
    """Have all threads use one arena, likewise: Python runs one of them at a time, so none waits for another."""
    _set({_M_ARENA_MAX: 1})


def _set(parameters: Mapping[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in parameters.items():
            mallopt(parameter, value)
