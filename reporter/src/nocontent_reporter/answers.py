"""Decides what a reporter does after an answer: the table of the README, in code."""

import random
import time
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus

from nocontent_reporter.connection import Answer

RETRY_AFTER_S_MAX = 300.0
RETRY_S_MAX = 60.0  # Without Retry-After.
SLOW_S_MIN, SLOW_S_MAX = 15.0, 300.0  # While somebody has to repair the configuration.
BUGS_MAX = 5  # Answers 500 to the same bytes before its events are tried apart.


class Act(Enum):
    """The next step for a batch after an answer."""

    FORGET = auto()  # It is stored.
    RETRY = auto()  # The same bytes, later.
    SLOW = auto()  # The same bytes, much later.
    RECODE = auto()  # The same bytes in another coding.
    RENUMBER = auto()  # In a new stream.
    HALVE = auto()  # In two batches; one event alone is lost.
    JUDGE = auto()  # Without the events that violations point at.


_ACTS = {
    "not-ready": Act.SLOW,  # Of the probes.
    "malformed": Act.HALVE,
    "bad-encoding": Act.RECODE,
    "encoding-unsupported": Act.RECODE,
    "slow-head": Act.RETRY,
    "slow-body": Act.RETRY,
    "sequence-reused": Act.RENUMBER,
    "wire-too-large": Act.HALVE,
    "body-too-large": Act.HALVE,
    "batch-over-quota": Act.HALVE,
    "rejected": Act.JUDGE,
    "unstorable": Act.HALVE,
    "quota-exceeded": Act.RETRY,
    "quota-spent": Act.RETRY,
    "overloaded": Act.RETRY,
    "unavailable": Act.RETRY,
    "clock-adrift": Act.RETRY,
    "outcome-unknown": Act.RETRY,
    "stopping": Act.RETRY,
}  # All others: by their status.
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


def act_after(answer: Answer, events: int, tries: int) -> Act:
    """Return what to do with a batch of so many events, after so many tries with the same bytes."""
    act = _act_after(answer, events, tries)
    return Act.SLOW if events == 0 and act in {Act.HALVE, Act.JUDGE} else act  # Losses alone have no parts.


def _act_after(answer: Answer, events: int, tries: int) -> Act:
    if answer.status == HTTPStatus.OK:
        return Act.FORGET if answer.stored is not None and sum(answer.stored) == events else Act.SLOW
    if answer.problem == "bug":
        return Act.HALVE if tries >= BUGS_MAX else Act.RETRY
    if answer.problem in _ACTS:
        return _ACTS[answer.problem]
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and events > 1:
        return Act.HALVE  # A reverse proxy's bound.
    return Act.RETRY if answer.status in _TRANSIENT else Act.SLOW


def is_certain(answer: Answer) -> bool:
    """Return whether the server says that it has not stored the batch; a proxy in front of it may be wrong."""
    return answer.problem is not None and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR


def pause_s(answer: Answer | None, act: Act, tries: int) -> float:
    """Return how long to wait before the next try, with full jitter; `answer` is None if there was none."""
    if act is Act.SLOW:
        return random.uniform(SLOW_S_MIN, min(SLOW_S_MAX, SLOW_S_MIN * 2 ** min(tries, 10)))  # noqa: S311 - no secret.
    asked_s = min(_seconds(answer.retry_after), RETRY_AFTER_S_MAX) if answer and answer.retry_after else 0.0
    return asked_s + random.uniform(0, min(RETRY_S_MAX, 2.0 ** min(tries - 1, 10)))  # noqa: S311 - no secret.


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header in either form (RFC 9110, section 10.2.3), or 0."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
