"""The terms that the tenant's proxies may send: how many, in which mode, and each of them by pages."""

from collections.abc import Mapping
from typing import cast

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console import days
from ingest.console.page import MANAGERS, Page
from ingest.console.tables import Column, Link, Table
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store import registration, tenants, traffic_reads, vocabulary_reads
from ingest.store.connections import Connection
from ingest.store.vocabulary_reads import Choice, Counts
from schema.event import Kind
from schema.limits import LEARN_PER_DAY_MAX, LEARN_TOTAL_MAX
from schema.rules import RULES
from schema.vocabulary import Mode

READERS: frozenset[Role] = frozenset(("owner", "admin", "analyst", "auditor"))
TERMS_MAX = 20  # Of one form: its transaction holds up all other acts, for some 15 ms a term on a busy machine.
NAMES: Mapping[Kind, str] = {
    Kind.TASK_CATEGORY: "Task categories",
    Kind.PROVIDER: "Providers",
    Kind.MODEL: "Models",
    Kind.TAG_KEY: "Tag keys",
    Kind.TAG_VALUE: "Tag values",
}
MODES: Mapping[Mode, str] = {
    Mode.REFUSE: "A batch with a term that is not registered is refused. Its sender gets the rule and the place"
    " back, never the value.",
    Mode.COARSEN: "The event is stored with “unknown” in the place of the term, and the ledger counts how often."
    " Nothing of the term is kept.",
    Mode.LEARN: "Traffic registers a term by itself, if the token has the scope vocabulary:write and every word of"
    f" the term is a shipped one: up to {LEARN_PER_DAY_MAX} of a kind a day, {LEARN_TOTAL_MAX} in all. Other terms"
    " are refused.",
}
_SEGMENTS = {kind: segment for segment, kind in registration.KINDS.items()} | {Kind.TAG_KEY: "tag-key"}
_CHOICES: Mapping[Choice, str] = {"own": "Own", "retired": "Retired", "shipped": "Shipped"}
_SUMMARY = (
    Column("kind", "Kind"),
    Column("mode", "Unregistered terms"),
    Column("own", "Own terms", "count"),
    Column("learned", "of them learned", "count"),
    Column("retired", "Retired", "count"),
    Column("shipped", "Shipped", "count"),
    Column("learn_today_left", "Left to learn today", "count"),
    Column("learn_left", "Left to learn", "count"),
    Column("ids_left", "Ids left", "count"),
)
_RETIRED = Column("retired_at", "Retired", "when")
_UNKNOWN = (Column("rule", "Rule"), Column("requests", "Requests", "count"), Column("records", "Records", "count"))
_NO_UNKNOWN = "None was refused for a term. Which term it was is kept nowhere: a proxy gets the place back."
_NOT_REGISTERED = tuple(rule for rule in RULES if rule.startswith(("vocabulary.unknown-", "vocabulary.undeclared-")))
_TERMS = (
    Column("term", "Term", "code"),
    Column("learned", "Registered by"),
    Column("created_at", "Since", "when"),
)


async def show(visit: Visit) -> Response:
    """Show the kinds with their modes and budgets, the tag keys, and the forms."""
    async with visit.read() as connection:
        context = await overview(connection, visit)
    return visit.render("vocabulary.html", **context)


