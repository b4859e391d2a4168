"""Events as the doors of other formats make them: ids, numbers, outcomes, faults, and the batch in columns."""

import json
from uuid import UUID

import msgspec
import pytest

from ingest.intake import projection
from ingest.intake.projection import Faults, Projected, Tokens
from schema import limits
from schema.event import Event, StopReason
from schema.vocabulary import Mode
from tests.support import gauge, sample


def event(**changed: object) -> Projected:
    """Return a good event, with fields changed."""
    good: dict[str, object] = {
        "event_id": projection.event_id(sample.now_ms(), "msg_1"),
        "provider": "anthropic",
        "requested_model": "claude-opus-4-5",
        "routed_model": "claude-haiku-4-5",
        "latency_ms": 840,
    }
    return Projected(**(good | changed))  # type: ignore[arg-type]  # Some tests need wrong numbers.


def fault(wrong: Projected, mode: Mode = Mode.REFUSE, *, may_learn: bool = False) -> tuple[str, str] | None:
    found = Faults(gauge.VOCABULARIES[mode], gauge.window(), may_learn=may_learn).of(wrong)
    return found and (found.rule, found.pointer)


def test_it_has_the_fields_of_an_event() -> None:
    assert Projected.__struct_fields__ == Event.__struct_fields__


def test_an_id_is_a_function_of_time_and_identity() -> None:
    first, again = (projection.event_id(1_795_376_540_613, "msg_1") for _ in range(2))
    assert first == again
    assert UUID(first).version == 7
    assert int(UUID(first)) >> 80 == 1_795_376_540_613
    others = {projection.event_id(1_795_376_540_613, f"msg_{number}") for number in range(1_000)}
    assert len(others) == 1_000


@pytest.mark.parametrize("at_ms", [-1, 2**60])
def test_a_time_that_no_id_can_have_is_still_an_id(at_ms: int) -> None:
    assert UUID(projection.event_id(at_ms, "msg_1")).version == 7


def test_a_batch_lists_each_term_and_tag_set_once() -> None:
    tagged = event(tags=projection.tags({"team": "search", "region": "eu"}), stop_reason="end_turn", streamed=True)
    written = json.loads(projection.body([event(), tagged, event(status="error", http_status=400)]))
    assert set(written) == {"terms", "tag_sets", "columns"}
    assert len(set(written["terms"])) == len(written["terms"])
    assert written["tag_sets"] == [{}, {"region": "eu", "team": "search"}]
    columns = written["columns"]
    assert tuple(columns) == Event.__struct_fields__
    assert columns["tags"] == [0, 1, 0]
    assert columns["streamed"] == [0, 1, 0]
    assert [written["terms"][place] for place in columns["status"]] == ["ok", "ok", "error"]
    assert columns["stop_reason"] == [None, written["terms"].index("end_turn"), None]
    assert columns["http_status"] == [None, None, 400]
    assert columns["cost_nanousd"] == [None, None, None]


@pytest.mark.parametrize("text", ['a"b', "a\\b", "sécurité", "a\nb", "\x7f", "a" * 1_025])
def test_a_string_that_no_body_may_have_becomes_no_term(text: str) -> None:
    assert projection.term(text) == ""
    wrong = event(requested_model=projection.term(text))
    assert projection.body([wrong]).isascii()
    assert fault(wrong) == ("vocabulary.unknown-model", "/requested_model")


def test_parts_of_the_input_are_disjoint() -> None:
    assert projection.disjoint(2_125, 2_000, 100, 40) == Tokens(25, 2_000, 60, 40)
    assert projection.disjoint(25, 2_000, 100, 0) == Tokens(25, 2_000, 100, 0)
    assert projection.disjoint(10, 0, 5, 9) == Tokens(5, 0, 0, 9)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1])
def test_an_amount_that_is_none_is_unknown(wrong: float) -> None:
    assert projection.nano_usd(wrong) is None
    assert projection.milliseconds(wrong) is None


