"""Asks whether the server's policy has changed, while events wait for a term to be registered."""

import random
import time
from http import HTTPStatus

from nocontent_reporter.connection import Answer, Connection, Unreachable
from nocontent_reporter.spool import Spool
from nocontent_reporter.stats import Counts

POLL_S = 60.0
SETTLE_S = 3.0  # The server's workers learn of a change within a second or two, not all at once.
BLIND_S = 3_600.0  # Between tries of parked events, if the token may not read the policy.


class PolicyWatch:
    """Polls `GET /v1/policy`, which is cheap if nothing has changed, and releases parked events when it has."""

    def __init__(self, connection: Connection, counts: Counts) -> None:
        self._connection = connection
        self._counts = counts
        self._due_at = float("-inf")
        self._changed: str | None = None  # The tag of a policy that the workers are learning of.

    def watch(self, spool: Spool, wall_ms: int) -> float:
        """Do what is due; return the seconds until the next time."""
        if (left_s := self._due_at - time.monotonic()) > 0:
            return left_s
        if self._changed is not None:
            spool.release(self._changed, wall_ms)
            self._changed = None
            return self._wait(POLL_S)
        spool.release(None, wall_ms)
        known = spool.policy_tag()
        try:
            answer = self._ask(known)
        except Unreachable:
            self._counts.add(self._counts.requests, "policy-unreachable")
            return self._wait(POLL_S)
        self._counts.add(self._counts.requests, f"policy-{answer.status}")
        if answer.status == HTTPStatus.OK and answer.tag and answer.tag != known:
            self._changed = answer.tag
            return self._wait(SETTLE_S)
        if answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            self._changed = f"unknown-{time.time_ns()}"
            return self._wait(BLIND_S)
        return self._wait(POLL_S)

    def _ask(self, known: str) -> Answer:
        headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": known} if known else {})
        return self._connection.request("GET", "/v1/policy", None, headers)

    def _wait(self, seconds: float) -> float:
        wait_s = seconds * random.uniform(1, 1.2)  # noqa: S311 - no secret.
        self._due_at = time.monotonic() + wait_s
        return wait_s
