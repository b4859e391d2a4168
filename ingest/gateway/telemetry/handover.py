"""The way of finished requests from the workers to the companion: a socket that keeps what a killed worker has sent."""

import os
import socket
from pathlib import Path
from typing import Final, Self

from ingest.gateway.telemetry.counts import CountsFile

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

    def files(self) -> dict[str, int]:
        """Return the files that the companion inherits, by name."""
        assert self.receiving is not None
        return {"counts": self.counts.file, "receiving": self.receiving.fileno()}

    def close(self) -> None:
        self.sending.close()
        if self.receiving is not None:
            self.receiving.close()
        os.close(self.counts.file)

    def __reduce__(self) -> "tuple[type[Handover], tuple[socket.socket, CountsFile]]":
        return Handover, (self.sending, self.counts)
