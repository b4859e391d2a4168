"""The demo's bad requests, each with the rule or problem it must be refused with."""

import gzip
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import zstandard

from ingest.knowledge.tokens import Credential

_encode = msgspec.json.encode


class Bad(NamedTuple):
    """A request that must be refused with this rule, or with this problem if its body was not examined."""

    what: str
    expected: str
    body: bytes
    headers: Mapping[str, str] = {}
    query: str = ""


def bad_requests(good: Mapping[str, object], old_id: str) -> list[Bad]:
    """Return one bad request of each kind, made from a good event."""
    said = "Our Q3 layoffs list is in the attached file; summarize it."
    body = _encode({"events": [good]})
    return [
        Bad("a prompt", "content.prompt", _with(good, prompt=said)),
        Bad("a chat", "content.message", _with(good, messages=[{"role": "user", "content": said}])),
        Bad("a completion in a tag", "content.output", _with(good, tags={"completion": said})),
        Bad("free-form metadata", "content.free-form", _with(good, metadata={"anything": said})),
        Bad("a provider's error text", "content.error", _with(good, error_message=said)),
        Bad("an API key for a model", "secret.anthropic-key", _with(good, routed_model="sk-ant-api03-" + "a1B2" * 6)),
        Bad("an API key under its own name", "secret.field", _with(good, api_key="0123456789abcdef")),
        Bad("a sentence for a model", "vocabulary.unknown-model", _with(good, routed_model=said.replace(" ", "-"))),
        Bad("an undeclared tag", "vocabulary.undeclared-tag-key", _with(good, tags={"customer-42": "x"})),
        Bad("an unregistered tag value", "vocabulary.unknown-tag-value", _with(good, tags={"team": "said-in-parts"})),
        Bad("a name said twice", "shape.duplicate-key", body.replace(b'"cached":', b'"cached":true,"cached":')),
        Bad("text in an escape", "shape.escape", body.replace(b"anthropic", b"anthr\\u006fpic")),
        Bad("a look-alike letter", "shape.non-ascii", body.replace(b"anthropic", "аnthropic".encode())),  # noqa: RUF001 (a Cyrillic letter)
        Bad("a fraction", "shape.wrong-type", _with(good, input_tokens=812.5)),
        Bad("a negative cost", "shape.out-of-range", _with(good, cost_nanousd=-1)),
        Bad("a random id", "shape.not-a-uuidv7", _with(good, event_id="9f6c2b1e-58d3-4a7e-8c1b-0f2e4d6a8b0c")),
        Bad("an event of long ago", "time.too-old", _with(good, event_id=old_id)),
        Bad("200,000 brackets", "shape.too-deep", b'{"events":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        Bad("half a body", "shape.malformed-json", body[: len(body) // 2]),
        Bad("a body of 30 MB", "wire-too-large", bytes(30_000_000)),
        Bad("a gzip bomb", "body-too-large", gzip.compress(bytes(64_000_000)), {"Content-Encoding": "gzip"}),
        Bad("a zstd bomb", "body-too-large", zstandard.compress(bytes(64_000_000)), {"Content-Encoding": "zstd"}),
        Bad("two codings at once", "encoding-unsupported", body, {"Content-Encoding": "gzip, gzip"}),
        Bad("a form", "media-type-unsupported", b"prompt=hello", {"Content-Type": "application/x-www-form-urlencoded"}),
        Bad("text in the query string", "query-not-empty", body, query="?note=hello"),
        Bad("a stranger's token", "bad-token", body, {"Authorization": f"Bearer {Credential('0' * 12, 'A' * 43)}"}),
    ]


def _with(good: Mapping[str, object], **changed: object) -> bytes:
    return _encode({"events": [{**good, **changed}]})
