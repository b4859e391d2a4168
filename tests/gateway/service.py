"""A small service for tests of the gateway that need no PostgreSQL: it says who may, and judges what is reported.

Bearers, snapshots and events are checked by the real code; terms are the shipped ones and those of `admit`.
"""

import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import msgspec

from ingest.knowledge import keys
from ingest.knowledge.gateway import REASONS, TAG, GatewaySnapshot, GatewayTenant, GatewayToken
from ingest.knowledge.gateway_keys import NOW_HEADER
from ingest.knowledge.keys import Keys
from ingest.knowledge.tokens import Credential
from ingest.prove.gateway.service import GatewayHandler, QuietServer
from schema.decode import Refused, decode
from schema.event import STRINGS, Kind
from schema.vocabulary import Mode, Vocabulary
from tests.support import gauge
from tests.support.certificates import Pair

JsonEvent = dict[str, object]


def grant(*tenants: GatewayTenant, revision: int = 1) -> tuple[GatewaySnapshot, dict[int, str]]:
    """Return a snapshot with a token for each tenant, and the tokens."""
    made = {tenant.tenant_id: Credential.make() for tenant in tenants}
    tokens = [GatewayToken(each.token_id, tenant, each.secret_sha256) for tenant, each in made.items()]
    snapshot = GatewaySnapshot(revision, 0, tuple(tokens), tenants)
    return snapshot, {tenant: str(each) for tenant, each in made.items()}


@dataclass
class SmallService:
    """What the service says and has heard. Change `snapshot`, `key`, `is_away` or `clock_ahead_ms` at any time."""

    snapshot: GatewaySnapshot
    key_file: Path
    key: Keys
    url: str = ""
    is_away: bool = False  # Answers 503.
    clock_ahead_ms: int = 0
    polls: int = 0
    stored: dict[str, JsonEvent] = field(default_factory=dict)  # By id.
    tenants: dict[str, int] = field(default_factory=dict)  # Of events, by id.
    refused: list[bytes] = field(default_factory=list)  # Bodies that `schema.decode` refused.
    dropped: list[dict[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def events(self) -> list[JsonEvent]:
        return list(self.stored.values())

    def revoke(self, token_id: str) -> None:
        """Leave a token out from now on."""
        left = tuple(token for token in self.snapshot.tokens if token.token_id != token_id)
        self.snapshot = msgspec.structs.replace(self.snapshot, revision=self.snapshot.revision + 1, tokens=left)

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.clock_ahead_ms


@contextmanager
def small_service(snapshot: GatewaySnapshot, folder: Path, pair: Pair | None = None) -> Iterator[SmallService]:
    """Yield a service that listens until the block ends, over TLS if there is a pair; its key is in the folder."""
    key_file = folder / f"gateway-keys-{secrets.token_hex(4)}"
    service = SmallService(snapshot, key_file, keys.write(key_file))
    with QuietServer(("127.0.0.1", 0), _Handler) as server:
        server.service = service  # type: ignore[attr-defined]  # For the handlers.
        if pair is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pair.cert, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        service.url = f"{'https' if pair else 'http'}://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield service
        server.shutdown()


class _Handler(GatewayHandler):
    def get(self) -> None:
        service, bearer = self._service(), self.bearer()
        if self.path != "/v1/gateway/snapshot":
            self.answer(HTTPStatus.NOT_FOUND, b"")
            return
        service.polls += 1
        if service.is_away:
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, b"")
        elif bearer is None or not bearer.is_of(service.key, "snapshot"):
            self.answer(HTTPStatus.UNAUTHORIZED, b"")
        else:
            self._answer_with_snapshot(service)

    def _answer_with_snapshot(self, service: SmallService) -> None:
        now_ms, snapshot = service.now_ms(), service.snapshot
        tag = f'"{hashlib.sha256(msgspec.json.encode((snapshot.tokens, snapshot.tenants))).hexdigest()[:32]}"'
        headers = {"ETag": tag, NOW_HEADER: str(now_ms)}
        if self.headers["If-None-Match"] == tag:
            self.answer(HTTPStatus.NOT_MODIFIED, b"", headers)
        else:
            body = msgspec.json.encode(msgspec.structs.replace(snapshot, now_ms=now_ms))
            self.answer(HTTPStatus.OK, body, headers)

    def post(self) -> None:
        service, bearer, body = self._service(), self.bearer(), self.body()
        assert body is not None
        if service.is_away:
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, b"")
        elif bearer is None or not bearer.is_of(service.key, "events"):
            self.answer(HTTPStatus.UNAUTHORIZED, _problem("bad-token"))
        else:
            self.answer(*_store(service, bearer.tenant_id, body))

    def _service(self) -> SmallService:
        service = self.server.service  # type: ignore[attr-defined]  # Set by small_service.
        assert isinstance(service, SmallService)
        return service


