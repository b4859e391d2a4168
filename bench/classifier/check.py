"""`python -m bench.classifier.check`: what the classifier is worth, into bench/results/classifier.json.

`--public FOLDER` names a folder with public sets; without it their figures stay as they are. What else is measured is
measured on prompts that the model had not seen: five models are trained, each without a fifth of the templates.
"""

import argparse
import platform
import sys
import timeit
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tqdm import tqdm

from bench import machine, results
from bench.classifier import figures
from bench.classifier.disturbances import DISTURBANCES
from bench.classifier.figures import Figures, Prediction, Robustness, Source, Speed
from bench.classifier.prompts import CATEGORIES, FOLDER, FOLDS, Part, Prompt, by_hand, prompts
from bench.classifier.public import Question, questions
from bench.classifier.training import Scored, fitted, loss_temperature, scored, shares
from ingest.gateway.classifier.model import shipped
from ingest.gateway.classifier.weights import SHIPPED, load

_TAKEN_PERMILLE: Final = 700
_ROUNDS, _CALLS = 150, 20  # Short rounds: on a shared machine some are not interrupted.


class Folds(NamedTuple):
    """The scores of held-out prompts, fold by fold, and of what disturbances made of them."""

    plain: list[list[Scored]]
    disturbed: dict[str, list[list[Scored]]]


def main(arguments: Sequence[str]) -> int:
    """Write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.classifier.check", description=__doc__)
    parser.add_argument("--public", type=Path, metavar="FOLDER", help="a folder with public sets")
    public = parser.parse_args(arguments).public
    folds = _folds()
    asked = [Question(text, "by hand", frozenset({category})) for text, category in by_hand()]
    if public is None:
        known = results.read("classifier", Figures).public | _public(asked)
    else:
        known = _public([*asked, *questions(public)])
    found = _figures(folds, known)
    results.write("classifier", found)
    print(f"macro-F1 {found.macro_f1:.3f}, ECE {found.ece:.3f}; {found.speed[0].us:.0f} µs")
    return 0


def _folds() -> Folds:
    folds = Folds([], {name: [] for name in DISTURBANCES})
    for fold in tqdm(range(FOLDS), desc="folds", disable=None):
        weights = fitted(prompts(Part(fold)))
        held_out = prompts(Part(fold, is_held_out=True))
        folds.plain.append(scored(weights, held_out))
        for name, disturb in DISTURBANCES.items():
            changed = [Prompt(disturb(prompt.text), prompt.category) for prompt in held_out]
            folds.disturbed[name].append(scored(weights, changed))
    return folds


def _figures(folds: Folds, public: dict[str, Source]) -> Figures:
    # Each fold with the temperature of the others.
    temperatures = [
        loss_temperature([each for at, held in enumerate(folds.plain) if at != fold for each in held])
        for fold in range(FOLDS)
    ]
    predictions = _predictions(folds.plain, temperatures)
    raw = _predictions(folds.plain, [1.0] * FOLDS)
    return Figures(
        commit=machine.commit(),
        python=platform.python_version(),
        prompts=len(predictions),
        templates=sum(len(path.read_text("utf-8").splitlines()) for path in (FOLDER / "prompts").glob("*.txt")),
        temperature=load().temperature,
        accuracy=figures.accuracy(predictions),
        macro_f1=figures.macro_f1(predictions),
        ece_raw=figures.ece(raw),
        ece=figures.ece(predictions),
        categories=figures.by_category(predictions),
        confusion=figures.confusion(predictions),
        thresholds=figures.at_thresholds(predictions),
        robustness={
            name: _robustness(predictions, _predictions(held, temperatures)) for name, held in folds.disturbed.items()
        },
        public=public,
        speed=[_speed(450), _speed(4_096)],
        weights_bytes=SHIPPED.stat().st_size,
    )


def _predictions(folds: Sequence[Sequence[Scored]], temperatures: Sequence[float]) -> list[Prediction]:
    return [
        _prediction(each, temperature) for held, temperature in zip(folds, temperatures, strict=True) for each in held
    ]


def _prediction(each: Scored, temperature: float) -> Prediction:
    share = shares(score / temperature for score in each.scores)
    best = max(share)
    return Prediction(each.prompt.category, CATEGORIES[share.index(best)], best)


def _robustness(before: Sequence[Prediction], after: Sequence[Prediction]) -> Robustness:
    same = sum(one.got == other.got for one, other in zip(before, after, strict=True))
    return Robustness(same / len(before), figures.macro_f1(after))


def _public(asked: Sequence[Question]) -> dict[str, Source]:
    model = shipped()
    by_source: dict[str, list[Prediction]] = {}
    for question in tqdm(asked, desc="public sets", disable=None):
        label = model.classify(question.text.encode())
        # Where several categories are right, the one that was named counts as meant.
        meant = label.category if label.category in question.right else min(question.right)
        prediction = Prediction(meant, label.category, label.confidence / 1_000)
        for source in {question.source, _whole(question.source)}:
            by_source.setdefault(source, []).append(prediction)
    return {name: _source(held) for name, held in sorted(by_source.items())}


def _whole(source: str) -> str:
    """Return the set that a part belongs to."""
    return source.split(maxsplit=1)[0] if source.startswith(("MT-bench ", "MMLU ")) else source


def _source(held: Sequence[Prediction]) -> Source:
    taken = [each for each in held if each.confidence * 1_000 >= _TAKEN_PERMILLE]
    return Source(
        prompts=len(held),
        accuracy=figures.accuracy(held),
        confidence=sum(each.confidence for each in held) / len(held),
        ece=figures.ece(held),
        covered=len(taken) / len(held),
        accuracy_covered=figures.accuracy(taken),
    )


def _speed(size: int) -> Speed:
    model = shipped()
    sample = " ".join(prompt.text for prompt in prompts(Part(0))[::97]).encode()[:size]
    best = min(timeit.repeat(lambda: model.classify(sample), number=_CALLS, repeat=_ROUNDS))
    return Speed(len(sample), best / _CALLS * 1e6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
