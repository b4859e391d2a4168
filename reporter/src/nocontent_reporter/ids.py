"""Makes the ids of events and streams: UUIDv7s (RFC 9562, section 5.7), in ascending order within a process."""

import os
import threading
import time

BACK_MS_MAX = 1_000  # A clock set back farther is followed: times that are wrong would be worse than ids out of order.
_COUNTER_MAX = 0xFFF


class Ids:
    """A source of ids. Their time is the clock's, and those of one millisecond are counted in the 12 bits after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0

    def next(self, now_ms: int) -> str:
        """Return an id for a moment of the wall clock."""
        random = int.from_bytes(os.urandom(10), "big")  # Not `random`: two forked processes must not agree.
        with self._lock:
            if now_ms > self._last_ms or self._last_ms - now_ms > BACK_MS_MAX:
                self._last_ms, self._counter = now_ms, random >> 69  # 11 bits: it starts in the lower half.
            elif self._counter < _COUNTER_MAX:
                self._counter += 1
            else:
                self._last_ms, self._counter = self._last_ms + 1, random >> 69
            head = self._last_ms << 16 | 0x7000 | self._counter
        text = f"{head << 64 | 0x2 << 62 | random & (1 << 62) - 1:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_ids = Ids()


def _renew() -> None:
    global _ids  # noqa: PLW0603 - another thread may have held the lock when the process forked.
    _ids = Ids()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def uuid7() -> str:
    """Return a new id with the time of now."""
    return _ids.next(time.time_ns() // 1_000_000)


def time_ms(uuid: str) -> int:
    """Return the time in an id, in milliseconds since 1970."""
    return int(uuid[:8] + uuid[9:13], 16)
