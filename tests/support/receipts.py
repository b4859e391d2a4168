"""Orders and receipts of every scope, with a key to sign them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from ingest.rights.receipts import documents, signing, subjects
from ingest.rights.receipts.documents import (
    Count,
    Erasure,
    EventsScope,
    Order,
    Outcome,
    RangeScope,
    Receipt,
    Scope,
    StreamScope,
    TagScope,
    TenantScope,
)
from ingest.rights.receipts.keys import KeySet

KEY = signing.generate()
KEYS = KeySet(keys=(KEY.public,))
AT = datetime(2026, 11, 28, 5, 0, 0, 250_000, tzinfo=UTC)
TENANT_ID, CREATED_AT, WORD = 3, AT - timedelta(days=90), ("team", "search")
ERASURE_ID = UUID("0195f2c4-7d3a-7b10-8c55-6a1e2d3c4b5a")
SCOPES: tuple[Scope, ...] = (
    TenantScope(),
    RangeScope(first=AT - timedelta(days=2), last=AT - timedelta(days=1)),
    TagScope(term_id=9, last=AT),
    TagScope(term_id=9, first=AT - timedelta(days=2), last=AT),
    StreamScope(stream_id=ERASURE_ID, sequence=12),
    EventsScope(events=(UUID(int=1), UUID(int=2))),
)


def order(scope: Scope = SCOPES[0], erasure_id: UUID = ERASURE_ID, tenant_id: int = TENANT_ID) -> Order:
    """Return the order of an erasure."""
    word = WORD if isinstance(scope, TagScope) else None
    erasure = Erasure(erasure_id=erasure_id, tenant_id=tenant_id, scope=scope, requested_at=AT)
    return documents.order(erasure, subjects.subject(tenant_id, CREATED_AT, word), AT + timedelta(seconds=1))


def outcome(requested_at: datetime = AT) -> Outcome:
    """Return the end of an erasure."""
    return Outcome(
        requested_at=requested_at,
        finished_at=AT + timedelta(minutes=5),
        counts=(
            Count(table="invoices", erased=0, reduced=2, kept=2, why_kept="tax law"),
            Count(table="events", erased=20_000_000, reduced=0, kept=0),
        ),
        policy_digest="ab" * 32,
        schema_version=25,
        backup_days=14,
    )


def receipt(ordered: Order) -> Receipt:
    """Return the receipt for an order."""
    return documents.receipt(ordered, signing.sign(ordered, KEY), outcome())
