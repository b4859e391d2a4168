"""Serves `GET /v1/invoices`: the documents of the caller's tenant, as JSON, as a page to print, or as PDF."""

import hashlib
from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ingest.intake import auth
from ingest.intake.throttle import Throttle
from ingest.knowledge.billing import parse_name
from ingest.reports import accept, invoice_answers, invoice_documents, query
from ingest.reports.errors import CursorInvalid
from ingest.reports.invoice_documents import HTML, JSON, PDF
from ingest.reports.usage import connections_of
from ingest.serving import documents
from ingest.serving.steps import Steps
from ingest.store.billing import invoices
from ingest.usage.rendering import html

_SCOPE = "invoices:read"
_encoder = msgspec.json.Encoder()
_START = ("", 0)


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
    invoice_documents.require_renderer(media_type)
    name = str(request.path_params["number"])
    async with connections_of(request).begin(caller.tenant_id) as connection:
        found = await invoice_documents.read(connection, caller.tenant_id, name)
    throttle = request.app.state.renderings
    assert isinstance(throttle, Throttle)
    made: list[bytes] = []
    await throttle.run(caller.tenant_id, _into(made, invoice_documents.render(found, media_type)))
    return _response(request, made[0], media_type, name)


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
