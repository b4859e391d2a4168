"""What is wrong with a batch in columns, and where: a number names its event, a string its place in the list."""

import json
from collections.abc import Callable

import pytest

from ingest.intake.explain import explain
from schema.event import STRINGS, Kind, Word
from schema.learning import Candidate
from schema.limits import EVENTS_MAX, SPELLINGS_MAX, VIOLATIONS_MAX
from schema.rules import Violation
from schema.vocabulary import Mode
from tests.support import columns, sample
from tests.support.gauge import VOCABULARIES, window

Lists = dict[str, list[object]]
Change = Callable[[Lists], object]
_EVENTS = (sample.event(), sample.event(provider="openai", tags={}), sample.event(ttft_ms=None, stop_reason=None))


def changed(change: Change) -> bytes:
    """Return a good batch of three events with its lists changed; columns are beside the terms and tag sets here."""
    batch = columns.columns(_EVENTS)
    lists: Lists = {"terms": batch.pop("terms"), "tag_sets": batch.pop("tag_sets"), **batch.pop("columns")}  # type: ignore[dict-item]  # All are lists.
    change(lists)
    whole: dict[str, object] = {name: lists.pop(name) for name in ("terms", "tag_sets") if name in lists}
    return json.dumps(whole | {"columns": lists}).encode()


def set_to(name: str, place: int, value: object) -> Change:
    return lambda lists: lists[name].__setitem__(place, value)


def added(name: str, value: object) -> Change:
    return lambda lists: lists[name].append(value)


def own_term(field: str, term: object) -> Change:
    """Return a change of a field of the last event to a string that no other event uses."""

    def change(lists: Lists) -> None:
        lists[field][-1] = len(lists["terms"])
        lists["terms"].append(term)

    return change


def said(body: bytes, mode: Mode = Mode.REFUSE) -> list[tuple[str, str, Word | None]]:
    violations = explain(body, VOCABULARIES[mode], window()).violations
    return [(rule, pointer, use) for rule, pointer, use in violations]


