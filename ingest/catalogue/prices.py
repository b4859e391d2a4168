"""Write the price book from genai-prices with that library's own matching: a developer's command."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from typing import NamedTuple

import msgspec
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from tqdm import tqdm

from ingest.catalogue.tables import say, without_prefixes
from ingest.pricing.book import FILE, Pages, Priced, Row, Seller, Source
from ingest.pricing.rates import ANY_SIZE, DAY_MINUTES, SIZE_MAX, UNKNOWN, PartRates
from schema.composition import form_of
from schema.event import Kind
from schema.vocabulary import shipped_terms

HELP = """\
Write ingest/pricing/book.json from the release of genai-prices that requirements-dev.lock pins.

For each model of the catalogue at each provider that genai-prices knows, the library itself says which of its models
that is, and which prices it had on each day. To refresh the book: raise the pin in pyproject.toml, `make lock`, and
`make catalogue`.

examples:
  python -m ingest.catalogue.prices            write the book
  python -m ingest.catalogue.prices --check    write nothing; exit 1 if the book would change
"""
PACKAGE, LICENCE = "genai-prices", "MIT"
# The library's providers, and the terms of providers.txt that are the same seller. Kept by hand: its own look-up takes
# whatever contains a name, so that `openai_like`, somebody's own server, would cost what OpenAI charges.
SELLERS = {
    "anthropic": "anthropic",
    "arcee": "arcee",
    "avian": "avian",
    "aws": "aws aws.bedrock bedrock bedrock_converse bedrock_mantle",
    "azure": "azure azure.ai.inference azure.ai.openai azure_ai",
    "baseten": "baseten",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "cohere": "cohere cohere_chat",
    "cursor": "cursor",
    "databricks": "databricks",
    "deepseek": "deepseek",
    "doubleword": "doubleword",
    "elevenlabs": "elevenlabs",
    "fireworks": "fireworks fireworks_ai",
    "github-copilot": "github-copilot github_copilot",
    "google": "gcp.gemini gcp.gen_ai gcp.vertex_ai gemini google vertex_ai",
    "groq": "groq",
    "meta": "meta meta_llama",
    "minimax": "minimax",
    "mistral": "mistral mistral_ai",
    "modal": "modal",
    "moonshotai": "moonshot moonshot_ai moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openai-decisions": "openai-decisions",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "quicksilverpro": "quicksilverpro",
    "together": "together together_ai",
    "typesafe": "typesafe",
    "voyageai": "voyage voyageai",
    "x-ai": "x-ai x_ai xai",
    "zai": "zai",
    "zhipuai": "zhipuai",
}
# The library's names of our five parts, the most specific first. A cache write without a lifetime is one of 5 minutes,
# as events have it; one of an hour costs more at some providers, so only a price of its own counts.
PARTS = (
    ("input_mtok",),
    ("cache_read_mtok",),
    ("cache_write_5m_mtok", "cache_write_mtok"),
    ("cache_write_1h_mtok",),
    ("output_mtok",),
)
# Who charges so asks for more than tokens can tell, or for some of the output otherwise.
INEXPRESSIBLE = {"requests_kcount", "output_reasoning_mtok", "output_citation_mtok"}
PICOUSD_PER_MTOK_USD = 1_000_000
Price = Decimal | TieredPrices
SOME_DAY = date(2020, 1, 1)  # Before the first date of any condition.


class Window(NamedTuple):
    """Minutes of a day, and the rates of each tier in them, by the size that it starts above."""

    from_minute: int
    before_minute: int
    tiers: Mapping[int, PartRates]


def rows_of(model: ModelInfo) -> list[Row]:
    """Return the rates of a model at all times; none if they depend on more than tokens, size and time."""
    conditions = [] if isinstance(model.prices, ModelPrice) else [price.constraint for price in model.prices]
    days = {each.start_date for each in conditions if isinstance(each, StartDateConstraint)}
    hours = [each for each in conditions if isinstance(each, TimeOfDateConstraint)]
    minutes = {0, DAY_MINUTES, *(_minute(at) for each in hours for at in (each.start_time, each.end_time))}
    rows: list[Row] = []
    dates: list[tuple[date | None, list[Window]]] = []  # Each with the windows from that day on.
    for day in (None, *sorted(days)):
        windows = _windows(model, day or min(days, default=SOME_DAY) - timedelta(days=1), sorted(minutes))
        if not dates or windows != dates[-1][1]:
            dates.append((day, windows))
    for (since, windows), until in zip(dates, [day for day, _ in dates[1:]] + [None], strict=True):
        for window in windows:
            rows += _rows(since, until, window)
    return rows


def _windows(model: ModelInfo, day: date, minutes: Sequence[int]) -> list[Window]:
    windows: list[Window] = []
    for start, end in pairwise(minutes):
        at = datetime.combine(day, time(), UTC) + timedelta(minutes=start)
        tiers = tiers_of(model.get_prices(at))
        if windows and windows[-1].tiers == tiers:
            windows[-1] = windows[-1]._replace(before_minute=end)
        else:
            windows.append(Window(start, end, tiers))
    return windows


def _rows(since: date | None, until: date | None, window: Window) -> Iterator[Row]:
    for (above, rates), up_to in zip(window.tiers.items(), [*window.tiers, SIZE_MAX][1:], strict=True):
        if set(rates) != {UNKNOWN}:
            yield Row(since, until, window.from_minute, window.before_minute, above, up_to, *rates)


def tiers_of(prices: ModelPrice) -> Mapping[int, PartRates]:
    """Return the rates of each tier, all unknown if they depend on more than tokens."""
    if any(getattr(prices, key) is not None for key in INEXPRESSIBLE):
        return {ANY_SIZE: PartRates(*[UNKNOWN] * 5)}
    parts = [_first(prices, keys) for keys in PARTS]
    starts = {tier.start for part in parts if isinstance(part, TieredPrices) for tier in part.tiers}
    return {above: _rates(parts, above) for above in (ANY_SIZE, *sorted(starts))}


def _rates(parts: Sequence[Price | None], above: int) -> PartRates:
    return PartRates(*(picousd(_rate(part, above)) for part in parts))


def _first(prices: ModelPrice, keys: Iterable[str]) -> Price | None:
    found = (getattr(prices, key) for key in keys)
    return next((price for price in found if price is not None), None)


def _rate(price: Price | None, above: int) -> Decimal | None:
    """Return the price in USD per million tokens of a request just larger than that."""
    if not isinstance(price, TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if above >= tier.start), price.base)


def picousd(usd_per_mtok: Decimal | None) -> int:
    """Return a rate in picousd a token; unknown if it is not a whole number, as that of a rounded third is not."""
    if usd_per_mtok is None:
        return UNKNOWN
    rate = usd_per_mtok * PICOUSD_PER_MTOK_USD
    return int(rate) if rate == rate.to_integral_value() else UNKNOWN


def _minute(at: time) -> int:
    assert at.tzinfo is UTC
    assert not at.second
    return at.hour * 60 + at.minute


class Prices:
    """The library's prices by the catalogue's terms."""

    def __init__(self) -> None:
        self.snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        self.terms: dict[str, set[str]] = {}  # By form.
        for term in shipped_terms(Kind.MODEL):
            self.terms.setdefault(form_of(term), set()).add(term)

    def schedules(self, seller: str) -> dict[str, list[Row]]:
        """Return the rates of each term that stands for a model of a seller, if they can be expressed."""
        found: dict[str, list[Row]] = {}
        for term in sorted(shipped_terms(Kind.MODEL)):
            models = [self.model(seller, name) for name in self.names_of(seller, term)]
            candidates = [rows_of(model) for model in models if model]
            if candidates and candidates[0] and all(rows == candidates[0] for rows in candidates):
                found[term] = candidates[0]
        return found

    def model(self, seller: str, name: str) -> ModelInfo | None:
        """Return the model that the library takes a name for."""
        try:
            return self.snapshot.find_provider_model(name, None, seller, None)[1]
        except LookupError:
            return None

    def names_of(self, seller: str, term: str) -> list[str]:
        """Return the library's names of a term at a seller: the term, or those that it is a spelling of."""
        return [term] if self.model(seller, term) else self._spelled(seller).get(term, [])

    @cache  # noqa: B019 (as long as the command runs)
    def _spelled(self, seller: str) -> dict[str, list[str]]:
        """Return the library's names by the terms that differ from them in case, marks or a prefix alone."""
        names: dict[str, list[str]] = {}
        [provider] = [each for each in providers if each.id == seller]
        for name in sorted({name for model in provider.models for name in (model.id, *exact_names(model.match))}):
            for form in {form_of(name), form_of(without_prefixes(name))}:
                for term in self.terms.get(form, ()):
                    names.setdefault(term, []).append(name)
        return names


