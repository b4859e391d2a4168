"""A worker's end of the hand-over: it never waits for the companion, and never raises into a request."""

import asyncio
import time
from collections import deque
from typing import Final

from ingest.gateway.telemetry.counts import WorkerCounts
from ingest.gateway.telemetry.finished import Finished, Parcel
from ingest.gateway.telemetry.handover import Handover

BACKLOG_MAX: Final = 10_000  # Requests that wait in a worker while the socket is full: the companion is being replaced.
RETRY_S: Final = 0.05
CLOSE_S: Final = 1.0


class Outlet:
    """Hands requests over for one worker."""

    def __init__(self, handover: Handover) -> None:
        self._socket = handover.sending
        self._socket.settimeout(0)  # Passed on, it has Python's default again.
        self._counts = WorkerCounts(handover.counts)
        self._backlog: deque[bytes] = deque(maxlen=BACKLOG_MAX)  # The oldest falls out; its number is missed.
        self._retry: asyncio.TimerHandle | None = None

    def put(self, finished: Finished) -> None:
        """Hand over a request, or keep it until there is room; never waits. Call it before the answer's last bytes."""
        slot, number = self._counts.number(finished.tenant_id)
        try:
            message = Parcel(self._counts.place, slot, number, finished).encode()
        except (TypeError, ValueError, OverflowError):  # Its number is missed.
            return
        self._backlog.append(message)
        self.flush()

    def flush(self) -> None:
        """Send what there is room for, and come back for the rest."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        while self._backlog:
            try:
                self._socket.send(self._backlog[0])
            except BlockingIOError:
                self._retry = asyncio.get_running_loop().call_later(RETRY_S, self.flush)
                return
            except OSError:  # The companion counts what does not arrive.
                pass
            self._backlog.popleft()

    async def close(self) -> None:
        """Wait a second at most until nothing is left, and give up the place; what is left is counted as lost."""
        ends_at = time.monotonic() + CLOSE_S
        while self._backlog and time.monotonic() < ends_at:
            await asyncio.sleep(RETRY_S)
            self.flush()
        if self._retry is not None:
            self._retry.cancel()
        self._counts.close()
