"""For each answer, what the sender does: the table of the reporter's README, run against a server that gives it."""

import pytest

from tests.reporter.reported import event, reporting
from tests.reporter.scripted import Reply, Scripted, Sent, html, problem

RETRIED = [
    problem(408, "slow-body"),
    problem(429, "quota-exceeded"),
    problem(500, "bug"),
    problem(503, "overloaded"),
    problem(503, "outcome-unknown"),
    problem(401, "revoked-token"),
    problem(403, "tenant-disabled"),
    problem(404, "not-found"),
    problem(400, "query-not-empty"),
    problem(415, "media-type-unsupported"),
    Reply(200, None),
    Reply(301, b"", {"Location": "https://elsewhere.example/"}),
    html(200),
    html(400),
    html(404),
    html(502),
    html(503),
    Reply(200, b'{"accepted":1,"duplicates":5}', {"Content-Type": "application/json"}),
    Reply(204),
    Reply(422, b"{", {"Content-Type": "application/problem+json"}),
    Reply(503, b"[" * 100_000, {"Content-Type": "application/json"}),
]


@pytest.mark.parametrize("reply", RETRIED, ids=lambda reply: f"{reply.status}-{(reply.body or b'closed')[:60]!r}")
def test_the_same_bytes_are_sent_again(script: Scripted, reply: Reply) -> None:
    script.script.append(reply)
    reported = [event(), event()]
    with reporting(script.url) as reporter:
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
        first, second = script.batches
        assert first.body == second.body
        assert script.stored == [each.event_id for each in reported]
        assert reporter.stats().dropped == {}


@pytest.mark.parametrize(
    ("status", "name"), [(413, "body-too-large"), (413, "batch-over-quota"), (422, "unstorable"), (400, "malformed")]
)
def test_a_batch_that_cannot_be_stored_is_halved_until_one_event_is_lost(
    script: Scripted, status: int, name: str
) -> None:
    bad = event()
    script.script += [lambda sent: problem(status, name) if bad.event_id in sent.ids else script.store(sent)] * 20
    with reporting(script.url) as reporter:
        reported = [event(), event(), bad, event(), event()]
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
        assert set(script.stored) == {each.event_id for each in reported if each is not bad}
        assert reporter.stats().refused == {name: 1}
        assert script.dropped == {"refused": 1}
        assert script.sequences == list(range(len(script.sequences)))


def test_after_413_batches_stay_small(script: Scripted) -> None:
    script.script.append(problem(413, "wire-too-large"))
    with reporting(script.url) as reporter:
        for _ in range(10):
            reporter.report(event())
        assert reporter.flush(5)
        for _ in range(10):
            reporter.report(event())
        assert reporter.flush(5)
    assert [len(sent.ids) for sent in script.batches] == [10, 5, 5, 5, 5]


def test_a_proxy_in_front_that_allows_no_event_is_waited_for(script: Scripted) -> None:
    script.script += [html(413), html(413)]
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
    assert len(script.batches) == 3
    assert len(script.stored) == 1


def test_a_used_sequence_begins_a_new_stream(script: Scripted) -> None:
    script.script.append(problem(409, "sequence-reused"))
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
    (first, _), (second, sequence) = (sent.stream for sent in script.batches)
    assert first != second
    assert sequence == 0
    assert len(script.stored) == 1


def test_a_refused_coding_is_replaced(script: Scripted) -> None:
    def refuse(sent: Sent) -> Reply:
        coded = sent.headers.get("Content-Encoding") is not None
        return problem(415, "encoding-unsupported") if coded else script.store(sent)

    script.script += [refuse] * 4
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert reporter.flush(5)
    assert [sent.headers.get("Content-Encoding") for sent in script.batches] == ["zstd", "gzip", None]
    assert len({sent.body for sent in script.batches}) == 1


def test_retry_after_is_heeded(script: Scripted) -> None:
    script.script.append(problem(503, "stopping", Retry_After="1"))
    with reporting(script.url) as reporter:
        reporter.report(event())
        assert not reporter.flush(0.9)
        assert len(script.batches) == 1
        assert reporter.flush(5)


@pytest.mark.parametrize("says_so", [True, False])
def test_a_connection_that_the_server_closes_is_opened_again_at_once(script: Scripted, *, says_so: bool) -> None:
    def close(sent: Sent) -> Reply:
        stored = script.store(sent)
        if says_so:
            return stored._replace(headers={**stored.headers, "Connection": "close"})
        return stored._replace(closes_unsaid=True)

    script.script += [close, close]
    with reporting(script.url) as reporter:
        for _ in range(3):
            reporter.report(event())
            assert reporter.flush(5)
        assert reporter.stats().requests == {"200": 3}
