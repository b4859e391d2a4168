"""The cost of a request at a model in whole pico-USD, with what its provider has cached and would cache of it.

It counts this request alone: a switch that would pay off only over the requests after it is not made.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from ingest.gateway.reading.facts import Facts
from ingest.knowledge.gateway import GatewayTenant, Rate
from ingest.pricing import book, rates
from ingest.pricing.rates import UNKNOWN, PartRates
from schema.composition import form_of

# Nobody knows how long an answer will be; `max_tokens` is a bound, far above. This is the mean of the 28,185 answers of
# ingest/demo/trace. It is low for today's models, so that a long answer is never the reason for a switch.
OUTPUT_TYPICAL = 154

# The shortest prefix that a provider caches, in tokens. A prefix that is cached at one model may be too short for
# another, which then charges it in full each time. Anthropic's, as its documentation had them in 2026, by family and
# version; OpenAI's, and any other, is CACHEABLE_DEFAULT.
CACHEABLE_DEFAULT = 1_024
CACHEABLE = {
    ("opus", "5"): 512, ("fable", "5"): 512, ("mythos", "5"): 512,
    ("opus", "4-8"): 1_024, ("sonnet", "5"): 1_024, ("sonnet", "4-5"): 1_024, ("opus", "4-1"): 1_024,
    ("opus", "4-7"): 2_048, ("sonnet", "4-6"): 2_048, ("haiku", "3-5"): 2_048, ("haiku", "3"): 2_048,
    ("opus", "4-6"): 4_096, ("opus", "4-5"): 4_096, ("haiku", "4-5"): 4_096,
}  # fmt: skip
_FAMILY = "(opus|sonnet|haiku|fable|mythos)"
_VERSION = r"([1-9](?:-[0-9](?![0-9]))?)(?![0-9])"
_CLAUDE = re.compile(f"claude-(?:{_FAMILY}-{_VERSION}|{_VERSION}-{_FAMILY})")


class Load(NamedTuple):
    """The tokens of a request, as far as they can be estimated before it is sent."""

    input: int
    output: int
    caches: bool
    caches_1h: bool

    @classmethod
    def of(cls, facts: Facts) -> "Load":
        output = OUTPUT_TYPICAL if facts.output_max is None else max(0, min(facts.output_max, OUTPUT_TYPICAL))
        return cls(facts.input_estimate, output, facts.caches, facts.caches_1h)


class Prices:
    """The rates of models for one request: of the tenant, before those of the book."""

    def __init__(self, tenant: GatewayTenant, provider: str, size: int, now_s: float) -> None:
        self._own = tenant.rates
        self._provider = provider
        self._size = size
        self._at = datetime.fromtimestamp(now_s, UTC)
        self._found: dict[str, PartRates | None] = {}

    def of(self, model: str) -> PartRates | None:
        """Return the rates of a model by its term, or None if input or output has no price."""
        if model not in self._found:
            self._found[model] = self._of(model)
        return self._found[model]

    def _of(self, model: str) -> PartRates | None:
        found = rates.find([book.shipped().schedule(self._provider, model)], self._at, self._size)
        listed = PartRates(*[UNKNOWN] * 5) if found is None else found.picousd
        merged = _over(self._own, self._provider, model, listed)
        return None if UNKNOWN in {merged.input, merged.output} else merged


def cost_picousd(price: PartRates, load: Load, model: str, cached: int) -> int:
    """Return the cost of a request at a model that has so many tokens of it cached."""
    read = min(cached, load.input)
    write = UNKNOWN
    if load.caches and load.input >= cacheable(model):
        write = price.cache_write_1h if load.caches_1h else price.cache_write_5m
    known_read = price.input if price.cache_read == UNKNOWN else price.cache_read
    known_write = price.input if write == UNKNOWN else write
    return read * known_read + (load.input - read) * known_write + load.output * price.output


def cacheable(model: str) -> int:
    """Return the tokens from which on a model's provider caches a prefix."""
    found = _CLAUDE.search(form_of(model))
    if found is None:
        return CACHEABLE_DEFAULT
    family, version = found[1] or found[4], found[2] or found[3]
    return CACHEABLE.get((family, version), CACHEABLE_DEFAULT)


def _over(own: Iterable[Rate], provider: str, model: str, listed: PartRates) -> PartRates:
    """Return the tenant's own rates of a model, where it has one, and the others of the book."""
    for rate in own:
        if (rate.provider, rate.model) == (provider, model):
            parts = (rate.input, rate.cache_read, rate.cache_write_5m, rate.cache_write_1h, rate.output)
            return PartRates(*(known if part == UNKNOWN else part for part, known in zip(parts, listed, strict=True)))
    return listed
