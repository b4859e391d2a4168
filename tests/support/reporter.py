"""A proxy that reports under load and retries for ever."""

import http.client
import itertools
import threading
import time
from collections import Counter
from contextlib import closing

from tests.support import sample
from tests.support.wire import Answer, Sender

BATCH_EVENTS = 20
RETRY_S = 0.05  # Of a Retry-After of seconds: an outage shall be the service's, not the sender's patience.
PAUSE_S = 0.01  # Between batches: under load, but not as much as the machine can do.


class Reporter(threading.Thread):
    """A thread that sends batch after batch, retries each as docs/problems.md asks, and keeps the responses."""

    def __init__(self, sender: Sender, *, is_numbered: bool = False) -> None:
        super().__init__(daemon=True)  # So that a failing test does not wait for it.
        self.stored: list[str] = []
        self.stored_at: list[float] = []
        self.heard: Counter[str] = Counter()
        self.refusals: list[Answer] = []
        self.ending = threading.Event()
        self._sender = sender
        self._is_numbered = is_numbered

    def run(self) -> None:
        stream_id = sample.uuid7()
        with closing(self._sender):
            for sequence in itertools.count():
                if self.ending.is_set():
                    return
                events = [sample.event() for _ in range(BATCH_EVENTS)]
                envelope = {"stream": sample.stream(sequence, stream_id)} if self._is_numbered else {}
                body = sample.body(*events, **envelope)
                while not self._is_stored(body):
                    time.sleep(RETRY_S)
                self.stored += [str(event["event_id"]) for event in events]
                self.stored_at.append(time.monotonic())
                self.ending.wait(PAUSE_S)

    def _is_stored(self, body: bytes) -> bool:
        try:
            answer = self._sender.post(body)
        except ConnectionRefusedError:
            self.heard["refused"] += 1
            return False
        except (OSError, http.client.HTTPException):
            self.heard["closed"] += 1
            self._sender.close()
            return False
        self.heard[str(answer.status)] += 1
        if answer.status != 200:
            assert "retry-after" in answer.headers
            self.refusals.append(answer)
        return answer.status == 200
