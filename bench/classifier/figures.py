"""Measures of predictions: pure arithmetic, and the shape of bench/results/classifier.json."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

BINS: Final = 15
THRESHOLDS: Final = (0, 300, 500, 600, 700, 800, 900, 950)  # In permille.


class Prediction(NamedTuple):
    """A label with the one that was meant."""

    meant: str
    got: str
    confidence: float  # From 0 to 1.


class ByCategory(Struct, frozen=True):
    """The figures of one category."""

    prompts: int
    precision: float
    recall: float
    f1: float


class AtThreshold(Struct, frozen=True):
    """The share of labels at or above a confidence, and how many of them are right."""

    permille: int
    coverage: float
    accuracy: float


class Robustness(Struct, frozen=True):
    """The effect of a disturbance on labels."""

    unchanged: float
    macro_f1: float


class Source(Struct, frozen=True):
    """How a public set is labelled by the model that is shipped."""

    prompts: int
    accuracy: float
    confidence: float  # Mean.
    ece: float
    covered: float  # The share at the confidence of the table of thresholds that halves errors, 700.
    accuracy_covered: float


class Speed(Struct, frozen=True):
    """How long a classification takes, best of many, on one core."""

    bytes: int
    us: float


class Figures(Struct, frozen=True, kw_only=True):
    """The contents of classifier.json."""

    commit: str
    python: str
    prompts: int
    templates: int
    temperature: float
    accuracy: float
    macro_f1: float
    ece_raw: float  # With a temperature of 1.
    ece: float
    categories: dict[str, ByCategory]
    confusion: dict[str, dict[str, int]]
    thresholds: list[AtThreshold]
    robustness: dict[str, Robustness]
    public: dict[str, Source]
    speed: list[Speed]
    weights_bytes: int


def by_category(predictions: Sequence[Prediction]) -> dict[str, ByCategory]:
    """Return precision, recall and F1 of each category that was meant."""
    meant = Counter(each.meant for each in predictions)
    got = Counter(each.got for each in predictions)
    both = Counter(each.meant for each in predictions if each.meant == each.got)
    return {
        name: ByCategory(
            prompts=meant[name],
            precision=both[name] / got[name] if got[name] else 0.0,
            recall=both[name] / meant[name],
            f1=2 * both[name] / (meant[name] + got[name]),
        )
        for name in sorted(meant)
    }


def macro_f1(predictions: Sequence[Prediction]) -> float:
    """Return the mean F1 of the categories."""
    found = by_category(predictions).values()
    return sum(each.f1 for each in found) / len(found)


def accuracy(predictions: Sequence[Prediction]) -> float:
    """Return the share that is right, or 0 of none."""
    return sum(each.meant == each.got for each in predictions) / max(len(predictions), 1)


def ece(predictions: Sequence[Prediction]) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, over bins of equal width."""
    bins: dict[int, list[Prediction]] = {}
    for each in predictions:
        bins.setdefault(min(int(each.confidence * BINS), BINS - 1), []).append(each)
    gaps = (
        abs(sum(each.confidence for each in held) - sum(each.meant == each.got for each in held))
        for held in bins.values()
    )
    return sum(gaps) / len(predictions)


def confusion(predictions: Iterable[Prediction]) -> dict[str, dict[str, int]]:
    """Return how often each category was labelled as which."""
    counts: dict[str, Counter[str]] = {}
    for each in predictions:
        counts.setdefault(each.meant, Counter())[each.got] += 1
    return {meant: dict(sorted(got.items())) for meant, got in sorted(counts.items())}


def at_thresholds(predictions: Sequence[Prediction]) -> list[AtThreshold]:
    """Return coverage and accuracy by the confidence that is asked for."""
    found = []
    for permille in THRESHOLDS:
        taken = [each for each in predictions if each.confidence * 1_000 >= permille]
        found.append(AtThreshold(permille, len(taken) / len(predictions), accuracy(taken)))
    return found
