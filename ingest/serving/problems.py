"""Maps errors to RFC 9457 problems by a table that each application composes; docs/problems.md lists all rows."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response
from starlette.types import Scope

from ingest.errors import Bug, IngestError, NotReady, Overloaded, Stopping, Unavailable
from ingest.serving.errors import (
    BadEncoding,
    BadRequest,
    BodyTooLarge,
    EncodingUnsupported,
    HeadTooLarge,
    MediaTypeUnsupported,
    MethodNotAllowed,
    NotFound,
    QueryNotEmpty,
    SlowBody,
    SlowHead,
    VersionUnsupported,
    WireTooLarge,
)
from schema.event import Word
from schema.rules import RULES

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:nocontent:problem:"


class ViolationBody(Struct, frozen=True, omit_defaults=True):
    """A broken rule and its place, never the value."""

    rule: Annotated[str, Meta(description="An id of docs/rules.md.")]
    pointer: Annotated[str, Meta(description="RFC 6901, with contract names only; `*` stands for any other name.")]
    says: Annotated[str, Meta(description="What the sender should do.")]
    use: Annotated[
        Word | None, Meta(description="The contract's word for a value known from other APIs; `null` is JSON's null.")
    ] = None


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    instance: Annotated[str, Meta(description="urn:uuid: and the X-Request-Id, to quote when asking the operator.")]
    violations: list[ViolationBody] = []
    failing: Annotated[list[str], Meta(description="On /readyz and /livez: the checks that fail.")] = []
    parameter: Annotated[str | None, Meta(description="The parameter of the query string that is at fault.")] = None


class Face(NamedTuple):
    """The HTTP form of an error. `problem` ends its type URI; a sender may retry if `retry_after_s` is set."""

    status: HTTPStatus
    problem: str
    title: str
    retry_after_s: int | None = None
    headers: Mapping[str, str] = MappingProxyType({})


Faces = Mapping[type[IngestError], Face]
# Makes the answer to a request that raised an error, with its request id; for paths whose clients know no problems.
Renderer = Callable[[Scope, IngestError, Face, str], Response]
FACES: Faces = {
    BadRequest: Face(HTTPStatus.BAD_REQUEST, "bad-request", "The request is not HTTP/1.1 (RFC 9112)"),
    HeadTooLarge: Face(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The request's head has too many bytes or fields"
    ),
    SlowHead: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-head", "The request's head did not arrive in time"),
    VersionUnsupported: Face(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version-unsupported", "Send HTTP/1.1; HTTP/2 is not supported"
    ),
    QueryNotEmpty: Face(HTTPStatus.BAD_REQUEST, "query-not-empty", "The URL must not have a query string"),
    BadEncoding: Face(HTTPStatus.BAD_REQUEST, "bad-encoding", "The body does not match its Content-Encoding"),
    NotFound: Face(HTTPStatus.NOT_FOUND, "not-found", "There is no such path"),
    MethodNotAllowed: Face(
        HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "The path has other methods: see Allow"
    ),
    SlowBody: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The body did not arrive in time"),
    WireTooLarge: Face(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "wire-too-large", "The body has too many bytes"),
    BodyTooLarge: Face(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "The body has too many bytes once decompressed"
    ),
    MediaTypeUnsupported: Face(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "media-type-unsupported",
        "Send Content-Type: application/json, or another that the path reads",
    ),
    EncodingUnsupported: Face(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "encoding-unsupported",
        "Send one Content-Encoding: gzip or zstd, or none",
        headers={"Accept-Encoding": "gzip, zstd"},
    ),
    Overloaded: Face(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "The queue is full; nothing was stored", 1),
    Unavailable: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The database is unavailable; nothing was stored", 2
    ),
    Stopping: Face(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The service is stopping; nothing was stored", 1),
    NotReady: Face(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready for traffic", 2),
    Bug: Face(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "A bug in the service; the operator's log shows where"),
}


def response(error: IngestError, face: Face, request_id: str) -> Response:
    """Return the answer to a request that raised an error."""
    problem = Problem(
        type=TYPE_PREFIX + face.problem,
        title=face.title,
        status=face.status,
        instance=f"urn:uuid:{request_id}",
        violations=[ViolationBody(rule, pointer, RULES[rule].says, use) for rule, pointer, use in error.violations],
        failing=list(error.failing),
        parameter=error.parameter or None,
    )
    return Response(msgspec.json.encode(problem), face.status, headers_of(error, face), MEDIA_TYPE)


def render(_scope: Scope, error: IngestError, face: Face, request_id: str) -> Response:
    """Return the answer as `response` does, for any path."""
    return response(error, face, request_id)


def headers_of(error: IngestError, face: Face) -> dict[str, str]:
    """Return the headers of an error's answer, whatever its body is."""
    headers = {}
    retry_after_s = face.retry_after_s if error.retry_after_s is None else error.retry_after_s
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    headers |= face.headers
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    return headers
