"""`POST /v1/events`: receipts, duplicates and replays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests.support import cluster, columns, sample
from tests.support.cluster import Watch
from tests.support.service import Server
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]


def receipt(answer: Answer) -> dict[str, object]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def test_a_batch_is_counted(sender: Sender) -> None:
    assert receipt(sender.post(sample.body(sample.event(), sample.event()))) == {"accepted": 2, "duplicates": 0}


def test_what_was_acknowledged_is_in_the_table(sender: Sender, server: Server) -> None:
    sent = sample.event(input_tokens=4_321)
    sender.post(sample.body(sent))
    query = "SELECT input_tokens FROM events WHERE event_id = $1"
    (row,) = cluster.fetch(server.dsn, query, UUID(str(sent["event_id"])))
    assert row["input_tokens"] == 4_321


def test_the_same_body_again_is_all_duplicates(sender: Sender) -> None:
    body = sample.body(sample.event(), sample.event())
    sender.post(body)
    assert receipt(sender.post(body)) == {"accepted": 0, "duplicates": 2}


def test_an_event_of_an_earlier_batch_is_a_duplicate(sender: Sender) -> None:
    known = sample.event()
    sender.post(sample.body(known))
    assert receipt(sender.post(sample.body(sample.event(), known))) == {"accepted": 1, "duplicates": 1}


def test_an_event_twice_in_a_batch_is_stored_once(sender: Sender) -> None:
    twice = sample.event()
    assert receipt(sender.post(sample.body(twice, twice))) == {"accepted": 1, "duplicates": 1}


def test_of_two_events_with_one_id_the_first_stands(sender: Sender, server: Server) -> None:
    first = sample.event(input_tokens=1)
    sender.post(sample.body(first))
    sender.post(sample.body({**first, "input_tokens": 2}))
    rows = cluster.fetch(
        server.dsn, "SELECT input_tokens FROM events WHERE event_id = $1", UUID(str(first["event_id"]))
    )
    assert [row["input_tokens"] for row in rows] == [1]


def test_two_tenants_may_have_an_event_of_one_id(sender_of: SenderOf) -> None:
    body = sample.body()
    assert [receipt(sender_of(name).post(body))["accepted"] for name in ("main", "other")] == [1, 1]


def test_a_replayed_sequence_gets_the_first_receipt(sender: Sender) -> None:
    body = sample.body(sample.event(), stream=sample.stream(7))
    sender.post(body)
    assert receipt(sender.post(body)) == {"accepted": 1, "duplicates": 0, "replayed": True}


def test_a_batch_in_rows_is_replayed_in_columns(sender: Sender) -> None:
    events, stream = (sample.event(), sample.event(cost_nanousd=None)), sample.stream(7)
    assert receipt(sender.post(sample.body(*events, stream=stream))) == {"accepted": 2, "duplicates": 0}
    repeated = columns.body(*events, stream=stream)
    assert receipt(sender.post(repeated)) == {"accepted": 2, "duplicates": 0, "replayed": True}
    assert receipt(sender.post(columns.body(*events))) == {"accepted": 0, "duplicates": 2}


def test_a_replay_stores_nothing(sender: Sender, watch: Watch) -> None:
    body = sample.body(sample.event(), stream=sample.stream(7))
    sender.post(body)
    before = watch.counts()
    sender.post(body)
    assert watch.counts() == before


def test_a_sequence_for_other_events_is_sequence_reused(sender: Sender, watch: Watch) -> None:
    stream = sample.stream(7)
    sender.post(sample.body(sample.event(), stream=stream))
    before = watch.counts()
    answer = sender.post(sample.body(sample.event(), stream=stream))
    assert (answer.status, answer.problem) == (409, "sequence-reused")
    assert watch.counts() == before


def test_two_tenants_may_use_one_stream_id(sender_of: SenderOf) -> None:
    stream = sample.stream(1)
    for name in ("main", "other"):
        assert receipt(sender_of(name).post(sample.body(stream=stream)))["accepted"] == 1


def test_five_thousand_events_are_one_batch(sender: Sender) -> None:
    body = sample.body(*(sample.event() for _ in range(5_000)))
    assert receipt(sender.post(body)) == {"accepted": 5_000, "duplicates": 0}


def test_one_bad_event_keeps_its_whole_batch_out(sender: Sender, watch: Watch) -> None:
    before = watch.counts()
    answer = sender.post(sample.body(*(sample.event() for _ in range(99)), sample.event(prompt="hello")))
    assert answer.violations == [("content.prompt", "/events/99/*")]
    assert watch.counts() == before


def test_batches_at_once_are_each_answered_with_their_own_count(sender_of: SenderOf) -> None:
    def post(count: int) -> int:
        accepted = receipt(sender_of("main").post(sample.body(*(sample.event() for _ in range(count)))))["accepted"]
        assert isinstance(accepted, int)
        return accepted

    sizes = [1, 700, 3, 50, 1_000, 2, 9, 400] * 4
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(post, sizes)) == sizes


def test_one_batch_from_many_at_once_is_stored_once(sender_of: SenderOf) -> None:
    body = sample.body(*(sample.event() for _ in range(200)))
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: receipt(sender_of("main").post(body)), range(32)))
    assert sum(int(str(answer["accepted"])) for answer in answers) == 200
    assert all(int(str(answer["accepted"])) + int(str(answer["duplicates"])) == 200 for answer in answers)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/policy", "/v1/nothing", "/livez", "/readyz", "/openapi.json"])
def test_every_answer_has_an_id_of_its_own(sender: Sender, path: str) -> None:
    ids = {sender.get(path, {"X-Request-Id": "Marjolein"}).headers["x-request-id"] for _ in range(2)}
    assert len({UUID(made) for made in ids}) == 2


def test_a_reader_of_ndjson_proxies_hears_only_of_the_contract(sender: Sender) -> None:
    answer = sender.post(sample.body(sample.event(Marjolein="was fired")))
    assert answer.violations == [("shape.unknown-field", "/events/0/*")]
    assert b"Marjolein" not in answer.body
    assert b"fired" not in answer.body
