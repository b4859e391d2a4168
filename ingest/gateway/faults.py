"""Renders our own refusals as the provider's errors: each has a status, the provider's type and an id for ever.

Upstream's own errors are not here: they pass to the client as they came. docs/gateway.md lists all rows.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec

from ingest.errors import Bug, Overloaded
from ingest.gateway.admission import errors as admission
from ingest.gateway.reading.errors import Malformed
from ingest.gateway.records import Shape
from ingest.gateway.upstream import errors as upstream
from ingest.serving.errors import (
    BadRequest,
    EncodingUnsupported,
    HeadTooLarge,
    MethodNotAllowed,
    NotFound,
    SlowBody,
    SlowHead,
    VersionUnsupported,
    WireTooLarge,
)

Fields = list[tuple[bytes, bytes]]
Kind = Literal[  # Of an error, by Anthropic's names.
    "invalid_request_error",
    "authentication_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "overloaded_error",
    "api_error",
]
OVERLOADED = 529  # Anthropic's status for a lack of capacity.


class Redirected(Exception):
    """The upstream answered with a redirect; following one would carry the client's key to another place."""


class Face(NamedTuple):
    """How a fault looks. A client may try again if `retry_after_s` is set."""

    status: int
    kind: Kind
    fault: str
    says: str
    retry_after_s: int | None = None


def _key(fault: str, says: str, status: int = HTTPStatus.UNAUTHORIZED) -> Face:
    kind: Kind = "authentication_error" if status == HTTPStatus.UNAUTHORIZED else "invalid_request_error"
    return Face(status, kind, fault, says)


def _request(status: int, fault: str, says: str) -> Face:
    return Face(status, "invalid_request_error", fault, says)


def _upstream(fault: str, says: str, retry_after_s: int | None = None) -> Face:
    return Face(HTTPStatus.BAD_GATEWAY, "api_error", fault, says, retry_after_s)


