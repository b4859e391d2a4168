"""A tenant's own rates: read from what an operator writes, in USD per million tokens, and checked."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER, PICOUSD_MAX, SIZE_MAX, UNKNOWN, PartRates, Rates, Span

PICOUSD_PER_USD_MTOK = 1_000_000  # USD 1 a million tokens is 1,000,000 picousd a token.
_DECIMAL = re.compile(r"-?[0-9]{1,12}([.][0-9]{1,12})?", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,10}", re.ASCII)
PARTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


class Fault(ValueError):
    """Rates that cannot be taken, and why; never the value."""


class Offer(NamedTuple):
    """Rates for a period, from some size of the request on, as an operator writes them."""

    since: datetime
    until: datetime
    above: int
    picousd: PartRates


def read_rate(text: str) -> int:
    """Read USD per million tokens into picousd a token; raises Fault."""
    if not _DECIMAL.fullmatch(text.strip()):
        raise Fault("a rate is a decimal number of USD per million tokens, such as 0.30")
    usd = Decimal(text.strip())
    if usd < 0:
        raise Fault("a rate is 0 or more; leave it out if it is unknown")
    if usd * PICOUSD_PER_USD_MTOK > PICOUSD_MAX:
        raise Fault(
            f"a rate is at most {PICOUSD_MAX // PICOUSD_PER_USD_MTOK:,} USD per million tokens: is it per token?"
        )
    rate = usd * PICOUSD_PER_USD_MTOK
    if rate != rate.to_integral_value():
        raise Fault("a rate has at most 6 decimal places")
    return int(rate)


def read_rates(texts: Mapping[str, str]) -> PartRates:
    """Read the rates by part; one that is missing or empty is unknown. Raises Fault."""
    found = [UNKNOWN if not (text := texts.get(part)) else read_rate(text) for part in PARTS]
    if set(found) == {UNKNOWN}:
        raise Fault("at least one rate is needed")
    return PartRates(*found)


def read_instant(text: str) -> datetime:
    """Read a day, which begins at midnight of UTC, or a time with its offset; raises Fault."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Fault("a time is a day such as 2026-12-01, or has an offset, as 2026-12-01T00:00+01:00 has") from None
    if at.tzinfo is None and len(text.strip()) > len("2026-12-01"):
        raise Fault("a time of day needs its offset from UTC, such as +00:00")
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if not 2000 <= at.year <= 2200:  # noqa: PLR2004 (a typing error, not a price)
        raise Fault("a time is between the years 2000 and 2200")
    return at.astimezone(UTC)


def read_size(text: str) -> int:
    """Read the input tokens above which a tier applies; raises Fault."""
    if not _SIZE.fullmatch(text.strip()) or int(text) >= SIZE_MAX:
        raise Fault("a tier starts above a whole number of input tokens")
    return int(text)


def spans(since: datetime, until: datetime) -> Span:
    """Return a period; raises Fault."""
    if since >= until:
        raise Fault("a period ends after it starts: `until` is its first moment without these rates")
    return Span(since, until)


def schedule(offers: Iterable[Offer]) -> list[Rates]:
    """Return the rates of one model's offers, each period with its tiers; raises Fault."""
    by_span: dict[Span, dict[int, Offer]] = {}
    for offer in offers:
        tiers = by_span.setdefault(spans(offer.since, offer.until), {})
        if offer.above in tiers:
            raise Fault("a tier of this period is there twice")
        tiers[offer.above] = offer
    found: list[Rates] = []
    for span, tiers in sorted(by_span.items()):
        if ANY_SIZE not in tiers:
            raise Fault("a period needs a tier without a lower bound")
        starts = [*sorted(tiers), SIZE_MAX]
        found += [Rates(span, above, up_to, tiers[above].picousd) for above, up_to in pairwise(starts)]
    for earlier, later in pairwise(sorted(by_span)):
        if earlier.overlaps(later):
            raise Fault("two periods of this model overlap")
    return found


def clash(new: Iterable[Rates], known: Iterable[Rates]) -> Span | None:
    """Return a known period that a new one overlaps."""
    taken = {rates.span for rates in known}
    wanted = {rates.span for rates in new}
    return next((span for span in sorted(taken) if any(span.overlaps(each) for each in wanted)), None)


def worded(span: Span) -> str:
    """Format a period for a message."""
    since = "the beginning" if span.since == ALWAYS else f"{span.since:%Y-%m-%dT%H:%M}Z".removesuffix("T00:00Z")
    until = "further notice" if span.until == FOREVER else f"{span.until:%Y-%m-%dT%H:%M}Z".removesuffix("T00:00Z")
    hours = "" if span[2:] == (0, 1_440) else f", {_clock(span.from_minute)}-{_clock(span.before_minute)} UTC"
    return f"{since} until {until}{hours}"


def usd_per_mtok(picousd: int) -> str:
    """Format a rate as USD per million tokens."""
    if picousd == UNKNOWN:
        return "?"
    return f"{Decimal(picousd) / PICOUSD_PER_USD_MTOK:f}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
