"""The token conventions of providers, turned into the contract's, and their words for why a model stopped."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.intake import synonyms
from nocontent_reporter import Event, stop_reasons, usage
from nocontent_reporter.usage import Usage
from schema.event import StopReason

Make = Callable[[object], Usage]
MAKERS: tuple[Make, ...] = (usage.anthropic, usage.openai, usage.gemini)
NONE = {
    "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0, "reasoning_tokens": 0,
}  # fmt: skip
ANTHROPIC = {
    "input_tokens": 25,
    "cache_read_input_tokens": 2_000,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 42,
    "output_tokens_details": {"thinking_tokens": 30},
    "service_tier": "standard",
}
CHAT = {
    "prompt_tokens": 125,
    "completion_tokens": 42,
    "total_tokens": 167,
    "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 5, "audio_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
RESPONSES = {
    "input_tokens": 125,
    "input_tokens_details": {
        "cached_tokens": 100,
        "cache_write_tokens": 15,
        "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 10},
    },
    "output_tokens": 42,
    "output_tokens_details": {"reasoning_tokens": 7},
    "total_tokens": 167,
}
GEMINI = {
    "promptTokenCount": 1_000,
    "cachedContentTokenCount": 400,
    "candidatesTokenCount": 50,
    "thoughtsTokenCount": 200,
    "toolUsePromptTokenCount": 30,
    "totalTokenCount": 1_280,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1_000}],
}
GEMINI_SDK = {
    "prompt_token_count": 1_000, "cached_content_token_count": 400, "candidates_token_count": 50,
    "thoughts_token_count": 200, "tool_use_prompt_token_count": 30,
}  # fmt: skip


def _counts(*counts: int) -> dict[str, int]:
    return dict(zip(NONE, counts, strict=True))


CASES: dict[str, tuple[Make, object, dict[str, int]]] = {
    "anthropic": (usage.anthropic, ANTHROPIC, _counts(25, 42, 2_000, 60, 40, 30)),
    "anthropic without durations": (
        usage.anthropic,
        {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 9},
        _counts(1, 2, 0, 9, 0, 0),
    ),
    "chat completions": (usage.openai, CHAT, _counts(20, 42, 100, 5, 0, 7)),
    "responses": (usage.openai, RESPONSES, _counts(10, 42, 100, 5, 10, 7)),
    "xai, whose output is without reasoning": (
        usage.openai,
        {
            "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        _counts(32, 103, 0, 0, 0, 94),
    ),
    "gemini": (usage.gemini, GEMINI, _counts(630, 250, 400, 0, 0, 200)),
    "gemini's sdk": (usage.gemini, GEMINI_SDK, _counts(630, 250, 400, 0, 0, 200)),
    "no usage": (usage.openai, None, NONE),
    "an empty usage": (usage.anthropic, {}, NONE),
    "nulls": (usage.gemini, dict.fromkeys(GEMINI), NONE),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_counts_are_made_disjoint(case: str) -> None:
    make, given_usage, expected = CASES[case]
    assert make(given_usage) == Usage(expected, 0)  # type: ignore[arg-type]  # The keys are those of NONE.
    assert make(_objects(given_usage)) == make(given_usage)


def _objects(value: object) -> object:
    """Return dicts as objects with attributes, which SDKs return."""
    return (
        SimpleNamespace(**{name: _objects(each) for name, each in value.items()}) if isinstance(value, dict) else value
    )


@pytest.mark.parametrize(
    ("make", "wrong", "expected", "clamped"),
    [
        (usage.openai, {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 9}}, _counts(0, 0, 9, 0, 0, 0), 1),
        (usage.anthropic, {"input_tokens": -3, "output_tokens": -1}, NONE, 2),
        (usage.gemini, {"promptTokenCount": 5, "cachedContentTokenCount": 9}, _counts(0, 0, 9, 0, 0, 0), 1),
        (
            usage.anthropic,
            {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}},
            _counts(0, 5, 0, 0, 0, 5),
            1,
        ),
        (usage.openai, {"prompt_tokens": "the weather in Paris", "completion_tokens": 1.5}, NONE, 2),
        (usage.openai, {"prompt_tokens": True}, NONE, 1),
    ],
)  # fmt: skip
def test_an_impossible_count_is_clamped_and_counted(
    make: Make, wrong: object, expected: dict[str, int], clamped: int
) -> None:
    assert make(wrong) == Usage(expected, clamped)  # type: ignore[arg-type]  # The keys are those of NONE.


_values = st.none() | st.booleans() | st.integers(-5, 10**7) | st.floats() | st.text(max_size=5)
_names = st.sampled_from(sorted({*ANTHROPIC, *CHAT, *RESPONSES, *GEMINI, "cached_tokens", "reasoning_tokens"}))


# No deadline, because CI machines are slow.
@settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(_names, _values | st.dictionaries(_names, _values)), st.sampled_from(MAKERS))
def test_whatever_comes_the_counts_are_numbers_that_agree(found: dict[str, object], make: Make) -> None:
    tokens = make(found).tokens
    assert all(type(count) is int and count >= 0 for count in tokens.values())
    assert tokens["reasoning_tokens"] <= tokens["output_tokens"]


def test_counts_spread_into_an_event() -> None:
    counts = usage.anthropic(ANTHROPIC)
    made = Event(provider="anthropic", requested_model="m", routed_model="m", latency_ms=1, **counts.tokens)
    assert {name: getattr(made, name) for name in NONE} == counts.tokens


MAPS = {
    "anthropic": (stop_reasons.ANTHROPIC, stop_reasons.anthropic),
    "openai": (stop_reasons.OPENAI, stop_reasons.openai),
    "gemini": (stop_reasons.GEMINI, stop_reasons.gemini),
}


@pytest.mark.parametrize("provider", MAPS)
def test_stop_reasons_are_those_that_the_server_derives(provider: str) -> None:
    words, convert = MAPS[provider]
    for word, reason in words.items():
        assert reason in get_args(StopReason)
        assert (word, synonyms.stop_reason(word)) == (word, reason)
        assert convert(SimpleNamespace(value=word)) == reason


@pytest.mark.parametrize("convert", [stop_reasons.anthropic, stop_reasons.openai, stop_reasons.gemini])
def test_an_unknown_stop_reason_is_other(convert: Callable[[object], object]) -> None:
    assert [convert(each) for each in (None, "", "the weather", 7, ["stop"])] == [None, None, "other", "other", "other"]
