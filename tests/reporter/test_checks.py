"""What is not metadata never leaves the process: an event that breaks a rule is counted, and nothing of it is kept."""

import gc
from enum import StrEnum
from http import HTTPStatus

import pytest

from nocontent_reporter import contract
from nocontent_reporter.checks import Checker
from tests.reporter.reported import event, reporting
from tests.reporter.scripted import Scripted

SECRET = "sk-ant-api03-" + "CANARY7" * 6


class Model(StrEnum):
    """A model, as some proxies name them."""

    OPUS = "claude-opus-4-5"


FAULTS: list[tuple[dict[str, object], str]] = [
    ({"requested_model": "please summarize this"}, "vocabulary.bad-term"),
    ({"routed_model": SECRET}, "secret.anthropic-key"),
    ({"routed_model": f"see {SECRET}"}, "secret.anthropic-key"),
    ({"provider": ""}, "vocabulary.bad-term"),
    ({"provider": "x" * 97}, "vocabulary.bad-term"),
    ({"provider": "caf\u00e9"}, "vocabulary.bad-term"),
    ({"provider": "anthropic\n"}, "vocabulary.bad-term"),
    ({"task_category": None}, "shape.wrong-type"),
    ({"requested_model": Model.OPUS}, "shape.wrong-type"),
    ({"requested_model": {"prompt": "hello"}}, "shape.wrong-type"),
    ({"tags": {"team": "search"}}, "shape.wrong-type"),
    ({"tags": (("team",),)}, "shape.wrong-type"),
    ({"tags": (("prompt", "hello"),)}, "content.prompt"),
    ({"tags": (("api-key", "x"),)}, "secret.field"),
    ({"tags": (("team", "two words"),)}, "vocabulary.bad-term"),
    ({"tags": (("team", "a"), ("team", "b"))}, "shape.duplicate-key"),
    ({"tags": tuple((f"k{place}", "v") for place in range(5))}, "size.too-many-tags"),
    ({"input_tokens": -1}, "shape.out-of-range"),
    ({"input_tokens": 10_000_001}, "shape.out-of-range"),
    ({"input_tokens": 1.0}, "shape.wrong-type"),
    ({"input_tokens": True}, "shape.wrong-type"),
    ({"input_tokens": None}, "shape.wrong-type"),
    ({"cost_nanousd": "12"}, "shape.wrong-type"),
    ({"http_status": 42}, "shape.out-of-range"),
    ({"reasoning_tokens": 97}, "shape.inconsistent"),
    ({"ttft_ms": 841}, "shape.inconsistent"),
    ({"status": "success"}, "shape.unknown-value"),
    ({"status": None}, "shape.unknown-value"),
    ({"stop_reason": []}, "shape.unknown-value"),
    ({"streamed": 1}, "shape.wrong-type"),
    ({"event_id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"}, "shape.not-a-uuidv7"),
    ({"event_id": SECRET}, "shape.not-a-uuidv7"),
]
KEPT: list[dict[str, object]] = [
    {"provider": "Anthropic"},
    {"requested_model": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5"},
    {"requested_model": "@cf/meta/llama-3.1-8b-instruct", "routed_model": "~anthropic/claude-opus"},
    {"http_status": HTTPStatus.OK},
    {"cost_nanousd": None, "baseline_cost_nanousd": None, "ttft_ms": None, "http_status": None, "stop_reason": None},
    {"tags": ()},
    {"tags": (("region", "eu"), ("team", "search"))},
]


@pytest.mark.parametrize(("changed", "rule"), FAULTS, ids=str)
def test_an_event_that_breaks_a_rule_is_refused(changed: dict[str, object], rule: str) -> None:
    fault = Checker().fault(event(**changed))
    assert fault is not None
    assert fault.rule == rule
    assert fault.field in changed


@pytest.mark.parametrize("changed", KEPT, ids=str)
def test_metadata_passes(changed: dict[str, object]) -> None:
    assert Checker().fault(event(**changed)) is None


def test_every_event_is_counted_and_nothing_is_raised_or_sent(script: Scripted) -> None:
    with reporting(script.url) as reporter:
        for changed, _ in FAULTS:
            reporter.report(event(**changed))
        reporter.report("a prompt")  # type: ignore[arg-type]  # A host's mistake.
        reporter.report(None)  # type: ignore[arg-type]  # The same.
        assert reporter.flush(5)
        stats = reporter.stats()
        assert sum(stats.refused.values()) == stats.reported == len(FAULTS) + 2
        assert script.dropped == {"refused": len(FAULTS) + 2}
        assert script.stored == []
    assert not any(b"CANARY" in sent.body for sent in script.sent)


def test_a_refused_value_is_kept_nowhere() -> None:
    checker = Checker()
    canary = "CANARY words of a prompt"
    checker.fault(event(routed_model=canary))
    checker.fault(event(tags=(("team", canary),)))
    gc.collect()
    held = [each for each in gc.get_objects() if isinstance(each, (set, dict, list)) and canary in each]
    assert held == []


def test_the_terms_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nocontent_reporter.checks.TERMS_CACHED_MAX", 10)
    checker = Checker()
    for number in range(100):
        assert checker.fault(event(routed_model=f"model-{number}")) is None
    assert all(len(terms.passed) <= 10 for terms in checker.terms.values())


def test_what_passes_has_the_grammar_of_terms() -> None:
    for kind in contract.GRAMMAR:
        for bad in ("two words", "line\nbreak", "a\\b", 'a"b', "a{b}", "a,b", "a=b"):
            assert Checker().terms[kind].fault(bad) == "vocabulary.bad-term"
