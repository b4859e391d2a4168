"""The training of the classifier: folds share nothing, the same prompts make the same bytes, figures are right."""

import hashlib
from itertools import islice
from pathlib import Path

import pytest

from bench.classifier import curves, figures
from bench.classifier.curves import Outcome
from bench.classifier.disturbances import DISTURBANCES
from bench.classifier.figures import Prediction
from bench.classifier.labels import ROUTERS, Row
from bench.classifier.prompts import CATEGORIES, EVERYTHING, FOLDER, FOLDS, Part, Prompt, prompts
from bench.classifier.public import answered
from bench.classifier.training import fitted
from ingest.gateway.classifier.weights import LANES, write

# Of the weights that two epochs on every 40th prompt make: another machine, or another Python, must make them too.
REDUCED = "510fb507b26ea26b7fcf42e250f56c03e855860f42ece22dc42e8d2dabf6460c"


def _reduced() -> list[Prompt]:
    return list(islice(prompts(EVERYTHING), 0, None, 40))


def test_the_same_prompts_make_the_same_bytes() -> None:
    assert hashlib.sha256(write(fitted(_reduced(), epochs=2))).hexdigest() == REDUCED


def test_every_category_has_a_lane() -> None:
    assert len(CATEGORIES) <= LANES


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_template_is_held_out_once(category: str) -> None:
    lines = (FOLDER / "prompts" / f"{category}.txt").read_text("utf-8").splitlines()
    assert len(lines) == len(set(lines))
    held_out = [line for fold in range(FOLDS) for line in Part(fold, is_held_out=True).of(lines)]
    assert sorted(held_out) == sorted(lines)
    for fold in range(FOLDS):
        assert not set(Part(fold).of(lines)) & set(Part(fold, is_held_out=True).of(lines))


def test_no_prompt_has_a_slot_or_a_choice_left() -> None:
    words = {"{" + name + "}" for name in ("topic", "person", "code", "n", "name", "one", "two", "prose")}
    assert not [prompt.text for prompt in prompts(EVERYTHING) if any(word in prompt.text for word in words)]


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_changes_prompts_the_same_way_each_time(name: str) -> None:
    disturb = DISTURBANCES[name]
    texts = [prompt.text for prompt in _reduced()]
    changed = [disturb(text) for text in texts]
    assert changed == [disturb(text) for text in texts]
    assert sum(one != other for one, other in zip(texts, changed, strict=True)) > len(texts) / 4


def test_figures_of_predictions() -> None:
    predictions = [Prediction("a", "a", 0.99), Prediction("a", "b", 0.5), Prediction("b", "b", 0.5)]
    assert figures.macro_f1(predictions) == pytest.approx(2 / 3)
    assert figures.accuracy(predictions) == pytest.approx(2 / 3)
    # The pair of 0.5 is right once, so that only the first is off, by 0.01.
    assert figures.ece(predictions) == pytest.approx(0.01 / 3)
    assert figures.confusion(predictions) == {"a": {"a": 1, "b": 1}, "b": {"b": 1}}
    last = figures.at_thresholds(predictions)[-1]
    assert (last.permille, last.accuracy) == (950, 1.0)
    assert last.coverage == pytest.approx(1 / 3)


def test_an_oracle_recovers_more_than_the_gap_and_the_reverse_nothing() -> None:
    outcomes = [Outcome(weak=False, strong=True)] * 30 + [Outcome(weak=True, strong=True)] * 60
    outcomes += [Outcome(weak=True, strong=False)] * 10
    gains = [float(each.strong - each.weak) for each in outcomes]
    routed = curves.routing(outcomes, {"oracle": gains, "reverse": [-gain for gain in gains]})
    assert routed.routers["oracle"].equal == pytest.approx(0.2)
    assert routed.routers["oracle"].apgr > routed.chance_high
    assert routed.routers["reverse"].apgr < routed.chance_low
    assert routed.routers["oracle"].cost == pytest.approx(0.2 + 0.8 * curves.WEAK_USD / curves.STRONG_USD)


def test_rows_are_read_whatever_is_quoted_in_them(tmp_path: Path) -> None:
    (tmp_path / "mmlu_law.csv").write_text(
        'prompt,weak,strong,weak_response\n"He said ""no"",\nthen yes?",True,False,"a, ""b"""\nplain,False,True,x\n'
        ",True,True,no prompt\nno labels,,,\n"
    )
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert [(each.text, each.subject, each.is_right) for each in answered(tmp_path)] == [
        ('He said "no",\nthen yes?', "law", {"weak": True, "strong": False}),
        ("plain", "law", {"weak": False, "strong": True}),
    ]


@pytest.mark.parametrize("name", sorted(ROUTERS.keys() - {"oracle"}))
def test_a_router_does_not_look_at_what_it_is_tested_on(name: str) -> None:
    rows = [
        Row(f"subject {at % 3}", CATEGORIES[at % 5], [at % 7, at % 11], Outcome(weak=at % 2 == 0, strong=at % 3 == 0))
        for at in range(60)
    ]
    seen, tested = rows[:40], rows[40:]
    others = [row._replace(outcome=Outcome(weak=row.outcome.strong, strong=row.outcome.weak)) for row in tested]
    assert ROUTERS[name](seen, tested) == ROUTERS[name](seen, others)
