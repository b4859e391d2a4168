"""An independent slow sum of usage, in plain Python over all rows, to compare the tables with."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from asyncpg import Record

from ingest.store.connections import Connection

Name = str | tuple[str, int]  # A measure, or a bin of a histogram.
Key = tuple[object, ...]
Sums = dict[Key, dict[Name, int]]
Prices = dict[Key, list[Record]]  # By tenant, provider and model.
# asyncpg's infinities have no time zone.
_PRICES = """
SELECT *, greatest(since, '2000-01-01Z') AS first, least(until, '9999-01-01Z') AS before FROM nocontent.prices
"""
_ANNOTATED = "SELECT tenant_id, event_id FROM nocontent.annotations"
DAY = timedelta(days=1)
_START = datetime(2000, 1, 1, tzinfo=UTC)
_PERIODS = {1: timedelta(minutes=15), 2: timedelta(hours=1), 3: DAY, 4: timedelta(hours=1), 5: DAY}
_PARTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_FLAGS = ("streamed", "cached", "fallback", "retried", "escalated")
_DIMENSIONS = ("provider", "requested_model", "routed_model", "status", "task_category")
_TAGS = tuple(f"tag_{place}" for place in range(1, 5))
_KEY = ("tenant_id", "grain", "at", *_DIMENSIONS, *_TAGS)
_ARRAYS = ("latency_bins", "latency_counts", "ttft_bins", "ttft_counts")


def _price(event: Record, model: str, prices: Prices) -> int | None:
    """Return an event's nano-USD at a model's price, or None."""
    for tenant_id in (event["tenant_id"], 0):
        for price in prices.get((tenant_id, event["provider"], event[model]), ()):
            if _applies(price, event):
                pairs = [(event[f"{part}_tokens"], price[f"{part}_picousd"]) for part in _PARTS]
                if any(tokens and rate < 0 for tokens, rate in pairs):
                    return None
                return int(sum(tokens * rate for tokens, rate in pairs)) + 500
    return None


def _applies(price: Record, event: Record) -> bool:
    at = event["occurred_at"]
    whole = sum(event[f"{part}_tokens"] for part in _PARTS[:-1])
    is_then = price["first"] <= at < price["before"]
    is_now = price["from_minute"] <= at.hour * 60 + at.minute < price["before_minute"]
    return bool(is_then and is_now and price["input_tokens_above"] < whole <= price["input_tokens_up_to"])


def _measures(event: Record, prices: Prices) -> Counter[Name]:
    """Return what one event adds to each measure."""
    picousd = _price(event, "routed_model", prices)
    listed = None if picousd is None else picousd // 1000
    cost = event["cost_nanousd"]
    own: Counter[Name] = Counter({"events": 1, "reasoning_tokens": event["reasoning_tokens"]})
    own.update({f"{part}_tokens": event[f"{part}_tokens"] for part in _PARTS})
    own.update(_costs(cost, listed))
    known = cost if cost >= 0 else listed
    if known is not None:
        own.update(_savings(event, known, _price(event, "requested_model", prices)))
    own.update({name: event["outcome"] >> bit & 1 for bit, name in enumerate(_FLAGS)})
    for name in ("latency", "ttft"):
        if event[f"{name}_ms"] >= 0:
            own[name, math.ceil(math.log(max(event[f"{name}_ms"], 1)) / math.log(1.1))] = 1
    return own


def _costs(cost: int, listed: int | None) -> dict[Name, int]:
    if cost < 0:
        if listed is None:
            return {"unpriced_events": 1}
        return {"computed_cost_nanousd": listed, "computed_cost_events": 1}
    own: dict[Name, int] = {"reported_cost_nanousd": cost, "reported_cost_events": 1}
    if listed is None:
        return own | {"unchecked_events": 1}
    own |= {"checked_events": 1, "checked_list_cost_nanousd": listed}
    if abs(cost - listed) > max(listed / 100, 1000):
        own |= {"mismatched_events": 1, "mismatch_nanousd": cost - listed}
    return own


def _savings(event: Record, known: int, requested: int | None) -> dict[Name, int]:
    baseline = event["baseline_cost_nanousd"]
    if baseline >= 0:
        return {
            "baseline_cost_nanousd": baseline,
            "baseline_events": 1,
            "savings_reported_nanousd": baseline - known,
        }
    if requested is None:
        return {}
    return {"savings_priced_events": 1, "savings_priced_nanousd": requested // 1000 - known}


def _keys(event: Record) -> Iterable[Key]:
    model = (event["provider"], event["requested_model"], event["routed_model"], event["outcome"] >> 5 & 7)
    rest = (event["task_category"], *(event[name] for name in _TAGS))
    for grain, period in _PERIODS.items():
        dimensions = (-1,) * 9 if grain == 1 else (*model, *((-1,) * 5 if grain < 4 else rest))
        at = event["occurred_at"] - (event["occurred_at"] - _START) % period
        yield (event["tenant_id"], grain, at, *dimensions)


async def from_rows(connection: Connection) -> Sums:
    """Return the sums of all rows that are not annotated."""
    prices: Prices = defaultdict(list)
    for price in await connection.fetch(_PRICES):
        prices[price["tenant_id"], price["provider"], price["model"]].append(price)
    found: dict[Key, dict[Name, int]] = defaultdict(lambda: defaultdict(int))
    annotated = {(row["tenant_id"], row["event_id"]) for row in await connection.fetch(_ANNOTATED)}
    for event in await connection.fetch("SELECT * FROM nocontent.events"):
        if (event["tenant_id"], event["event_id"]) in annotated:
            continue
        own = _measures(event, prices)
        for key in _keys(event):
            for name, value in own.items():
                found[key][name] += value
    return {key: _without_zeros(own) for key, own in found.items()}


def _without_zeros(own: dict[Name, int]) -> dict[Name, int]:
    return {name: value for name, value in own.items() if value}


async def stored(connection: Connection) -> Sums:
    """Return the sums of the table; raises AssertionError if a histogram is not in its form."""
    found: Sums = {}
    for row in await connection.fetch("SELECT * FROM nocontent.usage"):
        key = tuple(row[name] for name in _KEY)
        values: dict[Name, int] = {name: value for name, value in row.items() if name not in {*_KEY, *_ARRAYS}}
        for name in ("latency", "ttft"):
            bins, counts = row[f"{name}_bins"], row[f"{name}_counts"]
            assert bins == sorted(set(bins))
            values |= {(name, place): count for place, count in zip(bins, counts, strict=True)}
        found[key] = _without_zeros(values)
    return found
