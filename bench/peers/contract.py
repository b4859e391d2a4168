"""The batch as pydantic types, and the table with text columns: what a team would write that trusts its senders."""

import datetime as dt
import os
import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, SmallInteger, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

TOKENS = {f"Bearer {os.environ['BENCH_TOKEN']}": 1}
DSN = os.environ["BENCH_DSN"]

Name = Annotated[str, StringConstraints(min_length=1, max_length=96)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Cost = Annotated[int, Field(ge=0, le=10**12)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event_id: uuid.UUID
    task_category: Name
    provider: Name
    requested_model: Name
    routed_model: Name
    input_tokens: Count
    output_tokens: Count
    cache_read_tokens: Count
    cache_write_5m_tokens: Count
    cache_write_1h_tokens: Count
    reasoning_tokens: Count
    cost_nanousd: Cost
    baseline_cost_nanousd: Cost | None
    latency_ms: Milliseconds
    ttft_ms: Milliseconds | None
    status: Literal["ok", "error", "timeout", "rate_limited", "cancelled", "refused"]
    http_status: Annotated[int, Field(ge=100, le=599)] | None
    stop_reason: Name | None
    streamed: bool
    cached: bool
    fallback: bool
    retried: bool
    escalated: bool
    tags: dict[str, str]


class Stream(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: uuid.UUID
    sequence: int


class Batch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[Event], Field(min_length=1, max_length=5_000)]
    stream: Stream | None = None


_NAMES = ("task_category", "provider", "requested_model", "routed_model")
_COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens",
)  # fmt: skip
_FLAGS = ("streamed", "cached", "fallback", "retried", "escalated")


def table(name: str) -> Table:
    """Describe the table of one peer."""
    return Table(
        name,
        MetaData(),
        Column("event_id", Uuid, primary_key=True),
        Column("tenant_id", Integer, nullable=False),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        *(Column(column, Text, nullable=False) for column in _NAMES),
        *(Column(column, Integer, nullable=False) for column in _COUNTS),
        Column("cost_nanousd", BigInteger, nullable=False),
        Column("baseline_cost_nanousd", BigInteger),
        Column("latency_ms", Integer, nullable=False),
        Column("ttft_ms", Integer),
        Column("status", Text, nullable=False),
        Column("http_status", SmallInteger),
        Column("stop_reason", Text),
        *(Column(column, Boolean, nullable=False) for column in _FLAGS),
        Column("tags", JSONB, nullable=False),
    )


def occurred_at(event_id: uuid.UUID) -> dt.datetime:
    return dt.datetime.fromtimestamp((event_id.int >> 80) / 1_000, dt.UTC)
