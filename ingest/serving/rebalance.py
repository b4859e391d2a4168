"""Keeps workers equally busy: one with far more requests under way than another closes some of its connections.

Workers share the listening sockets, and the first idle one to wake accepts: of 16 simultaneous connections one worker
may get 14, and keep them. `Connection: close` on an answer loses nothing (RFC 9112, section 9.6), and when the sender
reconnects, the busy worker is the last to wake.
"""

import asyncio
from collections.abc import MutableSequence
from multiprocessing.sharedctypes import RawArray

AWAY = -1.0  # Marks a worker that does not accept connections.
SLACK = 3.0  # Requests; a smaller difference is not worth a new connection.
TICK_S = 0.1
WEIGHT = 0.3  # Of the newest reading: answers leave in groups, so a single reading is noisy.

Means = MutableSequence[float]


def shared(workers: int) -> Means:
    """Return shared memory for the means of so many workers."""
    means: Means = RawArray("d", [AWAY] * workers)
    return means


class Rebalancer:
    """A worker's part: it publishes its mean of requests under way at its place, and reads those of the others."""

    def __init__(self, means: Means, place: int) -> None:
        self._means = means
        self._place = place
        self._under_way = 0
        self._may_send_away = False

    def enter(self) -> None:
        """Count a request that begins."""
        self._under_way += 1

    def leave(self) -> None:
        """Count a request that ends."""
        self._under_way -= 1

    def sends_away(self) -> bool:
        """Return whether to close the connection being answered; true once per tick at most."""
        if not self._may_send_away:
            return False
        self._may_send_away = False
        self._means[self._place] -= 1.0
        return True

    async def run(self) -> None:
        """Update the mean until cancelled, when this worker stops accepting."""
        self._means[self._place] = 0.0
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self.tick()
        finally:
            self._means[self._place] = AWAY
            self._may_send_away = False

    def tick(self) -> None:
        mean = self._means[self._place]
        mean += WEIGHT * (self._under_way - mean)
        self._means[self._place] = mean
        least = min(each for each in self._means if each != AWAY)
        self._may_send_away = mean > least + max(SLACK, least / 2)
