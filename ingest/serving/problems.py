"""RFC 9457: how HTTP speaks of each thing that can go wrong. One table; docs/problems.md has a row for each."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from ingest import errors, logs, metrics
from schema.event import Word
from schema.rules import RULES

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:nocontent:problem:"
RULES_LOGGED_MAX = 5


class ViolationBody(Struct, frozen=True, omit_defaults=True):
    """A rule that was broken and where; never what was there."""

    rule: Annotated[str, Meta(description="An id of docs/rules.md.")]
    pointer: Annotated[str, Meta(description="RFC 6901, with contract names only: `*` stands for any other name.")]
    says: Annotated[str, Meta(description="What to do.")]
    use: Annotated[
        Word | None, Meta(description="The contract's word for a well-known value of others; `null` is JSON's null.")
    ] = None


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    instance: Annotated[str, Meta(description="urn:uuid: and the X-Request-Id, for asking the operator.")]
    violations: list[ViolationBody] = []
    failing: Annotated[list[str], Meta(description="Of /readyz and /livez: what is not as it should be.")] = []


class Face(NamedTuple):
    """How an error looks: `problem` ends its type URI; a sender may retry where there is a `retry_after_s`."""

    status: HTTPStatus
    problem: str
    title: str
    retry_after_s: int | None = None


FACES: Mapping[type[errors.IngestError], Face] = {
    errors.BadRequest: Face(HTTPStatus.BAD_REQUEST, "bad-request", "The request is not HTTP/1.1 (RFC 9112)"),
    errors.HeadTooLarge: Face(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The request's head has too many bytes or fields"
    ),
    errors.SlowHead: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-head", "The request's head did not arrive in time"),
    errors.VersionUnsupported: Face(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version-unsupported", "Send HTTP/1.1; there is no HTTP/2 here"
    ),
    errors.Malformed: Face(HTTPStatus.BAD_REQUEST, "malformed", "The body is not one JSON document"),
    errors.QueryNotEmpty: Face(HTTPStatus.BAD_REQUEST, "query-not-empty", "The URL may have no query string"),
    errors.BadEncoding: Face(HTTPStatus.BAD_REQUEST, "bad-encoding", "The body is not what Content-Encoding says"),
    errors.NoToken: Face(HTTPStatus.UNAUTHORIZED, "no-token", "Send one Authorization: Bearer header"),
    errors.BadToken: Face(HTTPStatus.UNAUTHORIZED, "bad-token", "The token is not known here"),
    errors.ExpiredToken: Face(HTTPStatus.UNAUTHORIZED, "expired-token", "The token has expired"),
    errors.RevokedToken: Face(HTTPStatus.UNAUTHORIZED, "revoked-token", "The token was revoked"),
    errors.ScopeMissing: Face(HTTPStatus.FORBIDDEN, "scope-missing", "The token does not have the scope for this"),
    errors.TenantDisabled: Face(HTTPStatus.FORBIDDEN, "tenant-disabled", "The tenant is disabled"),
    errors.NotFound: Face(HTTPStatus.NOT_FOUND, "not-found", "There is no such path"),
    errors.StreamNotFound: Face(HTTPStatus.NOT_FOUND, "stream-not-found", "This tenant has sent no such stream"),
    errors.MethodNotAllowed: Face(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "See the Allow header"),
    errors.SlowBody: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The body did not arrive in time"),
    errors.SequenceReused: Face(
        HTTPStatus.CONFLICT, "sequence-reused", "The (stream, sequence) was used for a batch of other events"
    ),
    errors.WireTooLarge: Face(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "wire-too-large", "The body has too many bytes"),
    errors.BodyTooLarge: Face(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "The body has too many bytes once decompressed"
    ),
    errors.BatchOverQuota: Face(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "batch-over-quota", "The batch has more events than a minute's whole quota"
    ),
    errors.MediaTypeUnsupported: Face(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type-unsupported", "Send Content-Type: application/json"
    ),
    errors.EncodingUnsupported: Face(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding-unsupported", "Send one Content-Encoding: gzip or zstd, or none"
    ),
    errors.Rejected: Face(
        HTTPStatus.UNPROCESSABLE_ENTITY, "rejected", "The batch breaks the contract; nothing of it was stored or kept"
    ),
    errors.Unstorable: Face(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unstorable", "The database refused a value that the contract allows"
    ),
    errors.QuotaExceeded: Face(HTTPStatus.TOO_MANY_REQUESTS, "quota-exceeded", "The tenant's quota is used up", 1),
    errors.Overloaded: Face(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "The queue is full; nothing was stored", 1),
    errors.Unavailable: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The database is away; nothing was stored", 2
    ),
    errors.ClockAdrift: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "clock-adrift", "The service's clocks disagree; nothing was stored", 10
    ),
    errors.OutcomeUnknown: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "outcome-unknown", "Send the batch again: what was stored will not be twice", 2
    ),
    errors.Stopping: Face(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The service is stopping; nothing was stored", 1),
    errors.NotReady: Face(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready for traffic", 2),
    errors.Bug: Face(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "A mistake of ours; the operator's log has the place"),
}
# All are there from the start, as 0, beside 200.
for _face in FACES.values():
    metrics.problems.labels(_face.problem)
_PATHLESS = {HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}  # Not under /v1/.
for _status in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, *(face.status for face in FACES.values())} - _PATHLESS:
    metrics.responses.labels(str(_status.value))
_CHALLENGE = {
    errors.NoToken: 'Bearer realm="nocontent"',
    errors.BadToken: 'Bearer realm="nocontent", error="invalid_token"',
    errors.ExpiredToken: 'Bearer realm="nocontent", error="invalid_token"',
    errors.RevokedToken: 'Bearer realm="nocontent", error="invalid_token"',
    errors.ScopeMissing: 'Bearer realm="nocontent", error="insufficient_scope"',
}


def response(error: errors.IngestError, request_id: str) -> Response:
    """Give the answer that an error deserves, count it and log it."""
    face = FACES[type(error)]
    metrics.problems.labels(face.problem).inc()
    violations = _violations(error)
    rules = list(dict.fromkeys(violation.rule for violation in violations))[:RULES_LOGGED_MAX]
    logs.info("refused", request_id=request_id, problem=face.problem, rules=rules)
    problem = Problem(
        type=TYPE_PREFIX + face.problem,
        title=face.title,
        status=face.status,
        instance=f"urn:uuid:{request_id}",
        violations=violations,
        failing=list(error.failing) if isinstance(error, errors.NotReady) else [],
    )
    return Response(msgspec.json.encode(problem), face.status, _headers(error, face), MEDIA_TYPE)


def _violations(error: errors.IngestError) -> list[ViolationBody]:
    if not isinstance(error, errors.Rejected | errors.Malformed):
        return []
    return [ViolationBody(rule, pointer, RULES[rule].says, use) for rule, pointer, use in error.violations]


def _headers(error: errors.IngestError, face: Face) -> dict[str, str]:
    headers = {}
    if isinstance(error, errors.QuotaExceeded):
        headers["Retry-After"] = str(error.reset_s)
    elif face.retry_after_s is not None:
        headers["Retry-After"] = str(face.retry_after_s)
    if type(error) in _CHALLENGE:
        headers["WWW-Authenticate"] = _CHALLENGE[type(error)]
    if isinstance(error, errors.EncodingUnsupported):
        headers["Accept-Encoding"] = "gzip, zstd"
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = error.allow
    return headers
