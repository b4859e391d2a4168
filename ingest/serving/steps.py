"""Work in steps: a generator that yields where it may be interrupted, and returns its result."""

from collections.abc import Generator
from typing import TypeVar

_Made = TypeVar("_Made")
Steps = Generator[None, None, _Made]


def advance(steps: Steps[_Made]) -> StopIteration | None:
    """Run one step; after the last one return the end, whose `value` is the result."""
    try:
        next(steps)
    except StopIteration as done:
        return done.with_traceback(None)  # Its frames would hold the body until the next collection of garbage.
    return None


def finish(steps: Steps[_Made]) -> _Made:
    """Run all steps without interruption, and return the result."""
    while (done := advance(steps)) is None:
        pass
    made: _Made = done.value
    return made


def rest_s(spent_s: float, share_max: float) -> float:
    """Return how long to rest, so that the time spent is a share of both together."""
    return spent_s * (1 / share_max - 1)
