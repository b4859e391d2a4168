"""Adds, lists and ends budgets; a budget never changes."""

import re
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg

from ingest.store import acts
from ingest.store.budgets.errors import TermUnknown, TooManyAdded, TooManyBudgets
from ingest.store.connections import Connection
from schema.event import Kind

OPEN_MAX = 100  # Of a tenant.
ADDED_AN_HOUR = 100  # From the console: rows of budgets that have ended stay, and each may alert at once.
LIMIT_NANOUSD_MAX = 10**18
THRESHOLDS_MAX = 5
PERCENT_MAX = 1_000
DEFAULT_THRESHOLDS = (50, 80, 100)
ZONE = re.compile(r"[A-Z][A-Za-z]{1,19}([/_+-][A-Za-z0-9]{1,19}){0,6}")  # As the table has it.


class Scope(IntEnum):
    """The events that a budget is about."""

    TENANT = 1
    TAG_VALUE = 2
    CATEGORY = 3
    MODEL = 4  # The one that served.


class PeriodKind(IntEnum):
    """The time after which a budget begins anew."""

    DAY = 1
    WEEK = 2  # From Monday on.
    MONTH = 3


KIND_OF: dict[Scope, Kind] = {
    Scope.TAG_VALUE: Kind.TAG_VALUE, Scope.CATEGORY: Kind.TASK_CATEGORY, Scope.MODEL: Kind.MODEL,
}  # fmt: skip


class Spec(NamedTuple):
    """A budget as it was added; `thresholds` are percents of the limit, ascending."""

    scope: Scope
    term_id: int | None
    period: PeriodKind
    time_zone: str
    limit_nanousd: int
    thresholds: tuple[int, ...]
    has_forecast: bool
    webhook_id: UUID | None = None


class Budget(NamedTuple):
    """A budget; `reviewed_at` and `is_forecast_over` are what its last review found."""

    tenant_id: int
    budget_id: UUID
    spec: Spec
    created_at: datetime
    ended_at: datetime | None
    reviewed_at: datetime | None
    is_forecast_over: bool


_COLUMNS = """tenant_id, budget_id, scope, term_id, period, time_zone, limit_nanousd, thresholds,
    forecast AS has_forecast, webhook_id, created_at, ended_at, reviewed_at, is_forecast_over"""
