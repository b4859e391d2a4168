"""`GET /v1/streams/{id}`: the batches that came, those missing, and the losses."""

from collections.abc import Callable

import pytest

from tests.support import sample
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]


def test_gaps_and_losses_of_a_stream_are_told(sender: Sender) -> None:
    stream_id = sample.uuid7()
    for sequence in (3, 4, 7, 9):
        stream = sample.stream(sequence, stream_id)
        assert sender.post(sample.body(stream=stream, dropped={"queue_full": 2, "shutdown": 1})).status == 200
    assert sender.get(f"/v1/streams/{stream_id}").json == {
        "batches": 4,
        "accepted": 4,
        "duplicates": 0,
        "coarsened": 0,
        "first_sequence": 3,
        "last_sequence": 9,
        "missing": 3,
        "gaps": [{"first": 5, "last": 6}, {"first": 8, "last": 8}],
        "dropped": {"queue_full": 8, "retries_exhausted": 0, "refused": 0, "shutdown": 4},
    }


def test_a_replay_counts_once(sender: Sender) -> None:
    stream_id = sample.uuid7()
    body = sample.body(stream=sample.stream(0, stream_id), dropped={"refused": 5})
    for _ in range(3):
        sender.post(body)
    state = sender.get(f"/v1/streams/{stream_id}").json
    assert (state["batches"], state["accepted"], state["dropped"]) == (
        1,
        1,
        {"queue_full": 0, "retries_exhausted": 0, "refused": 5, "shutdown": 0},
    )


def test_a_stream_of_another_tenant_is_not_found(sender_of: SenderOf) -> None:
    stream_id = sample.uuid7()
    assert sender_of("main").post(sample.body(stream=sample.stream(0, stream_id))).status == 200
    answer = sender_of("other").get(f"/v1/streams/{stream_id}")
    assert (answer.status, answer.problem) == (404, "stream-not-found")


@pytest.mark.parametrize("sequence", [0, 2**53 - 1])
def test_the_first_and_the_last_sequence_are_sequences(sender: Sender, sequence: int) -> None:
    stream_id = sample.uuid7()
    assert sender.post(sample.body(stream=sample.stream(sequence, stream_id))).status == 200
    assert sender.get(f"/v1/streams/{stream_id}").json["last_sequence"] == sequence
