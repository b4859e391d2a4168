"""Work in steps: a generator that yields where it may be interrupted, and returns its result."""

from collections.abc import Generator
from typing import TypeVar

_Made = TypeVar("_Made")
Steps = Generator[None, None, _Made]


def finish(steps: Steps[_Made]) -> _Made:
    """Run all steps without interruption, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: _Made = done.value
            return made
