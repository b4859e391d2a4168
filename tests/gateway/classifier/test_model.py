"""The model that is shipped: bounds for any bytes, the same everywhere, and right more often than not."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.classifier import figures
from bench.classifier.figures import Prediction
from bench.classifier.prompts import CATEGORIES, EVERYTHING, by_hand, digest
from ingest.gateway.classifier import features
from ingest.gateway.classifier.model import UNKNOWN, Label, classify, shipped
from ingest.gateway.classifier.weights import FILE_BYTES_MAX, SHIPPED, load
from ingest.knowledge.gateway import CONFIDENCE_MAX
from tests.support.service import ROOT

CANARY = "zanzibarmarzipan"


def test_every_category_is_a_term_of_the_catalogue() -> None:
    terms = (ROOT / "schema/catalogue/task_categories.txt").read_text("utf-8").splitlines()
    assert {*shipped().categories, UNKNOWN} <= set(terms)


def test_the_file_is_small_enough() -> None:
    assert SHIPPED.stat().st_size <= FILE_BYTES_MAX


def test_prompts_written_by_hand_are_labelled_right() -> None:
    predictions = []
    for prompt in by_hand():
        label = classify(prompt.text.encode())
        predictions.append(Prediction(prompt.category, label.category, label.confidence / CONFIDENCE_MAX))
    assert {prediction.meant for prediction in predictions} == set(CATEGORIES)
    assert figures.macro_f1(predictions) >= 0.85
    sure = [prediction for prediction in predictions if prediction.confidence >= 0.7]
    assert len(sure) >= len(predictions) / 2
    assert figures.accuracy(sure) >= 0.9


@given(st.binary(max_size=6_000))
def test_any_bytes_have_a_label_within_bounds(sample: bytes) -> None:
    label = classify(sample)
    assert label.category in {*shipped().categories, UNKNOWN}
    assert 0 <= label.confidence <= CONFIDENCE_MAX


@pytest.mark.parametrize(
    "sample",
    [
        bytes(4_096),
        b"\xff" * 4_096,
        b"\xe3" * 4_096,
        "😀".encode() * 1_024,
        "語".encode() * 1_365,
        b"a" * 4_096,
        b"a " * 2_048,
        b"." * 4_096,
    ],
    ids=["zeros", "not UTF-8", "half a character", "emoji", "Chinese", "one word", "one letter", "marks"],
)
def test_degenerate_text_has_a_label_within_bounds(sample: bytes) -> None:
    label = classify(sample)
    assert label.category in {*shipped().categories, UNKNOWN}
    assert 0 <= label.confidence <= CONFIDENCE_MAX


@pytest.mark.parametrize("sample", [b"", b" \n\t"])
def test_a_sample_without_a_word_is_unknown(sample: bytes) -> None:
    assert classify(sample) == Label(UNKNOWN, 0)


def test_what_is_beyond_four_kilobytes_does_not_count() -> None:
    start = b"Translate this into French: good morning. " * 98
    assert len(start) >= features.SAMPLE_BYTES_MAX
    assert classify(start) == classify(start + b"Write a SQL query. " * 1_000)


def test_case_changes_nothing() -> None:
    sample = b"Write a SQL query that counts orders by country."
    assert classify(sample) == classify(sample.upper())


def test_labels_are_the_same_whatever_the_seed_of_hashes() -> None:
    program = (
        "import sys; from bench.classifier.prompts import by_hand;"
        "from ingest.gateway.classifier.model import classify;"
        "print([classify(prompt.text.encode()) for prompt in by_hand()])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{[classify(prompt.text.encode()) for prompt in by_hand()]}\n"}


def test_an_explanation_adds_up_to_the_score() -> None:
    sample = b"Please summarize this article about bees."
    model = shipped()
    lane = model.categories.index(classify(sample).category)
    score = model.scores(sample)[lane] - load().biases[lane]
    assert sum(each.weight for each in model.explain(sample)) == pytest.approx(score)


def test_an_explanation_names_the_words_and_cannot_be_printed() -> None:
    evidence = shipped().explain(f"Translate {CANARY} into German".encode())
    assert CANARY.encode() in {each.feature.expose() for each in evidence}
    assert {each.kind for each in evidence} <= set(features.KINDS)
    assert CANARY not in repr(evidence)


@given(st.binary(max_size=2_000))
def test_explained_features_are_those_that_are_counted(sample: bytes) -> None:
    assert {feature.hashed for feature in features.named(sample)} == features.hashes(sample)


def test_the_weights_are_of_these_prompts() -> None:
    assert load().trained_on == digest(EVERYTHING), "train again: make classifier"
