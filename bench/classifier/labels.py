"""`python -m bench.classifier.labels FOLDER`: what routing is worth on public labels, into bench/results/routing.json.

FOLDER has CSVs in the layout of RouteLLM's evals: `prompt`, and for each model a column with True or False. The model
that is right most often is the strong one, the one that is right least often the weak one.
"""

import argparse
import math
import sys
from binascii import crc32
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tqdm import tqdm

from bench import machine, results
from bench.classifier.curves import Labels, Outcome, Routing, routing
from bench.classifier.public import Answered, answered
from ingest.gateway.classifier import features
from ingest.gateway.classifier.model import shipped
from ingest.gateway.classifier.weights import BUCKETS

_EPOCHS: Final = 4
_RATE: Final = 0.5
_PRIOR: Final = 10  # A group counts as if it had so many more prompts of the mean.


class Row(NamedTuple):
    """A prompt with all that a router may look at."""

    subject: str
    category: str
    buckets: list[int]
    outcome: Outcome

    @property
    def gain(self) -> int:
        """Return how much more the strong model gets right than the weak one."""
        return self.outcome.strong - self.outcome.weak


Router = Callable[[Sequence[Row], Sequence[Row]], list[float]]  # From rows to learn from, scores of others.


def main(arguments: Sequence[str]) -> int:
    """Write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.classifier.labels", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    given = list(answered(parser.parse_args(arguments).folder))
    if not given:
        parser.error("the folder has no CSV with a column `prompt` and columns of True and False")
    right = Counter(name for each in given for name, is_right in each.is_right.items() if is_right)
    ranked = [name for name, _ in right.most_common()]
    rows = _rows(given, ranked[-1], ranked[0])
    found = Labels(
        commit=machine.commit(),
        weak=ranked[-1],
        strong=ranked[0],
        subjects=len({row.subject for row in rows}),
        splits={
            "the same subjects": _split(rows, lambda row: row.buckets, ROUTERS),
            "unseen subjects": _split(rows, lambda row: row.subject, UNSEEN),
        },
    )
    results.write("routing", found)
    for name, split in found.splits.items():
        print(name, *(f"{router}: APGR {each.apgr:.3f}" for router, each in split.routers.items()), sep="\n  ")
    return 0


def _rows(given: Sequence[Answered], weak: str, strong: str) -> list[Row]:
    model = shipped()
    rows = []
    for each in tqdm(given, desc="reading", disable=None):
        if weak in each.is_right and strong in each.is_right:
            sample = each.text.encode()
            buckets = [hashed % BUCKETS for hashed in sorted(features.hashes(sample))]
            outcome = Outcome(each.is_right[weak], each.is_right[strong])
            rows.append(Row(each.subject, model.classify(sample).category, buckets, outcome))
    return rows


def _split(rows: Sequence[Row], by: Callable[[Row], object], routers: dict[str, Router]) -> Routing:
    """Learn from one half and score the other, then the other way round, so that each row is scored once."""
    halves: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        halves[crc32(repr(by(row)).encode()) & 1].append(row)
    tested = [*halves[1], *halves[0]]
    scores = {
        name: [*router(halves[0], halves[1]), *router(halves[1], halves[0])]
        for name, router in tqdm(routers.items(), desc="routers", disable=None)
    }
    return routing([row.outcome for row in tested], scores)


def _at_random(_seen: Sequence[Row], rows: Sequence[Row]) -> list[float]:
    rng = Random(1)
    return [rng.random() for _ in rows]


def _by(group: Callable[[Row], str]) -> Router:
    def router(seen: Sequence[Row], rows: Sequence[Row]) -> list[float]:
        mean = sum(row.gain for row in seen) / len(seen)
        counts = Counter(map(group, seen))
        gains = Counter[str]()
        for row in seen:
            gains[group(row)] += row.gain
        return [(gains[group(row)] + _PRIOR * mean) / (counts[group(row)] + _PRIOR) for row in rows]

    return router


def _by_words(seen: Sequence[Row], rows: Sequence[Row]) -> list[float]:
    """Score by a logistic regression on the features, of whether a prompt needs the strong model."""
    weights = [0.0] * BUCKETS
    bias = 0.0
    order = list(seen)
    rng = Random(3)
    for epoch in range(_EPOCHS):
        rng.shuffle(order)
        rate = _RATE * (1 - epoch / _EPOCHS)
        for row in order:
            scale = 1 / math.sqrt(len(row.buckets))
            score = sum(map(weights.__getitem__, row.buckets)) * scale + bias
            error = 1 / (1 + math.exp(-score)) - (row.gain > 0)
            bias -= 0.02 * rate * error
            step = rate * error * scale
            for bucket in row.buckets:
                weights[bucket] -= step
    return [sum(map(weights.__getitem__, row.buckets)) / math.sqrt(len(row.buckets)) for row in rows]


def _by_oracle(_seen: Sequence[Row], rows: Sequence[Row]) -> list[float]:
    return [row.gain for row in rows]


UNSEEN: dict[str, Router] = {
    "random": _at_random,
    "words of the prompt": _by_words,
    "our categories": _by(lambda row: row.category),
    "oracle": _by_oracle,
}
ROUTERS: dict[str, Router] = {**UNSEEN, "the subject, which no text tells": _by(lambda row: row.subject)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
