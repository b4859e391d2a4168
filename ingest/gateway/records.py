"""Types that the gateway's packages pass to one another; none of them has content."""

from typing import Literal, NamedTuple

from ingest.knowledge.gateway import Reason

Shape = Literal["messages", "chat"]  # Of Anthropic's Messages API and of OpenAI's chat completions.
Provider = Literal["anthropic", "openai"]
DoorName = Literal["messages", "count-tokens", "models", "chat"]


class Door(NamedTuple):
    """A path of the gateway, and the provider behind it."""

    name: DoorName
    method: str
    provider: Provider
    shape: Shape  # Of its errors and, if it has one, of its body.
    has_body: bool = True
    is_reported: bool = True  # Its answers use tokens.


class Usage(NamedTuple):
    """What an answer used, as `nocontent_reporter.usage` counts: disjoint, except that reasoning is part of output."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Prefixes(NamedTuple):
    """Digests of what a request begins with: its conversation, and what that may share with others."""

    conversation: bytes
    shared: bytes  # Empty if that is too short to be cached.
    shared_estimate: int  # Tokens.


class Decision(NamedTuple):
    """Which model a request goes to, and why."""

    reason: Reason
    model: str  # As it is sent upstream.
    would: str | None = None  # The model that the tenant's table names.
    category: str = "unknown"
    confidence: int = 0  # In permille.
    fallbacks: tuple[str, ...] = ()
    term: str = "unknown"  # The requested model, by the catalogue's term.
    prefixes: Prefixes | None = None  # None if the answer is of no interest to later decisions.

    @property
    def sent_term(self) -> str:
        """The term of the model that the request goes to."""
        return self.model if self.reason == "routed" else self.term
