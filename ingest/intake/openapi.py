"""Serves `GET /openapi.json`: an OpenAPI 3.1 document, generated from the types that decode and encode."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import cloudevents, examples, policy
from ingest.intake.extension import NOTHING, Extension
from ingest.intake.litellm import door as litellm
from ingest.intake.otlp import replies
from ingest.intake.partial import Answer
from ingest.serving import documents, problems, steps
from ingest.serving.documents import Document
from ingest.store.streams import StreamState
from schema.event import Batch
from schema.limits import EVENTS_MAX
from schema.receipt import Receipt

VERSION = "0.1.0"
_Document = dict[str, object]
_JSON = "application/json"
# Their records are of other people's formats, of which the doors read what they know: docs/litellm.md.
_OBJECT: _Document = {"type": "object"}
_ITEM: _Document = {"type": ["object", "null"]}  # LiteLLM can lack a record; it is rejected by itself.
_LITELLM_BODIES: Mapping[str, _Document] = {
    _JSON: {"oneOf": [{"type": "array", "items": _ITEM, "maxItems": litellm.RECORDS_MAX}, _OBJECT]}
}
_CLOUDEVENTS_BODIES: Mapping[str, _Document] = dict(
    zip(
        cloudevents.FORM.media_types,
        (_OBJECT, {"type": "array", "items": _ITEM, "maxItems": EVENTS_MAX}),
        strict=True,
    )
)
_LISTS = ("terms", "tag_sets", "columns")
# What the type of Batch cannot express: all three lists or none of them, and never beside rows.
_TOGETHER: _Document = {
    "dependentRequired": {name: [other for other in _LISTS if other != name] for name in _LISTS},
    "not": {"required": ["events", "columns"]},
}
# A token of a tenant, and what a gateway makes of the key that it shares with the service.
_SCHEMES = {name: {"type": "http", "scheme": "bearer"} for name in ("token", "gateway")}
_EXAMPLES: _Document = {"examples": {"rows": {"value": examples.ROWS}, "columns": {"value": examples.COLUMNS}}}


def document(extension: Extension = NOTHING) -> bytes:
    """Return the whole document."""
    types = (Batch, Receipt, Answer, policy.Policy, StreamState, problems.Problem, *extension.types)
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    components["Batch"] |= _TOGETHER
    paths: dict[str, _Document] = {
        "/v1/events": {
            "post": _operation("Store a batch of events", Receipt, ("events:write",), bodies={_JSON: ref(Batch)})
        },
        "/v1/integrations/litellm": {
            "post": _operation(
                "Store records of LiteLLM's callback generic_api", Answer, ("events:write",), bodies=_LITELLM_BODIES
            )
        },
        "/api/v1/events": {
            "post": _operation(
                "Store CloudEvents of LiteLLM's callback openmeter",
                Answer,
                ("events:write",),
                bodies=_CLOUDEVENTS_BODIES,
            )
        },
        "/v1/traces": {"post": _export("Store the calls of models among spans (OTLP/HTTP)")},
        "/v1/logs": {"post": _export("Store the calls among Claude Code's log records (OTLP/HTTP)")},
        "/v1/metrics": {"post": _export("Drop metrics unread, with a warning (OTLP/HTTP)")},
        "/v1/policy": {"get": _operation("The policy in force for this tenant", policy.Policy, ("policy:read",))},
        "/v1/streams/{id}": {
            "get": _operation("The batches that arrived of a stream", StreamState, ("streams:read",), parameter="id")
        },
        "/livez": {"get": _probe("Liveness of the worker")},
        "/readyz": {"get": _probe("Readiness of the worker for traffic")},
        **extension.paths,
    }
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "nocontent",
            "version": VERSION,
            "summary": "Telemetry of LLM proxies that cannot hold a prompt.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }
    return msgspec.json.encode(whole)


def compressed(extension: Extension) -> Document:
    """Return the document as an application keeps it."""
    return steps.finish(documents.compress(document(extension)))


async def get_openapi(request: Request) -> Response:
    """Return the document, or 304 if the sender has it."""
    made = request.app.state.openapi
    assert isinstance(made, Document)
    if documents.is_known(request, made.tag):
        return documents.not_modified(request, made.tag)
    return documents.response(request, made)


def _operation(
    summary: str,
    answer: type,
    scopes: tuple[str, ...],
    *,
    bodies: Mapping[str, _Document] = MappingProxyType({}),
    parameter: str | None = None,
) -> _Document:
    operation: _Document = {
        "summary": summary,
        "security": [{"token": list(scopes)}],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": ref(answer)}}},
            "default": problem(),
        },
    }
    if answer is policy.Policy:
        cast("_Document", operation["responses"])["304"] = {"description": "Unchanged since the ETag in If-None-Match"}
    if bodies:
        content = {
            media_type: {"schema": schema} | (_EXAMPLES if schema == ref(Batch) else {})
            for media_type, schema in bodies.items()
        }
        operation["requestBody"] = {"required": True, "content": content}
    if parameter is not None:
        schema = {"type": "string", "format": "uuid"}
        operation["parameters"] = [{"name": parameter, "in": "path", "required": True, "schema": schema}]
    return operation


def _export(summary: str) -> _Document:
    """Describe a path of OTLP/HTTP, whose messages are opentelemetry-proto's."""
    message = {
        media_type: {"schema": {"description": "As in opentelemetry-proto"}} for media_type in replies.MEDIA_TYPES
    }
    status = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "details": {"type": "array"}},
    }
    of_error = {**message, replies.JSON: {"schema": status}}
    return {
        "summary": summary,
        "security": [{"token": ["events:write"]}],
        "requestBody": {"required": True, "content": message},
        "responses": {
            "200": {"description": "OK, or partial success", "content": message},
            "default": {"description": "google.rpc.Status, in the encoding of the request", "content": of_error},
        },
    }


def _probe(summary: str) -> _Document:
    return {"summary": summary, "responses": {"200": {"description": "Yes"}, "503": problem()}}


def problem() -> _Document:
    """Describe the answer of a refusal."""
    return {"description": "RFC 9457", "content": {problems.MEDIA_TYPE: {"schema": ref(problems.Problem)}}}


def ref(kind: type) -> _Document:
    """Refer to the schema of a type."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
