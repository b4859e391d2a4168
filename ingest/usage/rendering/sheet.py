"""What a document says in words: made of the kinds and numbers of its lines, so that no stored text is needed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ingest.knowledge.billing import (
    LINE_WORDS,
    DocumentKind,
    Invoice,
    Line,
    LineKind,
    Period,
    Plan,
    State,
    Terms,
    document_name,
)

_TITLES: Mapping[DocumentKind, str] = {DocumentKind.INVOICE: "Invoice", DocumentKind.CREDIT_NOTE: "Credit note"}
_STATES: Mapping[State, str] = {State.FINALIZED: "Due", State.PAID: "Paid", State.VOID: "Void"}
_NANO = 1_000_000_000
_PPM_A_PERCENT = 10_000


class Row(NamedTuple):
    """A line of a document, as a reader sees it."""

    month: str
    text: str
    quantity: str
    rate: str
    amount: str


class Sheet(NamedTuple):
    """A document, as a reader sees it."""

    title: str
    facts: Sequence[tuple[str, str]]
    rows: Sequence[Row]
    total: str


class Draft(NamedTuple):
    """A document that was not issued."""

    kind: DocumentKind
    period: Period
    currency: str
    usage_digest: bytes
    lines: Sequence[Line]


def of_invoice(invoice: Invoice, tenant: str, plans: Mapping[int, Plan]) -> Sheet:
    """Return the sheet of an issued document."""
    facts = [("Customer", tenant), ("State", _STATES[invoice.state]), ("Issued", _time(invoice.finalized_at))]
    if invoice.credits is not None:
        facts.append(("Credits", document_name(invoice.issuer, invoice.credits)))
    if invoice.paid_at is not None:
        facts.append(("Paid", _time(invoice.paid_at)))
    facts += [*_period(invoice.period), ("Usage digest", invoice.usage_digest.hex())]
    title = f"{_TITLES[invoice.kind]} {invoice.name}"
    return Sheet(title, facts, _rows(invoice.lines, plans), money(invoice.total_cents, invoice.currency))


def of_draft(draft: Draft, tenant: str, plans: Mapping[int, Plan]) -> Sheet:
    """Return the sheet of a draft."""
    facts = [("Customer", tenant), ("State", "Draft: not issued, and changes with use"), *_period(draft.period)]
    facts.append(("Usage digest", draft.usage_digest.hex()))
    total = money(sum(line.cents for line in draft.lines), draft.currency)
    return Sheet(f"{_TITLES[draft.kind]}, draft", facts, _rows(draft.lines, plans), total)


def money(cents: int, currency: str) -> str:
    """Format an amount of a currency with 2 decimals."""
    return f"{_decimal(cents, 100)} {currency}"


def _rows(lines: Sequence[Line], plans: Mapping[int, Plan]) -> list[Row]:
    return [_row(line, plans[line.plan_id]) for line in lines]


def _row(line: Line, plan: Plan) -> Row:
    terms = next(each for each in plan.versions if each.version == line.plan_version)
    text, quantity, rate = _words(line, terms, plan.currency)
    if line.is_correction:
        text = f"Correction: {text[0].lower()}{text[1:]}"
    return Row(f"{line.month:%Y-%m}", text, quantity, rate, money(line.cents, plan.currency))


def _words(line: Line, terms: Terms, currency: str) -> tuple[str, str, str]:
    """Return what a line charges, how much of it, and the rate."""
    text = LINE_WORDS[line.kind]
    match line.kind:
        case LineKind.EVENTS:
            text += f" beyond the free {terms.free_events:,}" if terms.free_events else ""
            rate = f"{_decimal(terms.per_million_events_nano, _NANO)} {currency} a million"
            return text, f"{line.quantity:,}", rate
        case LineKind.SAVINGS:
            share = f"{_decimal(terms.savings_share_ppm, _PPM_A_PERCENT)} %"
            rate = "" if currency == "USD" else f" at {_decimal(terms.usd_rate_ppm, 1_000_000)} {currency} a USD"
            return text, f"{_decimal(line.quantity, _NANO)} USD", share + rate
        case LineKind.FLAT:
            return text, "", ""
        case LineKind.MINIMUM:
            return f"{text} of {money(terms.minimum_cents, currency)}", "", ""


def _decimal(amount: int, unit: int) -> str:
    """Format a number of parts of a unit exactly, with 2 decimals or as many more as it needs."""
    whole, rest = divmod(abs(amount), unit)
    decimals = f"{rest:0{len(str(unit)) - 1}}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole:,}.{decimals}"


def _period(period: Period) -> list[tuple[str, str]]:
    months = f"{period.month:%Y-%m}, in {period.time_zone}"
    return [("Month", months), ("From", _time(period.start)), ("Before", _time(period.end))]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
