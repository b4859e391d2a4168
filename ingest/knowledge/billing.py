"""Plans, periods and documents of billing, as the store reads them and other rooms compute and render them.

Amounts are integers: cents of the plan's currency, or billionths (`nano`) of its unit. A month is its first day.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import IntEnum

import msgspec


class LineKind(IntEnum):
    """The kind of charge of a line."""

    EVENTS = 1
    SAVINGS = 2
    FLAT = 3
    MINIMUM = 4


LINE_WORDS: Mapping[LineKind, str] = {
    LineKind.EVENTS: "Events",
    LineKind.SAVINGS: "Share of savings",
    LineKind.FLAT: "Flat fee",
    LineKind.MINIMUM: "Up to the minimum",
}


class DocumentKind(IntEnum):
    INVOICE = 1
    CREDIT_NOTE = 2


class State(IntEnum):
    FINALIZED = 1
    PAID = 2  # Of a credit note: paid back.
    VOID = 3  # Credited in whole; if `paid_at` is set, the money is owed back.


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The amounts of a plan from a month on; they never change."""

    plan_id: int
    version: int
    since: date
    per_million_events_nano: int
    free_events: int  # In each period, before the first one that is charged.
    savings_share_ppm: int
    usd_rate_ppm: int  # Units of the currency for a US dollar, in millionths; 0 if none was agreed upon.
    flat_cents: int
    minimum_cents: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    plan_id: int
    name: str
    issuer: str
    currency: str
    versions: tuple[Terms, ...]  # In the order of `since`.


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's plan from a month on, or None for none, and the time zone of its months."""

    month: date
    plan_id: int | None
    time_zone: str


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a tenant, from the first instant of it to before the first of the next."""

    month: date
    start: datetime
    end: datetime
    time_zone: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a document; month, start and end are those of the service, which a correction has before its document.

    `quantity` is events beyond the free ones, nano-USD of savings, or 1 for a flat fee or a minimum.
    """

    kind: LineKind
    is_correction: bool
    month: date
    start: datetime
    end: datetime
    plan_id: int
    plan_version: int
    quantity: int
    cents: int


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An issued document: an invoice or a credit note."""

    tenant_id: int
    issuer: str
    number: int
    kind: DocumentKind
    state: State
    period: Period
    currency: str
    total_cents: int
    usage_digest: bytes
    credits: int | None  # The number of the invoice that a credit note mirrors.
    waived: bool  # What this credit note took back is not billed again.
    finalized_at: datetime
    paid_at: datetime | None
    voided_at: datetime | None
    lines: tuple[Line, ...] = ()  # Empty in a list.

    @property
    def name(self) -> str:
        """The number as people write it, such as NC-000042."""
        return document_name(self.issuer, self.number)


class Quarter(msgspec.Struct, frozen=True, array_like=True):
    """The billable usage of 15 minutes."""

    at: datetime
    events: int
    savings_reported_nanousd: int
    savings_priced_nanousd: int


class Billed(msgspec.Struct, frozen=True, kw_only=True):
    """The quantities and cents that all documents together have billed for one month, by kind of line."""

    period: Period
    plan_id: int
    plan_version: int
    quantities: Mapping[LineKind, int]
    cents: Mapping[LineKind, int]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one tenant's billing, as of one moment."""

    tenant_id: int
    subscriptions: tuple[Subscription, ...]  # In the order of months.
    plans: Mapping[int, Plan]
    billed: tuple[Billed, ...]  # In the order of months.
    invoiced: Mapping[date, Period]  # The months that have their invoice.


def document_name(issuer: str, number: int) -> str:
    return f"{issuer}-{number:06}"


def parse_name(name: str) -> tuple[str, int] | None:
    """Return the issuer and number of a document's name, such as NC-000042, or None if it is none."""
    issuer, dash, number = name.partition("-")
    if not (dash and issuer.isascii() and issuer.isalpha() and issuer.isupper() and number.isascii()):
        return None
    return (issuer, int(number)) if number.isdigit() and len(number) < 19 else None  # noqa: PLR2004 (fits a bigint)