def exact_names(clause: MatchLogic) -> Iterator[str]:
    """Yield the names that a clause has in full."""
    if isinstance(clause, ClauseEquals):
        yield clause.equals
    elif isinstance(clause, ClauseOr):
        for part in clause.or_:
            yield from exact_names(part)


def make(read_on: date) -> Pages:
    """Make the book of the installed library and the shipped catalogue."""
    prices = Prices()
    sellers = []
    for seller, terms in tqdm(SELLERS.items(), unit="seller", disable=not sys.stderr.isatty()):
        alike: dict[tuple[Row, ...], list[str]] = {}
        for term, rows in prices.schedules(seller).items():
            alike.setdefault(tuple(rows), []).append(term)
        priced = [Priced(models=models, rates=list(rows)) for rows, models in alike.items()]
        sellers.append(Seller(providers=terms.split(), prices=priced))
    source = Source(package=PACKAGE, version=version(PACKAGE), licence=LICENCE, read_on=read_on)
    return Pages(source=source, sellers=sellers)


def text_of(pages: Pages) -> bytes:
    """Return the file's text, a line for all models that cost the same at a seller, so that a diff can be read."""
    encode = msgspec.json.encode
    sellers = [
        b'{"providers":%b,"prices":[\n%b\n]}' % (encode(seller.providers), b",\n".join(map(encode, seller.prices)))
        for seller in pages.sellers
    ]
    return b'{"source":%b,"sellers":[\n%b\n]}\n' % (encode(pages.source), b",\n".join(sellers))


def main() -> int:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the book would change")
    asked = parser.parse_args()
    made = make(datetime.now(UTC).date())
    known = msgspec.json.decode(FILE.read_bytes(), type=Pages)
    is_new = (known.sellers, known.source.version) != (made.sellers, made.source.version)
    if is_new and not asked.check:
        FILE.write_bytes(text_of(made))
    models = sum(len(each.models) * len(seller.providers) for seller in made.sellers for each in seller.prices)
    say(f"{PACKAGE} {made.source.version}: {models} models at providers; the book is {'new' if is_new else 'the same'}")
    return 1 if is_new and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
