"""Suggests a model for each task category, or says why not: the cheapest that ended no worse for this tenant.

Pure: from sums of the tenant's own requests, the rates in force now and the models that it allows. What a suggestion
would save is reckoned by those rates with the tokens of the requests as they were, though another model may use more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from ingest.pricing import rates
from ingest.pricing.rates import PICOUSD_PER_NANOUSD, Tokens
from ingest.routes import quality
from ingest.routes.quality import REQUESTS_MIN, Rate
from ingest.store.gateway.evidence import Bins, Cell, Evidence

# Why a model is not suggested.
Against = Literal[
    "not-allowed",
    "few-requests",
    "no-price",
    "not-cheaper",
    "fails-more",
    "retried-more",
    "replaced-more",
    "later",
    "saves-less",
]
AGAINST: tuple[Against, ...] = get_args(Against)
# Why a category has no suggestion.
Why = Literal["few-requests", "no-other-model", "none-passes"]
WHYS: tuple[Why, ...] = get_args(Why)


class Record(NamedTuple):
    """How requests of a category ended that a model served, and those that asked for it."""

    failed: Rate
    retried: Rate
    replaced: Rate  # Of those that asked for it: another model answered, as a fallback or an escalation.
    latency: Bins


class Refusal(NamedTuple):
    """A model that is not suggested."""

    model_id: int
    against: Against
    record: Record | None


class Suggestion(NamedTuple):
    """What to do about a category; without a model there is a reason."""

    category_id: int
    reference_id: int  # The model that others are compared with.
    events: int
    spent_nanousd: int
    model_id: int | None
    saved_nanousd: int  # In the days that the evidence is of.
    others: int  # The requests that other models served,
    covered: int  # and those of them whose prices are both known, of which the saving is.
    why: Why | None
    reference: Record | None
    record: Record | None
    refusals: tuple[Refusal, ...]


def suggest(evidence: Evidence, allowed: Collection[int]) -> list[Suggestion]:
    """Return a suggestion for each category that has requests, the one that cost most first."""
    by_category: dict[int, list[Cell]] = defaultdict(list)
    for cell in evidence.cells:
        by_category[cell.category_id].append(cell)
    found = [_Category(evidence, cells).suggest(allowed) for cells in by_category.values()]
    return sorted(found, key=lambda each: (-each.spent_nanousd, each.category_id))


def cost_nanousd(evidence: Evidence, place: tuple[int, int], tokens: Tokens, events: int) -> int | None:
    """Return what tokens cost now from a provider and of a model, in the tier of the mean request; None if unpriced."""
    schedules = [known.get(place, ()) for known in (evidence.own_rates, evidence.book_rates)]
    found = rates.find(schedules, evidence.now, tokens.size // max(1, events))
    picousd = None if found is None else rates.cost_picousd(found, tokens)
    return None if picousd is None else picousd // PICOUSD_PER_NANOUSD


class _Saving(NamedTuple):
    """What requests would have cost less that other models served; of `covered` of them both prices are known."""

    nanousd: int
    others: int
    covered: int


class _Category:
    """The requests of one category."""

    def __init__(self, evidence: Evidence, cells: Sequence[Cell]) -> None:
        self._evidence = evidence
        self._cells = cells
        self._id = cells[0].category_id

    def suggest(self, allowed: Collection[int]) -> Suggestion:
        reference_id = self._reference()
        reference = self._record(reference_id)
        made = Suggestion(
            self._id, reference_id, sum(cell.events for cell in self._cells),
            sum(cell.spent_nanousd for cell in self._cells), None, 0, 0, 0, None, reference, None, (),
        )  # fmt: skip
        others = {*allowed, *(cell.routed_id for cell in self._cells)} - {0, reference_id}
        if reference is None:
            return made._replace(why="few-requests")
        if not others:
            return made._replace(why="no-other-model")
        refusals = []
        for model, saving in self._cheapest_first(others):
            record = self._record(model)
            against = "not-allowed" if allowed and model not in allowed else _against(record, reference, saving)
            if against is None and made.model_id is None and saving is not None:
                made = made._replace(
                    model_id=model, saved_nanousd=saving.nanousd, others=saving.others, covered=saving.covered,
                    record=record,
                )  # fmt: skip
            else:
                refusals.append(Refusal(model, against or "saves-less", record))
        return made._replace(why=None if made.model_id else "none-passes", refusals=tuple(refusals))

    def _cheapest_first(self, models: Iterable[int]) -> list[tuple[int, _Saving | None]]:
        savings = [(model, self._saving(model)) for model in models]
        return sorted(savings, key=lambda each: (each[1] is None, -each[1].nanousd if each[1] else 0, each[0]))

    def _reference(self) -> int:
        """Return the model that served most requests that asked for it; if those are too few, most requests."""
        own: dict[int, int] = defaultdict(int)
        served: dict[int, int] = defaultdict(int)
        for cell in self._cells:
            served[cell.routed_id] += cell.events
            if cell.requested_id == cell.routed_id:
                own[cell.routed_id] += cell.events
        counts = own if max(own.values(), default=0) >= REQUESTS_MIN else served
        return max(counts, key=lambda model: (counts[model], -model))

    def _record(self, model: int) -> Record | None:
        """Return how a model's requests ended, or None if they are too few to show it."""
        served = [cell for cell in self._cells if cell.routed_id == model]
        asking = [cell for cell in self._cells if cell.requested_id == model]
        events = sum(cell.events for cell in served)
        if events < REQUESTS_MIN:
            return None
        return Record(
            Rate(sum(cell.failed for cell in served), events),
            Rate(sum(cell.retried for cell in served), events),
            Rate(sum(cell.replaced for cell in asking), sum(cell.events for cell in asking)),
            self._evidence.latencies.get((self._id, model), {}),
        )

    def _saving(self, model: int) -> _Saving | None:
        """Return what the requests that other models served would have cost less; None if no price is known."""
        saving, is_priced = _Saving(0, 0, 0), False
        for cell in self._cells:
            own = cost_nanousd(self._evidence, (cell.provider_id, model), cell.tokens, cell.events)
            is_priced |= own is not None
            if cell.routed_id == model:
                continue
            known = cost_nanousd(self._evidence, (cell.provider_id, cell.routed_id), cell.tokens, cell.events)
            less, covered = (0, 0) if own is None or known is None else (known - own, cell.events)
            saving = _Saving(saving.nanousd + less, saving.others + cell.events, saving.covered + covered)
        return saving if is_priced else None


