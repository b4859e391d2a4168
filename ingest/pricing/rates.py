"""The price of a usage: its tokens at the rates for its time and size, in integers, or None if a rate is unknown."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import mul
from typing import NamedTuple

from schema import limits

UNKNOWN = -1  # The rate of a part that has no known price; 0 is free.
ALWAYS = datetime.min.replace(tzinfo=UTC)  # PostgreSQL's -infinity,
FOREVER = datetime.max.replace(tzinfo=UTC)  # and infinity.
DAY_MINUTES = 1_440
ANY_SIZE = -1  # The first tier starts below an input of 0 tokens,
SIZE_MAX = 2**31 - 1  # and the last one ends here.
PICOUSD_MAX = 10_000_000_000  # A token: USD 10,000 a million. The most expensive model of the book costs 600.
PICOUSD_PER_NANOUSD = 1_000
# The largest event at the highest rates fits a bigint: an integer of PostgreSQL, and of every reader.
assert (4 * limits.INPUT_TOKENS_MAX + limits.OUTPUT_TOKENS_MAX) * PICOUSD_MAX < 2**63
assert 4 * limits.INPUT_TOKENS_MAX < SIZE_MAX


class Tokens(NamedTuple):
    """The tokens of a request, each counted in one part; reasoning is within the output."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int

    @property
    def size(self) -> int:
        """All that was sent, which decides the tier."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


class Span(NamedTuple):
    """When rates apply: from `since`, before `until`, and in which minutes of each UTC day."""

    since: datetime
    until: datetime
    from_minute: int = 0
    before_minute: int = DAY_MINUTES

    def covers(self, at: datetime) -> bool:
        moment = at.astimezone(UTC)
        minute = moment.hour * 60 + moment.minute
        return self.since <= moment < self.until and self.from_minute <= minute < self.before_minute

    def overlaps(self, other: "Span") -> bool:
        return (
            self.since < other.until
            and other.since < self.until
            and self.from_minute < other.before_minute
            and other.from_minute < self.before_minute
        )


class PartRates(NamedTuple):
    """Rates in picousd a token, in the order of `Tokens`."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


class Rates(NamedTuple):
    """Rates of one tier in one span: a row of the table `prices`."""

    span: Span
    above: int
    up_to: int
    picousd: PartRates

    def applies_to(self, size: int) -> bool:
        return self.above < size <= self.up_to


def at_time(schedule: Iterable[Rates], at: datetime) -> list[Rates]:
    """Return the tiers that apply at a time."""
    return [rates for rates in schedule if rates.span.covers(at)]


def find(schedules: Sequence[Iterable[Rates]], at: datetime, size: int) -> Rates | None:
    """Return the rates for a request: of the first schedule with any at that time (a tenant's own before the book)."""
    for schedule in schedules:
        if tiers := at_time(schedule, at):
            return of_size(tiers, size)
    return None


def of_size(tiers: Iterable[Rates], size: int) -> Rates | None:
    """Return the tier of a request."""
    return next((rates for rates in tiers if rates.applies_to(size)), None)


def cost_picousd(rates: Rates, tokens: Tokens) -> int | None:
    """Return the cost of a usage, or None if a part of it has no known rate. A part without tokens needs none."""
    picousd = rates.picousd
    if UNKNOWN in picousd and any(count and rate == UNKNOWN for count, rate in zip(tokens, picousd, strict=True)):
        return None
    cost: int = sum(map(mul, tokens, picousd))
    return cost


def nanousd(picousd: int) -> int:
    """Round half away from zero, once for each event. Costs are never negative."""
    return (picousd + PICOUSD_PER_NANOUSD // 2) // PICOUSD_PER_NANOUSD


def price(schedules: Sequence[Iterable[Rates]], at: datetime, tokens: Tokens) -> int | None:
    """Return the price of a usage in nanousd, or None: no rates, or none for a part of it."""
    return _price(find(schedules, at, tokens.size), tokens)


def price_by(tiers: Iterable[Rates], tokens: Tokens) -> int | None:
    """Return the price of a usage in nanousd at the tiers that apply at its time, or None as `price` does."""
    return _price(of_size(tiers, tokens.size), tokens)


def _price(rates: Rates | None, tokens: Tokens) -> int | None:
    cost = None if rates is None else cost_picousd(rates, tokens)
    return None if cost is None else nanousd(cost)
