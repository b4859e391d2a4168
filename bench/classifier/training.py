"""Trains a model: multinomial logistic regression on hashed features, in plain Python, the same bytes on every machine.

Only additions, multiplications, divisions and square roots of doubles are used, which IEEE 754 defines to the last bit:
`math.exp` is the C library's and differs from one to the next, and `sum` adds in another way since Python 3.12.
"""

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from tqdm import tqdm

from bench.classifier.prompts import CATEGORIES, Prompt
from ingest.gateway.classifier import features
from ingest.gateway.classifier.model import Model
from ingest.gateway.classifier.weights import BUCKETS, LANES, Weights

EPOCHS: Final = 6
_SEED: Final = 19
_RATE: Final = 4.0
_KEPT: Final = 0.6  # Of the features of a prompt, each time it is seen: no few words may decide alone.
_DECAY: Final = 3e-5  # Of a weight, each time it is touched.
_GRADIENT_MIN: Final = 0.004
_TEMPERATURES: Final = tuple(hundredths / 100 for hundredths in range(20, 300, 2))

Example = tuple[list[int], int]


class Scored(NamedTuple):
    """A prompt with the scores that a model gave it."""

    prompt: Prompt
    scores: list[float]


def fitted(prompts: Sequence[Prompt], digest: bytes = bytes(32), epochs: int = EPOCHS) -> Weights:
    """Return weights for the prompts, with a temperature of 1."""
    columns, biases = _fitted([_example(prompt) for prompt in prompts], epochs)
    return _rounded(columns, biases, digest)


def scored(weights: Weights, prompts: Sequence[Prompt]) -> list[Scored]:
    """Return the scores of prompts by a model."""
    model = Model(weights)
    return [Scored(prompt, model.scores(prompt.text.encode())) for prompt in prompts]


def loss_temperature(held_out: Sequence[Scored]) -> float:
    """Return the temperature with the least cross-entropy on prompts that the model had not seen."""

    def loss(temperature: float) -> float:
        return -math.fsum(
            math.log(max(shares(score / temperature for score in scores)[CATEGORIES.index(prompt.category)], 1e-9))
            for prompt, scores in held_out
        )

    # The loss has one minimum, so that the better neighbour says on which side it is.
    low, high = 0, len(_TEMPERATURES) - 1
    while low < high:
        middle = (low + high) // 2
        if loss(_TEMPERATURES[middle]) <= loss(_TEMPERATURES[middle + 1]):
            high = middle
        else:
            low = middle + 1
    return _TEMPERATURES[low]


def _example(prompt: Prompt) -> Example:
    # Sorted, since the order of a set is no one's promise.
    found = sorted(features.hashes(prompt.text.encode()))
    return [hashed % BUCKETS for hashed in found], CATEGORIES.index(prompt.category)


def _fitted(examples: list[Example], epochs: int) -> tuple[list[list[float]], list[float]]:
    rng = Random(_SEED)
    columns = [[0.0] * BUCKETS for _ in CATEGORIES]
    biases = [0.0] * len(CATEGORIES)
    for epoch in tqdm(range(epochs), desc="training", unit="epoch", disable=None):
        rate = _RATE * (1 - epoch / epochs)
        rng.shuffle(examples)
        for buckets, label in examples:
            kept = [bucket for bucket in buckets if rng.random() < _KEPT] or buckets
            _learn(columns, biases, kept, label, rate)
    return columns, biases


def _learn(columns: list[list[float]], biases: list[float], kept: list[int], label: int, rate: float) -> None:
    scale = 1 / math.sqrt(len(kept))
    scores = [
        math.fsum(map(column.__getitem__, kept)) * scale + bias for column, bias in zip(columns, biases, strict=True)
    ]
    for lane, share in enumerate(shares(scores)):
        gradient = share - (lane == label)
        if abs(gradient) < _GRADIENT_MIN:
            continue
        step = rate * gradient * scale
        biases[lane] -= 0.01 * rate * gradient
        column = columns[lane]
        for bucket in kept:
            column[bucket] -= step + _DECAY * rate * column[bucket]


def shares(scores: Iterable[float]) -> list[float]:
    """Return the softmax."""
    given = list(scores)
    best = max(given)
    powers = [_exp(score - best) for score in given]
    total = math.fsum(powers)
    return [power / total for power in powers]


def _exp(x: float) -> float:
    """Return e^x for x ≤ 0, to a relative 1e-3 for what is not small anyhow."""
    power = 1 + x / 4_096
    if power <= 0:
        return 0.0
    for _ in range(12):
        power *= power
    return power


def _rounded(columns: Sequence[Sequence[float]], biases: Sequence[float], digest: bytes) -> Weights:
    step = max(abs(weight) for column in columns for weight in column) / 127
    rows = bytearray([128]) * (BUCKETS * LANES)
    for lane, column in enumerate(columns):
        for bucket, weight in enumerate(column):
            # Half up, by floor: `round` would do as well, but says less plainly what happens to a half.
            rows[bucket * LANES + lane] = 128 + math.floor(weight / step + 0.5)
    return Weights(CATEGORIES, step, 1.0, tuple(biases), digest, bytes(rows))
