"""Requests, tenants and answers for tests of routing."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from ingest.gateway.reading import facts
from ingest.gateway.reading.facts import Facts
from ingest.gateway.records import Usage
from ingest.gateway.routing.decide import Router
from ingest.knowledge.gateway import GatewayTenant, Route

NOW_S = 1_795_900_000.0  # In November 2026.
OPUS, SONNET, HAIKU = "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"
LONG = "word " * 20_000  # 100,000 bytes: 25,000 tokens.
TENANT = GatewayTenant(
    7,
    mode="on",
    confidence_min=600,
    routes=(Route("summarization", HAIKU, (SONNET,)), Route("math", OPUS), Route("translation", "claude-opus-4-1")),
    categories=("summarization", "math", "translation", "general"),
)


class Label(NamedTuple):
    """What a classifier says."""

    category: str
    confidence: int


def classify(sample: bytes) -> Label:
    """Name the category that the text begins with, and the confidence that follows it."""
    category, _, rest = sample.decode().partition(":")
    confidence, _, _ = rest.partition(" ")
    return Label(category, int(confidence) if confidence.isdecimal() else 900)


def router() -> Router:
    return Router(classify)


def request(text: str = "summarization: x", /, *later: Mapping[str, object], **members: object) -> Facts:
    """Read a request that begins with a text of the user."""
    first = {"role": "user", "content": text}
    body = {"model": OPUS, "max_tokens": 1_000, "messages": [first, *later], **members}
    return facts.read(json.dumps(body).encode(), "messages")


def answer(text: str = "Done.") -> dict[str, object]:
    return {"role": "assistant", "content": text}


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


TOOL_LOOP = (
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
)
SIGNED = (
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]},
    {"role": "user", "content": "summarization: y"},
)
CACHED: dict[str, object] = {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]}
USED = Usage(input_tokens=100, output_tokens=50)
