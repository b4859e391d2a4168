"""Rollups of random events, in all grains, and their sums added up in Python."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.store.usage.columns import SUMS, Grain
from tests.support import cluster

DIMENSIONS = ("task_category", "provider", "requested_model", "routed_model", "status")
TAGS = ("tag_1", "tag_2", "tag_3", "tag_4")
_MODEL_GRAINS = (Grain.HOUR_MODEL, Grain.DAY_MODEL)
_SECONDS = {
    Grain.QUARTER: 900, Grain.HOUR_MODEL: 3_600, Grain.DAY_MODEL: 86_400, Grain.HOUR: 3_600, Grain.DAY: 86_400,
}  # fmt: skip


class Fact(NamedTuple):
    """Some events of one quarter of an hour with the same dimensions."""

    at: datetime
    dimensions: tuple[int, ...]
    tags: tuple[int, ...]
    measures: Counter[str]
    latency: Counter[int]
    ttft: Counter[int]


def facts(seed: int, since: datetime, hours: int, tag_ids: Sequence[int]) -> list[Fact]:
    """Return random facts of some hours; the dimensions are few, so that groups have several facts."""
    chance = random.Random(seed)
    return [_fact(chance, since + timedelta(minutes=15 * chance.randrange(4 * hours)), tag_ids) for _ in range(200)]


def _fact(chance: random.Random, at: datetime, tag_ids: Sequence[int]) -> Fact:
    measures = Counter({name: chance.randrange(1_000_000) for name in SUMS})
    bins: list[Counter[int]] = [Counter({chance.randrange(120): chance.randint(1, 9) for _ in range(3)}) for _ in "ab"]
    dimensions = (*(chance.choice((1, 2, 3)) for _ in range(4)), chance.choice((0, 1, 5)))
    tags = sorted(chance.sample(list(tag_ids), chance.randrange(min(3, len(tag_ids) + 1))))
    return Fact(at, dimensions, (*tags, *[0] * (4 - len(tags))), measures, *bins)


def add(found: Iterable[Fact]) -> Fact:
    """Add facts up; the sum has the dimensions of the last."""
    measures: Counter[str] = Counter()
    latency: Counter[int] = Counter()
    ttft: Counter[int] = Counter()
    last = None
    for last in found:
        measures.update(last.measures)
        latency.update(last.latency)
        ttft.update(last.ttft)
    assert last is not None
    return last._replace(measures=measures, latency=latency, ttft=ttft)


def store(dsn: str, tenant_id: int, found: Sequence[Fact]) -> None:
    """Store facts as rollups of a tenant, in every grain."""
    rows = []
    for grain in Grain:
        groups: dict[tuple[object, ...], list[Fact]] = {}
        for fact in found:
            groups.setdefault(_key(grain, fact), []).append(fact)
        rows += [_row((tenant_id, int(grain), *key), add(group)) for key, group in groups.items()]

    async def insert() -> None:
        async with cluster.operator(dsn) as connection:
            await connection.executemany(_INSERT, rows)

    asyncio.run(insert())


def _key(grain: Grain, fact: Fact) -> tuple[object, ...]:
    at = datetime.fromtimestamp(fact.at.timestamp() // _SECONDS[grain] * _SECONDS[grain], fact.at.tzinfo)
    nothing = (-1,) * 4
    if grain is Grain.QUARTER:
        return at, *(-1,) * len(DIMENSIONS), *nothing
    if grain in _MODEL_GRAINS:
        return at, -1, *fact.dimensions[1:], *nothing
    return at, *fact.dimensions, *fact.tags


def _row(key: tuple[object, ...], fact: Fact) -> tuple[object, ...]:
    histograms = [
        part for each in (fact.latency, fact.ttft) for part in (sorted(each), [each[place] for place in sorted(each)])
    ]
    return (*key, *(fact.measures[name] for name in SUMS), *histograms)


_COLUMNS = (
    "tenant_id", "grain", "at", *DIMENSIONS, *TAGS, *SUMS, "latency_bins", "latency_counts", "ttft_bins",
    "ttft_counts",
)  # fmt: skip
_PLACES = ", ".join(f"${place}" for place in range(1, len(_COLUMNS) + 1))
_INSERT = f"INSERT INTO usage ({', '.join(_COLUMNS)}) VALUES ({_PLACES})"
