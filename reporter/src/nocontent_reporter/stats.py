"""Counts of what a reporter did, for /metrics of its process."""

import logging
import re
import threading
from collections import Counter
from typing import NamedTuple

NAMES_MAX = 100  # In one counter: some come from the server.
_log = logging.getLogger("nocontent_reporter")


class Stats(NamedTuple):
    """The counts of one process since it started; the spool's depth is that of all its processes."""

    reported: int  # Events handed to report().
    stored: int  # Events that the server acknowledged, those it had already included.
    duplicates: int  # Of those, the ones it had already.
    refused: dict[str, int]  # Events lost because they broke a rule, by rule.
    dropped: dict[str, int]  # Events lost for another reason, by the contract's reason.
    buffered: int  # Events not yet in the spool.
    waiting: int  # Events in the spool that can be sent.
    parked: int  # Events in the spool that wait for a term to be registered, or for their time.
    spool_bytes: int
    requests: dict[str, int]  # By the answer: a status, a problem, or `unreachable`.
    faults: dict[str, int]  # Of the spool or the reporter itself, by name.


class Counts:
    """The counters of a process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.stored: Counter[str] = Counter()

    def add(self, counter: "Counter[str]", name: str, by: int = 1) -> None:
        with self._lock:
            counter[name if name in counter or len(counter) < NAMES_MAX else "other"] += by

    def fault(self, name: str) -> None:
        """Count a fault, and log its name: the first, the tenth, the hundredth."""
        self.add(self.faults, name)
        count = self.faults[name]
        if re.fullmatch("10*", str(count)):
            _log.warning("%s (%d times)", name, count)

    def copied(self, counter: "Counter[str]") -> dict[str, int]:
        with self._lock:
            return dict(counter)
