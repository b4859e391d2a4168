"""Adds to the counts of a day: what was refused of tenants' requests, and what came by which token. Decision 0034.

The lists are closed, and a number's meaning never changes: a new door or field goes to the end.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from ingest.store.connections import Connection

Door = Literal["events", "litellm", "cloudevents", "otlp-traces", "otlp-logs"]
DOORS: tuple[Door, ...] = get_args(Door)  # From 1 on.
# Names of the contract at which a request may break a rule; 0 is none of them.
FIELDS = (
    None, "event_id", "task_category", "provider", "requested_model", "routed_model", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens", "cost_nanousd",
    "baseline_cost_nanousd", "latency_ms", "ttft_ms", "status", "http_status", "stop_reason", "streamed", "cached",
    "fallback", "retried", "escalated", "tags", "terms", "tag_sets", "stream", "dropped",
)  # fmt: skip
# Causes that are not rules: requests that were refused before their body was examined, or after.
PROBLEMS = (
    "scope-missing", "revoked-token", "expired-token", "tenant-disabled", "media-type-unsupported",
    "encoding-unsupported", "bad-encoding", "wire-too-large", "body-too-large", "slow-body", "batch-over-quota",
    "quota-exceeded", "quota-spent", "sequence-reused", "unstorable",
)  # fmt: skip
OTHER = "other"
KEPT_DAYS = 90


class Cell(NamedTuple):
    """What refusals are counted by: a rule or one of PROBLEMS, and one of FIELDS."""

    tenant_id: int
    door: Door
    cause: str
    field: str | None


class Refused(NamedTuple):
    """Whole requests, and single records of requests whose other records were stored."""

    requests: int
    records: int


class Sender(NamedTuple):
    """What arrivals are counted by; `version` is that of our reporter, 1002003 for 1.2.3, and 0 of any other client."""

    tenant_id: int
    token_id: str
    door: Door
    version: int


class Arrived(NamedTuple):
    """Requests, those of them that were refused, and events; `lag_ms` is the least from the last event to arrival."""

    requests: int
    refused: int
    events: int
    lag_ms: int | None


_REFUSALS = "SELECT nocontent.count_refusals($1, $2, $3, $4, $5, $6)"
_ARRIVALS = "SELECT nocontent.count_arrivals($1, $2, $3, $4, $5, $6, $7, $8)"


async def add_refusals(connection: Connection, counts: Mapping[Cell, Refused]) -> None:
    """Add refusals to those of today."""
    rows = [
        (cell.tenant_id, DOORS.index(cell.door) + 1, cell.cause, FIELDS.index(cell.field), *counted)
        for cell, counted in counts.items()
    ]
    await connection.execute(_REFUSALS, *map(list, zip(*rows, strict=True)))


async def add_arrivals(connection: Connection, counts: Mapping[Sender, Arrived]) -> None:
    """Add arrivals to those of today."""
    rows = [
        (sender.tenant_id, sender.token_id, DOORS.index(sender.door) + 1, sender.version, *counted)
        for sender, counted in counts.items()
    ]
    await connection.execute(_ARRIVALS, *map(list, zip(*rows, strict=True)))
