"""The facts of letters, as the store looks them up by ids and `alerts.letters` renders them.

Names are those of accounts, vocabularies and documents. Nothing here was ever in a body that was refused.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

Period = Literal["day", "week", "month"]
ErasureScope = Literal["tenant", "range", "stream", "tag", "events"]
Scope = Literal["tenant", "tag-value", "category", "model"]


class Recipient(NamedTuple):
    """The person a letter is for."""

    email: str
    name: str
    organisation: str
    role: str
    time_zone: str


class Invitation(NamedTuple):
    """An invitation to the organisation; its link is made when it is sent."""


class Reset(NamedTuple):
    """A link that sets another password; it is made when it is sent."""


class NewPlace(NamedTuple):
    """A sign-in from a network that the person has not signed in from before; no address is stored."""

    at: datetime
    browser: str | None  # Of the closed list of sessions, or None if the session is over.


class BudgetAlert(NamedTuple):
    """A budget has reached a part of its limit, or its forecast the limit."""

    scope: Scope
    term: str | None  # The name of what it is about; None for the whole tenant, or if the name was erased.
    period: Period
    period_start: date
    threshold: int  # Percent; 0 for the forecast.
    spend_nanousd: int
    limit_nanousd: int


class RefusedCause(NamedTuple):
    """How often a cause was refused."""

    cause: str  # A rule, or a problem of a closed list.
    requests: int
    records: int


class WeeklyReview(NamedTuple):
    """A week of the organisation."""

    first: date
    last: date
    requests: int
    spend_nanousd: int
    spend_before_nanousd: int  # Of the week before.
    savings_nanousd: int
    covered: int  # Requests with a reported baseline.
    by_price: int  # Requests whose savings are against the price of the model that was asked for.
    unpriced: int  # Requests that are in no amount.
    refusals: Sequence[RefusedCause]


class InvoiceIssued(NamedTuple):
    """An invoice or a credit note."""

    number: str  # As people write it.
    is_credit_note: bool
    month: date
    total_cents: int
    currency: str


class ExportReady(NamedTuple):
    """A copy of the organisation's data that was made is complete."""

    at: datetime
    rows: int


class ErasureReceipt(NamedTuple):
    """An erasure is finished, and its receipt signed."""

    erasure_id: UUID
    scope: ErasureScope
    requested_at: datetime
    finished_at: datetime
    rows: int


class SubprocessorNotice(NamedTuple):
    """A company that is going to process data for the operator."""

    name: str
    purpose: str
    data: str
    place: str
    transfer: str
    effective: date


class WebhookDisabled(NamedTuple):
    """A webhook that was turned off, because it failed for days or said that it is gone."""

    webhook_id: UUID
    at: datetime


About = (
    Invitation
    | Reset
    | NewPlace
    | BudgetAlert
    | WeeklyReview
    | InvoiceIssued
    | ExportReady
    | ErasureReceipt
    | SubprocessorNotice
    | WebhookDisabled
)


class Facts(NamedTuple):
    """Everything that a letter says."""

    to: Recipient
    about: About
