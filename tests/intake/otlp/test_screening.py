"""Verdicts on attributes: content, credentials and unknown keys refuse the request, free text its record."""

import pytest

from ingest.intake.diagnostics import CONTEXT, FREE_TEXT
from ingest.intake.errors import Rejected
from ingest.intake.otlp import names, screening
from ingest.intake.otlp.mapping import MAPPED
from ingest.intake.otlp.messages import Unread, Value
from ingest.intake.otlp.screening import Screen, Verdict, judge
from schema.rules import RULES

PROSE = "What is the weather in Paris?"
KEY = "sk-ant-api03-" + "a" * 30


def verdict(key: str, value: Value = PROSE) -> tuple[str | None, str]:
    judged = judge(key, value)
    return judged.rule, judged.name


@pytest.mark.parametrize(("key", "rule"), names.CONTENT.items())
def test_content_is_refused_by_its_name(key: str, rule: str) -> None:
    for value in (PROSE, "hello", ("hello",), Unread.STRUCTURE):
        assert verdict(key, value) == (rule, key)
    assert judge(key, PROSE).value is None
    for nothing in (*names.REDACTED, None, ()):
        assert verdict(key, nothing)[0] is None
    below = verdict(f"{key}.0.{PROSE}")
    assert below == ((None, "*") if key in names.EXACT else (rule, f"{key}.*"))


def test_the_rules_of_content_exist() -> None:
    assert set(names.CONTENT.values()) <= set(RULES)
    assert set(RULES) >= names.NAME_RULES
    assert set(names.CONTENT) >= names.EXACT
    assert not MAPPED & set(names.CONTENT)


@pytest.mark.parametrize("key", ["gen_ai.prompt", "input.value", "llm.tools"])
def test_a_number_is_no_content(key: str) -> None:
    assert verdict(key, 5) == (None, key)


@pytest.mark.parametrize("field", FREE_TEXT)
def test_free_text_is_marked(field: str) -> None:
    assert judge(field, PROSE).free_text == field
    assert judge(field, ("a stop sequence",)).free_text == field
    assert judge(field, Unread.STRUCTURE).free_text == field
    assert [judge(field, nothing).free_text for nothing in ("", None, (), 5, True)] == [None] * 5
    assert judge(field, KEY).rule == "secret.anthropic-key"


def test_claude_codes_error_is_free_text() -> None:
    assert judge("error", PROSE).free_text == "error.message"
    assert judge("error.type", "invalid_request_error").free_text is None
    assert judge("exception.type", "ValueError").is_mapped


@pytest.mark.parametrize("field", [field for field in CONTEXT if field not in MAPPED])
def test_people_and_machines_are_marked_and_not_looked_at(field: str) -> None:
    for key in (field, f"{field}.below"):
        judged = judge(key, KEY)
        assert (judged.rule, judged.context, judged.value) == (None, field, None)


@pytest.mark.parametrize("namespace", sorted(names.NAMESPACES))
def test_a_key_that_nobody_knows_may_have_no_text(namespace: str) -> None:
    key = f"{namespace}.made_up_tomorrow"
    for value in (PROSE, "a\nb", "x" * 129, ("a", PROSE), Unread.STRUCTURE, "café"):
        assert verdict(key, value) == ("content.unknown-key", "*")
    for plain in ("", "auto", "a/b:c@1.0+x", ("a", "b"), 5, 0.5, True, None):
        assert verdict(key, plain) == (None, "*")


def test_a_name_of_content_in_a_namespace_may_not_even_have_a_word() -> None:
    assert verdict("llm.None.content", "hello") == ("content.output", "*")
    assert verdict("ai.telemetry.prompt", "hello") == ("content.prompt", "*")
    assert verdict("llm.None.content", "<REDACTED>") == ("content.unknown-key", "*")
    assert verdict("llm.None.content", "__REDACTED__") == (None, "*")
    assert verdict("gen_ai.prompt.name", "greeting") == (None, "*")


def test_other_namespaces_are_not_looked_at() -> None:
    assert verdict("http.route", "/a path {with spaces}") == (None, "*")
    assert verdict("my.app.title", PROSE) == (None, "*")
    assert verdict("gen_ai_like.text", PROSE) == (None, "*")


def test_a_whole_key_that_names_content_may_have_no_prose() -> None:
    assert verdict("messages") == ("content.message", "*")
    assert verdict("messages", "none") == (None, "*")
    assert verdict("title") == (None, "*")


@pytest.mark.parametrize("key", sorted(names.TITLES))
def test_a_title_is_dropped(key: str) -> None:
    assert judge(key, "The Weather Agent") == Verdict(key, None)
    assert judge(key, KEY).rule == "secret.anthropic-key"


@pytest.mark.parametrize("key", ["any.key", "gen_ai.request.model", "nocontent.tag.team", "service.name", "llm.x"])
def test_a_credential_is_refused_wherever_it_stands(key: str) -> None:
    for value in (KEY, ("a", KEY), "Bearer " + "a" * 20):
        rule, name = verdict(key, value)
        assert rule is not None
        assert rule.startswith("secret.")
        assert name == (key if key in MAPPED else "*")


def test_an_id_may_be_no_sentence() -> None:
    assert verdict("gen_ai.response.id") == ("content.unknown-key", "gen_ai.response.id")
    assert judge("gen_ai.response.id", "chatcmpl-123").value == "chatcmpl-123"


def test_a_mapped_attribute_keeps_its_value() -> None:
    assert judge("gen_ai.request.model", "claude-opus-4-5") == Verdict(
        "gen_ai.request.model", "claude-opus-4-5", is_mapped=True
    )
    assert judge("nocontent.tag.team", "search").is_mapped


def test_a_key_of_any_length_takes_little_time() -> None:
    assert judge("gen_ai" + "." * 1_000_000, PROSE).rule == "content.unknown-key"


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("", "Hello, how are you?", "content.message"),
        ("content", "hello", "content.message"),
        ("message.content", "hello", "content.message"),
        ("message.tool_calls.0.function.arguments", "{}", "content.message"),
        ("message", Unread.STRUCTURE, "content.message"),
        ("anything", KEY, "secret.anthropic-key"),
        ("message.role", "assistant", None),
        ("finish_reason", "stop", None),
        ("index", 0, None),
        ("content", "<REDACTED>", None),
        ("", None, None),
    ],
)
def test_the_body_of_an_event_may_have_no_content(path: str, value: Value, rule: str | None) -> None:
    assert screening.content_of_body(path, value) == rule


def test_each_distinct_attribute_is_judged_once() -> None:
    read: list[bytes] = []

    def count(encoded: bytes) -> tuple[str, Value]:
        read.append(encoded)
        return encoded.decode(), "value"

    screen = Screen(count)
    for _ in range(3):
        assert screen.judge(b"a") == screen.judge(b"b")._replace(key="a")
    assert read == [b"a", b"b"]


@pytest.mark.parametrize("bound", ["ATTRIBUTES_MAX", "DECODED_MAX"])
def test_the_attributes_of_a_request_are_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, bound, 3)
    screen = Screen(lambda _encoded: ("a", 1))
    for distinct in (b"a", b"b", b"c"):
        screen.judge(distinct)
    with pytest.raises(Rejected) as refused:
        screen.judge(b"d")
    assert [violation.rule for violation in refused.value.violations] == ["size.too-many-attributes"]


def test_few_verdicts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "KEPT_MAX", 1)
    screen = Screen(lambda encoded: (encoded.decode(), 1))
    assert [screen.judge(each).key for each in (b"a", b"b", b"a", b"b")] == ["a", "b", "a", "b"]
