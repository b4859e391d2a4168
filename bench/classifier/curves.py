"""How good a router is on prompts for which it is known which of two models answers right: pure arithmetic."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from msgspec import Struct

# What RouteLLM's paper counts for GPT-4 and for Mixtral, in USD a million tokens.
STRONG_USD: Final = 24.7
WEAK_USD: Final = 0.24
_SHUFFLES: Final = 200


class Outcome(NamedTuple):
    """Which of the two models answers a prompt right."""

    weak: bool
    strong: bool


class Routed(Struct, frozen=True):
    """The figures of one router. Shares are of calls to the strong model."""

    apgr: float
    cpt50: float
    cpt80: float
    equal: float  # The share at which it is as good as the strong model alone.
    cost: float  # What that costs, with the strong model alone as 1.


class Routing(Struct, frozen=True):
    """One split: the models, and each router."""

    prompts: int
    weak: float  # The share that is right.
    strong: float
    either: float
    chance_low: float  # Of 200 random orders, 95 % have an APGR between these.
    chance_high: float
    routers: dict[str, Routed]


class Labels(Struct, frozen=True, kw_only=True):
    """The contents of routing.json."""

    commit: str
    weak: str
    strong: str
    subjects: int
    splits: dict[str, Routing]


def routing(outcomes: Sequence[Outcome], scores: Mapping[str, Sequence[float]]) -> Routing:
    """Return the figures of routers that send the prompts with the highest scores to the strong model."""
    rng = Random(19)
    chance = []
    for _ in range(_SHUFFLES):
        shuffled = list(outcomes)
        rng.shuffle(shuffled)
        chance.append(_apgr(_gaps(shuffled)))
    chance.sort()
    count = len(outcomes)
    return Routing(
        prompts=count,
        weak=sum(each.weak for each in outcomes) / count,
        strong=sum(each.strong for each in outcomes) / count,
        either=sum(each.weak or each.strong for each in outcomes) / count,
        chance_low=chance[_SHUFFLES // 40],
        chance_high=chance[-_SHUFFLES // 40],
        routers={name: _routed(outcomes, given) for name, given in scores.items()},
    )


def _routed(outcomes: Sequence[Outcome], scores: Sequence[float]) -> Routed:
    # Equal scores in random order: a table of few categories must not profit from how a file is sorted.
    rng = Random(7)
    order = sorted(range(len(outcomes)), key=lambda at: (-scores[at], rng.random()))
    gaps = _gaps([outcomes[at] for at in order])
    equal = _reaching(gaps, 1.0)
    return Routed(
        apgr=_apgr(gaps),
        cpt50=_reaching(gaps, 0.5),
        cpt80=_reaching(gaps, 0.8),
        equal=equal,
        cost=(equal * STRONG_USD + (1 - equal) * WEAK_USD) / STRONG_USD,
    )


def _gaps(outcomes: Sequence[Outcome]) -> list[float]:
    """Return the share of the gap in quality that is recovered after each prompt which goes to the strong model."""
    whole = sum(each.strong - each.weak for each in outcomes)
    recovered, gaps = 0, [0.0]
    for each in outcomes:
        recovered += each.strong - each.weak
        gaps.append(recovered / whole)
    return gaps


def _apgr(gaps: Sequence[float]) -> float:
    return sum(gaps) / len(gaps)


def _reaching(gaps: Sequence[float], share: float) -> float:
    return next(at for at, gap in enumerate(gaps) if gap >= share) / (len(gaps) - 1)
