"""Compares a figure with that of the period before."""

from typing import Literal, NamedTuple

Direction = Literal["up", "down", "same", "new", "none"]


class Change(NamedTuple):
    """How a figure differs from the one before: the direction, and by which part of that, if it was not 0."""

    direction: Direction
    ratio: float | None
    before: int


def change(now: int, before: int) -> Change:
    """Return the change from one figure to another; of nothing before there is no part."""
    if not before:
        return Change("new" if now else "none", None, before)
    direction: Direction = "up" if now > before else "down" if now < before else "same"
    return Change(direction, (now - before) / abs(before), before)


def part(some: int, whole: int) -> float | None:
    """Return a part of 1, or None of nothing."""
    return some / whole if whole else None
