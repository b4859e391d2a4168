"""`GET /v1/policy`: the rules, bounds and terms in force, and what an event can hold at most.

It is long, and many reporters ask for it: made once for each change, kept as gzip in bounded memory, and answered by
turns of the tenants with rests between.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import Overloaded
from ingest.intake import auth, capacity
from ingest.intake.throttle import Throttle
from ingest.serving import documents
from ingest.serving.documents import Document
from ingest.store.fairness import TooManyWaiters
from ingest.store.snapshot import Snapshot, Tenant
from schema import composition, limits
from schema.event import DROP_REASONS, TERMS_MAX, Batch, Event, Kind
from schema.rules import RULES
from schema.vocabulary import GRAMMAR

_BOUNDS = {name.lower(): value for name, value in vars(limits).items() if name.isupper()}


KEPT_BYTES_MAX = 16 * 1024 * 1024  # Some 200 policies.
WAITING_MAX = 256  # Requests of one tenant.
REST_S = 0.008  # After each, some five times what sending it takes: at most 125 in a second.
_Version = tuple[int, int, int, int]


class Policy(Struct, frozen=True):
    """What a sender may rely on."""

    digest: Annotated[str, Meta(description="SHA-256 of contract, bounds, grammar and rules; alike means the same.")]
    retention_days: int
    fields: Annotated[list[str], Meta(description="Of an event; a newer reporter leaves out what is not here.")]
    drop_reasons: list[str]
    bounds: Annotated[dict[str, int], Meta(description="Units are in the names.")]
    grammar: Annotated[dict[str, str], Meta(description="Of terms, by kind.")]
    rules: Annotated[dict[str, str], Meta(description="Rule ids, and what to do about each.")]
    event_bits_max: Annotated[float, Meta(description="What one stored event can hold.")]
    event_bits: Annotated[dict[str, float], Meta(description="The same by field.")]
    modes: Annotated[dict[str, str], Meta(description="What becomes of a term that is not registered, by kind.")]
    terms: Annotated[dict[str, list[str]], Meta(description="What may be sent, by kind.")]
    spellings: Annotated[
        dict[str, list[str]],
        Meta(
            description="What an id is read as a term in spite of: parts around it, in lower case with dashes; names."
        ),
    ]
    tags: Annotated[dict[str, list[str]], Meta(description="Declared tag keys and their values.")]


@cache
def digest() -> str:
    """Tell this policy from another."""
    schemas = msgspec.json.schema_components([Batch], ref_template="{name}")
    grammar = {kind.name: pattern for kind, pattern in GRAMMAR.items()}
    sizes = {kind.name: size for kind, size in TERMS_MAX.items()}
    rules = [(rule.id, rule.pattern and rule.pattern.pattern, sorted(rule.names)) for rule in RULES.values()]
    whole = (schemas, _BOUNDS, grammar, sizes, rules, spellings())
    return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


@cache
def spellings() -> dict[str, list[str]]:
    """Return the closed lists and patterns by which an id is read as a term."""
    named = {kind: composition.aliases(kind) for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER)}
    return {
        "before": sorted(composition.heads()),
        "before_patterns": [composition.ARN.pattern, composition.HEADS.pattern],
        "behind": sorted(composition.tails()),
        "behind_patterns": [composition.TAILS.pattern],
        **{f"{kind.name.lower()}_names": sorted(f"{a} {b}" for a, b in names.items()) for kind, names in named.items()},
    }


async def get_policy(request: Request) -> Response:
    """Give the policy as it is for the token's tenant, unless the sender has it."""
    caller = auth.require(request, "policy:read")
    service = auth.service_of(request)
    policies = request.app.state.policies
    assert isinstance(policies, Policies)
    tag = policies.tag(service.snapshot, caller.tenant_id)
    if tag is None or not documents.is_known(request, tag):
        document = await policies.document(service.snapshot, caller.tenant_id)
        if not documents.is_known(request, document.tag):
            return documents.response(request, document)
        tag = document.tag
    return documents.not_modified(request, tag)


class Policies:
    """One worker's, as of the last change of each tenant's."""

    def __init__(self) -> None:
        self._throttle = Throttle(WAITING_MAX, REST_S)
        self._tags: dict[int, tuple[_Version, str]] = {}
        self._kept: dict[int, Document] = {}  # The longest unused first.
        self.bytes = 0

    def tag(self, snapshot: Snapshot, tenant_id: int) -> str | None:
        """Return the tag of a tenant's policy, if it was made since it changed."""
        version, tag = self._tags.get(tenant_id, (None, None))
        return tag if version == _version(snapshot, tenant_id) else None

    async def document(self, snapshot: Snapshot, tenant_id: int) -> Document:
        """Return a tenant's policy when it is its turn; raises Overloaded."""
        found: list[Document] = []

        def steps() -> Iterator[None]:
            document = self._kept.get(tenant_id) if self.tag(snapshot, tenant_id) else None
            if document is None:
                version = _version(snapshot, tenant_id)
                plain = msgspec.json.encode(_policy(snapshot.tenants[tenant_id], snapshot.retention_days))
                yield
                document = yield from documents.compress(plain)
                self._tags[tenant_id] = version, document.tag
            found.append(document)
            self._keep(tenant_id, document)

        try:
            await self._throttle.run(tenant_id, steps())
        except TooManyWaiters:
            raise Overloaded from None
        return found[0]

    def _keep(self, tenant_id: int, document: Document) -> None:
        """Put it behind all others, and forget those that were not used for longest."""
        self._forget(tenant_id)
        self._kept[tenant_id] = document
        self.bytes += len(document.compressed)
        while self.bytes > KEPT_BYTES_MAX:
            self._forget(next(iter(self._kept)))

    def _forget(self, tenant_id: int) -> None:
        document = self._kept.pop(tenant_id, None)
        if document is not None:
            self.bytes -= len(document.compressed)


def _version(snapshot: Snapshot, tenant_id: int) -> _Version:
    return snapshot.era, snapshot.shipped_revision, snapshot.tenants[tenant_id].revision, snapshot.retention_days


def _policy(tenant: Tenant, retention_days: int) -> Policy:
    vocabulary = tenant.vocabulary
    held = capacity.of_event(retention_days)
    kinds = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)
    return Policy(
        digest=digest(),
        retention_days=retention_days,
        fields=list(Event.__struct_fields__),
        drop_reasons=list(DROP_REASONS),
        bounds=_BOUNDS,
        grammar={kind.name.lower(): pattern for kind, pattern in GRAMMAR.items()},
        rules={rule.id: rule.says for rule in RULES.values()},
        event_bits_max=round(capacity.total(held), 1),
        event_bits={field: round(bits, 1) for field, bits in held},
        modes={kind.name.lower(): mode.name.lower() for kind, mode in vocabulary.modes.items()},
        terms={
            kind.name.lower(): sorted(vocabulary.kinds[kind].own.keys() | vocabulary.kinds[kind].shipped.keys())
            for kind in kinds
        },
        spellings=spellings(),
        tags={key: sorted(vocabulary.tag_values[key_id]) for key, key_id in sorted(vocabulary.tag_keys.items())},
    )
