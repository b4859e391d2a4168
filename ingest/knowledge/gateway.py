"""What the service tells gateways: who may use one, and which model each tenant wants for which category.

`GET /v1/gateway/snapshot` answers with a `GatewaySnapshot`; a gateway keeps it in memory and knows nothing else.
"""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

SCOPE = "gateway:use"  # Of a token that a gateway accepts.
CONFIDENCE_MAX = 1_000  # In permille.
FALLBACKS_MAX = 3
SNAPSHOT_BYTES_MAX = 16_777_216  # Of an encoded snapshot: some 100,000 tokens.

Mode = Literal["off", "dry-run", "on"]
MODES: tuple[Mode, ...] = get_args(Mode)

# Why a request went to the model it went to. In the header `x-nocontent-reason`, and in the event as the value of TAG.
Reason = Literal[
    "routed",  # The table named another model, and the request went there.
    "dry-run",  # It would have.
    "same-model",  # The table names the requested model.
    "off",  # The tenant routes nothing.
    "no-route",  # The table has no model for the category.
    "low-confidence",
    "unknown-model",  # The requested model is none of the tenant's terms, or has no price.
    "not-allowed",  # The table's model is none of those that the tenant allows.
    "refused-before",  # The table's model has refused a request of this conversation.
    "tool-loop",  # The last message answers a tool.
    "signed-thinking",  # It has thinking blocks, or asks for them: their signatures bind a conversation to its model.
    "warm-cache",  # The provider has the prefix cached, and switching would cost more than it saves.
    "too-dear",  # The table's model costs at least as much for this request, or has no price.
    "unreadable",  # The body is not of the shape that routing reads; the provider will say what is wrong with it.
    "count-only",  # The request counts tokens.
]
REASONS: tuple[Reason, ...] = get_args(Reason)
TAG = "routing_reason"  # The tag key of an event; enabling a tenant's routing declares it, with REASONS as its values.

# What a gateway's classifier names, of the shared catalogue; a route of another category is never followed. A test
# compares it with the weights.
CATEGORIES = (
    "chat", "classification", "code_explanation", "code_generation", "creative_writing", "data_analysis", "debugging",
    "email", "extraction", "math", "question_answering", "reasoning", "rewriting", "sql_generation", "summarization",
    "translation",
)  # fmt: skip

Permille = Annotated[int, Meta(ge=0, le=CONFIDENCE_MAX)]


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """The models for a category, by the tenant's terms: the first is taken, the others if it fails."""

    category: str
    model: str
    fallbacks: tuple[str, ...] = ()


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant's own price of a model, in pico-USD a token; -1 where it is not known."""

    provider: str
    model: str
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


class GatewayTenant(Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant that has a token of the scope."""

    tenant_id: int
    mode: Mode = "off"
    confidence_min: Permille = CONFIDENCE_MAX
    routes: tuple[Route, ...] = ()
    models: tuple[str, ...] = ()  # Those that it allows as the target of a switch; empty: those of its routes.
    categories: tuple[str, ...] = ()  # Those of CATEGORIES that are terms of the tenant.
    rates: tuple[Rate, ...] = ()
    concurrency_max: int = 0  # 0: the gateway's own bound.
    tags: tuple[str, ...] = ()  # Declared tag keys; a reason is reported only if TAG is one of them.


class GatewayToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token of the scope, without its secret."""

    token_id: str
    tenant_id: int
    secret_sha256: bytes
    expires_at_ms: int | None = None


class GatewaySnapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a gateway knows. Revoked and expired tokens, and disabled tenants, are left out."""

    revision: int
    now_ms: int  # The service's clock when it answered.
    tokens: tuple[GatewayToken, ...] = ()
    tenants: tuple[GatewayTenant, ...] = ()
