"""The part of `/openapi.json` about this room's doors."""

from collections.abc import Mapping, Sequence

from ingest.intake.openapi import problem, ref
from ingest.knowledge.gateway import GatewaySnapshot
from ingest.knowledge.gateway_keys import NOW_HEADER
from ingest.reports import gateway, receipt_keys
from ingest.reports.answers import Usage
from ingest.reports.export_answers import ExportManifest
from ingest.reports.export_query import DAYS_MAX
from ingest.reports.invoice_answers import Drafts, Invoice, InvoiceList
from ingest.reports.query import GROUPS_MAX, LIMIT_DEFAULT, LIMIT_MAX, SPANS_MAX
from ingest.rights.exporting.writers import FORMATS, MEDIA_TYPES
from ingest.rights.receipts.keys import KeySet
from ingest.store.rights.datasets import BY_DAY, DATA, STANDING
from ingest.store.rights.moments import CHARS_MAX
from ingest.store.usage.reads import COLUMNS
from ingest.usage.processor import signature, webhook

_Document = dict[str, object]
_COUNT: _Document = {"type": "integer", "minimum": 0}
_TIME: _Document = {"type": "string", "format": "date-time"}
_UNCHANGED = {"description": "Unchanged since the ETag in If-None-Match"}
_LIMIT: _Document = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
_NUMBER: _Document = {"type": "string", "pattern": "^[A-Z]{2,8}-[0-9]{6,18}$"}
_CURSOR: _Document = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,512}$"}


def _parameter(name: str, schema: _Document, description: str) -> _Document:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_PAGED = [
    _parameter("limit", _LIMIT, "The most rows of an answer."),
    _parameter("cursor", _CURSOR, "`next` of the answer before, to the same question."),
]
_DIMENSION = f"^({'|'.join(COLUMNS)}|tag:[a-z0-9][a-z0-9._-]*)$"
_GROUP_BY: _Document = {
    "type": "array",
    "items": {"type": "string", "pattern": _DIMENSION},
    "minItems": 1,
    "maxItems": GROUPS_MAX,
    "uniqueItems": True,
}
_USAGE = {
    "summary": "Tokens, costs, savings, price check and latencies of this tenant, from rollups",
    "security": [{"token": ["usage:read"]}],
    "parameters": [
        _parameter("since", _TIME, "The start of an hour or a day, UTC."),
        _parameter("before", _TIME, "The end, not included; likewise."),
        _parameter("granularity", {"enum": list(SPANS_MAX), "default": "day"}, "The times of which rows are sums."),
        _parameter("group_by", _GROUP_BY, "Dimensions; `tag:` and a declared key is one.")
        | {"style": "form", "explode": False},
        _parameter("percentiles", {"enum": ["true", "false"], "default": "true"}, "Whether rows have percentiles."),
        *_PAGED,
    ],
    "responses": {
        "200": {"description": "OK", "content": {"application/json": {"schema": ref(Usage)}}},
        "304": _UNCHANGED,
        "default": problem(),
    },
}
_LIST = {
    "summary": "The invoices and credit notes of this tenant, by number",
    "security": [{"token": ["invoices:read"]}],
    "parameters": [_PAGED[0], _parameter("cursor", _NUMBER, "`next` of the answer before.")],
    "responses": {
        "200": {"description": "OK", "content": {"application/json": {"schema": ref(InvoiceList)}}},
        "304": _UNCHANGED,
        "default": problem(),
    },
}


def _document(summary: str, answer: type, parameters: list[_Document]) -> _Document:
    return {
        "summary": summary,
        "security": [{"token": ["invoices:read"]}],
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "OK, in the representation that `Accept` asks for",
                "content": {
                    "application/json": {"schema": ref(answer)},
                    "text/html": {"schema": {"type": "string"}},
                    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "304": _UNCHANGED,
            "default": problem(),
        },
    }


