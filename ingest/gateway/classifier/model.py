"""A model in memory: the category of a sample and its confidence, or the features that speak for it."""

import math
import struct
from functools import cache
from operator import attrgetter
from typing import Final, NamedTuple

from ingest.gateway.classifier import features
from ingest.gateway.classifier.weights import BUCKETS, LANES, Weights, load
from ingest.gateway.content import Content
from ingest.knowledge.gateway import CONFIDENCE_MAX

UNKNOWN: Final = "other"  # The category of a sample without a word in it.

_MASK: Final = BUCKETS - 1
_ZERO: Final = 128  # The byte of the weight 0.
# A row is one integer with 32 bits a category, so that one addition adds all categories up. The sum of a category
# stays below 2³²: a sample has fewer than five features a byte, each at most 255.
_SUMS: Final = struct.Struct(f"<{LANES}I")
assert BUCKETS & _MASK == 0
assert 5 * features.SAMPLE_BYTES_MAX * 255 < 2**32


class Label(NamedTuple):
    """A task category of the shared catalogue, and how sure the model is, in permille."""

    category: str
    confidence: int


class Evidence(NamedTuple):
    """What a feature adds to the score of the category that won; `feature` shows itself as content."""

    kind: features.Kind
    feature: Content
    weight: float


class Model:
    """A hashed linear model. A pure function of the sample: it remembers nothing."""

    def __init__(self, weights: Weights) -> None:
        assert len(weights.rows) == BUCKETS * LANES
        self.categories = weights.categories
        self._biases = weights.biases
        self._step = weights.step
        self._temperature = weights.temperature
        self._rows = _packed(weights.rows)

    def classify(self, sample: bytes) -> Label:
        """Return the category of a text: of its first 4 KiB, both ends count."""
        scores = self.scores(sample)
        if not scores:
            return Label(UNKNOWN, 0)
        best = max(scores)
        share = 1 / math.fsum(math.exp((score - best) / self._temperature) for score in scores)
        return Label(self.categories[scores.index(best)], min(int(share * CONFIDENCE_MAX), CONFIDENCE_MAX))

    def scores(self, sample: bytes) -> list[float]:
        """Return the score of each category, or nothing for a sample without a word."""
        found = features.hashes(sample)
        if not found:
            return []
        total = sum(map(self._rows.__getitem__, map(_MASK.__and__, found)))
        # By the square root, as if each sample were a vector of length 1: a long one is not surer for its length.
        scale = self._step / math.sqrt(len(found))
        zero = _ZERO * len(found)
        sums = _SUMS.unpack(total.to_bytes(_SUMS.size, "little"))
        return [(added - zero) * scale + bias for added, bias in zip(sums, self._biases, strict=False)]

    def explain(self, sample: bytes) -> list[Evidence]:
        """Return what spoke for the category of a sample, heaviest first: for development, never for a log."""
        scores = self.scores(sample)
        if not scores:
            return []
        lane = scores.index(max(scores))
        found = {feature.hashed: feature for feature in features.named(sample)}
        scale = self._step / math.sqrt(len(found))
        evidence = [
            Evidence(feature.kind, feature.text, (_weight(self._rows[hashed & _MASK], lane)) * scale)
            for hashed, feature in found.items()
        ]
        return sorted(evidence, key=attrgetter("weight"), reverse=True)


@cache
def shipped() -> Model:
    """Return the model of this release, read once: call it before the process is confined."""
    return Model(load())


def classify(sample: bytes) -> Label:
    """Return the category of a text by the model of this release."""
    return shipped().classify(sample)


def _packed(rows: bytes) -> list[int]:
    wide = bytearray(4 * len(rows))
    wide[::4] = rows
    size = _SUMS.size
    # Equal rows share their integer: most buckets that no feature hit are the row of zeros.
    shared: dict[int, int] = {}
    numbers = (int.from_bytes(wide[at : at + size], "little") for at in range(0, len(wide), size))
    return [shared.setdefault(number, number) for number in numbers]


def _weight(row: int, lane: int) -> int:
    return (row >> 32 * lane & 0xFF) - _ZERO
