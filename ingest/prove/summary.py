"""The summary of a run, for the terminal and every report."""

import time
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from ingest.prove.case import Expected
from ingest.prove.families import digest
from ingest.prove.run import Outcome, Run
from ingest.prove.search import SearchResult

PASS, FAIL = "pass", "fail"
FAULTS_MAX = 500  # Listed in a report, which counts all.
_TEXT_FAULTS_MAX = 20
_OK = 200


class FamilySum(Struct, frozen=True):
    """The outcomes of a family's cases, counted."""

    family: str
    cases: int
    refused: int
    ignored: int  # 200, without a trace of the canary.
    accepted: int
    unanswered: int  # Cases that are not HTTP.
    faults: int


class FaultLine(Struct, frozen=True):
    """A case in which the service broke its promise."""

    family: str
    case: str
    canary: str
    status: int
    fault: str


class PlaceSum(Struct, frozen=True):
    """A place that was searched for all canaries."""

    place: str
    bytes: int
    finds: list[str]
    unread: list[str]
    is_gated: bool


class Summary(Struct, frozen=True):
    """The summary of a run."""

    verdict: str
    url_host: str
    started_at: str
    duration_s: float
    version: str
    policy_digest: str
    cases_planned: int
    cases_sent: int
    cases_sha256: str
    seed: int
    marker: str  # The prefix of the run's canaries.
    families: list[FamilySum]
    totals: FamilySum
    places: list[PlaceSum]
    policy_faults: list[str]
    faults: list[FaultLine]
    skipped: list[str]  # Families that could not be proved, each with the reason.


def summed(run: Run, searched: list[SearchResult], url_host: str) -> Summary:
    """Sum up; the verdict is pass if no canary was found and every case sent had its expected outcome."""
    faulty = [outcome for outcome in run.outcomes if outcome.fault]
    places = [_place(run, one) for one in searched]
    is_found = any(place.finds and place.is_gated for place in places)
    families = list(_families(run.outcomes))
    return Summary(
        verdict=FAIL if faulty or is_found or run.policy_faults or not run.outcomes else PASS,
        url_host=url_host,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(run.started_at)),
        duration_s=round(run.duration_s, 1),
        version=run.version,
        policy_digest=run.kit.policy.digest,
        cases_planned=len(run.planned),
        cases_sent=len(run.outcomes),
        cases_sha256=digest(run.planned),
        seed=run.kit.seed,
        marker=run.kit.canaries.marker,
        families=families,
        totals=_sum("all", run.outcomes),
        places=places,
        policy_faults=run.policy_faults,
        faults=[_fault(outcome) for outcome in faulty[:FAULTS_MAX]],
        skipped=list(run.skipped),
    )


def _families(outcomes: list[Outcome]) -> Iterator[FamilySum]:
    for family in sorted({outcome.planned.family for outcome in outcomes}):
        yield _sum(family, [outcome for outcome in outcomes if outcome.planned.family == family])


def _sum(family: str, outcomes: list[Outcome]) -> FamilySum:
    kinds = Counter(_kind(outcome) for outcome in outcomes)
    return FamilySum(
        family=family,
        cases=len(outcomes),
        refused=kinds["refused"],
        ignored=kinds["ignored"],
        accepted=kinds["accepted"],
        unanswered=kinds["unanswered"],
        faults=kinds["fault"],
    )


def _kind(outcome: Outcome) -> str:
    if outcome.fault:
        return "fault"
    if outcome.status == 0:
        return "unanswered"
    if outcome.planned.case.expected is Expected.ACCEPTED:
        return "accepted"
    return "refused" if outcome.status > _OK else "ignored"


def _fault(outcome: Outcome) -> FaultLine:
    family, case = outcome.planned
    return FaultLine(family, case.name, case.canary, outcome.status, outcome.fault)


def _place(run: Run, searched: SearchResult) -> PlaceSum:
    of_canary = {planned.case.canary: planned for planned in run.planned} if searched.finds else {}
    finds = []
    for where, find in searched.finds:
        planned = of_canary.get(find.canary)
        case = f"{planned.family}: {planned.case.name}" if planned else "a case that cannot be told"
        finds.append(f"{where}: {find.form} canary of {case}")
    return PlaceSum(searched.place, searched.bytes, finds, list(searched.unread), searched.is_gated)


def as_text(summary: Summary) -> str:
    """Return the summary for a terminal."""
    lines = [
        f"{'family':22} {'cases':>7} {'refused':>8} {'ignored':>8} {'accepted':>9} {'no answer':>10} {'faults':>7}"
    ]
    lines += [
        f"{one.family:22} {one.cases:>7,} {one.refused:>8,} {one.ignored:>8,} {one.accepted:>9,}"
        f" {one.unanswered:>10,} {one.faults:>7,}"
        for one in (*summary.families, summary.totals)
    ]
    lines.append("")
    for place in summary.places:
        gate = "" if place.is_gated else " (reported, not gated)"
        unread = f", {len(place.unread)} unread" if place.unread else ""
        lines.append(f"searched    {place.place:12} {place.bytes:>13,} bytes, {len(place.finds)} finds{unread}{gate}")
        lines += [f"  found     {find}" for find in place.finds[:_TEXT_FAULTS_MAX] if place.is_gated]
    lines += [f"  FAULT     {fault}" for fault in summary.policy_faults]
    lines += [f"  FAULT     {one.family}: {one.case}: {one.fault}" for one in summary.faults[:_TEXT_FAULTS_MAX]]
    lines += [f"skipped     {line}" for line in summary.skipped]
    partial = "" if summary.cases_sent == summary.cases_planned else f" (only {summary.cases_sent:,} were sent in time)"
    lines += [
        f"service     {summary.url_host}, version {summary.version}, policy {summary.policy_digest}",
        f"cases       {summary.cases_planned:,}{partial} in {summary.duration_s} s, SHA-256 {summary.cases_sha256}",
        f"verdict     {summary.verdict.upper()}{partial}",
    ]
    return "\n".join(lines)
