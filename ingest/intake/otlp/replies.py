"""Writes OTLP's replies in the encoding of the request: successes, partial ones, and google.rpc.Status for errors.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response. A client sends again only after 429, 502, 503 and 504.
"""

from collections import Counter
from http import HTTPStatus

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from ingest.errors import IngestError
from ingest.serving.problems import Face, headers_of
from schema.rules import RULES

MEDIA_TYPES = PROTOBUF, JSON = "application/x-protobuf", "application/json"
VIOLATIONS_SHOWN_MAX = 5
_SLOW_RETRY_S = 1
_CODES = {
    HTTPStatus.BAD_REQUEST: 3, HTTPStatus.UNAUTHORIZED: 16, HTTPStatus.FORBIDDEN: 7, HTTPStatus.NOT_FOUND: 5,
    HTTPStatus.METHOD_NOT_ALLOWED: 12, HTTPStatus.REQUEST_ENTITY_TOO_LARGE: 3, HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 3,
    HTTPStatus.TOO_MANY_REQUESTS: 8, HTTPStatus.SERVICE_UNAVAILABLE: 14, HTTPStatus.INTERNAL_SERVER_ERROR: 13,
}  # fmt: skip  # Of google/rpc/code.proto.
_UNKNOWN_CODE = 2
_VARINT, _LENGTH = 0, 2  # Wire types of protobuf.


def success(media_type: str) -> Response:
    """Return the reply to a request of which nothing was rejected."""
    return Response(b"" if media_type == PROTOBUF else b"{}", media_type=media_type)


def partial(media_type: str, field: str, rejected: int, message: str) -> Response:
    """Return the reply to a request of which some records were rejected; with none, the message is a warning."""
    if media_type == PROTOBUF:
        inner = (_number(1, rejected) if rejected else b"") + _bytes(2, message.encode())
        return Response(_bytes(1, inner), media_type=media_type)
    # In protobuf's JSON an int64 is a string.
    content = {"partialSuccess": {field: str(rejected), "errorMessage": message}}
    return Response(msgspec.json.encode(content), media_type=media_type)


def summary(rejected: Counter[str]) -> str:
    """Return a sentence about rejected records, with rule ids alone."""
    rules = ", ".join(f"{rule} ({count})" for rule, count in rejected.most_common(VIOLATIONS_SHOWN_MAX))
    return f"Not stored, by rule: {rules}"


def error(scope: Scope, raised: IngestError, face: Face, _request_id: str) -> Response:
    """Return the answer to a request that raised an error: `serving.problems.Renderer`."""
    status = _status(face.status)
    headers = headers_of(raised, face)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(_SLOW_RETRY_S))
    code, message = _CODES.get(status, _UNKNOWN_CODE), _message(raised, face)
    if Headers(scope=scope).get("content-type", "").lower().startswith(PROTOBUF):
        return Response(_number(1, code) + _bytes(2, message.encode()), status, headers, PROTOBUF)
    content = msgspec.json.encode({"code": code, "message": message, "details": []})
    return Response(content, status, headers, JSON)


def _status(status: HTTPStatus) -> HTTPStatus:
    """Return the status that OTLP has for one of ours: bad data is 400, and a slow sender may send again."""
    if status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}:
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.SERVICE_UNAVAILABLE if status is HTTPStatus.REQUEST_TIMEOUT else status


def _message(raised: IngestError, face: Face) -> str:
    """Return rules, places and advice; nothing of the request is in it."""
    broken = [
        f"{rule}{f' at {pointer}' if pointer else ''}: {RULES[rule].says}"
        for rule, pointer, _ in raised.violations[:VIOLATIONS_SHOWN_MAX]
    ]
    return f"{face.problem}: {' '.join(broken) or face.title}"


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3 | _VARINT]) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | _LENGTH]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits in a byte)
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
