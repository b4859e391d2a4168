"""From a body to what can be stored, or to the reasons why not: decodes, explains, learns, and decodes again."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from ingest import explain
from ingest.errors import Malformed, Overloaded, Rejected
from ingest.explain import Explanation
from ingest.fairness import FairSemaphore, LineFull
from ingest.lane import Lane
from ingest.learning import Learning
from ingest.store import rows
from ingest.store.batches import NO_SEQUENCE, Entry
from ingest.store.snapshot import Tenant, Token
from schema.decode import Decoded, Refused, Window, decode
from schema.event import DROP_REASONS
from schema.vocabulary import Mode

SMALL_BYTES = 65_536  # A body that takes so little time that it need not wait for its turn.
LARGE_WAITING_MAX = 1_024  # Larger ones of one tenant. `ingest.room` has room for fewer.
EXPLAIN_S_MAX = 2.0  # From the first look at a body to its answer, if it is refused.
LOOKS_MAX = 3


class Validation:
    """One worker's; `require` checks a token again and returns its tenant as known now."""

    def __init__(self, require: Callable[[Token], Tenant], window: Callable[[], Window], learning: Learning) -> None:
        self._require = require
        self._window = window
        self._learning = learning
        self._lane = Lane()
        self._large = FairSemaphore(1, 1, LARGE_WAITING_MAX)

    async def entry(self, token: Token, body: bytes) -> Entry:
        """Decode a body into what can be stored; raises Malformed, Rejected, Overloaded and what `require` raises.

        Operators act while a body waits for its turn: whatever it would be refused for is asked of what is known then.
        """
        refusal: Malformed | Rejected | None = None
        ends_at = asyncio.get_running_loop().time() + EXPLAIN_S_MAX
        for looks_left in reversed(range(LOOKS_MAX)):
            tenant = self._require(token)
            try:
                return await self._decode(tenant, body)
            except Refused:
                refusal = await self._explain(token, body, ends_at)
            if refusal is not None and (looks_left == 0 or not _may_learn(token, refusal)):
                break
            if isinstance(refusal, Rejected):
                await self._learning.learn(self._require(token).tenant_id, refusal.unlearned)
        if isinstance(refusal, Rejected) and "vocabulary:write" in token.scopes:
            await self._learning.audit(token.tenant_id, refusal)
        raise refusal or Rejected((explain.UNEXPLAINED,))

    async def _decode(self, tenant: Tenant, body: bytes) -> Entry:
        """Pass the gates and make rows, or raise Refused."""
        if len(body) < SMALL_BYTES:
            return _entry(tenant.tenant_id, decode(body, tenant.vocabulary, self._window(), rows.count))
        try:
            async with self._large.turn(tenant.tenant_id):
                # In two rounds of the loop, and one body at a time: whatever comes meanwhile waits for one of them,
                # above all the writer, whose connection is idle until then.
                decoded = decode(body, tenant.vocabulary, self._window(), rows.count)
                await asyncio.sleep(0)
                entry = _entry(tenant.tenant_id, decoded)
                await asyncio.sleep(0)
        except LineFull:
            raise Overloaded from None
        return entry

    async def _explain(self, token: Token, body: bytes, ends_at: float) -> Malformed | Rejected | None:
        """Explain a refusal when it is the tenant's turn; None if nothing is wrong, or if nothing was found in time."""
        explanations: list[Explanation] = []

        def steps() -> Iterator[None]:
            # When its turn has come: an operator may have registered a term meanwhile, or revoked the token.
            tenant = self._require(token)
            explanations.append(Explanation(body, tenant.vocabulary, self._window()))
            yield from explanations[0].steps()

        if asyncio.get_running_loop().time() >= ends_at:
            return self._cut(token, body, explanations)
        try:
            async with asyncio.timeout_at(ends_at):
                await self._lane.run(token.tenant_id, steps())
        except LineFull:
            return self._cut(token, body, explanations)
        except TimeoutError:
            if not explanations or explanations[0].refusal() is None:
                return None  # One more look: what was wrong may be right by now.
            return self._cut(token, body, explanations)
        return explanations[0].refusal()

    def _cut(self, token: Token, body: bytes, explanations: Sequence[Explanation]) -> Malformed | Rejected:
        """Refuse a body by what was found so far; raises Overloaded where learning could still mend it."""
        modes = self._require(token).vocabulary.modes.values()
        learns = "vocabulary:write" in token.scopes and Mode.LEARN in modes
        for explanation in explanations:
            found = explanation.refusal()
            if found is not None and (explanation.is_final or not learns):
                return found
        if learns:
            raise Overloaded  # It may be good once its terms are learned, and then it must not be dropped.
        return explain.cut(body)


def _may_learn(token: Token, refusal: Malformed | Rejected) -> bool:
    return isinstance(refusal, Rejected) and bool(refusal.unlearned) and "vocabulary:write" in token.scopes


def _entry(tenant_id: int, decoded: Decoded) -> Entry:
    batch = decoded.batch
    digest = rows.digest(decoded)
    dropped = batch.dropped or {}
    return Entry(
        tenant_id=tenant_id,
        stream_id=UUID(batch.stream.id) if batch.stream else digest,
        sequence=batch.stream.sequence if batch.stream else NO_SEQUENCE,
        digest=digest,
        events=len(batch.events),
        coarsened=decoded.coarsened,
        dropped=tuple(dropped.get(reason, 0) for reason in DROP_REASONS),
        rows=rows.encode(decoded, tenant_id),
    )
