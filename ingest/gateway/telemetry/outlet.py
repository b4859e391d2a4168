"""The way of finished requests from the workers to the companion: a socket that keeps what a killed worker has sent."""

import asyncio
import socket
import time
from collections import deque
from pathlib import Path
from typing import Final, Self

from ingest.gateway.telemetry.counts import CountsFile, WorkerCounts
from ingest.gateway.telemetry.finished import Finished, Parcel

BACKLOG_MAX: Final = 10_000  # Requests that wait in a worker while the socket is full: the companion is being replaced.
RETRY_S: Final = 0.05
CLOSE_S: Final = 1.0
SOCKET_BYTES: Final = 4_194_304  # The kernel gives less if net.core.wmem_max is less: 212,992 hold some 500 requests.


class Handover:
    """What the processes of a gateway share to hand over requests. The parent makes it, and keeps it open."""

    def __init__(self, sending: socket.socket, counts: CountsFile, receiving: socket.socket | None = None) -> None:
        self.sending = sending
        self.counts = counts
        self.receiving = receiving  # None in workers.

    @classmethod
    def make(cls, folder: Path | None) -> Self:
        """Make one whose counts are in a folder, or else in memory; raises OSError."""
        counts = CountsFile.make(folder)
        sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        sending.settimeout(0)
        return cls(sending, counts, receiving)

    def __reduce__(self) -> "tuple[type[Handover], tuple[socket.socket, CountsFile]]":
        return Handover, (self.sending, self.counts)


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