def test_amounts_and_times_are_rounded() -> None:
    assert projection.nano_usd(0.0017699999999999999) == 1_770_000
    assert projection.milliseconds(0.0426) == 43
    assert projection.ttft_ms(0.5, 840) == 500
    assert projection.ttft_ms(1.5, 840) is None
    assert projection.http_status(0) is None
    assert projection.http_status(529) == 529


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("stop", "end_turn"), ("end_turn", "end_turn"), ("tool_calls", "tool_use"), ("SAFETY", "content_filter"),
        ("", None), ("None", None), ("FINISH_REASON_UNSPECIFIED", None), ("a reason of tomorrow", "other"),
    ],
)  # fmt: skip
def test_stop_reasons_are_translated(sent: str, stored: StopReason | None) -> None:
    assert projection.stop_reason(sent) == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ((False, None, ""), "ok"), ((False, 200, ""), "ok"), ((True, None, "anthropic.BadRequestError"), "error"),
        ((True, None, "openai.RateLimitError"), "rate_limited"), ((True, 429, "invalid_request"), "rate_limited"),
        ((True, None, "openai.APITimeoutError"), "timeout"), ((True, 504, ""), "timeout"), ((False, 500, ""), "error"),
        ((True, None, "success"), "error"), ((True, 499, ""), "cancelled"),
    ],
)  # fmt: skip
def test_outcomes_are_translated(sent: tuple[bool, int | None, str], stored: str) -> None:
    assert projection.status(*sent) == stored


def test_a_good_event_has_no_fault() -> None:
    assert fault(event()) is None
    assert fault(event(tags=projection.tags({"team": "search"}))) is None
    assert fault(event(requested_model="anthropic/claude-opus-4.5@20251101")) is None  # A spelling.


_TOO_MANY_TAGS = projection.tags({f"team{number}": "search" for number in range(limits.TAGS_MAX + 1)})


@pytest.mark.parametrize(
    ("changed", "rule", "pointer"),
    [
        ({"input_tokens": 10**9}, "shape.out-of-range", "/input_tokens"),
        ({"cost_nanousd": -1}, "shape.out-of-range", "/cost_nanousd"),
        ({"reasoning_tokens": 2, "output_tokens": 1}, "shape.inconsistent", "/reasoning_tokens"),
        ({"ttft_ms": 841}, "shape.inconsistent", "/ttft_ms"),
        ({"event_id": projection.event_id(0, "old")}, "time.too-old", "/event_id"),
        ({"event_id": projection.event_id(2**47, "new")}, "time.in-future", "/event_id"),
        ({"provider": "nobody"}, "vocabulary.unknown-provider", "/provider"),
        ({"task_category": "nothing"}, "vocabulary.unknown-task-category", "/task_category"),
        ({"routed_model": "model-of-tomorrow"}, "vocabulary.unknown-model", "/routed_model"),
        ({"tags": (("colour", "red"),)}, "vocabulary.undeclared-tag-key", "/tags/*"),
        ({"tags": (("team", "sales"),)}, "vocabulary.unknown-tag-value", "/tags/*"),
        ({"tags": _TOO_MANY_TAGS}, "size.too-many-tags", "/tags"),
    ],
)
def test_a_fault_is_found_before_the_gates_find_it(changed: dict[str, object], rule: str, pointer: str) -> None:
    assert fault(event(**changed)) == (rule, pointer)


def test_a_tenant_that_coarsens_has_no_unknown_terms() -> None:
    assert fault(event(requested_model="", tags=(("team", "sales"),)), Mode.COARSEN) is None


def test_a_term_that_may_be_learned_is_left_to_the_gates() -> None:
    new = event(requested_model="claude-opus-6-20270301")
    assert fault(new, Mode.LEARN, may_learn=True) is None
    assert fault(new, Mode.LEARN) == ("vocabulary.unknown-model", "/requested_model")
    prose = event(requested_model="tell-me-all-about-it")
    assert fault(prose, Mode.LEARN, may_learn=True) == ("vocabulary.unknown-model", "/requested_model")


def test_numbers_have_the_contracts_bounds() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(event()), "latency_ms": -1}, Projected)
