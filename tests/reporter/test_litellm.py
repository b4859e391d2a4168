"""LiteLLM's callback: what it reads of a call, and that it needs LiteLLM only when it is used.

`make clients` runs it in the real proxy; here a class stands where LiteLLM's base class would.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec import Raw

from ingest.intake import projection
from ingest.intake.litellm import records as door
from nocontent_reporter import litellm, litellm_records
from nocontent_reporter.litellm import Recorder
from nocontent_reporter.settings import BadSettings, Settings, read
from nocontent_reporter.stats import NAMES_MAX
from tests.reporter.processes import run_python
from tests.reporter.scripted import Scripted
from tests.support.gauge import VOCABULARIES

CANARY = "CANARY the weather in Paris"
WANTED = Settings(
    url="http://127.0.0.1:9", token="nct_test", task_categories=frozenset({"simple"}), tag_keys=frozenset({"team"})
)
RECORD: Mapping[str, object] = {
    "id": "chatcmpl-1",
    "litellm_call_id": "cd47d91d-97a6-4ca5-9f04-17b1ae8af557",
    "stream": None,
    "status": "success",
    "custom_llm_provider": "anthropic",
    "startTime": 1_795_376_341.147661,
    "endTime": 1_795_376_341.233204,
    "completionStartTime": 1_795_376_341.2,
    "response_time": 0.08554,
    "model": "anthropic/claude-haiku-4-5",
    "model_group": "claude-sonnet",
    "prompt_tokens": 2_125,
    "completion_tokens": 42,
    "response_cost": 0.00177,
    "response_cost_failure_debug_info": None,
    "autorouter_savings": 0.01,
    "autorouter_savings_estimate": {"status": "estimated"},
    "cache_hit": None,
    "request_tags": ["team:search", "team:other", f"User-Agent: {CANARY}", "region=eu"],
    "end_user": CANARY,
    "messages": [{"role": "user", "content": CANARY}],
    "response": {"choices": [{"finish_reason": "stop", "message": {"content": CANARY}}]},
    "error_str": CANARY,
    "error_information": {"error_code": "", "error_class": "", "error_message": CANARY},
    "model_parameters": {"stop": [CANARY]},
    "metadata": {
        "requester_metadata": {"note": CANARY},
        "routing_decision": {"request_type": "SIMPLE", "matched_keyword": CANARY, "escalated": True},
        "usage_object": {
            "cache_read_input_tokens": 2_000,
            "cache_creation_input_tokens": 100,
            "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 40}},
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
    },
    "hidden_params": {"additional_headers": {"x-litellm-attempted-retries": 1, "x-litellm-attempted-fallbacks": 0}},
}
ANSWER = {"choices": [{"finish_reason": "length", "message": {"content": CANARY}}]}
READ: Mapping[str, object] = {
    "event_id": projection.event_id(1_795_376_341_147, "ll:chatcmpl-1"),
    "task_category": "simple",
    "provider": "anthropic",
    "requested_model": "claude-sonnet",
    "routed_model": "claude-haiku-4-5",
    "input_tokens": 25,
    "output_tokens": 42,
    "cache_read_tokens": 2_000,
    "cache_write_5m_tokens": 60,
    "cache_write_1h_tokens": 40,
    "reasoning_tokens": 7,
    "cost_nanousd": 1_770_000,
    "baseline_cost_nanousd": 11_770_000,
    "latency_ms": 86,
    "ttft_ms": None,
    "status": "ok",
    "http_status": None,
    "stop_reason": "max_tokens",
    "streamed": False,
    "cached": False,
    "fallback": False,
    "retried": True,
    "escalated": True,
    "tags": (("team", "search"),),
}
CHANGES: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "a stream": ({"stream": True, "response_time": 0.01}, {"streamed": True, "latency_ms": 86, "ttft_ms": 52}),
    "no cost": (
        {"response_cost": 0.0, "response_cost_failure_debug_info": {"error_str": CANARY}},
        {"cost_nanousd": None, "baseline_cost_nanousd": None},
    ),
    "no estimate": ({"autorouter_savings_estimate": None}, {"baseline_cost_nanousd": None}),
    "an error": (
        {"status": "failure", "error_information": {"error_code": "400", "error_class": "BadRequestError"}},
        {"status": "error", "http_status": 400},
    ),
    "a limit": (
        {"status": "failure", "error_information": {"error_code": 429}},
        {"status": "rate_limited", "http_status": 429},
    ),
    "a time-out": (
        {"status": "failure", "error_information": {"error_code": "", "error_class": "litellm.Timeout"}},
        {"status": "timeout"},
    ),
    "a code that is none": ({"status": "failure", "error_information": {"error_code": CANARY}}, {"status": "error"}),
    "another category": ({"metadata": {"routing_decision": {"request_type": CANARY}}}, {"task_category": "unknown"}),
    "no model group": ({"model_group": None}, {"requested_model": "claude-haiku-4-5"}),
    "no tags": ({"request_tags": None}, {"tags": ()}),
}  # fmt: skip


def _fields(record: object, answer: object = ANSWER) -> dict[str, object]:
    made = litellm_records.event(record, answer, WANTED)
    return {name: getattr(made, name) for name in READ}


def test_a_call_becomes_the_event_that_the_servers_door_makes() -> None:
    assert _fields(RECORD) == READ


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_record_changes_the_event(change: str) -> None:
    changed, expected = CHANGES[change]
    found = _fields({**RECORD, **changed})
    assert {name: found[name] for name in expected} == expected
    assert CANARY not in str(found)


@pytest.mark.parametrize("change", [None, *(name for name in CHANGES if name != "no cost")])
def test_the_servers_door_makes_the_same_event_of_a_record(change: str | None) -> None:
    record = {**RECORD, **(CHANGES[change][0] if change else {})}
    theirs = door.project(Raw(json.dumps(record).encode()), next(iter(VOCABULARIES.values())))
    found = _fields(record, record["response"])
    same = [name for name in READ if name not in {"task_category", "tags"}]  # The door asks the tenant's vocabulary.
    assert {name: found[name] for name in same} == {name: getattr(theirs, name) for name in same}


@pytest.mark.parametrize("record", [None, {}, {"startTime": "now", "id": "a"}, {"startTime": 1.0, "id": [CANARY]}, []])
def test_a_record_without_identity_and_start_is_unreadable(record: object) -> None:
    with pytest.raises(litellm_records.Unreadable):
        litellm_records.event(record, None, WANTED)


class Hidden:
    """An answer that must not be read beyond why it ended."""

    stop_reason = "refusal"

    def __getattr__(self, name: str) -> object:
        if name != "choices":
            raise AssertionError(name)
        return None


def test_nothing_of_the_answer_is_read_but_why_it_ended() -> None:
    assert _fields(RECORD, Hidden())["stop_reason"] == "content_filter"


@pytest.fixture
def recorder(script: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Yield a callback that reports to the scripted server, with a class in the place of LiteLLM's."""
    package = tmp_path / "litellm" / "integrations"
    package.mkdir(parents=True)
    (package / "custom_logger.py").write_text("class CustomLogger:\n    pass\n", "ascii")
    monkeypatch.syspath_prepend(tmp_path)
    made = litellm.make(Settings(url=script.url, token="nct_test", tag_keys=frozenset({"team"})))
    yield made
    made.reporter.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "litellm"]:
        del sys.modules[name]


