"""Serves `GET /v1/policy`: the policy of the caller's tenant.

The document is long, and many reporters ask for it: it is encoded once after each change, kept as gzip in bounded
memory, and sent to tenants in turn, with rests between.
"""

from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth, policy
from ingest.intake.throttle import Throttle
from ingest.knowledge.snapshot import Snapshot
from ingest.serving import documents
from ingest.serving.documents import Document

KEPT_BYTES_MAX = 16 * 1024 * 1024  # Some 200 policies.
WAITING_MAX = 256  # Requests of one tenant.
REST_S = 0.008  # After each, some five times as long as sending takes: at most 125 in a second.
_Version = tuple[int, int, int, int]


async def get_policy(request: Request) -> Response:
    """Return the policy of the caller's tenant, or 304 if the sender has it."""
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
    """The policies that one worker keeps, each as of its tenant's last change."""

    def __init__(self) -> None:
        self._throttle = Throttle(WAITING_MAX, REST_S)
        self._tags: dict[int, tuple[_Version, str]] = {}
        self._kept: dict[int, Document] = {}  # The least recently used first.
        self.bytes = 0

    def tag(self, snapshot: Snapshot, tenant_id: int) -> str | None:
        """Return the tag of a tenant's policy, or None if the policy has changed since."""
        version, tag = self._tags.get(tenant_id, (None, None))
        return tag if version == _version(snapshot, tenant_id) else None

    async def document(self, snapshot: Snapshot, tenant_id: int) -> Document:
        """Return a tenant's policy when it is its turn; raises Overloaded."""
        found: list[Document] = []

        def steps() -> Iterator[None]:
            document = self._kept.get(tenant_id) if self.tag(snapshot, tenant_id) else None
            if document is None:
                version, tenant = _version(snapshot, tenant_id), snapshot.tenants[tenant_id]
                plain = msgspec.json.encode(policy.of(tenant, snapshot.days_of(tenant)))
                yield
                document = yield from documents.compress(plain)
                self._tags[tenant_id] = version, document.tag
            found.append(document)
            self._keep(tenant_id, document)

        await self._throttle.run(tenant_id, steps())
        return found[0]

    def _keep(self, tenant_id: int, document: Document) -> None:
        """Keep a document as the most recently used, and evict the least recently used."""
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