def _store(service: SmallService, tenant_id: int, body: bytes) -> tuple[HTTPStatus, bytes]:
    """Judge a batch as the service does, and keep its events."""
    tenant = next((each for each in service.snapshot.tenants if each.tenant_id == tenant_id), None)
    if tenant is None:
        return HTTPStatus.UNAUTHORIZED, _problem("bad-token")
    try:
        decoded = decode(body, _vocabulary(tenant), gauge.window())
    except Refused:
        service.refused.append(body)
        return HTTPStatus.UNPROCESSABLE_ENTITY, _problem("rejected")
    events = _rows(json.loads(body))
    with service.lock:
        new = [event for event in events if str(event["event_id"]) not in service.stored]
        for event in new:
            service.stored[str(event["event_id"])] = event
            service.tenants[str(event["event_id"])] = tenant_id
        if dropped := json.loads(body).get("dropped"):
            service.dropped.append(dropped)
    assert len(events) == len(decoded.event_ids) // 16
    return HTTPStatus.OK, json.dumps({"accepted": len(new), "duplicates": len(events) - len(new)}).encode()


def _vocabulary(tenant: GatewayTenant) -> Vocabulary:
    known = Vocabulary(dict.fromkeys(Kind, Mode.REFUSE), gauge.SHIPPED)
    for place, term in enumerate(tenant.categories, 50_000):
        known.add(Kind.TASK_CATEGORY, 0, term, place)
    for place, key in enumerate(tenant.tags, 1):
        known.add(Kind.TAG_KEY, 0, key, place)
        for value_id, value in enumerate(REASONS if key == TAG else ("unknown",)):
            known.add(Kind.TAG_VALUE, place, value, place * 100 + value_id)
    return known


def _rows(batch: dict[str, object]) -> list[JsonEvent]:
    """Return the events of a batch in either form, or of losses alone."""
    if "columns" not in batch:
        rows = batch.get("events", [])
        assert isinstance(rows, list)
        return rows
    columns, terms = batch["columns"], batch.get("terms") or []
    tag_sets = batch.get("tag_sets") or []
    assert isinstance(columns, dict)
    assert isinstance(terms, list)
    assert isinstance(tag_sets, list)
    count = len(columns["event_id"])
    events = [{name: values[place] for name, values in columns.items()} for place in range(count)]
    for event in events:
        event.update({name: terms[event[name]] for name in STRINGS if isinstance(event[name], int)})
        if tag_sets:
            event["tags"] = tag_sets[event["tags"]]
    return events


def _problem(name: str) -> bytes:
    return json.dumps({"type": f"urn:nocontent:problem:{name}"}).encode()


def with_tenant(snapshot: GatewaySnapshot, tenant: GatewayTenant) -> GatewaySnapshot:
    """Return a snapshot in which a tenant is as given, such as with another mode, at the next revision."""
    others = tuple(each for each in snapshot.tenants if each.tenant_id != tenant.tenant_id)
    return msgspec.structs.replace(snapshot, revision=snapshot.revision + 1, tenants=(*others, tenant))
