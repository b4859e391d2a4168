"""The faces of every error that a process that accepts events can answer with."""

from http import HTTPStatus

from ingest.intake.errors import BatchOverQuota, Malformed, QuotaExceeded, QuotaSpent, Rejected
from ingest.knowledge.errors import (
    BadToken,
    ClockAdrift,
    ExpiredToken,
    NoToken,
    RevokedToken,
    ScopeMissing,
    TenantDisabled,
)
from ingest.serving import problems
from ingest.serving.problems import Face, Faces
from ingest.store.errors import OutcomeUnknown, SequenceReused, StreamNotFound, Unstorable

_UNAUTHENTICATED = {"WWW-Authenticate": 'Bearer realm="nocontent"'}
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer realm="nocontent", error="invalid_token"'}
_INSUFFICIENT_SCOPE = {"WWW-Authenticate": 'Bearer realm="nocontent", error="insufficient_scope"'}
_KNOWLEDGE: Faces = {
    NoToken: Face(
        HTTPStatus.UNAUTHORIZED, "no-token", "Send one Authorization: Bearer header", headers=_UNAUTHENTICATED
    ),
    BadToken: Face(HTTPStatus.UNAUTHORIZED, "bad-token", "The token is unknown", headers=_INVALID_TOKEN),
    ExpiredToken: Face(HTTPStatus.UNAUTHORIZED, "expired-token", "The token has expired", headers=_INVALID_TOKEN),
    RevokedToken: Face(HTTPStatus.UNAUTHORIZED, "revoked-token", "The token was revoked", headers=_INVALID_TOKEN),
    ScopeMissing: Face(
        HTTPStatus.FORBIDDEN, "scope-missing", "The token lacks the required scope", headers=_INSUFFICIENT_SCOPE
    ),
    TenantDisabled: Face(HTTPStatus.FORBIDDEN, "tenant-disabled", "The tenant is disabled"),
    ClockAdrift: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "clock-adrift", "The service's clocks disagree; nothing was stored", 10
    ),
}
_STORE: Faces = {
    StreamNotFound: Face(HTTPStatus.NOT_FOUND, "stream-not-found", "This tenant has sent no such stream"),
    SequenceReused: Face(
        HTTPStatus.CONFLICT, "sequence-reused", "The (stream, sequence) was already used for other events"
    ),
    Unstorable: Face(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unstorable", "The database refused a value that the contract allows"
    ),
    OutcomeUnknown: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "outcome-unknown", "Send the batch again: no event is stored twice", 2
    ),
}
_INTAKE: Faces = {
    Malformed: Face(HTTPStatus.BAD_REQUEST, "malformed", "The body is not one JSON document"),
    BatchOverQuota: Face(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "batch-over-quota",
        "The batch has more events than the quota of a whole minute",
    ),
    Rejected: Face(
        HTTPStatus.UNPROCESSABLE_ENTITY, "rejected", "The batch breaks the contract; none of it was stored or kept"
    ),
    QuotaExceeded: Face(HTTPStatus.TOO_MANY_REQUESTS, "quota-exceeded", "The tenant's quota is used up", 1),
    QuotaSpent: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "quota-spent", "The tenant's quota is used up; nothing was stored", 1
    ),
}
FACES: Faces = {**problems.FACES, **_KNOWLEDGE, **_STORE, **_INTAKE}