@pytest.mark.parametrize(
    ("change", "rule", "pointer", "use"),
    [
        (set_to("input_tokens", 1, -1), "shape.out-of-range", "/columns/input_tokens/1", None),
        (set_to("latency_ms", 2, "fast"), "shape.wrong-type", "/columns/latency_ms/2", None),
        (set_to("ttft_ms", 0, -1), "shape.out-of-range", "/columns/ttft_ms/0", "null"),
        (set_to("cached", 1, True), "shape.wrong-type", "/columns/cached/1", None),
        (set_to("cached", 1, 2), "shape.out-of-range", "/columns/cached/1", None),
        (set_to("reasoning_tokens", 1, 97), "shape.inconsistent", "/columns/reasoning_tokens/1", None),
        (set_to("ttft_ms", 1, 841), "shape.inconsistent", "/columns/ttft_ms/1", None),
        (set_to("event_id", 2, "no"), "shape.not-a-uuid", "/columns/event_id/2", None),
        (set_to("event_id", 0, sample.uuid7(1_000)), "time.too-old", "/columns/event_id/0", None),
        (set_to("provider", 0, 99), "shape.no-such-place", "/columns/provider/0", None),
        (set_to("provider", 0, 10**30), "shape.no-such-place", "/columns/provider/0", None),
        (set_to("tags", 1, 2), "shape.no-such-place", "/columns/tags/1", None),
        (set_to("provider", 0, -1), "shape.out-of-range", "/columns/provider/0", None),
        (set_to("provider", 0, "anthropic"), "shape.wrong-type", "/columns/provider/0", None),
        (set_to("status", 0, "success"), "shape.wrong-type", "/columns/status/0", "ok"),
        (own_term("provider", "acme"), "vocabulary.unknown-provider", "/terms/7", None),
        (own_term("status", "success"), "shape.unknown-value", "/terms/7", "ok"),
        (own_term("stop_reason", "MAX_TOKENS"), "shape.unknown-value", "/terms/7", "max_tokens"),
        (own_term("routed_model", "sk-ant-api03-zq7"), "secret.anthropic-key", "/terms/7", None),
        (own_term("routed_model", 7), "shape.wrong-type", "/terms/7", None),
        (added("terms", "mistral"), "shape.unused-term", "/terms/7", None),
        (added("terms", "anthropic"), "shape.repeated-term", "/terms/7", None),
        (added("tag_sets", {"region": "us"}), "shape.unused-term", "/tag_sets/2", None),
        (added("tag_sets", {}), "shape.repeated-term", "/tag_sets/2", None),
        (set_to("tag_sets", 0, {"team": "acme"}), "vocabulary.unknown-tag-value", "/tag_sets/0/*", None),
        (set_to("tag_sets", 0, {"prompt": "hello"}), "content.prompt", "/tag_sets/0/*", None),
        (set_to("tag_sets", 1, 7), "shape.wrong-type", "/tag_sets/1", None),
        (added("input_tokens", 1), "shape.unequal-columns", "/columns/input_tokens", None),
        (lambda lists: lists.update(input_tokens=[]), "size.no-events", "/columns/input_tokens", None),
        (lambda lists: lists["provider"].pop(), "shape.unequal-columns", "/columns/provider", None),
        (lambda lists: lists.pop("retried"), "shape.missing-field", "/columns/retried", None),
        (lambda lists: lists.pop("tag_sets"), "shape.missing-field", "/tag_sets", None),
        (lambda lists: lists.update(prompt=["hello"]), "content.prompt", "/columns/*", None),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_rule_and_place(change: Change, rule: str, pointer: str, use: Word | None) -> None:
    assert said(changed(change)) == [(rule, pointer, use)]


def test_both_forms_are_named_once_and_both_are_examined() -> None:
    batch = json.loads(changed(set_to("input_tokens", 0, -1))) | {"events": [sample.event(prompt="hello")]}
    assert said(json.dumps(batch).encode()) == [
        ("content.prompt", "/events/0/*", None),
        ("shape.two-spellings", "", None),
        ("shape.out-of-range", "/columns/input_tokens/0", None),
    ]


def test_a_string_of_several_fields_is_wrong_for_each_of_them() -> None:
    def change(lists: Lists) -> None:
        for field in ("provider", "requested_model", "routed_model"):
            own_term(field, "acme")(lists)
            lists[field][-1] = 7
        del lists["terms"][8:]

    assert said(changed(change)) == [
        ("vocabulary.unknown-provider", "/terms/7", None),
        ("vocabulary.unknown-model", "/terms/7", None),
    ]


def test_nothing_is_said_to_be_unused_while_a_column_is_not_understood() -> None:
    def change(lists: Lists) -> None:
        lists["terms"].append("mistral")
        lists["provider"][0] = None

    assert [rule for rule, _, _ in said(changed(change))] == ["shape.wrong-type"]


def test_a_term_is_unused_whatever_is_wrong_with_numbers() -> None:
    def change(lists: Lists) -> None:
        lists["terms"].append("mistral")
        lists["input_tokens"][0] = -1

    assert [rule for rule, _, _ in said(changed(change))] == ["shape.unused-term", "shape.out-of-range"]


def test_new_terms_are_candidates_at_their_places() -> None:
    body = changed(own_term("routed_model", "claude-opus-6-20270301"))
    refusal = explain(body, VOCABULARIES[Mode.LEARN], window())
    assert refusal.violations == (Violation("vocabulary.unknown-model", "/terms/7"),)
    assert getattr(refusal, "candidates", None) == {Candidate(Kind.MODEL, 0, "claude-opus-6-20270301")}


def test_a_hundred_faults_are_enough() -> None:
    body = columns.columns([sample.event()] * EVENTS_MAX)
    assert isinstance(body["columns"], dict)
    body["columns"]["latency_ms"] = [-1] * EVENTS_MAX
    found = said(json.dumps(body).encode())
    assert found == [("shape.out-of-range", f"/columns/latency_ms/{place}", None) for place in range(VIOLATIONS_MAX)]


def test_more_spellings_than_are_looked_up_are_named() -> None:
    events = [sample.event(routed_model=f"gpt-4o:{place}k") for place in range(SPELLINGS_MAX)]
    spelled = {f"{cloud}/gpt-4o": None for cloud in ("azure", "openrouter")}
    events += [sample.event(requested_model=model) for model in spelled]
    rules = {rule for rule, _, _ in said(columns.body(*events))}
    assert rules >= {"size.too-many-spellings"} or len(said(columns.body(*events))) == VIOLATIONS_MAX


def test_every_field_with_places_is_a_string_of_rows() -> None:
    for field in STRINGS:
        assert said(changed(set_to(field, 0, 99)))[0][:2] == ("shape.no-such-place", f"/columns/{field}/0")