_COUNT = "SELECT count(*) FROM nocontent.budgets WHERE tenant_id = $1 AND ended_at IS NULL"
_ADDED = "SELECT count(*) FROM nocontent.budgets WHERE tenant_id = $1 AND created_at > now() - interval '1 hour'"
_ADD = """
INSERT INTO nocontent.budgets (
    tenant_id, scope, term_id, period, time_zone, limit_nanousd, thresholds, forecast, webhook_id
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING budget_id
"""
_END = """
UPDATE nocontent.budgets SET ended_at = now() WHERE tenant_id = $1 AND budget_id = $2 AND ended_at IS NULL
RETURNING budget_id
"""
_LIST = f"SELECT {_COLUMNS} FROM nocontent.budgets WHERE tenant_id = $1 ORDER BY created_at, budget_id"  # noqa: S608 (our own names)
_READ = f"SELECT {_COLUMNS} FROM nocontent.budgets WHERE tenant_id = $1 AND budget_id = $2"  # noqa: S608 (as above)
# Nobody evaluates a budget that another is evaluating.
_LOCK = f"""
SELECT {_COLUMNS} FROM nocontent.budgets WHERE tenant_id = $1 AND budget_id = $2 AND ended_at IS NULL
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 (as above)
_OPEN = "SELECT tenant_id, budget_id FROM nocontent.budgets WHERE ended_at IS NULL ORDER BY tenant_id, budget_id"
_NOTE = "UPDATE nocontent.budgets SET reviewed_at = $3, is_forecast_over = $4 WHERE tenant_id = $1 AND budget_id = $2"
_ZONE = """
SELECT time_zone FROM nocontent.subscriptions WHERE tenant_id = $1 AND month <= now() ORDER BY month DESC LIMIT 1
"""
_TERM = """
SELECT term_id FROM nocontent.vocabulary
WHERE tenant_id IN (0, $1) AND kind = $2 AND parent_id = $3 AND term = $4 ORDER BY tenant_id LIMIT 1
"""


async def add(connection: Connection, tenant_id: int, new: Spec) -> UUID:
    """Add a budget, as an operator, audited; raises TooManyBudgets."""
    async with acts.act(connection) as act:
        if await connection.fetchval(_COUNT, tenant_id) >= OPEN_MAX:  # Acts are one after another.
            raise TooManyBudgets
        made = await connection.fetchval(
            _ADD, tenant_id, new.scope, new.term_id, new.period, new.time_zone, new.limit_nanousd,
            list(new.thresholds), new.has_forecast, new.webhook_id,
        )  # fmt: skip
        await act.note(tenant_id, "budget.add")
    return UUID(str(made))


async def own_add(connection: Connection, tenant_id: int, new: Spec) -> UUID:
    """Add a budget, as somebody of the tenant; raises TooManyAdded or TooManyBudgets."""
    async with acts.act(connection):
        if await connection.fetchval(_ADDED, tenant_id) >= ADDED_AN_HOUR:
            raise TooManyAdded
        return await add(connection, tenant_id, new)


async def end(connection: Connection, tenant_id: int, budget_id: UUID) -> bool:
    """End a budget, audited; return False if there is none that has not ended."""
    async with acts.act(connection) as act:
        if await connection.fetchval(_END, tenant_id, budget_id) is None:
            return False
        await act.note(tenant_id, "budget.end")
    return True


async def list_all(connection: Connection, tenant_id: int) -> list[Budget]:
    """Return the budgets of a tenant, those that have ended too, in the order in which they were added."""
    return [_budget(row) for row in await connection.fetch(_LIST, tenant_id)]


async def read(connection: Connection, tenant_id: int, budget_id: UUID) -> Budget | None:
    """Return a budget of a tenant."""
    row = await connection.fetchrow(_READ, tenant_id, budget_id)
    return None if row is None else _budget(row)


async def lock(connection: Connection, tenant_id: int, budget_id: UUID) -> Budget | None:
    """Return a budget, locked until the transaction ends; None if it has ended or somebody else has the lock."""
    row = await connection.fetchrow(_LOCK, tenant_id, budget_id)
    return None if row is None else _budget(row)


async def open_ids(connection: Connection) -> Sequence[tuple[int, UUID]]:
    """Return tenant and id of every budget that has not ended."""
    return [(row["tenant_id"], row["budget_id"]) for row in await connection.fetch(_OPEN)]


async def note_review(connection: Connection, budget: Budget, at: datetime, *, is_forecast_over: bool) -> None:
    """Note when a budget was reviewed, and whether its forecast was over the limit."""
    await connection.execute(_NOTE, budget.tenant_id, budget.budget_id, at, is_forecast_over)


async def plan_zone(connection: Connection, tenant_id: int) -> str:
    """Return the time zone of the months of a tenant's plan; UTC if it is on none."""
    found = await connection.fetchval(_ZONE, tenant_id)
    return "UTC" if found is None else str(found)


async def term_id(connection: Connection, tenant_id: int, scope: Scope, parent_id: int, term: str) -> int:
    """Return the id of a term, also of one that is retired; raises TermUnknown."""
    found = await connection.fetchval(_TERM, tenant_id, KIND_OF[scope], parent_id, term)
    if found is None:
        raise TermUnknown
    return int(found)


def _budget(row: asyncpg.Record) -> Budget:
    spec = Spec(
        Scope(row["scope"]), row["term_id"], PeriodKind(row["period"]), row["time_zone"], row["limit_nanousd"],
        tuple(row["thresholds"]), row["has_forecast"], row["webhook_id"],
    )  # fmt: skip
    return Budget(
        row["tenant_id"], row["budget_id"], spec, row["created_at"], row["ended_at"], row["reviewed_at"],
        row["is_forecast_over"],
    )  # fmt: skip