def _against(record: Record | None, reference: Record, saving: _Saving | None) -> Against | None:
    """Return the first thing that speaks against a model."""
    if record is None:
        return "few-requests"
    if saving is None:
        return "no-price"
    if saving.nanousd <= 0:
        return "not-cheaper"
    compared: Sequence[tuple[Against, Rate, Rate]] = (
        ("fails-more", record.failed, reference.failed),
        ("retried-more", record.retried, reference.retried),
        ("replaced-more", record.replaced, reference.replaced),
    )
    for name, own, other in compared:
        if own.is_known and other.is_known and quality.may_be_worse(own, other):
            return name
    return "later" if quality.may_be_later(record.latency, reference.latency) else None


class DryRun(NamedTuple):
    """What a gateway's decisions in dry-run would have saved in a category by the table as it is now."""

    category_id: int
    events: int
    covered: int
    saved_nanousd: int


def dry_runs(evidence: Evidence, targets: Mapping[int, int]) -> list[DryRun]:
    """Reckon decisions with the reason `dry-run` by category, for the models that routes name now."""
    found: dict[int, DryRun] = {}
    for row in evidence.decided:
        if row.reason != "dry-run":
            continue
        target = targets.get(row.category_id, 0)
        known = cost_nanousd(evidence, (row.provider_id, row.routed_id), row.tokens, row.events)
        own = cost_nanousd(evidence, (row.provider_id, target), row.tokens, row.events)
        saved, covered = (0, 0) if known is None or own is None else (known - own, row.events)
        before = found.get(row.category_id, DryRun(row.category_id, 0, 0, 0))
        found[row.category_id] = DryRun(
            row.category_id, before.events + row.events, before.covered + covered, before.saved_nanousd + saved
        )
    return [found[category_id] for category_id in sorted(found)]
