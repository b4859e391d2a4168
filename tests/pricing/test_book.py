"""The shipped book against genai-prices: every model, part, tier, period and time of day, and random usages."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from genai_prices import Usage
from genai_prices.types import ModelInfo

from ingest.catalogue import prices
from ingest.pricing import book
from ingest.pricing.rates import ALWAYS, FOREVER, SIZE_MAX, UNKNOWN, Rates, Tokens, at_time, cost_picousd, find
from schema import limits
from schema.event import Kind
from schema.vocabulary import shipped_terms

USAGES = 20_000
PICOUSD = 10**12
NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)


class Twin(NamedTuple):
    """A schedule of the book, and the model of the library that it was made from."""

    seller: str
    term: str
    schedule: tuple[Rates, ...]
    model: ModelInfo


@pytest.fixture(scope="module")
def library() -> prices.Prices:
    return prices.Prices()


@pytest.fixture(scope="module")
def twins(library: prices.Prices) -> list[Twin]:
    """Return each schedule with each model of the library that has one of its terms, found by the library."""
    shipped = book.shipped()
    found: dict[tuple[str, int, int], Twin] = {}
    for seller, providers in prices.SELLERS.items():
        for term, schedule in shipped.models[providers.split()[0]].items():
            for name in library.names_of(seller, term):
                model = library.model(seller, name)
                assert model is not None
                found[seller, id(schedule), id(model)] = Twin(seller, term, schedule, model)
    return list(found.values())


def asked(model: ModelInfo, at: datetime, tokens: Tokens) -> Decimal:
    """Return the library's price in picousd, unrounded."""
    writes = tokens.cache_write_5m + tokens.cache_write_1h
    usage = Usage(
        input_tokens=tokens.size,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=writes,
        cache_write_5m_tokens=tokens.cache_write_5m,
        cache_write_1h_tokens=tokens.cache_write_1h,
        output_tokens=tokens.output,
    )
    return model.get_prices(at).calc_price(usage)["total_price"] * PICOUSD


def times(schedule: tuple[Rates, ...]) -> Iterator[datetime]:
    """Yield the first and last moments of each span, and of each window of the day in it."""
    for rates in schedule:
        span = rates.span
        first = max(span.since, NOW - timedelta(days=700))
        last = min(span.until, NOW + timedelta(days=700)) - timedelta(microseconds=1)
        yield from (first, last, NOW)
        for day in (first, last):
            midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
            for minute in (span.from_minute, span.before_minute):
                yield midnight + timedelta(minutes=minute)
                yield midnight + timedelta(minutes=minute, microseconds=-1)


def usages(tiers: list[Rates]) -> Iterator[Tokens]:
    """Yield each part alone on both sides of each tier's bounds, and output beside it."""
    sizes = {1, *(size + step for each in tiers for size in (each.above, each.up_to) for step in (0, 1))}
    for size in sorted(size for size in sizes if 0 < size < SIZE_MAX):
        for part in range(4):
            yield Tokens(0, 0, 0, 0, 0)._replace(**{Tokens._fields[part]: size})
        yield Tokens(size, 0, 0, 0, 7)


def differs(twin: Twin, at: datetime, tokens: Tokens) -> bool:
    """Compare a price; unknown has to be a part that the library has no rate of its own for."""
    rates = find([twin.schedule], at, tokens.size)
    own = None if rates is None else cost_picousd(rates, tokens)
    if own is not None:
        return asked(twin.model, at, tokens) != own
    tiers = prices.tiers_of(twin.model.get_prices(at))
    known = next(rates for above, rates in reversed([*tiers.items()]) if tokens.size > above)
    return not any(count and rate == UNKNOWN for count, rate in zip(tokens, known, strict=True))


def test_the_book_and_the_library_never_differ(twins: list[Twin]) -> None:
    compared = 0
    for twin in twins:
        for at in {*times(twin.schedule)}:
            for tokens in usages(at_time(twin.schedule, at)):
                compared += 1
                assert not differs(twin, at, tokens), (twin.seller, twin.term, at, tokens)
    assert compared > 50_000


def test_the_book_and_the_library_never_differ_on_random_usages(twins: list[Twin]) -> None:
    chance = random.Random(15)
    for _ in range(USAGES):
        twin = chance.choice(twins)
        at = NOW - timedelta(seconds=chance.randrange(400 * 86_400))
        sent = [
            chance.choice([0, chance.randrange(1_000), chance.randrange(limits.INPUT_TOKENS_MAX)]) for _ in range(4)
        ]
        tokens = Tokens._make([*sent, chance.randrange(limits.OUTPUT_TOKENS_MAX)])
        assert not differs(twin, at, tokens), (twin.seller, twin.term, at, tokens)


def test_every_rate_of_the_library_is_in_the_book_or_not_whole(twins: list[Twin]) -> None:
    """No part is unknown that the library has a rate for, but the few that are no whole number of picousd."""
    lost = {
        (twin.seller, twin.model.id, keys[0])
        for twin in twins
        for rates in at_time(twin.schedule, NOW)
        for keys, rate in zip(prices.PARTS, rates.picousd, strict=True)
        if rate == UNKNOWN and any(getattr(twin.model.get_prices(NOW), key) is not None for key in keys)
    }
    assert {key for _, _, key in lost} == {"cache_write_5m_mtok"}
    assert {seller for seller, _, _ in lost} == {"openrouter"}
    assert len(lost) < 30


