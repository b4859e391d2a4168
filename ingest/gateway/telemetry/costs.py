"""Prices requests by the book, whose rates are looked up once a minute: they change at a minute of a day or a midnight.

A process prices thousands of requests a second at the rates of a few models.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from ingest.pricing import book, rates
from ingest.pricing.rates import Rates, Tokens

_MINUTE_MS = 60_000


class Costs:
    """The tiers of the models that were priced in the newest minute; the book bounds their number."""

    __slots__ = ("_minute", "_tiers")

    def __init__(self) -> None:
        self._minute = 0
        self._tiers: dict[tuple[str, str], Sequence[Rates]] = {}

    def nanousd(self, key: tuple[str, str], at_ms: int, tokens: Tokens) -> int | None:
        """Return the price of a usage at a provider and a model, in nanousd; None: no rates, or none for a part."""
        if at_ms // _MINUTE_MS != self._minute:
            self._minute = at_ms // _MINUTE_MS
            self._tiers.clear()
        tiers = self._tiers.get(key)
        if tiers is None:
            schedule = book.shipped().schedule(*key)
            if not schedule:
                return None
            tiers = self._tiers[key] = rates.at_time(schedule, datetime.fromtimestamp(at_ms / 1_000, UTC))
        return rates.price_by(tiers, tokens)
