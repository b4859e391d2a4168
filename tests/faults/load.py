"""Reporters that behave as docs/problems.md asks, and sometimes die: each sends batch after batch."""

import http.client
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from http import HTTPStatus
from uuid import UUID

from tests.faults import batches
from tests.faults.batches import Batch, Nature
from tests.faults.notebook import Notebook
from tests.support import sample
from tests.support.customers import Customer
from tests.support.wire import Answer, Sender

RETRY_S_MAX = 0.5  # What is left of a Retry-After of seconds, to have more of the load during the trouble.
DRAIN_S = 30.0  # For what is unanswered when the run ends; everything is up by then.
STREAM_BATCHES_MAX = 100  # Then the reporter begins a new life.
REMEMBERED = 8  # Acknowledged batches that a reporter may repeat.
DEBT_S_MAX = 0.1  # What an outage held up is not sent at once after it.
IN_DOUBT = "outcome-unknown"
DESERVED = {Nature.BAD: "422 rejected", Nature.REUSED: "409 sequence-reused"}


class Load:
    """All reporters, sharing the tenants and, equally, `events_per_s_max`."""

    def __init__(
        self, bind: str, customers: Sequence[Customer], clients: int, events_per_s_max: float, seed: int
    ) -> None:
        self.notebook = Notebook()
        self.ending, self._over = threading.Event(), threading.Event()
        self._threads = ThreadPoolExecutor(2 * clients)  # Each may send a batch on a second connection.
        chances = random.Random(seed)
        self._clients = [
            Client(self, bind, customers[place % len(customers)], events_per_s_max / clients, chances.getrandbits(64))
            for place in range(clients)
        ]
        self._running: list[Future[None]] = []

    def start(self) -> None:
        self._running = [self._threads.submit(client.run) for client in self._clients]

    def beside(self, client: "Client", sender: Sender, batch: Batch, body: bytes) -> Future[None]:
        """Make a client send a batch over another connection meanwhile."""
        return self._threads.submit(client.deliver, sender, batch, body)

    def is_over(self, timeout_s: float) -> bool:
        """Wait before a retry, unless no time is left for one."""
        return self._over.wait(timeout_s)

    def end(self) -> None:
        """Start nothing new, wait for the responses, then give up; raise the error of a failed client."""
        self.ending.set()
        _, left = wait(self._running, DRAIN_S)
        if left:
            self.notebook.find(f"clients without an answer for good {DRAIN_S:.0f} s after the last kill")
        self._over.set()
        self._threads.shutdown()
        for client in self._running:
            client.result()


class Client:
    """A reporter with two connections."""

    def __init__(self, load: Load, bind: str, customer: Customer, events_per_s: float, seed: int) -> None:
        self._load = load
        self._notebook = load.notebook
        self._tenant_id = customer.tenant_id
        self._senders = Sender(bind, customer.token), Sender(bind, customer.token)
        self._events_per_s = events_per_s
        self._chance = random.Random(seed)
        self._streams = self._sequences()
        self._remembered: deque[tuple[Batch, bytes]] = deque(maxlen=REMEMBERED)
        self._due_at = 0.0

    def run(self) -> None:
        """Send until the load ends."""
        while not self._load.ending.is_set():
            batch, body = self._next()
            if self._chance.random() < 0.1:
                batch.was_in_doubt = True  # Neither connection knows what became of the other's.
                twin = self._load.beside(self, self._senders[1], batch, body)
                self.deliver(self._senders[0], batch, body)
                twin.result()
            else:
                self.deliver(self._senders[0], batch, body)
            if batch.was_acknowledged:
                self._remembered.append((batch, body))
            self._keep_pace(batch.size)
        for sender in self._senders:
            sender.close()

    def deliver(self, sender: Sender, batch: Batch, body: bytes) -> None:
        """Send the same bytes until a final response, the reporter's death or the end of the run."""
        while not self._is_answered(sender, batch, body):
            gives_up = self._chance.random() < 0.03
            if gives_up or self._load.is_over(RETRY_S_MAX * self._chance.uniform(0.1, 1.0)):
                return
            self._notebook.note_retry()

    def _is_answered(self, sender: Sender, batch: Batch, body: bytes) -> bool:
        sent_at = time.monotonic()
        try:
            answer = sender.post(body)
        except (OSError, http.client.HTTPException) as lost:
            sender.close()
            if isinstance(lost, TimeoutError):
                self._notebook.find(f"no answer for {time.monotonic() - sent_at:.0f} s")
            self._notebook.note_loss(
                batch, type(lost).__name__, is_in_doubt=not isinstance(lost, ConnectionRefusedError)
            )
            return False
        if answer.status == HTTPStatus.OK:
            self._notebook.note_receipt(batch, answer.body, sent_at)
            return True
        return self._is_final(answer, batch)

    def _is_final(self, answer: Answer, batch: Batch) -> bool:
        face = answer.face
        is_ours = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if answer.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
            self._notebook.note_problem(batch, face, is_in_doubt=IN_DOUBT in face)
            if "without" in face:
                self._notebook.find(face)
            return False
        if face != DESERVED.get(batch.nature):
            self._notebook.find(f"a {batch.nature.value} batch was answered {face}")
        if is_ours:
            self._notebook.note_problem(batch, face, is_in_doubt=True)
        else:
            self._notebook.note_refusal(batch, face)
        return True

    def _next(self) -> tuple[Batch, bytes]:
        """Return a new batch, or an acknowledged one again."""
        chance = self._chance
        drawn = chance.random()
        if self._remembered and drawn < 0.05:
            return chance.choice(self._remembered)
        repeated: list[str] = []
        nature, stream = Nature.GOOD, next(self._streams) if chance.random() < 0.5 else None
        if self._remembered and drawn < 0.2:
            earlier, _ = chance.choice(self._remembered)
            repeated = list(earlier.ids(chance.randint(1, earlier.own)))
        elif drawn < 0.24:
            nature = Nature.BAD
        elif drawn < 0.26 and (used := [batch.stream for batch, _ in self._remembered if batch.stream is not None]):
            nature, stream = Nature.REUSED, chance.choice(used)
        batch = self._notebook.begin(self._tenant_id, chance, nature=nature, stream=stream, repeats=len(repeated))
        return batch, batches.body(batch, repeated, chance)

    def _sequences(self) -> "itertools.chain[tuple[UUID, int]]":
        lives = (UUID(sample.uuid7()) for _ in itertools.count())
        return itertools.chain.from_iterable(
            ((life, sequence) for sequence in range(STREAM_BATCHES_MAX)) for life in lives
        )

    def _keep_pace(self, events: int) -> None:
        now = time.monotonic()
        self._due_at = max(self._due_at, now - DEBT_S_MAX) + events / self._events_per_s
        self._load.ending.wait(max(0.0, self._due_at - now))
