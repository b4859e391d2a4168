"""Reads documents of a tenant in all their forms, and makes the one that is wanted: JSON, a page to print, or PDF."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import msgspec

from ingest.errors import CannotStart
from ingest.reports import invoice_answers
from ingest.reports.errors import InvoiceNotFound, RendererMissing
from ingest.serving.steps import Steps
from ingest.store.billing import invoices, plans
from ingest.store.connections import Connection
from ingest.store.usage import reads
from ingest.usage.billing import close
from ingest.usage.rendering import html, sheet
from ingest.usage.rendering.sheet import Draft, Sheet

JSON, HTML, PDF = "application/json", "text/html", "application/pdf"
DRAFT = "draft"
_encoder = msgspec.json.Encoder()


class Found(NamedTuple):
    """A document, or the drafts of a month, for programs and for readers."""

    answer: msgspec.Struct
    sheets: Sequence[Sheet]


def makes_pdf() -> bool:
    """Return whether the extra `billing` is installed."""
    return find_spec("reportlab") is not None


def require_renderer(media_type: str) -> None:
    """Raise RendererMissing without the libraries that make a representation."""
    if media_type == PDF and not makes_pdf():
        raise RendererMissing


async def read(connection: Connection, tenant_id: int, name: str) -> Found:
    """Return a document of a tenant by its name, or the drafts of its month; raises InvoiceNotFound."""
    return await (_drafts if name == DRAFT else _issued)(connection, tenant_id, name)


async def _issued(connection: Connection, tenant_id: int, name: str) -> Found:
    document = await invoices.read(connection, tenant_id, name)
    if document is None:
        raise InvoiceNotFound
    tenant = await reads.tenant_name(connection, tenant_id)
    known = await plans.read_all(connection)
    return Found(
        invoice_answers.invoice(document, tenant, known),
        [sheet.of_invoice(document, tenant, known)],
    )


async def _drafts(connection: Connection, tenant_id: int, _name: str) -> Found:
    try:
        found = await close.draft(connection, tenant_id, None)
    except CannotStart:  # There is nothing to bill: the tenant is on no plan.
        raise InvoiceNotFound from None
    tenant = await reads.tenant_name(connection, tenant_id)
    known = await plans.read_all(connection)
    drafts = [Draft(kind, found.period, found.currency, found.usage_digest, lines) for kind, lines in found.documents]
    return Found(
        invoice_answers.drafts(drafts, tenant, known),
        [sheet.of_draft(each, tenant, known) for each in drafts],
    )


def render(found: Found, media_type: str) -> Steps[bytes]:
    """Make a representation, in steps."""
    if media_type == PDF:
        from ingest.usage.rendering import pdf  # noqa: PLC0415 (a tenth of a worker's start, and few workers need it)

        return (yield from pdf.render(found.sheets))
    yield
    return _encoder.encode(found.answer) if media_type == JSON else html.render(found.sheets)
