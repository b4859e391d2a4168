"""Tunes malloc for a worker, so that memory freed by one batch is reused by the next."""

import ctypes
import sys

# mallopt(3), GNU C library. By default it returns the memory of each large body to the kernel, which then has to clear
# every page for the next one.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 64 * 1024 * 1024
STEP_BYTES = 16 * 1024 * 1024
LARGE_BYTES = 32 * 1024 * 1024  # The largest value allowed.


def keep() -> None:
    """Keep freed memory, up to a bound, if the C library supports it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TOP_PAD, STEP_BYTES)
