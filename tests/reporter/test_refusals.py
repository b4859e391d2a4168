"""A 422 costs only the events that its violations point at; those with unknown terms wait for the policy to change."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from nocontent_reporter import Options
from tests.reporter.reported import QUICK, event, reporting
from tests.reporter.scripted import Reply, Scripted, Sent, html, problem
from tests.support.service import wait_until

NEW_MODEL = "claude-next-9"


def refuse_model(script: Scripted, rule: str = "vocabulary.unknown-model") -> Callable[[Sent], Reply]:
    """Return an answer that refuses NEW_MODEL and stores a batch without it."""

    def answer(sent: Sent) -> Reply:
        terms = json.loads(sent.body).get("terms", [])
        if NEW_MODEL not in terms:
            return script.store(sent)
        return problem(422, "rejected", (rule, f"/terms/{terms.index(NEW_MODEL)}"))

    return answer


@pytest.mark.parametrize(
    ("pointer", "lost"),
    [
        ("/columns/input_tokens/1", {1}),
        ("/columns/event_id/2", {2}),
        ("/tag_sets/1/*", {1, 3}),
        ("/tag_sets/0", {0, 2}),
        ("/terms/4", {2, 3}),
    ],
)
def test_the_events_pointed_at_are_taken_out(script: Scripted, pointer: str, lost: set[int]) -> None:
    script.script.append(problem(422, "rejected", ("time.too-old", pointer)))
    reported = [
        event(tags=(("team", "search" if place % 2 == 0 else "editor"),), routed_model=f"model-{place // 2}")
        for place in range(4)
    ]
    with reporting(script.url) as reporter:
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
        assert script.stored == [each.event_id for place, each in enumerate(reported) if place not in lost]
        assert script.dropped == {"refused": len(lost)}
        assert reporter.stats().refused == {"time.too-old": len(lost)}
        assert [sent.stream[1] for sent in script.batches] == [0, 0]


@pytest.mark.parametrize(
    ("before", "refusal", "sequences"),
    [
        ([], problem(400, "malformed"), [0, 0, 1]),
        ([problem(429, "quota-exceeded")], problem(422, "rejected"), [0, 0, 0, 1]),
        ([problem(503, "outcome-unknown")], problem(422, "rejected"), [0, 0, 1, 2]),
        ([html(502)], problem(422, "rejected"), [0, 0, 1, 2]),
        ([], html(413), [0, 1, 2]),
    ],
)
def test_the_sequence_of_a_batch_that_is_certainly_not_stored_is_used_again(
    script: Scripted, before: list[Reply], refusal: Reply, sequences: list[int]
) -> None:
    script.script += [*before, refusal]
    with reporting(script.url) as reporter:
        for each in (event(), event()):
            reporter.report(each)
        assert reporter.flush(10)
    assert [sent.stream[1] for sent in script.batches] == sequences
    assert len(script.stored) == 2


def test_more_faults_than_one_answer_names_are_all_taken_out(script: Scripted) -> None:
    reported = [event() for _ in range(300)]
    bad = {each.event_id for each in reported[:250]}

    def refuse(sent: Sent) -> Reply:
        places = [place for place, event_id in enumerate(sent.ids) if event_id in bad][:100]
        if not places:
            return script.store(sent)
        return problem(422, "rejected", *(("time.too-old", f"/columns/event_id/{place}") for place in places))

    script.script += [refuse] * 10
    with reporting(script.url) as reporter:
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
    assert sorted(script.stored) == sorted(each.event_id for each in reported[250:])
    assert script.dropped == {"refused": 250}


@pytest.mark.parametrize(
    "violations", [[], [("size.unexplained", "")], [("shape.unequal-columns", "/columns/status")], [("no-rule", "/")]]
)
def test_a_refusal_that_names_no_event_is_narrowed_down(script: Scripted, violations: list[tuple[str, str]]) -> None:
    reported = [event() for _ in range(5)]
    bad = reported[3].event_id
    refusal = problem(422, "rejected", *violations)
    script.script += [lambda sent: refusal if bad in sent.ids else script.store(sent)] * 20
    with reporting(script.url) as reporter:
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
    assert bad not in script.stored
    assert len(script.stored) == 4


@pytest.mark.parametrize("rule", ["time.too-old", "time.in-future"])
def test_a_refused_stream_is_replaced(script: Scripted, rule: str) -> None:
    script.script.append(problem(422, "rejected", (rule, "/stream/id")))
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
    assert len({sent.stream[0] for sent in script.batches}) == 2
    assert len(script.stored) == 1


def test_events_with_an_unknown_term_wait_for_another_policy(script: Scripted) -> None:
    script.policies += [Reply(200, b"{}", {"ETag": '"one"'})] + [Reply(304, b"", {"ETag": '"one"'})] * 3
    script.script += [refuse_model(script)] * 3
    with reporting(script.url) as reporter:
        waiting = event(routed_model=NEW_MODEL)
        reporter.report(waiting)
        reporter.report(event())
        assert reporter.flush(5)
        wait_until(lambda: len(script.policies) == 0)
        assert len(script.stored) == 1
        assert reporter.stats().parked == 1
        assert script.sent[-1].headers["If-None-Match"] == '"one"'
        script.script.clear()
        script.policies.append(Reply(200, b"{}", {"ETag": '"two"'}))
        wait_until(lambda: waiting.event_id in script.stored)
        assert reporter.stats().parked == 0
        assert reporter.stats().refused == {}
    assert script.dropped == {}


def test_what_waits_for_a_policy_holds_up_no_other_process(
    script: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocontent_reporter.policy.POLL_S", 60)
    script.script += [refuse_model(script)] * 5
    with reporting(script.url, tmp_path / "spool") as first, reporting(script.url, tmp_path / "spool") as second:
        first.report(event(routed_model=NEW_MODEL))
        assert first.flush(5)
        wait_until(lambda: len(script.sent) > len(script.batches) > 0)
        second.report(event())
        assert second.flush(10)
        assert len(script.stored) == 1


def test_events_that_wait_too_long_for_a_policy_are_counted(script: Scripted, tmp_path: Path) -> None:
    script.script += [refuse_model(script)]
    options = Options(interval_s=0.01, spool_days=0.3 / 86_400)
    with reporting(script.url, tmp_path / "spool", options) as reporter:
        reporter.report(event(routed_model=NEW_MODEL))
        wait_until(lambda: script.dropped == {"refused": 1})
        assert reporter.stats().parked == 0


def test_without_the_right_to_read_the_policy_parked_events_are_tried_now_and_then(
    script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocontent_reporter.policy.BLIND_S", 0.05)
    script.policies += [problem(403, "scope-missing")] * 20
    script.script += [refuse_model(script)] * 2
    with reporting(script.url, options=QUICK) as reporter:
        reporter.report(event(routed_model=NEW_MODEL))
        wait_until(lambda: len(script.stored) == 1)
        assert reporter.flush(5)


def test_an_event_ahead_of_the_servers_clock_is_tried_later(script: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nocontent_reporter.sender.AHEAD_MS", 50)
    script.script.append(problem(422, "rejected", ("time.in-future", "/columns/event_id/0")))
    with reporting(script.url, options=QUICK) as reporter:
        reporter.report(event())
        wait_until(lambda: len(script.stored) == 1)
        assert reporter.stats().refused == {}


def test_an_event_with_a_fault_for_good_does_not_wait(script: Scripted) -> None:
    script.script.append(
        problem(422, "rejected", ("vocabulary.unknown-model", "/terms/2"), ("time.too-old", "/columns/event_id/0"))
    )
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
        assert reporter.stats().parked == 0
        assert reporter.stats().refused == {"time.too-old": 1}


def test_the_host_is_told_of_refusals_by_rule(script: Scripted) -> None:
    told: Counter[str] = Counter()

    def on_refused(rule: str, events: int) -> None:
        told[rule] += events
        raise LookupError(rule)

    script.script.append(problem(422, "rejected", ("time.too-old", "/columns/event_id/0")))
    with reporting(script.url, options=Options(interval_s=QUICK.interval_s, on_refused=on_refused)) as reporter:
        reporter.report(event())
        reporter.report(event(input_tokens=-1))
        assert reporter.flush(5)
        assert told == {"time.too-old": 1, "shape.out-of-range": 1}
        assert reporter.stats().faults == {"callback": 2}


@pytest.mark.parametrize("name", ["rejected", "a secret prompt"])
def test_words_of_another_server_are_not_kept(script: Scripted, name: str) -> None:
    script.script.append(problem(422, name, ("a secret prompt", "/columns/event_id/0")))
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
        assert "secret" not in repr(reporter.stats())
