"""Announces an alert in the transaction that records it: letters to whoever is in charge of money, and a webhook."""

from datetime import date
from typing import NamedTuple

from ingest.knowledge import day_numbers
from ingest.store.budgets.budgets import Budget
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice
from ingest.store.webhooks import deliveries
from ingest.store.webhooks.deliveries import Event
from ingest.store.webhooks.kinds import EventKind


class Announcement(NamedTuple):
    """A threshold of a period, 0 for the forecast, and the spend that reached it, is expected, or is left."""

    period_start: date
    threshold: int
    spend_nanousd: int


async def announce(connection: Connection, budget: Budget, about: Announcement) -> None:
    """Put a letter for each owner, admin and person of billing, and a delivery if the budget names a webhook."""
    days = day_numbers.number(about.period_start)
    numbers = (about.threshold, about.spend_nanousd, budget.spec.limit_nanousd, days)
    cause = outbox.cause_of("budget-alert", budget.budget_id, about.period_start, about.threshold)
    notice = Notice("budget-alert", (budget.budget_id,), numbers, cause)
    await outbox.put_to_roles(connection, budget.tenant_id, KINDS["budget-alert"].roles, notice)
    await _post(connection, budget, "budget-alert", about)


async def take_back(connection: Connection, budget: Budget, about: Announcement) -> None:
    """Announce to the webhook alone, once, that a threshold is no longer crossed."""
    await _post(connection, budget, "budget-uncrossed", about)


async def _post(connection: Connection, budget: Budget, kind: EventKind, about: Announcement) -> None:
    if budget.spec.webhook_id is None:
        return
    days = day_numbers.number(about.period_start)
    numbers = (days, about.threshold, about.spend_nanousd, budget.spec.limit_nanousd)
    cause = outbox.cause_of(kind, budget.budget_id, about.period_start, about.threshold)
    event = Event(kind, cause, (budget.budget_id,), numbers)
    await deliveries.put(connection, budget.tenant_id, budget.spec.webhook_id, event)
