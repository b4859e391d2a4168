"""Keeps the workers equally busy: who has far more requests under way than another sends some of its senders away.

The workers share their listening sockets, and of those that are idle the first to wake accepts: of 16 connections that
come at once one worker may get 14, and keeps them. `Connection: close` on an answer loses nothing (RFC 9112, section
9.6), and when the sender comes again, the busy worker is the last to wake.
"""

import asyncio
from collections.abc import MutableSequence
from multiprocessing.sharedctypes import RawArray

AWAY = -1.0  # In the place of a worker that does not accept connections.
SLACK = 3.0  # Requests: a difference that is not worth a new connection.
TICK_S = 0.1
WEIGHT = 0.3  # Of the newest reading: answers leave in groups, so one reading says little.

Means = MutableSequence[float]


def shared(workers: int) -> Means:
    """Give the places of so many workers, for passing to them as processes."""
    means: Means = RawArray("d", [AWAY] * workers)
    return means


class Rebalancer:
    """One worker's view: it writes the mean of its requests under way in its place, and reads the others'."""

    def __init__(self, means: Means, place: int) -> None:
        self._means = means
        self._place = place
        self._under_way = 0
        self._may_send_away = False

    def enter(self) -> None:
        """Count a request that has come."""
        self._under_way += 1

    def leave(self) -> None:
        """Count a request that has gone."""
        self._under_way -= 1

    def sends_away(self) -> bool:
        """Tell whether the sender who is being answered had better come to another worker; one in a tick."""
        if not self._may_send_away:
            return False
        self._may_send_away = False
        self._means[self._place] -= 1.0
        return True

    async def run(self) -> None:
        """Follow the mean, until cancelled: then this worker accepts no more."""
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
