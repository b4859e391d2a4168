"""Work that can stop between any two of its steps: a generator that yields there and returns what it has made."""

from collections.abc import Generator
from typing import TypeVar

_Made = TypeVar("_Made")
Steps = Generator[None, None, _Made]


def finish(steps: Steps[_Made]) -> _Made:
    """Run steps to their end at one go, and return what they make."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: _Made = done.value
            return made
