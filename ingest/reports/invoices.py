"""Serves `GET /v1/invoices`: the documents of the caller's tenant, as JSON, as a page to print, or as PDF."""

import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.errors import CannotStart
from ingest.intake import auth
from ingest.intake.throttle import Throttle
from ingest.knowledge.billing import parse_name
from ingest.reports import accept, invoice_answers, query
from ingest.reports.errors import CursorInvalid, InvoiceNotFound, RendererMissing
from ingest.reports.usage import connections_of
from ingest.serving import documents
from ingest.serving.steps import Steps
from ingest.store.billing import invoices, plans
from ingest.store.connections import Connection
from ingest.store.usage import reads
from ingest.usage.billing import close
from ingest.usage.rendering import html, sheet
from ingest.usage.rendering.sheet import Draft, Sheet

JSON, HTML, PDF = "application/json", "text/html", "application/pdf"
DRAFT = "draft"
_SCOPE = "invoices:read"
_encoder = msgspec.json.Encoder()
_START = ("", 0)


class _Found(NamedTuple):
    """A document in both forms, of which one is wanted."""

    answer: msgspec.Struct
    sheets: Sequence[Sheet]


async def get_invoices(request: Request) -> Response:
    """Return the documents of the caller's tenant without their lines, by number."""
    caller = auth.identify(request, _SCOPE)
    given = query.parameters(request.scope["query_string"], ("limit", "cursor"))
    limit = query.limit(given)
    after = parse_name(given["cursor"]) if "cursor" in given else _START
    if after is None:
        raise CursorInvalid("cursor")
    async with connections_of(request).begin(caller.tenant_id) as connection:
        found = await invoices.listed(connection, caller.tenant_id, after, limit + 1)
    answer = invoice_answers.InvoiceList(
        invoices=[invoice_answers.summary(each) for each in found[:limit]],
        next=found[limit - 1].name if len(found) > limit else None,
    )
    return _response(request, _encoder.encode(answer), JSON, "")


async def get_invoice(request: Request) -> Response:
    """Return a document of the caller's tenant, or the drafts of its month; raises InvoiceNotFound."""
    caller = auth.require(request, _SCOPE)
    media_type = accept.choose(request, (JSON, HTML, PDF))
    if media_type == PDF and find_spec("reportlab") is None:  # Without the extra `billing`.
        raise RendererMissing
    name = str(request.path_params["number"])
    async with connections_of(request).begin(caller.tenant_id) as connection:
        read = _drafts if name == DRAFT else _issued
        found = await read(connection, caller.tenant_id, name)
    throttle = request.app.state.renderings
    assert isinstance(throttle, Throttle)
    made: list[bytes] = []
    await throttle.run(caller.tenant_id, _into(made, _steps(found, media_type)))
    return _response(request, made[0], media_type, name)


async def _issued(connection: Connection, tenant_id: int, name: str) -> _Found:
    document = await invoices.read(connection, tenant_id, name)
    if document is None:
        raise InvoiceNotFound
    tenant = await reads.tenant_name(connection, tenant_id)
    known = await plans.read_all(connection)
    return _Found(
        invoice_answers.invoice(document, tenant, known),
        [sheet.of_invoice(document, tenant, known)],
    )


async def _drafts(connection: Connection, tenant_id: int, _name: str) -> _Found:
    try:
        found = await close.draft(connection, tenant_id, None)
    except CannotStart:  # There is nothing to bill: the tenant is on no plan.
        raise InvoiceNotFound from None
    tenant = await reads.tenant_name(connection, tenant_id)
    known = await plans.read_all(connection)
    drafts = [Draft(kind, found.period, found.currency, found.usage_digest, lines) for kind, lines in found.documents]
    return _Found(
        invoice_answers.drafts(drafts, tenant, known),
        [sheet.of_draft(each, tenant, known) for each in drafts],
    )


def _steps(found: _Found, media_type: str) -> Steps[bytes]:
    if media_type == PDF:
        from ingest.usage.rendering import pdf  # noqa: PLC0415 (a tenth of a worker's start, and few workers need it)

        return (yield from pdf.render(found.sheets))
    yield
    return _encoder.encode(found.answer) if media_type == JSON else html.render(found.sheets)


def _into(made: list[bytes], steps: Steps[bytes]) -> Iterator[None]:
    made.append((yield from steps))


def _response(request: Request, body: bytes, media_type: str, name: str) -> Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    if media_type == HTML:
        headers["Content-Security-Policy"] = html.POLICY
    if media_type == PDF:
        headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'  # By now a number of ours, or `draft`.
    if documents.is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