_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
FACES: Mapping[type[Exception], Face] = {
    # Who may.
    admission.TokenMissing: _key(
        "token-missing", "Send a gateway token in X-Nocontent-Token, or in place of the provider's key if one is kept."
    ),
    admission.TokenMalformed: _key("token-malformed", "X-Nocontent-Token is not a gateway token."),
    admission.TokenUnknown: _key("token-unknown", "The gateway token is unknown, was revoked, or is for other uses."),
    admission.TokenExpired: _key("token-expired", "The gateway token has expired."),
    admission.ProviderKeyAsToken: _key(
        "provider-key-as-token",
        "X-Nocontent-Token has a provider's key: send that in x-api-key or Authorization, and consider it disclosed.",
        HTTPStatus.BAD_REQUEST,
    ),
    admission.TokenAsProviderKey: _key(
        "token-as-provider-key", "A gateway token is in place of the provider's key, and none is kept for the tenant."
    ),
    admission.ProviderKeyMissing: _key("provider-key-missing", "Send the provider's key; none is kept for the tenant."),
    admission.ProviderKeyMalformed: _key(
        "provider-key-malformed", "The provider's key is empty, has characters that no key has, or is not a Bearer's."
    ),
    admission.ProviderKeysRepeated: _key(
        "provider-keys-repeated", "Send one provider's key: x-api-key or Authorization.", HTTPStatus.BAD_REQUEST
    ),
    admission.TokensRepeated: _key(
        "tokens-repeated", "Send X-Nocontent-Token once.", HTTPStatus.BAD_REQUEST
    ),
    admission.BoardStale: Face(
        HTTPStatus.SERVICE_UNAVAILABLE, "overloaded_error", "grants-stale",
        "The gateway has had no answer for too long about who may use it.", 5,
    ),
    # What was sent.
    BadRequest: _request(HTTPStatus.BAD_REQUEST, "bad-request", "The request is not HTTP/1.1 (RFC 9112)."),
    HeadTooLarge: _request(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The request's head has too many bytes or fields."
    ),
    SlowHead: Face(HTTPStatus.REQUEST_TIMEOUT, "timeout_error", "slow-head", "The head did not arrive in time."),
    VersionUnsupported: _request(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version-unsupported", "Send HTTP/1.1; HTTP/2 is not supported."
    ),
    NotFound: Face(HTTPStatus.NOT_FOUND, "not_found_error", "not-found", "The gateway has no such path."),
    MethodNotAllowed: _request(
        HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "The path takes another method: see Allow."
    ),
    SlowBody: Face(HTTPStatus.REQUEST_TIMEOUT, "timeout_error", "slow-body", "The body did not arrive in time."),
    WireTooLarge: Face(_TOO_LARGE, "request_too_large", "request-too-large", "The body has more than 32 MiB."),
    EncodingUnsupported: _request(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding-unsupported", "Send the body without a Content-Encoding."
    ),
    Malformed: _request(HTTPStatus.BAD_REQUEST, "body-malformed", "The body is not a JSON object with one model."),
    # What the gateway or the upstream could not do.
    Overloaded: Face(OVERLOADED, "overloaded_error", "memory-full", "The gateway has no memory for this body now.", 1),
    upstream.Busy: Face(OVERLOADED, "overloaded_error", "busy", "The gateway has too many requests at once.", 1),
    upstream.TenantBusy: Face(
        HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_error", "tenant-busy", "The tenant has too many requests at once.", 1
    ),
    upstream.CircuitOpen: Face(
        OVERLOADED, "overloaded_error", "circuit-open",
        "The provider has failed repeatedly, and is left alone for some seconds.", 5,
    ),
    upstream.Unreachable: _upstream("upstream-unreachable", "The provider cannot be reached.", 1),
    upstream.CertificateRefused: _upstream(
        "upstream-certificate", "The provider's certificate is not trusted, or is another host's."
    ),
    upstream.NoAnswer: _upstream("upstream-no-answer", "The provider closed the connection without an answer.", 1),
    upstream.CutShort: _upstream("upstream-cut-short", "The provider's answer ended too early.", 1),
    upstream.Abandoned: _upstream("upstream-abandoned", "The gateway gave the request up before its answer ended.", 1),
    upstream.BadAnswer: _upstream("upstream-bad-answer", "The provider's answer is not HTTP/1.1."),
    upstream.TooLong: _upstream("upstream-too-long", "The provider's answer has too many bytes."),
    Redirected: _upstream("upstream-redirect", "The provider answered with a redirect, which is not followed."),
    upstream.TimedOut: Face(
        HTTPStatus.GATEWAY_TIMEOUT, "timeout_error", "upstream-timed-out", "The provider did not answer in time.", 1
    ),
    Bug: Face(HTTPStatus.INTERNAL_SERVER_ERROR, "api_error", "bug", "A bug in the gateway; its log shows where."),
}  # fmt: skip


KNOWN = tuple(FACES)


class _Error(msgspec.Struct, frozen=True):
    type: str
    message: str


class _MessagesError(msgspec.Struct, frozen=True):
    error: _Error
    request_id: str
    type: str = "error"


class _ChatDetail(msgspec.Struct, frozen=True):
    message: str
    type: str
    code: str
    param: None = None


class _ChatError(msgspec.Struct, frozen=True):
    error: _ChatDetail


class Refusal(NamedTuple):
    """The answer to a request that the gateway refuses."""

    status: int
    fields: Fields
    body: bytes


def refusal(shape: Shape, error: Exception, request_id: str) -> Refusal:
    """Return the answer of a fault, in the shape of the door's provider."""
    face = FACES[type(error)]
    fields: Fields = [
        (b"content-type", b"application/json"),
        (b"request-id", request_id.encode("ascii")),
        (b"x-nocontent-fault", face.fault.encode("ascii")),
    ]
    retry_after_s = getattr(error, "retry_after_s", None) or face.retry_after_s
    if retry_after_s is not None:
        fields.append((b"retry-after", b"%d" % retry_after_s))
    elif face.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        fields.append((b"x-should-retry", b"false"))  # The providers' SDKs read it: they retry 5xx otherwise.
    if isinstance(error, MethodNotAllowed):
        fields.append((b"allow", error.allow.encode("ascii")))
    return Refusal(face.status, fields, _body(shape, face, request_id))


def _body(shape: Shape, face: Face, request_id: str) -> bytes:
    message = f"{face.says} (nocontent: {face.fault})"
    if shape == "chat":
        return msgspec.json.encode(_ChatError(_ChatDetail(message, face.kind, face.fault.replace("-", "_"))))
    return msgspec.json.encode(_MessagesError(_Error(face.kind, message), request_id))
