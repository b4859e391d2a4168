"""A tenant's quota: `quota-exceeded`, and what the headers say of it."""

import re
import time
from collections.abc import Callable

from tests.support import sample
from tests.support.wire import Sender

QUOTA = 10
SenderOf = Callable[[str], Sender]


def test_a_quota_is_kept_and_told(sender_of: SenderOf) -> None:
    _wait_for_room_in_the_minute()
    sender = sender_of("limited")
    assert sender.post(sample.body(*(sample.event() for _ in range(QUOTA + 1)))).problem == "quota-exceeded"
    first = sender.post(sample.body(*(sample.event() for _ in range(QUOTA))))
    assert first.status == 200
    assert first.headers["ratelimit-policy"] == f'"events";q={QUOTA};w=60'
    assert re.fullmatch(r'"events";r=0;t=[0-9]{1,2}', first.headers["ratelimit"])
    answer = sender.post(sample.body())
    assert (answer.status, answer.problem) == (429, "quota-exceeded")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit"].startswith('"events";r=0;')


def test_without_a_quota_nothing_is_said_of_one(sender: Sender) -> None:
    assert "ratelimit" not in sender.post(sample.body()).headers


def test_a_refused_batch_uses_up_nothing(sender_of: SenderOf) -> None:
    for _ in range(3):
        answer = sender_of("sparing").post(sample.body(sample.event(prompt="hello")))
        assert answer.headers["ratelimit"].startswith(f'"events";r={QUOTA};')


def _wait_for_room_in_the_minute() -> None:
    """Wait for the next minute if this one, which the quota is of, is about to end."""
    left_s = 60 - time.time() % 60
    if left_s < 3:
        time.sleep(left_s)
