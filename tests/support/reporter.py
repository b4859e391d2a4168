"""A proxy that reports under load and retries for ever."""

import http.client
import threading
import time
from collections import Counter
from contextlib import closing

from tests.support import sample
from tests.support.service import Server
from tests.support.wire import Sender


class Reporter(threading.Thread):
    """A thread that sends batch after batch, retries each as docs/problems.md asks, and keeps the responses."""

    def __init__(self, server: Server, token: str) -> None:
        super().__init__(daemon=True)  # So that a failing test does not wait for it.
        self.stored: list[str] = []
        self.heard: Counter[str] = Counter()
        self.ending = threading.Event()
        self._server, self._token = server, token

    def run(self) -> None:
        with closing(self._server.sender(self._token)) as sender:
            while not self.ending.is_set():
                events = [sample.event() for _ in range(20)]
                body = sample.body(*events)
                while not self._is_stored(sender, body):
                    time.sleep(0.05)
                self.stored += [str(event["event_id"]) for event in events]

    def _is_stored(self, sender: Sender, body: bytes) -> bool:
        try:
            answer = sender.post(body)
        except ConnectionRefusedError:
            self.heard["refused"] += 1
        except (OSError, http.client.HTTPException):
            self.heard["closed"] += 1
            sender.close()
        else:
            self.heard[str(answer.status)] += 1
            assert answer.status == 200 or "retry-after" in answer.headers
            return answer.status == 200
        return False