@pytest.mark.parametrize("seller", ["anthropic", "deepseek", "mistral", "x-ai"])  # All take half a minute.
def test_the_book_is_what_the_pinned_library_makes(library: prices.Prices, seller: str) -> None:
    made = {term: tuple(row.rates() for row in rows) for term, rows in library.schedules(seller).items()}
    for provider in prices.SELLERS[seller].split():
        assert book.shipped().models[provider] == made


def test_the_book_is_of_the_pinned_release() -> None:
    source = book.shipped().source
    page = book.FILE.with_name("SOURCES.md").read_text("ascii")
    assert f"{source.version} | {source.read_on} |" in page
    assert f'"genai-prices=={source.version}"' in Path("pyproject.toml").read_text("utf-8")
    assert (source.package, source.version, source.licence) == ("genai-prices", version("genai-prices"), "MIT")


def test_the_page_about_prices_has_the_books_figures() -> None:
    page = " ".join(Path("docs/prices.md").read_text("utf-8").split())
    schedules = [entry.schedule for entry in book.shipped().entries()]
    tiers = sum(len(at_time(schedule, NOW)) > 1 for schedule in schedules)
    periods = sum(len({rates.span[:2] for rates in schedule}) > 1 for schedule in schedules)
    hours = sum(any(rates.span[2:] != (0, 1_440) for rates in schedule) for schedule in schedules)
    lack_reads = sum(at_time(schedule, NOW)[0].picousd.cache_read == UNKNOWN for schedule in schedules)
    assert f"{len(schedules):,} prices" in page
    assert f"{tiers:,} have tiers by size, {periods:,} more than one period, {hours:,} busy hours" in page
    assert f"unknown: {lack_reads / len(schedules):.0%}".replace("%", " %") in page
    assert f"{book.shipped().source.version} (MIT), read on {book.shipped().source.read_on}" in page


def test_the_book_speaks_the_catalogues_terms() -> None:
    known = {kind: set(shipped_terms(kind)) for kind in (Kind.PROVIDER, Kind.MODEL)}
    shipped = book.shipped()
    assert shipped.models.keys() <= known[Kind.PROVIDER]
    assert {entry.model for entry in shipped.entries()} <= known[Kind.MODEL]
    assert len([*shipped.entries()]) > 14_000


def test_at_most_one_row_applies_to_an_event() -> None:
    for schedule in {entry.schedule for entry in book.shipped().entries()}:
        for place, rates in enumerate(schedule):
            for other in schedule[:place]:
                if rates.span.overlaps(other.span):
                    assert rates.span == other.span
                    assert rates.above >= other.up_to


def test_everybody_whom_the_library_takes_for_a_seller_was_looked_at(library: prices.Prices) -> None:
    """A name that contains another would cost what that one charges: such sellers are left out on purpose."""
    left_out = {"amazon_nova", "google_pse", "microsoft_365_copilot", "openai_like"}
    ours = {term: seller for seller, terms in prices.SELLERS.items() for term in terms.split()}
    for term in shipped_terms(Kind.PROVIDER):
        try:
            theirs = library.snapshot.find_provider(None, term, None).id
        except LookupError:
            continue
        assert term in left_out or ours[term] == theirs or (term, ours[term]) == ("azure.ai.openai", "azure")


def test_anthropic_has_all_five_parts() -> None:
    (rates,) = at_time(book.shipped().schedule("anthropic", "claude-opus-4-5"), NOW)
    assert rates.picousd == (5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000)
    assert (rates.span.since, rates.span.until) == (ALWAYS, FOREVER)


def test_deepseek_costs_more_at_its_busy_hours() -> None:
    schedule = book.shipped().schedule("deepseek", "deepseek-v4-pro")
    tokens = Tokens(1_000, 0, 0, 0, 0)
    costs = [find([schedule], NOW.replace(hour=hour), tokens.size).picousd[0] for hour in (0, 1, 3, 4, 5, 6, 9, 10)]  # type: ignore[union-attr]  # Always one.
    assert costs == [660_000, 1_320_000, 1_320_000, 660_000, 660_000, 1_320_000, 1_320_000, 660_000]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"version"', b'"revision"'),
        lambda text: text.replace(b",1440,", b",1441,", 1),
        lambda text: text.replace(b"25000000]", b"25000000.5]", 1),
        lambda text: text.replace(b"25000000]", b"25000000,1]", 1),
        lambda text: text.replace(b"25000000]", b"10000000001]", 1),
        lambda text: text.replace(b"25000000]", b"-2]", 1),
        lambda text: text.replace(b'"2026-03-13"', b'"13.3.2026"', 1),
    ],
)
def test_a_damaged_book_is_not_read(change: Callable[[bytes], bytes]) -> None:
    text = book.FILE.read_bytes()
    damaged = change(text)
    assert damaged != text
    with pytest.raises(msgspec.ValidationError):
        book.read(damaged)
