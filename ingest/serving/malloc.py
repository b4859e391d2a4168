"""The allocator's settings for a worker: what a batch takes and gives back, the next one takes again."""

import ctypes
import sys

# mallopt(3), of the GNU C library. Its defaults give the memory of every large body back to the kernel, which then has
# to clear each page for the next one.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 64 * 1024 * 1024
STEP_BYTES = 16 * 1024 * 1024
LARGE_BYTES = 32 * 1024 * 1024  # As large as it may be.


def keep() -> None:
    """Keep freed memory up to a bound, where the C library can be asked to."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TOP_PAD, STEP_BYTES)
