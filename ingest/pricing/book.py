"""The shipped price book: book.json, which `python -m ingest.catalogue.prices` writes from genai-prices."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from ingest.pricing.rates import ALWAYS, DAY_MINUTES, FOREVER, PICOUSD_MAX, SIZE_MAX, PartRates, Rates, Span

FILE = Path(__file__).with_name("book.json")
Picousd = Annotated[int, Meta(ge=-1, le=PICOUSD_MAX)]
Minute = Annotated[int, Meta(ge=0, le=DAY_MINUTES)]
Size = Annotated[int, Meta(ge=-1, le=SIZE_MAX)]
Version = Annotated[str, Meta(pattern=r"\A[0-9]+(\.[0-9]+){1,3}\Z")]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The release that the book was made from, and when."""

    package: Annotated[str, Meta(pattern=r"\A[a-z-]{1,40}\Z")]
    version: Version
    licence: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9.-]{1,40}\Z")]
    read_on: date


class Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Rates of one tier in one span of days, whose UTC midnights are the bounds."""

    since: date | None
    until: date | None
    from_minute: Minute
    before_minute: Minute
    above: Size
    up_to: Size
    input: Picousd
    cache_read: Picousd
    cache_write_5m: Picousd
    cache_write_1h: Picousd
    output: Picousd

    def rates(self) -> Rates:
        span = Span(_midnight(self.since, ALWAYS), _midnight(self.until, FOREVER), self.from_minute, self.before_minute)
        picousd = PartRates(self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output)
        return Rates(span, self.above, self.up_to, picousd)


class Priced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models of a seller that cost the same, by their terms."""

    models: list[str]
    rates: list[Row]


class Seller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seller's terms among the providers, and what it sells."""

    providers: list[str]
    prices: list[Priced]


class Pages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    source: Source
    sellers: list[Seller]


class Entry(NamedTuple):
    """A model at a provider, both by their terms, with its rates at all times."""

    provider: str
    model: str
    schedule: tuple[Rates, ...]


class Book(NamedTuple):
    """The rates of every model that the source knows, by the catalogue's terms."""

    source: Source
    models: Mapping[str, Mapping[str, tuple[Rates, ...]]]

    def schedule(self, provider: str, model: str) -> tuple[Rates, ...]:
        """Return the rates of a model at a provider; empty if the book has none."""
        return self.models.get(provider, {}).get(model, ())

    def entries(self) -> Iterator[Entry]:
        for provider, models in self.models.items():
            for model, schedule in models.items():
                yield Entry(provider, model, schedule)


@cache
def shipped() -> Book:
    """Read the book of this release."""
    return read(FILE.read_bytes())


def read(text: bytes) -> Book:
    """Read a book strictly; raises msgspec.ValidationError if it is not one."""
    pages = msgspec.json.decode(text, type=Pages)
    models: dict[str, dict[str, tuple[Rates, ...]]] = {}
    for seller in pages.sellers:
        schedules = [(priced.models, tuple(row.rates() for row in priced.rates)) for priced in seller.prices]
        sold = {model: schedule for names, schedule in schedules for model in names}
        models.update(dict.fromkeys(seller.providers, sold))
    return Book(pages.source, models)


def _midnight(day: date | None, otherwise: datetime) -> datetime:
    return otherwise if day is None else datetime.combine(day, time(), UTC)
