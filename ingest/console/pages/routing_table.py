"""The routing table: which model the tenant's gateway sends each category to, with what its own requests suggest."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Cell, Column, Table
from ingest.console.visit import Visit
from ingest.knowledge.gateway import CATEGORIES, FALLBACKS_MAX, MODES, SCOPE, TAG
from ingest.routes import sentences, view
from ingest.routes.suggest import Suggestion
from ingest.routes.view import View
from ingest.store.connections import Connection
from ingest.store.errors import VocabularyFull
from ingest.store.gateway import acts
from ingest.store.gateway.errors import RouteError
from ingest.store.gateway.evidence import DAYS
from schema.event import Kind

PATH = "/routes"
READERS: frozenset[Role] = frozenset(("owner", "admin", "analyst"))
_MODE_WORDS = {
    "off": "off: each request goes to the model that it names",
    "dry-run": "dry-run: decide and say so, and send each request to the model that it names",
    "on": "on: send requests to the models of the table",
}
_ROUTES = (
    Column("category", "Category", "code"),
    Column("models", "Goes to"),
    Column("state", "State"),
    Column("requests", f"Requests, {DAYS} days", "count"),
    Column("suggested", "Suggested", "code"),
)
_FIGURES = (
    Column("category", "Category", "code"),
    Column("compared_with", "Compared with", "code"),
    Column("spend_usd", "Spend", "money"),
    Column("suggested", "Suggested", "code"),
    Column("savings_usd", "Would save", "money"),
    Column("coverage", "Covered", "share"),
)
_AGAINST = (Column("category", "Category", "code"), Column("model", "Model", "code"), Column("against", "Because"))
_REASONS = (Column("reason", "Reason", "code"), Column("requests", "Requests", "count"))
_DRY_RUNS = (
    Column("category", "Category", "code"), Column("requests", "Requests", "count"),
    Column("savings_usd", "Would have saved", "money"), Column("covered_requests", "Of requests", "count"),
)  # fmt: skip
_PERCENT = re.compile(r"([0-9]{1,3}([.][0-9])?) ?%?", re.ASCII)
_REQUESTS = re.compile(r"[0-9]{1,6}", re.ASCII)
_BAD_MODE = "A mode is off, dry-run or on."
_BAD_CONFIDENCE = "A confidence is a number of percent from 0 to 100, with at most one decimal."
_NO_TAG = f"There is no id left for the tag {TAG}, in which a gateway reports why it decided as it did."
_BAD_CONCURRENCY = f"Requests at once are a whole number up to {acts.CONCURRENCY_MAX:,}, or 0."


async def show(visit: Visit) -> Response:
    """Show the table, suggestions, and what gateways decided."""
    return await _page(visit, HTTPStatus.OK, "")


async def _page(visit: Visit, status: HTTPStatus, error: str) -> Response:
    async with visit.read() as connection:
        found = await view.read(connection, visit.person.tenant_id)
    suggested = {each.category_id: each for each in found.suggestions}
    order = [*suggested, *(own for own in found.table.routes if own not in suggested)]
    return visit.render(
        "routing_table.html",
        status,
        settings=found.table.settings,
        modes=[*_MODE_WORDS.items()],
        routes=Table("routes", "Routes", _ROUTES, [_row(found, own, suggested.get(own)) for own in order],
                     f"There are no routes, and no requests with a category in {DAYS} days."),
        routed={found.category(own) for own in found.table.routes},
        offers=_offers(found),
        figures=Table("suggestions", f"Suggestions, of {DAYS} days", _FIGURES, _figures(found)),
        against=Table("against", "Why nothing else is suggested", _AGAINST, _refusals(found)),
        allowed=[found.model(model) for model in found.table.allowed],
        reasons=Table("reasons", f"What gateways decided, {DAYS} days", _REASONS, sorted(found.reasons.items())),
        dry_runs=Table("dry-runs", f"Dry-run by the table as it is now, {DAYS} days", _DRY_RUNS, _dry_runs(found)),
        may_write=visit.person.role in MANAGERS,
        categories=[(name, name) for name in CATEGORIES],
        fallbacks_max=FALLBACKS_MAX, honest=sentences.HONEST, scope=SCOPE, error=error,
    )  # fmt: skip


def _row(found: View, category_id: int, suggestion: Suggestion | None) -> Sequence[Cell]:
    models = [found.model(model) for model in found.table.routes.get(category_id, ())]
    obstacle = found.obstacle(category_id) if models else None
    state = "no route" if not models else "in force" if obstacle is None else sentences.OBSTACLES[obstacle]
    requests = 0 if suggestion is None else suggestion.events
    suggested = None if suggestion is None or suggestion.model_id is None else found.model(suggestion.model_id)
    return found.category(category_id), ", then ".join(models) or None, state, requests, suggested


def _figures(found: View) -> list[Sequence[Cell]]:
    return [
        (
            found.category(each.category_id), found.model(each.reference_id), each.spent_nanousd,
            found.model(each.model_id), each.saved_nanousd, each.covered / each.others,
        )
        for each in found.suggestions
        if each.model_id is not None
    ]  # fmt: skip


def _offers(found: View) -> Mapping[str, tuple[str, str]]:
    """Return what a button takes over, by category: a model that the table does not name yet, and its fallbacks."""
    offers = {}
    for each in found.suggestions:
        known = found.table.routes.get(each.category_id, ())
        if each.model_id is not None and each.model_id not in known[:1] and found.is_named(each.category_id):
            fallbacks = [found.model(model) for model in known[1:] if model != each.model_id]
            offers[found.category(each.category_id)] = (found.model(each.model_id), ", ".join(fallbacks))
    return offers


def _refusals(found: View) -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = []
    for each in found.suggestions:
        category = found.category(each.category_id)
        if each.why is not None:
            rows.append((category, None, sentences.why(each.why)))
        rows += [
            (category, found.model(refusal.model_id), sentences.against(refusal, each.reference))
            for refusal in each.refusals
        ]
    return rows


def _dry_runs(found: View) -> list[Sequence[Cell]]:
    return [
        (found.category(each.category_id), each.events, each.saved_nanousd, each.covered) for each in found.dry_runs
    ]


async def set_mode(visit: Visit) -> Response:
    """Set the mode, the confidence and how many requests go at once."""
    form, tenant_id = visit.form, visit.person.tenant_id
    confidence, requests = _PERCENT.fullmatch(form.text("confidence")), _REQUESTS.fullmatch(form.text("concurrency"))
    mode = next((mode for mode in MODES if mode == form.text("mode")), None)
    if mode is None:
        return await _refused(visit, _BAD_MODE)
    if confidence is None or Decimal(confidence[1]) > 100:  # noqa: PLR2004 (percent)
        return await _refused(visit, _BAD_CONFIDENCE)
    if requests is None or int(requests[0]) > acts.CONCURRENCY_MAX:
        return await _refused(visit, _BAD_CONCURRENCY)
    try:
        async with visit.act() as connection:
            await acts.set_confidence(connection, tenant_id, int(Decimal(confidence[1]) * 10))
            await acts.set_concurrency(connection, tenant_id, int(requests[0]))
            await acts.set_mode(connection, tenant_id, mode)
    except VocabularyFull:
        return await _refused(visit, _NO_TAG)
    return visit.redirect(PATH, "route-set")


async def set_route(visit: Visit) -> Response:
    """Set the model of a category with its fallbacks, or take over a suggestion."""
    fallbacks = [name for name in re.split(r"[,\s]+", visit.form.text("fallbacks")) if name]
    try:
        async with visit.act() as connection:
            category, models = await _found(connection, visit, [visit.form.text("model"), *fallbacks])
            await acts.set_route(connection, visit.person.tenant_id, category, models)
    except RouteError as refused:
        return await _refused(visit, sentences.refused(refused))
    return visit.redirect(PATH, "route-set")


async def _found(connection: Connection, visit: Visit, names: Sequence[str]) -> tuple[int, list[int]]:
    tenant_id = visit.person.tenant_id
    category = await acts.find(connection, tenant_id, Kind.TASK_CATEGORY, visit.form.text("category"))
    return category, [await acts.find(connection, tenant_id, Kind.MODEL, name) for name in names[: FALLBACKS_MAX + 2]]


async def unset_route(visit: Visit) -> Response:
    """Remove the route of a category."""
    try:
        async with visit.act() as connection:
            category, _ = await _found(connection, visit, ())
            await acts.unset_route(connection, visit.person.tenant_id, category)
    except RouteError as refused:
        return await _refused(visit, sentences.refused(refused))
    return visit.redirect(PATH, "route-set")


async def allow(visit: Visit) -> Response:
    """Add a model to those that routes may name, or remove it."""
    tenant_id = visit.person.tenant_id
    change = acts.disallow if visit.page.path.endswith("/disallow") else acts.allow
    try:
        async with visit.act() as connection:
            model = await acts.find(connection, tenant_id, Kind.MODEL, visit.form.text("model"))
            await change(connection, tenant_id, [model])
    except RouteError as refused:
        return await _refused(visit, sentences.refused(refused))
    return visit.redirect(PATH, "route-set")


async def _refused(visit: Visit, why: str) -> Response:
    return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, why)


_TITLE = "Routing table"
PAGES = (
    Page(path=PATH, name="routing-table", title=_TITLE, roles=READERS, handler=show, nav=_TITLE),
    *(
        Page(path=f"{PATH}/{name}", name=f"routing-table-{name}", title=_TITLE, roles=MANAGERS, handler=act,
             method="POST")
        for name, act in (
            ("mode", set_mode), ("set", set_route), ("unset", unset_route), ("allow", allow), ("disallow", allow),
        )
    ),
)  # fmt: skip
