"""Budgets: how much of each is spent, its alerts, and forms that add and end one."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.alerts.budgets import asking, standing
from ingest.alerts.budgets.asking import Given
from ingest.alerts.budgets.standing import Standing
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store import vocabulary_reads
from ingest.store.budgets import alerts, budgets, names
from ingest.store.budgets.alerts import FORECAST, Alert
from ingest.store.budgets.budgets import Budget, Scope
from ingest.store.budgets.errors import BadBudget, BudgetError
from ingest.store.connections import Connection
from ingest.store.webhooks import webhooks

READERS: frozenset[Role] = frozenset(("owner", "admin", "analyst", "billing"))
WRITERS: frozenset[Role] = frozenset(("owner", "admin", "billing"))
_ALERTS_MAX = 200
_TAG = "tag:"
_SCOPES = {"all": Scope.TENANT, "category": Scope.CATEGORY, "model": Scope.MODEL}
_OF = {"all": "all requests", "category": "requests of a category", "model": "requests that a model served"}
_SCOPE_WORDS = {Scope.TENANT: "all requests", Scope.CATEGORY: "category", Scope.MODEL: "model", Scope.TAG_VALUE: "tag"}
_BUDGETS = (
    Column("budget", "Budget"),
    Column("period", "Each"),
    Column("zone", "In days of"),
    Column("since", "Since", "day"),
    Column("spent_usd", "Spent", "money"),
    Column("limit_usd", "Limit", "money"),
    Column("share", "Share", "share"),
    Column("state", "State"),
)
_ALERTS = (
    Column("period", "Period from", "day"),
    Column("threshold", "Threshold"),
    Column("spend_usd", "Spend", "money"),
    Column("crossed_at", "Crossed", "when"),
    Column("letters", "Announced"),
    Column("uncrossed_at", "No longer since", "when"),
)
_FORM = ("limit", "period", "of", "term", "thresholds", "zone", "webhook")


async def show(visit: Visit) -> Response:
    """Show every budget that has not ended."""
    return await _page(visit, HTTPStatus.OK, dict.fromkeys(_FORM, "") | {"period": "month", "forecast": ""}, "")


async def _page(visit: Visit, status: HTTPStatus, form: dict[str, str], error: str) -> Response:
    tenant_id = visit.person.tenant_id
    async with visit.read() as connection:
        found = await standing.read_all(connection, tenant_id)
        keys = await vocabulary_reads.tag_keys(connection, tenant_id)
        zone = await budgets.plan_zone(connection, tenant_id)
        hooks = await _webhooks(connection, visit)
    return visit.render(
        "budgets.html",
        status,
        standings=found,
        budgets=Table("budgets", "Budgets", _BUDGETS, [_row(each) for each in found]),
        title_of=title_of,
        may_write=visit.person.role in WRITERS,
        scopes=[*_OF.items(), *((_TAG + key, f"requests with the tag {key}") for key in keys)],
        periods=[(name, name) for name in asking.PERIODS],
        plan_zone=zone,
        webhooks=hooks,
        form=form,
        error=error,
    )  # fmt: skip


async def _webhooks(connection: Connection, visit: Visit) -> list[tuple[str, str]]:
    """Return the webhooks to choose from: whoever may not see webhooks has none."""
    if visit.person.role not in MANAGERS:
        return []
    found = await webhooks.list_all(connection, visit.person.tenant_id)
    return [(str(each.webhook_id), each.url) for each in found if each.ended_at is None]


def title_of(found: Standing) -> str:
    """Name what a budget is about."""
    return _title(found.budget, found.name)


def _title(budget: Budget, name: str | None) -> str:
    words = _SCOPE_WORDS[budget.spec.scope]
    if budget.spec.scope is Scope.TENANT:
        return words.capitalize()
    return f"{words.capitalize()} {name or '(erased)'}"


def _row(found: Standing) -> tuple[Cell, ...]:
    budget = found.budget
    return (
        Link(title_of(found), f"/budgets/{budget.budget_id}"), budget.spec.period.name.lower(), budget.spec.time_zone,
        found.spent.period.start, found.spent.nanousd, budget.spec.limit_nanousd, found.ratio, found.state,
    )  # fmt: skip


async def show_budget(visit: Visit) -> Response:
    """Show a budget with all its alerts."""
    tenant_id, budget_id = visit.person.tenant_id, visit.path_id("budget")
    async with visit.read() as connection:
        budget = await budgets.read(connection, tenant_id, budget_id)
        if budget is None:
            raise NotFound
        words = await names.read(connection, tenant_id, [budget])
        found = Standing(budget, names.of(budget, words), await standing.spent(connection, budget))
        expected = await standing.expected(connection, budget, found.spent)
        crossed = await alerts.newest(connection, tenant_id, budget_id, _ALERTS_MAX)
    return visit.render(
        "budget.html",
        found=found,
        name=title_of(found),
        expected=expected,
        may_write=visit.person.role in WRITERS,
        may_manage=visit.person.role in MANAGERS,
        alerts=Table("alerts", "Alerts", _ALERTS, _rows(crossed), "No threshold of it was crossed."),
    )


def _rows(crossed: Sequence[Alert]) -> list[tuple[Cell, ...]]:
    return [
        (
            alert.period_start, "forecast" if alert.threshold == FORECAST else f"{alert.threshold} %",
            alert.spend_nanousd, alert.crossed_at, "yes" if alert.is_announced else "no", alert.uncrossed_at,
        )
        for alert in crossed
    ]  # fmt: skip


async def add(visit: Visit) -> Response:
    """Add a budget; what is refused is said in a sentence that repeats no value."""
    try:
        async with visit.act() as connection:
            await _add(connection, visit)
    except BudgetError as refused:
        form = {name: visit.form.text(name) for name in (*_FORM, "forecast")}
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, form, asking.why(refused))
    return visit.redirect("/budgets", "budget-added")


async def _add(connection: Connection, visit: Visit) -> None:
    form, of = visit.form, visit.form.text("of") or "all"
    key = of.removeprefix(_TAG) if of.startswith(_TAG) else ""
    scope = Scope.TAG_VALUE if key else _SCOPES.get(of)
    if scope is None:
        raise BadBudget("term")
    chosen = form.text("webhook")
    if chosen and chosen not in dict(await _webhooks(connection, visit)):
        raise BadBudget("webhook")
    given = Given(
        form.text("limit").removeprefix("$").replace(",", ""), form.text("period"), scope, form.text("term"), key,
        form.text("thresholds"), has_forecast=form.text("forecast") == "yes", zone=form.text("zone"),
        webhook_id=UUID(chosen) if chosen else None,
    )  # fmt: skip
    tenant_id = visit.person.tenant_id
    await budgets.own_add(connection, tenant_id, await asking.read(connection, tenant_id, given))


async def end(visit: Visit) -> Response:
    """End a budget; its alerts stay."""
    budget_id = visit.path_id("budget")
    async with visit.act() as connection:
        if not await budgets.end(connection, visit.person.tenant_id, budget_id):
            raise NotFound
    return visit.redirect("/budgets", "budget-ended")


_EXAMPLE = {"budget": "00000000-0000-4000-8000-000000000000"}
PAGES = (
    Page(path="/budgets", name="budgets", title="Budgets", roles=READERS, handler=show, nav="Budgets"),
    Page(path="/budgets/add", name="budgets-add", title="Budgets", roles=WRITERS, handler=add, method="POST"),
    Page(
        path="/budgets/{budget}", name="budget", title="Budget", roles=READERS, handler=show_budget, example=_EXAMPLE
    ),
    Page(
        path="/budgets/{budget}/end", name="budgets-end", title="Budgets", roles=WRITERS, handler=end, method="POST",
        example=_EXAMPLE,
    ),
)  # fmt: skip
