"""Decides what a budget's spend means: thresholds that are crossed, crossed no longer, or crossed again. Pure.

A threshold is announced once in a period. Of several that are crossed at once the highest is announced; the others are
recorded, so they are not announced later. What was recorded stays, and says since when it is no longer crossed.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WHOLE = 100
FORECAST_FIRES, FORECAST_REARMS = 100, 90  # Percent of the limit.
Known = Mapping[int, bool]  # Thresholds that are recorded, and whether they are crossed.


class Changes(NamedTuple):
    """What to record; `fresh` ascends."""

    fresh: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
    no_longer: tuple[int, ...] = ()

    @property
    def announced(self) -> int | None:
        return self.fresh[-1] if self.fresh else None


def changes(limit: int, thresholds: Sequence[int], spent: int, known: Known) -> Changes:
    """Return what the spend of a period changes about its thresholds."""
    crossed = {threshold for threshold in thresholds if is_at(spent, threshold, limit)}
    return Changes(
        fresh=tuple(sorted(crossed - known.keys())),
        again=tuple(sorted(each for each in crossed & known.keys() if not known[each])),
        no_longer=tuple(sorted(each for each in known.keys() - crossed if each in thresholds and known[each])),
    )


class Forecast(NamedTuple):
    """The change that a forecast makes, and whether it `is_over` the limit, which the next review starts from."""

    is_over: bool
    fires: bool = False
    again: bool = False
    no_longer: bool = False


def forecast(limit: int, expected: int | None, *, was_over: bool, known: bool | None) -> Forecast:
    """Return what an expected spend changes; `known` is whether it is recorded as crossed, or None if it is not.

    It fires if this review and the one before find it over the limit, and re-arms below 90 % of it.
    """
    if expected is None:
        return Forecast(is_over=False)
    is_over = is_at(expected, FORECAST_FIRES, limit)
    is_confirmed = is_over and was_over
    return Forecast(
        is_over,
        fires=is_confirmed and known is None,
        again=is_confirmed and known is False,
        no_longer=known is True and not is_at(expected, FORECAST_REARMS, limit),
    )


def is_at(spent: int, threshold: int, limit: int) -> bool:
    """Return whether a spend has reached so many percent of a limit."""
    return spent * _WHOLE >= threshold * limit
