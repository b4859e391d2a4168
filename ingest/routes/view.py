"""Reads a tenant's routing table with what its own requests suggest, for the console and the command line."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from ingest.knowledge.gateway import CATEGORIES
from ingest.routes import suggest
from ingest.routes.suggest import DryRun, Suggestion
from ingest.store.connections import Connection
from ingest.store.gateway import evidence, own
from ingest.store.gateway.own import Table, Words
from schema.event import Kind

# Why a route is not followed.
Obstacle = Literal["retired", "not-named", "not-allowed"]
OBSTACLES: tuple[Obstacle, ...] = get_args(Obstacle)


class View(NamedTuple):
    """The table, a suggestion for each category with requests, and what gateways decided in the last days."""

    table: Table
    words: Words
    suggestions: Sequence[Suggestion]
    reasons: Mapping[str, int]  # Requests by the reason of their decision.
    dry_runs: Sequence[DryRun]

    def category(self, category_id: int) -> str:
        return self.words.categories.get(category_id, "(erased)")

    def model(self, model_id: int) -> str:
        return self.words.models.get(model_id, "(erased)")

    def obstacle(self, category_id: int) -> Obstacle | None:
        """Return why no request of a category goes by its route, as far as the table decides."""
        target = self.table.routes[category_id][0]
        if {(Kind.TASK_CATEGORY, category_id), (Kind.MODEL, target)} & self.words.retired:
            return "retired"
        if not self.is_named(category_id):
            return "not-named"
        return "not-allowed" if self.table.allowed and target not in self.table.allowed else None

    def is_named(self, category_id: int) -> bool:
        """Return whether a gateway names a category."""
        return self.category(category_id) in CATEGORIES


async def read(connection: Connection, tenant_id: int) -> View:
    """Read all of it, in a transaction that sees one state."""
    table = await own.read(connection, tenant_id)
    found = await evidence.read(connection, tenant_id, sorted(table.models))
    categories = {*table.routes, *(cell.category_id for cell in found.cells)}
    categories |= {row.category_id for row in found.decided}
    models = table.models | {model for cell in found.cells for model in (cell.requested_id, cell.routed_id)}
    words = await own.words(connection, tenant_id, categories, models)
    reasons: Counter[str] = Counter()
    for row in found.decided:
        reasons[row.reason] += row.events
    targets = {category_id: models[0] for category_id, models in table.routes.items()}
    suggestions = suggest.suggest(found, frozenset(table.allowed))
    return View(table, words, suggestions, reasons, suggest.dry_runs(found, targets))
