"""The answer to `GET /v1/usage`, in names; money is in nano-USD, and every number is an integer but a percentile."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ingest.store.usage.reads import Counts, Granularity, Sums
from ingest.usage import histogram
from ingest.usage.histogram import Histogram

SHARES = (0.5, 0.95, 0.99)


class Tokens(Struct, frozen=True):
    """Tokens by part; reasoning is within output."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int


class Cost(Struct, frozen=True):
    """What proxies reported, and the price book's price of events without a reported cost."""

    total_nanousd: Annotated[int, Meta(description="Reported and computed.")]
    reported_nanousd: int
    reported_events: int
    computed_nanousd: int
    computed_events: int
    unpriced_events: Annotated[int, Meta(description="Neither reported nor in the price book: in no sum.")]


class Savings(Struct, frozen=True):
    """By method: against a reported baseline; against the same usage at the requested model's price; none."""

    total_nanousd: int
    reported_nanousd: int
    priced_nanousd: int
    baseline_nanousd: Annotated[int, Meta(description="Sum of the reported baselines whose events have a cost.")]
    baseline_events: Annotated[int, Meta(description="Of method 1. Coverage is this divided by `events`.")]
    priced_events: Annotated[int, Meta(description="Of method 2.")]
    none_events: Annotated[int, Meta(description="Without savings: no baseline, and no price or cost.")]


class PriceCheck(Struct, frozen=True):
    """Reported costs compared with the price book; a mismatch is beyond 1 % and beyond 1 µUSD."""

    matched_events: int
    mismatched_events: int
    mismatch_nanousd: Annotated[int, Meta(description="Reported less computed, of the mismatched events.")]
    list_nanousd: Annotated[int, Meta(description="The book's price of the checked events.")]
    unchecked_events: Annotated[int, Meta(description="With a reported cost, and not in the book.")]


class Flags(Struct, frozen=True):
    """Events with each flag."""

    streamed: int
    cached: int
    fallback: int
    retried: int
    escalated: int


class Percentiles(Struct, frozen=True):
    """Of events whose value is known, within 5 %; null if there are none."""

    events: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Row(Struct, frozen=True):
    """The sums of a group in an hour, a day, a month or the whole range."""

    at: Annotated[datetime, Meta(description="The start of the time, UTC.")]
    group: Annotated[dict[str, str | None], Meta(description="A term for each of `group_by`; null: no such tag.")]
    events: int
    tokens: Tokens
    cost: Cost
    savings: Savings
    price_check: PriceCheck
    flags: Flags
    latency: Annotated[Percentiles | None, Meta(description="Null if `percentiles` is false.")]
    ttft: Percentiles | None


class Usage(Struct, frozen=True):
    """The reply to `GET /v1/usage`."""

    since: datetime
    before: datetime
    granularity: Granularity
    group_by: list[str]
    as_of: Annotated[
        datetime,
        Meta(description="Every event that occurred before, and was accepted when this was read, is in the sums."),
    ]
    pending_events: Annotated[int, Meta(description="Accepted events of the range that are not in the sums yet.")]
    rows: list[Row]
    next: Annotated[str | None, Meta(description="The cursor of the next page; null at the end.")]


def row(sums: Sums, group: Mapping[str, str | None]) -> Row:
    """Return a row in names."""
    measures = sums.measures
    return Row(
        at=sums.key.at,
        group=dict(group),
        events=measures["events"],
        tokens=Tokens(**_named(measures, Tokens, lambda name: f"{name}_tokens")),
        cost=_cost(measures),
        savings=_savings(measures),
        price_check=_price_check(measures),
        flags=Flags(**_named(measures, Flags, str)),
        latency=None if sums.latency is None else percentiles(sums.latency),
        ttft=None if sums.ttft is None else percentiles(sums.ttft),
    )


def percentiles(counted: Counts) -> Percentiles:
    """Return the percentiles of a histogram."""
    bins = sorted(counted)
    found = Histogram(bins, [counted[each] for each in bins])
    p50, p95, p99 = (_rounded(histogram.quantile(found, share)) for share in SHARES)
    return Percentiles(found.total, p50, p95, p99)


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)


def _named(measures: Mapping[str, int], kind: type[Struct], column: Callable[[str], str]) -> dict[str, int]:
    return {name: measures[column(name)] for name in kind.__struct_fields__}


def _cost(measures: Mapping[str, int]) -> Cost:
    reported, computed = measures["reported_cost_nanousd"], measures["computed_cost_nanousd"]
    return Cost(
        total_nanousd=reported + computed,
        reported_nanousd=reported,
        reported_events=measures["reported_cost_events"],
        computed_nanousd=computed,
        computed_events=measures["computed_cost_events"],
        unpriced_events=measures["unpriced_events"],
    )


def _savings(measures: Mapping[str, int]) -> Savings:
    reported, priced = measures["savings_reported_nanousd"], measures["savings_priced_nanousd"]
    events = measures["baseline_events"], measures["savings_priced_events"]
    return Savings(
        total_nanousd=reported + priced,
        reported_nanousd=reported,
        priced_nanousd=priced,
        baseline_nanousd=measures["baseline_cost_nanousd"],
        baseline_events=events[0],
        priced_events=events[1],
        none_events=measures["events"] - sum(events),
    )


def _price_check(measures: Mapping[str, int]) -> PriceCheck:
    return PriceCheck(
        matched_events=measures["checked_events"] - measures["mismatched_events"],
        mismatched_events=measures["mismatched_events"],
        mismatch_nanousd=measures["mismatch_nanousd"],
        list_nanousd=measures["checked_list_cost_nanousd"],
        unchecked_events=measures["unchecked_events"],
    )
