"""A refused value known from other APIs is answered with the contract's word, never with the value."""

import json
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.intake import synonyms
from ingest.intake.explain import explain
from schema.decode import Refused, decode
from schema.event import Status, StopReason
from schema.rules import Violation
from schema.vocabulary import Mode
from tests.support import sample
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import ROOT
from tests.support.wire import Sender

TERMS = ("task_category", "provider", "requested_model", "routed_model")


def refusal(field: str, value: str) -> tuple[Violation, ...]:
    """Explain a body with the JSON of one value changed."""
    body = sample.body(sample.event(**{field: "@"})).replace(b'"@"', value.encode())
    return explain(body, VOCABULARIES[Mode.REFUSE], window()).violations


@pytest.mark.parametrize(
    ("field", "value", "use"),
    [
        ("stop_reason", '"stop"', "end_turn"), ("stop_reason", '"length"', "max_tokens"),
        ("stop_reason", '"tool_calls"', "tool_use"), ("stop_reason", '"function_call"', "tool_use"),
        ("stop_reason", '"STOP"', "end_turn"), ("stop_reason", '"MAX_TOKENS"', "max_tokens"),
        ("stop_reason", '"SAFETY"', "content_filter"), ("stop_reason", '"RECITATION"', "content_filter"),
        ("stop_reason", '"eos"', "end_turn"), ("stop_reason", '"eos_token"', "end_turn"),
        ("stop_reason", '"COMPLETE"', "end_turn"), ("stop_reason", '"TOOL_CALL"', "tool_use"),
        ("stop_reason", '"guardrail_intervened"', "content_filter"), ("stop_reason", '"refusal"', "content_filter"),
        ("stop_reason", '"model_context_window_exceeded"', "context_window"),
        ("stop_reason", '"model_length"', "context_window"),
        ("stop_reason", '"content-filter"', "content_filter"), ("stop_reason", '"tool-calls"', "tool_use"),
        ("stop_reason", '"END_TURN"', "end_turn"), ("stop_reason", '"endTurn"', "end_turn"),
        ("stop_reason", '""', "null"), ("stop_reason", '"None"', "null"), ("stop_reason", '"null"', "null"),
        ("stop_reason", '"FINISH_REASON_UNSPECIFIED"', "null"), ("stop_reason", '"zarf"', None),
        ("status", '"success"', "ok"), ("status", '"OK"', "ok"), ("status", '"failure"', "error"),
        ("status", '"STATUS_CODE_ERROR"', "error"), ("status", '"timed_out"', "timeout"),
        ("status", '"rate-limited"', "rate_limited"), ("status", '"too_many_requests"', "rate_limited"),
        ("status", '"canceled"', "cancelled"), ("status", '"blocked"', "refused"), ("status", '"zarf"', None),
        ("status", '""', None),
        ("http_status", "0", "null"), ("http_status", "-1", "null"), ("http_status", "600", None),
        ("http_status", '""', "null"), ("http_status", '"200"', None), ("ttft_ms", "-1", "null"),
        ("baseline_cost_nanousd", "-1", "null"), ("latency_ms", "-1", None), ("input_tokens", "null", None),
        ("requested_model", "null", "unknown"), ("provider", '""', "unknown"), ("provider", '"None"', "unknown"),
        ("task_category", '"n/a"', "unknown"), ("routed_model", '"undefined"', "unknown"), ("provider", '"zarf"', None),
        ("tags", '{"team":null}', "unknown"), ("tags", '{"team":""}', "unknown"), ("event_id", "null", None),
    ],
)  # fmt: skip
def test_a_value_of_other_apis_is_answered_with_the_contracts_word(field: str, value: str, use: str | None) -> None:
    (only,) = refusal(field, value)
    assert only.use == use


def test_the_word_stands_in_the_answer(sender: Sender) -> None:
    body = sample.body(sample.event(status="success", stop_reason="tool_calls", provider="zarf"))
    violations = json.loads(sender.post(body).body)["violations"]
    assert {each["pointer"].rpartition("/")[2]: each.get("use", "-") for each in violations} == {
        "status": "ok",
        "stop_reason": "tool_use",
        "provider": "-",
    }


OURS = {*get_args(Status), *get_args(StopReason), "unknown", "null"}
_KNOWN = sorted(
    name for table in (synonyms.STATUSES, synonyms.STOP_REASONS) for names in table.values() for name in names
)
words = st.sampled_from(_KNOWN) | st.text(max_size=30) | st.sampled_from(sorted(OURS))


@given(field=st.sampled_from(["status", "stop_reason", *TERMS, "http_status", "ttft_ms"]), value=words)
def test_no_value_of_a_body_comes_back_as_a_word(field: str, value: str) -> None:
    body = json.dumps({"events": [sample.event(**{field: value})]}).encode()
    try:
        decode(body, VOCABULARIES[Mode.LEARN], window())
    except Refused:
        for violation in explain(body, VOCABULARIES[Mode.LEARN], window()).violations:
            assert violation.use is None or violation.use in OURS
            # JSON's null is not a string: a sender of the word "null" is told to use it.
            assert violation.use is None or violation.use == "null" or violation.use != value


@pytest.mark.parametrize(("table", "words"), [(synonyms.STATUSES, Status), (synonyms.STOP_REASONS, StopReason)])
def test_synonyms_lead_to_every_word_and_only_once(table: dict[str, frozenset[str]], words: object) -> None:
    assert set(table) - {"null"} == set(get_args(words))
    names = [name for found in table.values() for name in found]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z0-9]+", name) for name in names)


_ROW = re.compile(r"^\| `(\w+)` \| (`.*`) \|$", re.MULTILINE)


@pytest.mark.parametrize(("heading", "table"), [("status", synonyms.STATUSES), ("stop_reason", synonyms.STOP_REASONS)])
def test_the_documented_synonyms_are_the_explained_ones(heading: str, table: dict[str, frozenset[str]]) -> None:
    text = (ROOT / "docs/policy.md").read_text("utf-8").partition(f"### What others send for `{heading}`")[2]
    rows = _ROW.findall(text.partition("\n#")[0])
    documented = {word: {re.sub("[^a-z0-9]", "", each.lower()) for each in names.split(", ")} for word, names in rows}
    assert documented == {word: set(names) for word, names in table.items()}
