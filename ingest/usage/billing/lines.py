"""From usage and terms to lines. Each amount is rounded once, to cents, half away from zero.

A correction is what all documents should have billed for a month, less what they have: the rounded total of today less
the sum of cents, not a rounded difference. So cents are neither lost nor made, however many corrections there are.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence

from ingest.knowledge.billing import Billed, DocumentKind, Line, LineKind, Period, Quarter, Terms

_NANO_A_CENT = 10_000_000
_MILLION = 1_000_000
_ROW = struct.Struct(">qqqq")


def half_away(numerator: int, denominator: int) -> int:
    """Divide by a positive number and round, halves away from zero, so that -x mirrors x."""
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def digest(quarters: Iterable[Quarter]) -> bytes:
    """Return the SHA-256 of what a period's sums say, by which a reader can see whether they still do.

    Of each quarter of an hour, in order: four big-endian 64-bit integers, its start in seconds since 1970, events, and
    savings in nano-USD, reported and priced.
    """
    hashed = hashlib.sha256()
    for each in quarters:
        row = (int(each.at.timestamp()), each.events, each.savings_reported_nanousd, each.savings_priced_nanousd)
        hashed.update(_ROW.pack(*row))
    return hashed.digest()


def charges(terms: Terms, period: Period, events: int, savings_nanousd: int) -> tuple[Line, ...]:
    """Return the lines of a month. Savings below zero are charged as zero."""
    billable = max(0, events - terms.free_events)
    saved = max(0, savings_nanousd)
    lines = [_line(terms, period, LineKind.EVENTS, billable, _events_cents(terms, billable))]
    if terms.savings_share_ppm:
        lines.append(_line(terms, period, LineKind.SAVINGS, saved, _savings_cents(terms, saved)))
    if terms.flat_cents:
        lines.append(_line(terms, period, LineKind.FLAT, 1, terms.flat_cents))
    if (lacking := terms.minimum_cents - total(lines)) > 0:
        lines.append(_line(terms, period, LineKind.MINIMUM, 1, lacking))
    return tuple(lines)


def corrections(terms: Terms, billed: Billed, events: int, savings_nanousd: int) -> tuple[Line, ...]:
    """Return the lines that make what was billed for a month what its usage comes to today."""
    due = {line.kind: line for line in charges(terms, billed.period, events, savings_nanousd)}
    lines = []
    for kind in LineKind:
        quantity, cents = (due[kind].quantity, due[kind].cents) if kind in due else (0, 0)
        cents -= billed.cents.get(kind, 0)
        if cents:
            quantity -= billed.quantities.get(kind, 0)
            lines.append(_line(terms, billed.period, kind, quantity, cents, is_correction=True))
    return tuple(lines)


def documents(charged: Sequence[Line], corrected: Sequence[Line]) -> list[tuple[DocumentKind, tuple[Line, ...]]]:
    """Return the documents that close a month: an invoice, or if it would be below zero, a credit note beside it."""
    if total(charged) + total(corrected) >= 0:
        lines = (*charged, *corrected)
        return [(DocumentKind.INVOICE, lines)] if lines else []
    found = [(DocumentKind.INVOICE, tuple(charged))] if charged else []
    return [*found, (DocumentKind.CREDIT_NOTE, tuple(corrected))]


def total(lines: Iterable[Line]) -> int:
    return sum(line.cents for line in lines)


def _events_cents(terms: Terms, billable: int) -> int:
    return half_away(billable * terms.per_million_events_nano, _MILLION * _NANO_A_CENT)


def _savings_cents(terms: Terms, saved_nanousd: int) -> int:
    share = saved_nanousd * terms.savings_share_ppm * terms.usd_rate_ppm
    return half_away(share, _MILLION * _MILLION * _NANO_A_CENT)


def _line(  # noqa: PLR0913 (the columns of a line)
    terms: Terms, period: Period, kind: LineKind, quantity: int, cents: int, *, is_correction: bool = False
) -> Line:
    return Line(
        kind=kind, is_correction=is_correction, month=period.month, start=period.start, end=period.end,
        plan_id=terms.plan_id, plan_version=terms.version, quantity=quantity, cents=cents,
    )  # fmt: skip
