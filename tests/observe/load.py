"""Proxies of every kind at once: honest ones, one that repeats, some that send forbidden content, strangers."""

import itertools
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from ingest.knowledge.tokens import Credential
from ingest.store import tokens
from schema.event import Kind
from schema.vocabulary import Mode
from tests.support import customers, sample
from tests.support.customers import Customer, CustomerSpec
from tests.support.wire import Sender

TENANTS = {
    "main": CustomerSpec(),
    "coarsener": CustomerSpec(customers.EVERYTHING),
    "learner": CustomerSpec({Kind.MODEL: Mode.LEARN}, scopes=tokens.SCOPES),
}
HONEST = 3
TICK_S = 0.15
_MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
_AGAIN_S = 1.0


class Load:
    """The senders' threads, and the responses they got."""

    def __init__(self, bind: str, tenants: Mapping[str, Customer], seed: int) -> None:
        self.answers: Counter[int] = Counter()
        # Made-up texts, which occur only in refused bodies.
        self.canaries = [f"canary {secrets.token_hex(8)}", f"sk-proj-{secrets.token_urlsafe(36)}"]
        self._bind = bind
        self._tenants = tenants
        self._seed = seed
        self._is_over = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send until the end of the block."""
        kinds: list[Callable[[random.Random], None]] = [
            *[self._honest] * HONEST, self._coarsening, self._teaching, self._wrong, self._stranger,
        ]  # fmt: skip
        threads = [
            threading.Thread(target=kind, args=(random.Random(self._seed + place),)) for place, kind in enumerate(kinds)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _honest(self, rng: random.Random) -> None:
        """Send numbered batches, repeat some, leave out some, and report losses."""
        sender = self._sender("main")
        stream_id, sequence = sample.uuid7(), 0
        last = sample.event()
        while not self._is_over.is_set():
            events = [sample.event(routed_model=rng.choice(_MODELS)) for _ in range(rng.randrange(20, 400))]
            if rng.random() < 0.1:
                events.append(last)  # It was in another batch before.
            dropped = {rng.choice(("queue_full", "retries_exhausted")): 5} if rng.random() < 0.03 else {}
            body = sample.body(*events, stream=sample.stream(sequence, stream_id), dropped=dropped)
            self._send(sender, body)
            if rng.random() < 0.05:
                self._send(sender, body)
            last = events[0]
            sequence += 2 if rng.random() < 0.02 else 1
            self._is_over.wait(TICK_S * rng.uniform(0.5, 1.5))

    def _coarsening(self, rng: random.Random) -> None:
        """Send unregistered models for a tenant that coarsens them."""
        sender = self._sender("coarsener")
        while not self._is_over.is_set():
            events = [sample.event(routed_model=f"acme-next-{rng.randrange(1_000)}") for _ in range(20)]
            self._send(sender, sample.body(*events))
            self._is_over.wait(2 * TICK_S)

    def _teaching(self, _rng: random.Random) -> None:
        """Send a new version of a model each second, more than a day's budget."""
        sender = self._sender("learner")
        for name, major, minor in itertools.product(("opus", "sonnet", "haiku"), (6, 7), range(1, 21)):
            self._send(sender, sample.body(sample.event(routed_model=f"claude-{name}-{major}-{minor}")))
            if self._is_over.wait(1.0):
                return

    def _wrong(self, rng: random.Random) -> None:
        """Send bodies that must be refused: made-up content and secrets, and plain mistakes."""
        sender = self._sender("main")
        content, secret = self.canaries
        kinds: list[Callable[[], bytes]] = [
            lambda: sample.body(sample.event(prompt=content)),
            lambda: sample.body(sample.event(routed_model=secret)),
            lambda: sample.body(sample.event(messages=[content])),
            lambda: sample.body(sample.event(routed_model="acme-unknown-1")),
            lambda: sample.body(sample.event(tenant_name="acme")),
            lambda: b'{"events": [',
        ]
        while not self._is_over.is_set():
            self._send(sender, rng.choice(kinds)())
            self._is_over.wait(rng.uniform(0.1, 0.9))

    def _stranger(self, rng: random.Random) -> None:
        """Send with unknown tokens."""
        sender = Sender(self._bind, str(Credential.make()))
        while not self._is_over.is_set():
            self._send(sender, sample.body())
            self._is_over.wait(rng.uniform(0.2, 1.0))

    def _sender(self, tenant: str) -> Sender:
        return Sender(self._bind, self._tenants[tenant].token)

    def _send(self, sender: Sender, body: bytes) -> None:
        """Send until the response is not 503, as a proxy does."""
        while True:
            answer = sender.post(body)
            with self._lock:
                self.answers[answer.status] += 1
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or self._is_over.is_set():
                return
            time.sleep(_AGAIN_S)