def test_each_way_of_litellm_to_log_reports_the_call(recorder: Recorder, script: Scripted) -> None:
    calls = [{"standard_logging_object": {**RECORD, "id": f"chatcmpl-{number}"}} for number in range(4)]
    times = {"start_time": 1, "end_time": 2}
    asyncio.run(recorder.async_log_success_event(kwargs=calls[0], response_obj=ANSWER, **times))
    asyncio.run(recorder.async_log_failure_event(calls[1], ANSWER, 1, 2))
    recorder.log_success_event(kwargs=calls[2], response_obj=ANSWER, **times)
    recorder.log_failure_event(calls[3], ANSWER, 1, 2)
    assert recorder.reporter.flush(20)
    assert len(script.stored) == 4
    assert not any(CANARY.encode() in sent.body for sent in script.sent)


def test_nothing_is_raised_or_quoted_whatever_litellm_says(
    recorder: Recorder, script: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    bad: list[object] = [None, {}, {"standard_logging_object": CANARY}, {"standard_logging_object": {"id": CANARY}}]
    with caplog.at_level(logging.WARNING):
        for kwargs in bad:
            recorder.log_success_event(kwargs, CANARY)
        recorder.log_success_event({"standard_logging_object": {**RECORD, "model_group": CANARY}}, ANSWER)
        assert recorder.reporter.flush(20)
    assert (recorder.unread, recorder.reporter.stats().refused, script.stored) == (4, {"vocabulary.bad-term": 1}, [])
    assert [record.getMessage() for record in caplog.records] == [
        "a call could not be read, so it is not reported; the callback's `unread` counts them",
        "events that break vocabulary.bad-term are not stored; the reporter's stats() count them",
    ]


def test_without_litellm_the_module_can_be_imported_and_the_callback_says_what_it_needs() -> None:
    printed = run_python("""
        from nocontent_reporter import litellm, settings
        try:
            litellm.make(settings.read({"NOCONTENT_REPORTER_URL": "http://h", "NOCONTENT_REPORTER_TOKEN": "t"}))
        except ImportError as missing:
            say(missing)
        try:
            litellm.callback
        except settings.BadSettings as missing:
            say(missing)
    """)
    assert printed.splitlines() == [
        "nocontent_reporter.litellm.callback needs LiteLLM: pip install litellm",
        "NOCONTENT_REPORTER_URL is not set: the server's address, such as https://telemetry.example",
    ]


def test_lines_for_rules_that_a_server_makes_up_end(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2 * NAMES_MAX):
        recorder._refused(f"made-up.rule-{number}", 1)  # noqa: SLF001 - the reporter's callback.
    assert len(caplog.records) == NAMES_MAX


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "NOCONTENT_REPORTER_URL is not set"),
        ({"URL": "http://h"}, "set NOCONTENT_REPORTER_TOKEN or NOCONTENT_REPORTER_TOKEN_FILE"),
        ({"URL": "http://h", "TOKEN": "t", "TOKEN_FILE": "f"}, "set NOCONTENT_REPORTER_TOKEN or"),
        ({"URL": "http://h", "TOKEN_FILE": "/nowhere"}, "the token's file cannot be read"),
        ({"URL": "http://h", "TOKEN": "t", "SPOLL": "s"}, "NOCONTENT_REPORTER_SPOLL is not a setting"),
    ],
)
def test_a_bad_setting_is_named(environment: dict[str, str], says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        read({f"NOCONTENT_REPORTER_{name}": value for name, value in environment.items()})


def test_settings_are_read_from_the_environment(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("nct_x\n", "ascii")
    given = {"URL": "http://h", "TOKEN_FILE": str(token), "SPOOL": "/s", "TAGS": "team, region"}
    found = read({"HOME": "/", **{f"NOCONTENT_REPORTER_{name}": value for name, value in given.items()}})
    assert found == Settings(
        url="http://h", token="nct_x", spool=Path("/s"), tag_keys=frozenset({"team", "region"})
    )  # fmt: skip
