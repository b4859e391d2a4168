"""Requests that are refused, with a canary in every place that a sender can write."""

import json
from typing import NamedTuple

from ingest.prove.canaries import Canaries
from tests.support import sample
from tests.support.wire import Sender


class Told(NamedTuple):
    """The database, and the words that were in refused requests."""

    dsn: str
    canaries: Canaries


def refuse(sender: Sender, canaries: Canaries) -> None:
    """Send requests that are refused, with a canary in every place that a sender can write."""
    word = canaries.make
    for body in (
        sample.body(sample.event(prompt=word())),
        sample.body(sample.event(messages=[{"role": "user", "content": word()}])),
        sample.body(sample.event(**{word(): 1})),
        sample.body(sample.event(routed_model=word())),
        sample.body(sample.event(task_category=word())),
        sample.body(sample.event(provider=word())),
        sample.body(sample.event(tags={word(): "search"})),
        sample.body(sample.event(tags={"team": word()})),
        sample.body(sample.event(status=word())),
        sample.body(sample.event(input_tokens=word())),
        sample.body(sample.event(event_id=word())),
        sample.body(sample.event(routed_model=f"sk-proj-{word()}{'a' * 30}")),
        sample.body(**{word(): word()}),
        json.dumps({"events": word()}).encode(),
        f'{{"events": [{{"{word()}'.encode(),
        word().encode(),
    ):
        assert sender.post(body, {"User-Agent": word()}).status in {400, 422}
    assert sender.post(sample.body(), {"Content-Type": f"text/{word()}"}).status == 415
    assert sender.post(sample.body(), {"Content-Encoding": word()}).status == 415
    assert sender.post(sample.body()).status == 200
