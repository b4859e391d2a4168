"""Billing: the plan, the draft of this month, the issued documents, and what the price check found."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.knowledge.billing import Invoice, Plan, Subscription, Terms
from ingest.reports import answers, invoice_documents, summing
from ingest.reports.errors import InvoiceNotFound
from ingest.reports.invoice_documents import DRAFT, JSON, PDF, Found
from ingest.reports.query import Question
from ingest.serving.errors import NotFound
from ingest.store.billing import accounts, invoices, plans
from ingest.store.connections import Connection
from ingest.store.usage.reads import COLUMNS
from ingest.store.usage.reads import Page as Rows
from ingest.usage.billing import periods
from ingest.usage.rendering.sheet import Sheet

PAYERS: frozenset[Role] = frozenset(("owner", "admin", "billing"))
CHECKED_MONTHS = 12
MODELS_MAX = 1_000
_LINES = (
    Column("month", "Month"),
    Column("charge", "Charge"),
    Column("quantity", "Quantity", "figure"),
    Column("rate", "Rate", "figure"),
    Column("amount", "Amount", "figure"),
)
_DOCUMENTS = (
    Column("number", "Number"),
    Column("kind", "Kind"),
    Column("month", "Month"),
    Column("state", "State"),
    Column("total", "Total", "amount"),
    Column("currency", "Currency"),
    Column("issued_at", "Issued", "when"),
    Column("paid_at", "Paid", "when"),
)
_PLANS = (
    Column("from", "From"),
    Column("plan", "Plan"),
    Column("time_zone", "Months of"),
)
_MONTH = Column("month", "Month")
_MODEL = (Column("provider", "Provider"), Column("model", "Model"))
_CHECKS = (
    Column("matched", "Agree", "count"),
    Column("mismatched", "Differ", "count"),
    Column("difference_usd", "Reported less computed", "money"),
    Column("list_usd", "By the price book", "money"),
    Column("unchecked", "Not in the book", "count"),
    Column("unpriced", "Without a price", "count"),
)
_STATES = {"finalized": "due", "paid": "paid", "void": "void"}
_NANO, _MICRO = Decimal(1_000_000_000), Decimal(1_000_000)


async def show(visit: Visit) -> Response:
    """Show what this month comes to so far, and everything that was issued."""
    tenant_id = visit.person.tenant_id
    async with visit.read() as connection:
        now = await accounts.now(connection)
        subscribed = await plans.subscriptions(connection, tenant_id)
        known = await plans.read_all(connection)
        issued = await invoices.listed(connection, tenant_id)
        draft = await _draft(connection, tenant_id)
        by_month = await _checked(connection, tenant_id, now, models=False)
        by_model = await _checked(connection, tenant_id, now, models=True)
    drafts = _sheets(draft, DRAFT) if draft else []
    return visit.render(
        "billing.html",
        plan=_plan(subscribed, known, now),
        history=Table("plans", "Plans by month", _PLANS, [*_history(subscribed, known)]),
        drafts=drafts,
        **_tables(drafts),
        documents=Table(
            "documents", "Invoices and credit notes", _DOCUMENTS, [_document(each) for each in reversed(issued)],
            "Nothing was issued yet. A month is invoiced three days after its end.",
        ),
        by_month=Table(
            "price-check", "Reported costs against the price book, by month of UTC", (_MONTH, *_CHECKS), by_month,
            "There is no event of the last twelve months.",
        ),
        by_model=Table(
            "price-check-models", "This month by model", (*_MODEL, *_CHECKS), by_model,
            "There is no event of this month.",
        ),
    )  # fmt: skip


async def _draft(connection: Connection, tenant_id: int) -> Found | None:
    try:
        return await invoice_documents.read(connection, tenant_id, DRAFT)
    except InvoiceNotFound:  # On no plan.
        return None


def _plan(subscribed: tuple[Subscription, ...], known: Mapping[int, Plan], now: datetime) -> dict[str, object] | None:
    """Return the plan of this month with its amounts in words."""
    month = now.astimezone(UTC).date().replace(day=1)
    own = periods.in_force(subscribed, month)
    if own is None or own.plan_id is None:
        return None
    plan = known[own.plan_id]
    terms = next((each for each in reversed(plan.versions) if each.since <= month), plan.versions[0])
    return {"name": plan.name, "currency": plan.currency, "zone": own.time_zone, "facts": [*_facts(plan, terms)]}


def _facts(plan: Plan, terms: Terms) -> Iterator[tuple[str, str]]:
    currency = plan.currency
    if terms.flat_cents:
        yield "Flat fee", f"{_cents(terms.flat_cents):,} {currency} a month"
    if terms.per_million_events_nano:
        yield "Events", f"{(terms.per_million_events_nano / _NANO).normalize():,f} {currency} a million"
    if terms.free_events:
        yield "Free events", f"{terms.free_events:,} a month"
    if terms.savings_share_ppm:
        yield "Share of savings", f"{(terms.savings_share_ppm / _MICRO * 100).normalize():f} %"
    if terms.savings_share_ppm and currency != "USD":
        yield "Rate of a US dollar", f"{(terms.usd_rate_ppm / _MICRO).normalize():f} {currency}"
    if terms.minimum_cents:
        yield "Minimum", f"{_cents(terms.minimum_cents):,} {currency} a month"


def _history(subscribed: tuple[Subscription, ...], known: Mapping[int, Plan]) -> Iterator[tuple[Cell, ...]]:
    for each in subscribed:
        yield f"{each.month:%Y-%m}", known[each.plan_id].name if each.plan_id else "none", each.time_zone


def _sheets(found: Found, name: str) -> list[tuple[Sheet, Table]]:
    """Return each sheet with the table of its lines."""
    return [
        (sheet, Table(name if not place else f"{name}-{place + 1}", f"{sheet.title}: lines", _LINES, sheet.rows))
        for place, sheet in enumerate(found.sheets)
    ]


def _tables(sheets: Sequence[tuple[Sheet, Table]]) -> dict[str, Table]:
    """Return the tables of sheets by a name, by which they download."""
    return {f"lines_{place}": lines for place, (_, lines) in enumerate(sheets)}


def _document(document: Invoice) -> tuple[Cell, ...]:
    kind = document.kind.name.lower().replace("_", " ")
    return (
        Link(document.name, f"/billing/documents/{document.name}"), kind, f"{document.period.month:%Y-%m}",
        _STATES[document.state.name.lower()], _cents(document.total_cents), document.currency, document.finalized_at,
        document.paid_at,
    )  # fmt: skip


def _cents(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


async def _checked(connection: Connection, tenant_id: int, now: datetime, *, models: bool) -> list[tuple[Cell, ...]]:
    """Return the price check of each of the last months, the newest first, or of this month's models."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    names = ("provider", "routed_model") if models else ()
    first = month if models else _back(month, CHECKED_MONTHS - 1)
    asked = Question(
        first, _back(month, -1), "total" if models else "month", names, tuple(COLUMNS[name] for name in names),
        percentiles=False,
    )  # fmt: skip
    found = await summing.answer(connection, tenant_id, asked, Rows(None, MODELS_MAX))
    rows = [(_key(each, models=models), each) for each in found.rows]
    return [(*key, *_check(each)) for key, each in (rows if models else reversed(rows))]


