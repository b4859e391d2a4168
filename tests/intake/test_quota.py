"""A tenant's quota: `quota-exceeded`, and its headers."""

import re
import time
from collections.abc import Callable

from tests.support import sample
from tests.support.customers import Customer
from tests.support.service import Server, wait_until
from tests.support.wire import Sender

QUOTA = 10
EMPTY = '"events";r=0;'
SenderOf = Callable[[str], Sender]


def test_a_quota_is_kept_and_told(sender_of: SenderOf) -> None:
    _wait_for_room_in_the_minute()
    sender = sender_of("limited")
    first = sender.post(sample.body(*(sample.event() for _ in range(QUOTA))))
    assert first.status == 200
    assert first.headers["ratelimit-policy"] == f'"events";q={QUOTA};w=60'
    assert re.fullmatch(r'"events";r=0;t=[0-9]{1,2}', first.headers["ratelimit"])
    answer = sender.post(sample.body())
    assert (answer.status, answer.problem) == (429, "quota-exceeded")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit"].startswith(EMPTY)


def test_what_one_worker_has_stored_every_worker_knows(
    server: Server, tenants: dict[str, Customer], sender_of: SenderOf
) -> None:
    _wait_for_room_in_the_minute()
    token = tenants["thrifty"].token

    def left() -> set[str]:
        with server.one_to_each_worker(token) as senders:
            answers = [sender.post(sample.body(sample.event(prompt="hello"))) for sender in senders]
        return {answer.headers["ratelimit"].partition("t=")[0] for answer in answers}

    assert sender_of("thrifty").post(sample.body(*(sample.event() for _ in range(QUOTA)))).status == 200
    wait_until(lambda: left() == {EMPTY})
    with server.one_to_each_worker(token) as senders:
        assert [sender.post(sample.body()).problem for sender in senders] == ["quota-exceeded"] * len(senders)


def test_without_a_quota_nothing_is_said_of_one(sender: Sender) -> None:
    assert "ratelimit" not in sender.post(sample.body()).headers


def test_a_refused_batch_uses_up_nothing(sender_of: SenderOf) -> None:
    for _ in range(3):
        answer = sender_of("sparing").post(sample.body(sample.event(prompt="hello")))
        assert answer.headers["ratelimit"].startswith(f'"events";r={QUOTA};')


def _wait_for_room_in_the_minute() -> None:
    """Wait for the next minute if this one, to which the quota applies, is about to end."""
    left_s = 60 - time.time() % 60
    if left_s < 3:
        time.sleep(left_s)
