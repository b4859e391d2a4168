"""What refuses a request, and what is dropped or costs its record alone."""

from collections import Counter

import pytest

from ingest.intake.errors import Rejected
from ingest.intake.otlp import export, protobuf
from ingest.intake.otlp.export import TRACES, Export
from tests.support import otlp
from tests.support.otlp import Json
from tests.support.otlp_calls import infer, read

PROSE = "What is the weather in Paris?"
NONE: dict[str, object] = dict.fromkeys(otlp.GOOD)  # Instead of the good call's attributes.


def refusal(request: Json) -> list[tuple[str, str]]:
    with pytest.raises(Rejected) as refused:
        read(request)
    return [(violation.rule, violation.pointer) for violation in refused.value.violations]


def test_content_is_refused_wherever_it_stands() -> None:
    content = otlp.attributes({"gen_ai.prompt.0.content": PROSE})
    name = "attributes/gen_ai.prompt.*"
    at = [
        (otlp.traces({**otlp.span(), "attributes": content}), f"/spans/0/{name}"),
        (otlp.traces(otlp.span(), otlp.span(NONE, events=[{"attributes": content}])), f"/spans/1/*/{name}"),
        (otlp.traces(otlp.span(links=[{"attributes": content}])), f"/spans/0/*/{name}"),
        (otlp.traces(otlp.span(), scope={"name": "s", "attributes": content}), f"/scope/{name}"),
        (otlp.traces(resource={"gen_ai.prompt.0.content": PROSE}), f"/resource/{name}"),
        (otlp.logs({**otlp.log("anything", {}), "attributes": content}), f"/logRecords/0/{name}"),
    ]
    for request, pointer in at:
        assert refusal(request) == [("content.prompt", pointer)]


def test_content_in_the_body_of_an_event_is_refused() -> None:
    for body in ({"content": PROSE}, {"message": {"content": "hello"}}, PROSE):
        record = otlp.log("gen_ai.choice", {}, body=otlp.any_value(body))
        assert refusal(otlp.logs(record)) == [("content.message", "/logRecords/0/body")]


def test_a_credential_in_free_text_is_refused() -> None:
    key = "sk-ant-api03-" + "a" * 30
    failed = otlp.span(status={"code": 2, "message": f"invalid key {key}"})
    assert refusal(otlp.traces(failed)) == [("secret.anthropic-key", "/spans/0/status/message")]
    record = otlp.log("claude_code.api_error", {"model": "x"}, body={"stringValue": key})
    assert refusal(otlp.logs(record)) == [("secret.anthropic-key", "/logRecords/0/body")]


def test_every_rule_that_the_first_bad_record_breaks_is_named_once() -> None:
    bad = otlp.span(
        {"gen_ai.input.messages": PROSE, "gen_ai.output.messages": PROSE, "llm.new": PROSE, "ai.new": "a b"}
    )
    assert refusal(otlp.traces(bad, bad)) == [
        ("content.prompt", "/spans/0/attributes/gen_ai.input.messages"),
        ("content.output", "/spans/0/attributes/gen_ai.output.messages"),
        ("content.unknown-key", "/spans/0/attributes/*"),
    ]


def test_free_text_and_context_are_counted_by_record() -> None:
    failed = {
        "name": "exception",
        "attributes": otlp.attributes({"exception.message": PROSE, "exception.stacktrace": "x"}),
    }
    spans = [
        otlp.span(),
        otlp.span({"user.email": "a@example.com", "metadata.note": PROSE, "url.full": "https://x/?q=1"}, name=""),
        otlp.span({"gen_ai.request.stop_sequences": ["a"]}, events=[failed], status={"code": 2, "message": PROSE}),
    ]
    found = read(otlp.traces(*spans, resource={"host.id": "x", "process.command_args": ["a"]}))
    around = Counter({"host": 1, "process": 1})
    assert [each.context for each in found] == [
        around + Counter({"span.name": 1}),
        around + Counter({"user": 1, "metadata": 1, "url.full": 1}),
        around + Counter({"span.name": 1}),
    ]
    text = {"gen_ai.request.stop_sequences": 1, "exception.message": 1, "exception.stacktrace": 1, "status.message": 1}
    assert [each.free_text for each in found] == [Counter(), Counter(), Counter(text)]


def test_free_text_of_a_resource_is_that_of_its_records() -> None:
    (found,) = read(otlp.traces(otlp.span(), resource={"error.message": PROSE}))
    assert found.free_text == Counter({"error.message": 1})


@pytest.mark.parametrize(
    ("spans", "steps_min"),
    [
        ([otlp.span() for _ in range(100)], 3),
        ([{} for _ in range(2_000)], 50),
        ([otlp.span({f"my.note{number}": f"{number} {PROSE * 40}" for number in range(500)})], 50),
    ],
    ids=["calls", "nothing", "one long span"],
)
def test_long_work_is_done_in_steps(spans: list[Json], steps_min: int) -> None:
    body = otlp.encoded(otlp.traces(*spans), "protobuf")
    assert len(list(Export(TRACES, protobuf.ENCODING, infer).steps(body))) >= steps_min


def test_the_calls_of_a_request_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EVENTS_MAX", 2)
    assert len(read(otlp.traces(*[otlp.span() for _ in range(2)]))) == 2
    assert refusal(otlp.traces(*[otlp.span() for _ in range(3)])) == [("size.too-many-events", "")]


def test_the_body_of_a_log_record_has_bounds() -> None:
    body = otlp.any_value({f"a{number}": {"b": 1} for number in range(300)})
    assert refusal(otlp.logs(otlp.log("gen_ai.choice", {}, body=body))) == [("size.too-many-attributes", "")]