_KEYS = {
    "summary": "The public keys that receipts of erasures are signed with, current and older ones",
    "security": [],
    "responses": {
        "200": {
            "description": "OK, as a JSON Web Key Set (RFC 7517)",
            "content": {receipt_keys.MEDIA_TYPE: {"schema": ref(KeySet)}},
        },
        "304": _UNCHANGED,
        "default": problem(),
    },
}
_GRANTS = {
    "summary": "Who may use a gateway, and what each tenant wants, for gateways alone",
    "security": [{"gateway": []}],
    "responses": {
        "200": {
            "description": "OK",
            "headers": {NOW_HEADER: {"description": "The service's clock, in ms since 1970", "schema": _COUNT}},
            "content": {"application/json": {"schema": ref(GatewaySnapshot)}},
        },
        "304": _UNCHANGED,
        "default": problem(),
    },
}
_DAY: _Document = {"type": "string", "format": "date"}
_RANGE = [
    _parameter("from", _DAY, "The first day, UTC.") | {"required": True},
    _parameter("before", _DAY, f"The day after the last; {DAYS_MAX} days at most.") | {"required": True},
]
_DATA: _Document = {
    "type": "array", "items": {"enum": list(DATA)}, "minItems": 1, "maxItems": len(DATA), "uniqueItems": True,
}  # fmt: skip
_MOMENT: _Document = {"type": "string", "pattern": r"^[0-9]+:[0-9]+:[0-9,]*$", "maxLength": CHARS_MAX}
_MANIFEST = {
    "summary": "The parts of an export of this tenant's data, and the moment of those by day",
    "security": [{"token": ["exports:read"]}],
    "parameters": [
        *_RANGE,
        _parameter("data", _DATA, "Data sets; all by default.") | {"style": "form", "explode": False},
    ],
    "responses": {
        "200": {"description": "OK", "content": {"application/json": {"schema": ref(ExportManifest)}}},
        "default": problem(),
    },
}


def _part(summary: str, formats: Sequence[str], parameters: list[_Document]) -> _Document:
    content = {MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in formats}
    return {
        "summary": summary,
        "security": [{"token": ["exports:read"]}],
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK, in chunks, until the end or a cut", "content": content},
            "default": problem(),
        },
    }


def _file(pattern: str) -> _Document:
    ending = rf"\.({'|'.join(FORMATS)})$"
    return {"name": "file", "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern + ending}}


_TABLES = "|".join(sorted(table.name for table in STANDING))
_BY_DAY: _Document = {"name": "data", "in": "path", "required": True, "schema": {"enum": list(BY_DAY)}}
_EXPORTS: Mapping[str, _Document] = {
    "/v1/exports": {"get": _MANIFEST},
    "/v1/exports/focus.csv": {"get": _part("Usage by day as rows of FOCUS 1.2", ["csv"], _RANGE)},
    "/v1/exports/{file}": {
        "get": _part(
            "The rows of a table as they are; of a range of days where the manifest's link names one",
            [*FORMATS],
            [_file(f"^({_TABLES})"), *(each | {"required": False} for each in _RANGE)],
        )
    },
    "/v1/exports/{data}/{file}": {
        "get": _part(
            "The rows of a day as of the moment of a manifest",
            [*FORMATS],
            [
                _BY_DAY,
                _file("^[0-9]{4}-[0-9]{2}-[0-9]{2}"),
                _parameter("snapshot", _MOMENT, "Of the manifest.") | {"required": True},
                _parameter(
                    "after",
                    {"type": "string"},
                    "The event id of the last row that you have, to go on; not for Parquet.",
                ),
            ],
        )
    },
}
_IN_PATH: _Document = {"name": "number", "in": "path", "required": True, "schema": _NUMBER}
PATHS: Mapping[str, _Document] = {
    "/v1/usage": {"get": _USAGE},
    "/v1/invoices": {"get": _LIST},
    "/v1/invoices/draft": {"get": _document("The invoice of the month in progress, as things stand", Drafts, [])},
    "/v1/invoices/{number}": {"get": _document("An invoice or credit note of this tenant", Invoice, [_IN_PATH])},
    **_EXPORTS,
    receipt_keys.PATH: {"get": _KEYS},
    gateway.PATH: {"get": _GRANTS},
}
TYPES: tuple[type, ...] = (Usage, InvoiceList, Invoice, Drafts, ExportManifest, KeySet, GatewaySnapshot)
# Only where there are secrets to check a signature with.
WEBHOOK: Mapping[str, _Document] = {
    webhook.PATH: {
        "post": {
            "summary": "An event of Stripe's, of which the id and the type are noted",
            "security": [],
            "parameters": [
                {
                    "name": "Stripe-Signature",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "string", "maxLength": signature.HEADER_LENGTH_MAX},
                    "description": "Time and HMAC-SHA256, as `t=…,v1=…`.",
                }
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                "200": {
                    "description": "Noted, known before, or not about an invoice of ours",
                    "content": {"application/json": {"schema": {"type": "object", "maxProperties": 0}}},
                },
                "default": problem(),
            },
        }
    },
}
