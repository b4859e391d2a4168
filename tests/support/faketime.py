"""Processes with a wrong wall clock, by Debian's libfaketime if it is installed."""

import time
from pathlib import Path

_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)
LIBRARY = next((path for path in _LIBRARIES if Path(path).exists()), None)
MISSING = "libfaketime is not installed (Debian: apt-get install libfaketime); the clock is passed in elsewhere"


def environment(offset_s: int) -> dict[str, str]:
    """Return the variables for a process with a wrong wall clock and, as on a real machine, a right monotonic clock."""
    assert LIBRARY is not None
    return {
        "LD_PRELOAD": LIBRARY,
        "FAKETIME": f"{offset_s:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def wrong_wall_s(offset_s: float) -> float:
    """Return the time that a wrong wall clock shows."""
    return time.time() + offset_s
