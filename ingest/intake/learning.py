"""Registers new terms from a tenant's traffic, and audits the rules that barred others."""

import time

from ingest import logs
from ingest.intake import metrics
from ingest.intake.errors import Rejected
from ingest.knowledge.snapshot import Snapshot
from ingest.store import snapshot, vocabulary
from ingest.store.errors import BudgetSpent, VocabularyFull
from ingest.store.lending import Connections
from schema.learning import Candidate
from schema.rules import SECRETS, Violation

AUDIT_S = 1.0
GAUNTLET = {rule.id for rule in SECRETS} | {
    "secret.high-entropy", "secret.password", "vocabulary.address", "vocabulary.bad-term", "vocabulary.budget",
    "vocabulary.encoded", "vocabulary.name", "vocabulary.number", "vocabulary.prose",
}  # fmt: skip


class Learning:
    """Learns on behalf of one worker."""

    def __init__(self, connections: Connections, known: Snapshot) -> None:
        self._connections = connections
        self._snapshot = known
        self._audited_at: dict[int, float] = {}

    async def learn(self, tenant_id: int, candidates: frozenset[Candidate]) -> None:
        """Register terms and bring the snapshot up to date; raises Rejected if the budget does not allow it."""
        async with self._connections.lend(tenant_id) as connection:
            try:
                learned = await vocabulary.learn(connection, tenant_id, candidates)
            except (BudgetSpent, VocabularyFull):
                learned = None
            else:
                # Read rather than added here: an operator may have removed one of them by now.
                await snapshot.refresh(connection, self._snapshot)
        if learned is None:
            metrics.learned_terms.labels("refused").inc(len(candidates))
            logs.warning("term-refused", tenant_id=tenant_id, count=len(candidates))
            refusal = Rejected((Violation("vocabulary.budget", ""),))
            await self.audit(tenant_id, refusal)
            raise refusal
        metrics.learned_terms.labels("learned").inc(len(learned))
        logs.info("term-learned", tenant_id=tenant_id, count=len(learned))

    async def audit(self, tenant_id: int, refusal: Rejected) -> None:
        """Audit the rule that barred a term in a tenant's traffic, at most once a second."""
        rule = refusal.violations[0].rule
        if rule not in GAUNTLET or time.monotonic() < self._audited_at.get(tenant_id, 0.0) + AUDIT_S:
            return
        self._audited_at[tenant_id] = time.monotonic()
        async with self._connections.lend(tenant_id) as connection:
            await vocabulary.audit_refusal(connection, tenant_id, rule)
