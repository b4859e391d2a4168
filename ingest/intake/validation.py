"""Turns a body into an entry to store, or raises the reasons why not: decodes, explains, learns, decodes again."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from ingest.errors import Overloaded
from ingest.intake import explain
from ingest.intake.callers import Caller
from ingest.intake.errors import Malformed, Rejected
from ingest.intake.explain import Explanation
from ingest.intake.large_bodies import SMALL_BYTES, Work
from ingest.intake.learning import Learning
from ingest.intake.projection import Faults
from ingest.intake.throttle import Throttle
from ingest.knowledge.snapshot import Tenant
from ingest.serving import steps
from ingest.serving.body_memory import BodyMemory
from ingest.serving.steps import Steps
from ingest.store import rows
from ingest.store.batches import NO_SEQUENCE, Entry
from schema.decode import Decoded, Refused, Window, decode
from schema.event import DROP_REASONS
from schema.vocabulary import Mode

EXPLAIN_S_MAX = 2.0  # From the first refusal by a gate to the answer.
LOOKS_MAX = 3
EXPLAINED_BYTES_MAX = 16 * 1024 * 1024  # Of one tenant's bodies that wait to be explained; four times as much of all.


class Validation:
    """Validates for one worker; `require` checks a caller again and returns its tenant as known now."""

    def __init__(
        self, require: Callable[[Caller], Tenant], window: Callable[[Tenant], Window], learning: Learning
    ) -> None:
        self._require = require
        self._window = window
        self._learning = learning
        self._throttle = Throttle()
        self._explained = BodyMemory(4 * EXPLAINED_BYTES_MAX, EXPLAINED_BYTES_MAX)

    async def entry(self, caller: Caller, body: bytes, work: Work) -> Entry:
        """Decode a body into an entry; raises Malformed, Rejected, Overloaded and what `require` raises.

        Operators act while a body waits for its turn, so each look checks it against the tenant as known then.
        """
        refusal: Malformed | Rejected | None = None
        ends_at: float | None = None
        for looks_left in reversed(range(LOOKS_MAX)):
            try:
                return await self._decode(caller, body, work)
            except Refused:
                ends_at = ends_at or asyncio.get_running_loop().time() + EXPLAIN_S_MAX
                refusal = await self._explain(caller, body, ends_at)
            if refusal is not None and (looks_left == 0 or not _may_learn(caller, refusal)):
                break
            if isinstance(refusal, Rejected):
                await self._learning.learn(self._require(caller).tenant_id, refusal.candidates)
        if isinstance(refusal, Rejected) and caller.has_scope("vocabulary:write"):
            await self._learning.audit(caller.tenant_id, refusal)
        raise refusal or Rejected((explain.UNEXPLAINED,))

    def faults(self, caller: Caller) -> Faults:
        """Return a judge of events of other formats, by the tenant as known now; raises what `require` raises."""
        tenant = self._require(caller)
        return Faults(tenant.vocabulary, self._window(tenant), may_learn=caller.has_scope("vocabulary:write"))

    async def _decode(self, caller: Caller, body: bytes, work: Work) -> Entry:
        """Run the gates and encode the rows; raises Refused, Overloaded and what `require` raises."""
        making = self._making(caller, body)
        if len(body) < SMALL_BYTES and not work.has_turn:
            return steps.finish(making)
        entry = await work.decode(making)
        work.settle(entry.events)
        return entry

    def _making(self, caller: Caller, body: bytes) -> Steps[Entry]:
        tenant = self._require(caller)
        decoded = decode(body, tenant.vocabulary, self._window(tenant), rows.count)
        yield
        return _entry(tenant.tenant_id, decoded)

    async def _explain(self, caller: Caller, body: bytes, ends_at: float) -> Malformed | Rejected | None:
        """Explain a refusal when it is the tenant's turn; None if nothing is wrong, or if nothing was found in time."""
        explanations: list[Explanation] = []

        def explaining() -> Steps[None]:
            # Only now that its turn has come: an operator may have registered a term meanwhile, or revoked the token.
            tenant = self._require(caller)
            explanations.append(Explanation(body, tenant.vocabulary, self._window(tenant)))
            yield from explanations[0].steps()

        if asyncio.get_running_loop().time() >= ends_at:
            return self._cut(caller, body, explanations)
        try:
            with self._explained.share(caller.tenant_id) as hold:
                hold(len(body))
                async with asyncio.timeout_at(ends_at):
                    await self._throttle.run(caller.tenant_id, explaining())
        except Overloaded:
            return self._cut(caller, body, explanations)
        except TimeoutError:
            if not explanations or explanations[0].refusal() is None:
                return None  # Look once more: the fault may be gone by now.
            return self._cut(caller, body, explanations)
        return explanations[0].refusal()

    def _cut(self, caller: Caller, body: bytes, explanations: Sequence[Explanation]) -> Malformed | Rejected:
        """Refuse a body by the violations found so far; raises Overloaded if learning could still repair it."""
        modes = self._require(caller).vocabulary.modes.values()
        learns = caller.has_scope("vocabulary:write") and Mode.LEARN in modes
        for explanation in explanations:
            found = explanation.refusal()
            if found is not None and (explanation.is_final or not learns):
                return found
        if learns:
            raise Overloaded  # It may be good once its terms are learned, so the sender must not drop it.
        return explain.cut(body)


def _may_learn(caller: Caller, refusal: Malformed | Rejected) -> bool:
    return isinstance(refusal, Rejected) and bool(refusal.candidates) and caller.has_scope("vocabulary:write")


def _entry(tenant_id: int, decoded: Decoded) -> Entry:
    stream, dropped = decoded.stream, decoded.dropped or {}
    digest = rows.digest(decoded)
    return Entry(
        tenant_id=tenant_id,
        stream_id=UUID(stream.id) if stream else digest,
        sequence=stream.sequence if stream else NO_SEQUENCE,
        digest=digest,
        events=len(decoded.tags),
        coarsened=decoded.coarsened,
        dropped=tuple(dropped.get(reason, 0) for reason in DROP_REASONS),
        rows=rows.encode(decoded, tenant_id),
    )
