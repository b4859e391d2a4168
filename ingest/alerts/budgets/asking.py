"""Reads a budget as people write it, for the command line and the console; an error names a part, never its value."""

import re
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from ingest.errors import CannotStart
from ingest.store import vocabulary
from ingest.store.budgets import budgets
from ingest.store.budgets.budgets import (
    DEFAULT_THRESHOLDS,
    LIMIT_NANOUSD_MAX,
    PERCENT_MAX,
    THRESHOLDS_MAX,
    PeriodKind,
    Scope,
    Spec,
)
from ingest.store.budgets.errors import BadBudget, BudgetError, TermUnknown, TooManyAdded
from ingest.store.connections import Connection
from ingest.store.webhooks import webhooks
from ingest.usage.billing import periods

PERIODS = {"day": PeriodKind.DAY, "week": PeriodKind.WEEK, "month": PeriodKind.MONTH}
_NANO = 1_000_000_000
_AMOUNT = re.compile(r"[0-9]{1,10}(?:[.][0-9]{1,9})?")
SAYS = {
    "limit": "A limit is more than 0 and at most 1,000,000,000 US dollars, with up to nine decimals.",
    "thresholds": f"Thresholds are up to {THRESHOLDS_MAX} different whole percents from 1 to {PERCENT_MAX:,}.",
    "period": "A period is a day, a week or a month.",
    "zone": "There is no such time zone: use a name such as Europe/Berlin.",
    "term": "The organisation has no such category, model or tag value.",
    "webhook": "The organisation has no such webhook, or it has ended.",
    "many": f"An organisation has up to {budgets.OPEN_MAX} budgets: end one that is not needed.",
    "hour": f"An organisation adds up to {budgets.ADDED_AN_HOUR} budgets an hour: wait a while.",
}


class Given(NamedTuple):
    """A budget in words; `tag_key` is that of a tag value."""

    limit: str
    period: str
    scope: Scope = Scope.TENANT
    term: str = ""
    tag_key: str = ""
    thresholds: str = ""  # With commas; none: the usual ones.
    has_forecast: bool = False
    zone: str = ""  # None: that of the plan.
    webhook_id: UUID | None = None


async def read(connection: Connection, tenant_id: int, given: Given) -> Spec:
    """Return the budget to add; raises BadBudget or TermUnknown."""
    limit, thresholds = read_limit(given.limit), read_thresholds(given.thresholds)
    if given.period not in PERIODS:
        raise BadBudget("period")
    zone = given.zone or await budgets.plan_zone(connection, tenant_id)
    if not budgets.ZONE.fullmatch(zone):  # Such as EST5EDT, which is there and has no place in the table.
        raise BadBudget("zone")
    try:
        periods.zone(zone)
    except CannotStart:
        raise BadBudget("zone") from None
    if given.webhook_id is not None:
        webhook = await webhooks.find(connection, tenant_id, given.webhook_id)
        if webhook is None or webhook.ended_at is not None:
            raise BadBudget("webhook")
    term_id = None if given.scope is Scope.TENANT else await _term_id(connection, tenant_id, given)
    return Spec(
        given.scope, term_id, PERIODS[given.period], zone, limit, thresholds, given.has_forecast, given.webhook_id
    )


def read_limit(text: str) -> int:
    """Return nano-USD; raises BadBudget."""
    if not _AMOUNT.fullmatch(text):
        raise BadBudget("limit")
    nanousd = int(Decimal(text) * _NANO)
    if not 1 <= nanousd <= LIMIT_NANOUSD_MAX:
        raise BadBudget("limit")
    return nanousd


def read_thresholds(text: str) -> tuple[int, ...]:
    """Return percents, ascending; raises BadBudget."""
    if not text.strip():
        return DEFAULT_THRESHOLDS
    parts = [part.strip().removesuffix("%").strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= len(str(PERCENT_MAX)) for part in parts):
        raise BadBudget("thresholds")
    found = sorted({int(part) for part in parts})
    if len(found) != len(parts) or len(found) > THRESHOLDS_MAX or not 1 <= found[0] <= found[-1] <= PERCENT_MAX:
        raise BadBudget("thresholds")
    return tuple(found)


async def _term_id(connection: Connection, tenant_id: int, given: Given) -> int:
    parent = 0
    if given.scope is Scope.TAG_VALUE:
        key_id = await vocabulary.tag_key_id(connection, tenant_id, given.tag_key)
        if key_id is None:
            raise TermUnknown
        parent = key_id
    return await budgets.term_id(connection, tenant_id, given.scope, parent, given.term)


def why(refused: BudgetError) -> str:
    """Return a sentence about what was refused."""
    match refused:
        case BadBudget(part=part):
            return SAYS[part]
        case TermUnknown():
            return SAYS["term"]
        case TooManyAdded():
            return SAYS["hour"]
        case _:
            return SAYS["many"]
