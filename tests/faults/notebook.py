"""The clients' common record of requests and responses."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from schema.receipt import Receipt
from tests.faults import batches
from tests.faults.batches import Batch, Fate, Nature


@dataclass
class Notebook:
    """The clients' record; a batch's number is its place in `batches`."""

    batches: list[Batch] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    finds: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    acknowledged: int = 0  # Events, each once.
    kept: int = 0  # Events in the spools of reporters, so far as these know: to be stored, or dropped and counted.
    _sent_at: float = float("-inf")  # The latest request that was answered with a receipt.
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(
        self, tenant_id: int, chance: random.Random, *, nature: Nature, stream: tuple[UUID, int] | None, repeats: int
    ) -> Batch:
        """Record a new batch of any time and size."""
        at_ms, own, salt = batches.any_time_ms(chance), batches.any_size(chance), chance.getrandbits(12)
        with self._changed:
            batch = Batch(len(self.batches), tenant_id, at_ms, salt, own, repeats, stream, nature)
            self.batches.append(batch)
        return batch

    def note_receipt(self, batch: Batch, answered: bytes, sent_at: float) -> None:
        """Record a 200: the batch's events are stored from now on, and the receipt counts each of them."""
        with self._changed:
            self.answers["200"] += 1
            self._note_sum(batch, answered)
            if batch.nature is not Nature.GOOD:
                self.finds[f"a {batch.nature.value} batch was answered 200"] += 1
            if not batch.was_acknowledged:
                batch.was_acknowledged = True
                self.acknowledged += batch.own
            self._sent_at = max(self._sent_at, sent_at)
            self._changed.notify_all()

    def _note_sum(self, batch: Batch, answered: bytes) -> None:
        try:
            receipt = msgspec.json.decode(answered, type=Receipt)
        except msgspec.MsgspecError:
            self.finds["a 200 without a receipt"] += 1
            return
        self.receipts["replayed" if receipt.replayed else "first"] += 1
        self.receipts["accepted"] += 0 if receipt.replayed else receipt.accepted
        self.receipts["duplicates"] += receipt.duplicates
        if receipt.accepted + receipt.duplicates != batch.size:
            self.finds["accepted and duplicates of a receipt are not the batch"] += 1
        if receipt.accepted > batch.own:
            self.finds["an acknowledged event was accepted once more"] += 1
        was_stored = receipt.replayed or receipt.accepted < batch.own
        if was_stored and batch.fate is Fate.DENIED:
            self.finds["a batch was there already, though every answer said that nothing was stored"] += 1

    def note_problem(self, batch: Batch, face: str, *, is_in_doubt: bool) -> None:
        """Record a response after which the same bytes are sent again."""
        with self._changed:
            self.answers[face] += 1
            batch.was_in_doubt |= is_in_doubt

    def note_refusal(self, batch: Batch, face: str) -> None:
        """Record an expected refusal."""
        with self._changed:
            self.answers[face] += 1
            batch.was_refused = True

    def note_loss(self, batch: Batch, error: str, *, is_in_doubt: bool) -> None:
        """Record a connection that broke or could not be made."""
        with self._changed:
            self.errors[error] += 1
            batch.was_in_doubt |= is_in_doubt

    def note_kept(self, batch: Batch) -> None:
        """Record that a reporter has a batch in its spool."""
        with self._changed:
            batch.was_acknowledged = True
            self.kept += batch.own

    def note_retry(self) -> None:
        with self._changed:
            self.retries += 1

    def find(self, what: str) -> None:
        """Record a fault."""
        with self._changed:
            self.finds[what] += 1

    def has_receipt_of_request_after(self, moment: float, timeout_s: float) -> bool:
        """Wait until a request sent after a moment is acknowledged."""
        return self._wait(lambda: self._sent_at > moment, timeout_s)

    def has_acknowledged(self, events: int, timeout_s: float) -> bool:
        """Wait until a number of events are acknowledged."""
        return self._wait(lambda: self.acknowledged >= events, timeout_s)

    def _wait(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(holds, timeout_s)