def _back(month: datetime, count: int) -> datetime:
    at = periods.following(month.date(), -count)
    return month.replace(year=at.year, month=at.month)


def _key(row: answers.Row, *, models: bool) -> tuple[Cell, ...]:
    return tuple(row.group.values()) if models else (f"{row.at:%Y-%m}",)


def _check(row: answers.Row) -> tuple[Cell, ...]:
    checked = row.price_check
    return (
        checked.matched_events, checked.mismatched_events, checked.mismatch_nanousd, checked.list_nanousd,
        checked.unchecked_events, row.cost.unpriced_events,
    )  # fmt: skip


async def show_document(visit: Visit) -> Response:
    """Show a document as it was issued, or the draft of this month."""
    name = visit.path_params["document"]
    sheets = _sheets(await _found(visit), name)
    return visit.render(
        "document.html", name=name, sheets=sheets, makes_pdf=invoice_documents.makes_pdf(), **_tables(sheets)
    )


async def get_json(visit: Visit) -> Response:
    """Return a document as `GET /v1/invoices` does."""
    return await _file(visit, JSON, "json")


async def get_pdf(visit: Visit) -> Response:
    """Return a document as PDF."""
    if not invoice_documents.makes_pdf():
        raise NotFound
    return await _file(visit, PDF, "pdf")


async def _file(visit: Visit, media_type: str, ending: str) -> Response:
    found, name = await _found(visit), visit.path_params["document"]
    body = await visit.services.downloads.render(visit.person.tenant_id, invoice_documents.render(found, media_type))
    # By now a number of ours, or `draft`.
    headers = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(body, headers=headers, media_type=media_type)


async def _found(visit: Visit) -> Found:
    async with visit.read() as connection:
        try:
            return await invoice_documents.read(connection, visit.person.tenant_id, visit.path_params["document"])
        except InvoiceNotFound:
            raise NotFound from None


_EXAMPLE = {"document": "NC-000001"}
PAGES = (
    Page(path="/billing", name="billing", title="Billing", roles=PAYERS, handler=show, nav="Billing"),
    Page(
        path="/billing/documents/{document}", name="billing-document", title="Document", roles=PAYERS,
        handler=show_document, example=_EXAMPLE,
    ),
    Page(
        path="/billing/documents/{document}/json", name="billing-document-json", title="Document", roles=PAYERS,
        handler=get_json, example=_EXAMPLE,
    ),
    Page(
        path="/billing/documents/{document}/pdf", name="billing-document-pdf", title="Document", roles=PAYERS,
        handler=get_pdf, example=_EXAMPLE,
    ),
)  # fmt: skip