async def overview(connection: Connection, visit: Visit, **outcome: object) -> dict[str, object]:
    """Return what the page shows, with the outcome of a form that was refused."""
    counts = await vocabulary_reads.counts(connection, visit.person.tenant_id)
    keys = await vocabulary_reads.tag_keys(connection, visit.person.tenant_id)
    modes = (await tenants.read(connection, visit.person.tenant_id)).modes
    span = days.of({})
    unknown = [
        (
            Link(cause, f"/refusals/{cause}?days={span.number}"),
            sum(one.requests for one in found),
            sum(one.records for one in found),
        )
        for cause in _NOT_REGISTERED
        if (found := await traffic_reads.refusals(connection, span.since, cause))
    ]
    rows = [_summary(kind, counts[kind], modes) for kind in Kind]
    return {
        "kinds": Table("vocabulary", "Kinds of terms", _SUMMARY, rows),
        "unknown": Table("unknown", f"Refused in {span.number} days, by rule", _UNKNOWN, unknown, _NO_UNKNOWN),
        "keys": [(key, f"/vocabulary/tag:{key}") for key in keys],
        "modes": [(mode.name.lower(), says) for mode, says in MODES.items()],
        "mode_choices": [(mode.name.lower(), mode.name.lower()) for mode in Mode],
        "moded": [(kind.name.lower(), NAMES[kind], modes[kind].name.lower()) for kind in tenants.KINDS_WITH_MODE],
        "may_change": visit.person.role in MANAGERS,
        "form_kinds": [*((name, NAMES[kind]) for name, kind in registration.KINDS.items()),
                       *((f"tag:{key}", f"Values of the tag {key}") for key in keys)],
        "terms_max": TERMS_MAX,
        "kind": "model",
        "verdicts": (),
        "summary": "",
        "key_verdict": "",
    } | outcome  # fmt: skip


def _summary(kind: Kind, counts: Counts, modes: Mapping[Kind, Mode]) -> tuple[str | int | Link | None, ...]:
    path = _SEGMENTS.get(kind)
    name = NAMES[kind] if path is None else Link(NAMES[kind], f"/vocabulary/{path}")
    mode = modes[kind].name.lower() if kind in modes else "refuse"
    left = (None, None) if counts.budget is None else (counts.budget.daily, counts.budget.total)
    return name, mode, counts.own, counts.learned, counts.retired, counts.shipped, *left, counts.ids_left


async def show_terms(visit: Visit) -> Response:
    """Show the terms of a kind, or the values of a tag key."""
    name = visit.path_params["kind"]
    choice = visit.query.get("list", "own")
    if choice not in _CHOICES:
        raise NotFound
    async with visit.read() as connection:
        found = await kind_of(connection, visit.person.tenant_id, name)
        page = await vocabulary_reads.page(
            connection, visit.person.tenant_id, found, cast("Choice", choice), visit.query.text("after")
        )
    kind, _ = found
    columns = (*_TERMS, _RETIRED) if choice == "retired" else _TERMS
    learned = {True: "traffic", False: "the catalogue" if choice == "shipped" else "a person"}
    rows = [
        (row["term"], learned[row["learned"]], row["created_at"], row["retired_at"])[: len(columns)]
        for row in page.rows
    ]
    return visit.render(
        "terms.html",
        terms=Table("terms", f"{_CHOICES[cast('Choice', choice)]} terms", columns, rows, _none(choice)),
        heading=f"Values of the tag {name.removeprefix('tag:')}" if kind is Kind.TAG_VALUE else NAMES[kind],
        kind=name,
        choice=choice,
        choices=[*_CHOICES.items()],
        next_after=page.next_after,
        may_retire=choice == "own" and visit.person.role in MANAGERS,
    )


async def kind_of(connection: Connection, tenant_id: int, name: str) -> tuple[Kind, int]:
    """Return the kind that a path or form names, and the id of a declared key or 0; raises NotFound."""
    if name == _SEGMENTS[Kind.TAG_KEY]:
        return Kind.TAG_KEY, 0
    found = await registration.kind_named(connection, tenant_id, name)
    if found is None:
        raise NotFound
    return found


def _none(choice: str) -> str:
    if choice == "retired":
        return "No term of this kind was retired."
    return "There are none yet. Proxies may send the shipped ones." if choice == "own" else "None are shipped."


PAGES = (
    Page(path="/vocabulary", name="vocabulary", title="Vocabulary", roles=READERS, handler=show, nav="Vocabulary"),
    Page(
        path="/vocabulary/{kind}", name="vocabulary-terms", title="Terms", roles=READERS, handler=show_terms,
        example={"kind": "model"},
    ),
)  # fmt: skip
