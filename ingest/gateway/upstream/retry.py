"""When a request may be sent again, and to whom: by the class of the failure, within a budget."""

import random
import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.errors import CircuitOpen, Kind, NoAnswer, TimedOut, Unreachable, UpstreamFailure

SHARE = 0.1  # Of the requests may be sent again.
SAVED_MAX = 10.0  # However many requests went well before.
DELAY_S = 0.25  # Before a retry, and up to as much more by chance.
RETRY_AFTER_MAX_S = 3  # An upstream that asks for more is answered for: the client can wait better than we.

OVERLOADED = 529
RATE_LIMITED = 429
SERVER_ERRORS = (500, 502, 503, 504)
# A model that the client did not ask for may lack what a request needs: a longer context, a parameter, being there.
REFUSALS = frozenset({400, 404, 413, 422})
# A type or code, as a JSON string, of an error that sending again, or to another model, would only repeat: somebody
# has to pay first. Quotes within a message are escaped, so what a message says does not match.
_SPENT = re.compile(
    rb'"[a-z0-9_.-]{0,64}'
    rb"(?:spend(?:ing)?_limit|billing|credit_balance|insufficient_(?:quota|funds|credits?))"
    rb'[a-z0-9_.-]{0,64}"'
)
# Anthropic's refusals of a model's request, which have the type of any bad one. If a message quotes this from a prompt,
# the client gets the refusal.
_SPENT_SAYS = re.compile(rb"credit balance is too low|(?:usage|spend(?:ing)?) limit")
_SECONDS = re.compile(rb"[0-9]{1,6}")


class Budget:
    """Tokens that requests earn and retries spend."""

    def __init__(self, saved: float) -> None:
        self._saved = saved

    @classmethod
    def empty(cls) -> Self:
        return cls(0.0)

    @classmethod
    def full(cls) -> Self:
        return cls(SAVED_MAX)

    def earn(self) -> None:
        """Count a request."""
        self._saved = min(SAVED_MAX, self._saved + SHARE)

    def spend(self) -> bool:
        """Take what a retry costs, if it is there."""
        if self._saved < 1.0 - 1e-9:  # Ten tenths are one.
            return False
        self._saved -= 1.0
        return True


class Lesson(NamedTuple):
    """What a failed attempt allows."""

    kind: Kind
    may_retry: bool  # The same leg, after a while.
    may_fall_back: bool  # The next leg, at once.
    retry_after_s: int | None = None
    blames_upstream: bool = False  # Says something of the upstream, whoever asked it for whatever.
    blames_model: bool = False  # Or of the model there.


def of_failure(failure: UpstreamFailure) -> Lesson:
    """Return what may follow on no answer: only if nothing of one came can the client not see a second."""
    kind = failure.kind
    if isinstance(failure, (Unreachable, NoAnswer)):
        return Lesson(kind, may_retry=True, may_fall_back=True, blames_upstream=True)
    if isinstance(failure, TimedOut):
        return Lesson(kind, may_retry=False, may_fall_back=True, blames_upstream=True, blames_model=True)
    if isinstance(failure, CircuitOpen):
        return Lesson(kind, may_retry=False, may_fall_back=True)
    return Lesson(kind, may_retry=False, may_fall_back=False, blames_upstream=True)


def of_answer(answer: Answer, body: bytes, *, is_switched: bool = False) -> Lesson | None:
    """Return what may follow on an answer with this beginning of its body; None: the client gets it."""
    status, fields = answer.status, dict(answer.fields)
    if is_switched and status in REFUSALS:
        if _SPENT.search(body) or _SPENT_SAYS.search(body):
            return None
        return Lesson("refused", may_retry=False, may_fall_back=True)
    kind = _kind(status)
    if kind is None or fields.get(b"x-should-retry") == b"false" or _SPENT.search(body):
        return None
    return Lesson(
        kind,
        may_retry=kind != "rate-limited",
        may_fall_back=True,
        retry_after_s=_retry_after(fields),
        blames_upstream=status in {502, 503, 504},  # A body of one tenant can provoke a 500.
        blames_model=kind == "overloaded",
    )


def is_final(status: int, *, is_switched: bool = False) -> bool:
    """Return whether the client gets this answer, whatever its body says."""
    return _kind(status) is None and not (is_switched and status in REFUSALS)


def delay_s(lesson: Lesson) -> float | None:
    """Return how long to wait before a retry, or None if the upstream asked for more time than we wait."""
    after_s = lesson.retry_after_s or 0
    if after_s > RETRY_AFTER_MAX_S:
        return None
    return after_s + DELAY_S * (1 + random.random())  # noqa: S311 (spreads retries, and protects nothing)


def _kind(status: int) -> Kind | None:
    if status == OVERLOADED:
        return "overloaded"
    if status in SERVER_ERRORS:
        return "server-error"
    return "rate-limited" if status == RATE_LIMITED else None


def _retry_after(fields: Mapping[bytes, bytes]) -> int | None:
    value = fields.get(b"retry-after", b"")
    return int(value) if _SECONDS.fullmatch(value) else None
