"""Puts into words what a document states, and what its signature proves and does not prove."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET

from ingest.rights.receipts.documents import (
    Document,
    NotCovered,
    Order,
    RangeScope,
    Receipt,
    Scope,
    StreamScope,
    TagScope,
    TenantScope,
)

NOT_COVERED: dict[NotCovered, str] = {
    "backups": "base backups and dumps made before its end: until the time above, by the operator's word",
    "wal-archives": "archives of PostgreSQL's log: likewise",
    "replicas-not-yet-caught-up": "a replica, for as long as it lags",
    "freed-disk-space": "the bytes of freed rows, until PostgreSQL or the disk overwrites them",
    "reporters-spools": "what a proxy keeps to send again; it is left out when it arrives",
    "exports-handed-over": "what was exported and handed over before",
    "logs-of-others": "logs of proxies, load balancers and providers",
}
PROVEN = (
    "The holder of this key made exactly this statement.",
    "Not one byte of the file was changed since.",
)
NOT_PROVEN = (
    "That the key is your operator's: compare its id with the one published at /.well-known/nocontent-receipt-keys.",
    "That the statement is true: a signature shows who states something, not that it is so.",
    "The times: they are those of the operator's PostgreSQL.",
    "Which customer has the tenant's number: the file has no names.",
)


def lines(document: Document) -> Iterator[str]:
    """Yield what a document states."""
    erasure = document.erasure
    yield f"erasure {erasure.erasure_id} of tenant {erasure.tenant_id}: {scope(erasure.scope)}"
    yield f"  requested  {_at(erasure.requested_at)}"
    yield f"  ordered    {_at(document.ordered_at)}"
    if isinstance(document, Order):
        yield "  an order: what it names has to be erased, also from a restored copy; it does not state that it was"
    else:
        yield from _receipt(document)


def scope(wanted: Scope) -> str:
    """Return what was to be erased."""
    match wanted:
        case TenantScope():
            return "everything"
        case RangeScope():
            return f"events from {_at(wanted.first)} to {_at(wanted.last)}"
        case TagScope():
            first = "all" if wanted.first is UNSET else f"from {_at(wanted.first)}"
            return f"events with the tag value {wanted.term_id}, {first} to {_at(wanted.last)}"
        case StreamScope():
            return f"the ledger of stream {wanted.stream_id} up to sequence {wanted.sequence:,}"
    return f"{len(wanted.events):,} events by their ids"


def _receipt(receipt: Receipt) -> Iterator[str]:
    if receipt.replayed_at is not UNSET:
        yield f"  replayed   {_at(receipt.replayed_at)}, after the restore of an earlier backup"
    yield f"  finished   {_at(receipt.finished_at)}"
    yield f"  backups may hold it until {_at(receipt.backups_until)}"
    yield f"  {'table':32} {'erased':>16} {'reduced':>16} {'kept':>16}"
    for count in receipt.counts:
        reason = "" if count.why_kept is UNSET else f"  {count.why_kept}"
        yield f"  {count.table:32} {count.erased:>16,} {count.reduced:>16,} {count.kept:>16,}{reason}"
    yield f"  schema {receipt.schema_version}, policy {receipt.policy_digest}"
    yield "not covered:"
    for place in receipt.not_covered:
        yield f"  {NOT_COVERED[place]}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
