"""The manifest of an export: its files with their checksums, its moment, and whether the rows come to the sums."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import UUID

from msgspec import Struct

from ingest.store.rights.datasets import DATA

VERSION = 1
_DAY = timedelta(days=1)
Verdict = Literal["equal", "differs", "erased", "not-comparable"]


class Request(Struct, frozen=True, kw_only=True):
    """The wish of whoever exports; it is the same when an export goes on."""

    tenant: str
    format: str
    data: tuple[str, ...]
    first: datetime | None = None
    before: datetime | None = None
    tag: str | None = None


class Part(Struct, frozen=True, kw_only=True):
    """A file; `sums` are those of its tokens and its money in nano-USD, unknown costs left out."""

    file: str
    data: str
    day: date | None
    rows: int
    bytes: int
    sha256: str
    sums: dict[str, int]


class Expected(Struct, frozen=True, kw_only=True):
    """The sums of a day at the moment, by rollups; `pending` events were stored and not summed up."""

    sums: dict[str, int]
    pending: int
    is_comparable: bool


class Moment(Struct, frozen=True, kw_only=True):
    """The state of the database at the moment, as far as the export needs it later."""

    snapshot: str
    at: datetime
    tenant_id: int
    term_id: int | None  # Of the tag.
    schema: str
    first_day: date | None
    next_day: date | None
    first_batch: date | None
    last_batch: date | None
    ledger_accepted: int
    open_erasures: tuple[UUID, ...]
    days: dict[date, Expected]


class Progress(Struct, frozen=True, kw_only=True):
    """An export that is not complete. Without a moment it has no file yet that is worth keeping."""

    version: int = VERSION
    request: Request
    moment: Moment | None = None
    parts: tuple[Part, ...] = ()


class ComparedDay(Struct, frozen=True, kw_only=True):
    """A day's events in the files, and by the rollups at the moment."""

    day: date
    exported: dict[str, int]
    expected: dict[str, int]
    pending: int
    verdict: Verdict


class Erasure(Struct, frozen=True, kw_only=True):
    """An erasure that may have taken rows before they were exported."""

    erasure_id: UUID
    scope: str
    requested_at: datetime
    finished_at: datetime | None


class Ledger(Struct, frozen=True, kw_only=True):
    """Events that the ledger had accepted at the moment in all, and those in the files."""

    accepted: int
    exported_events: int


class Manifest(Struct, frozen=True, kw_only=True):
    """The last file of an export: with it the export is complete."""

    version: int = VERSION
    request: Request
    snapshot: str
    at: datetime
    schema: str
    files: tuple[Part, ...]
    rows: dict[str, int]
    sums: dict[str, int]
    days: tuple[ComparedDay, ...]
    ledger: Ledger
    erasures_meanwhile: tuple[Erasure, ...]
    days_dropped_meanwhile: tuple[date, ...]
    left_out: Mapping[str, str]

    @property
    def differs(self) -> bool:
        return any(day.verdict == "differs" for day in self.days)

    @property
    def is_of_everything(self) -> bool:
        own = self.request
        return set(own.data) == set(DATA) and own.first is None and own.before is None and own.tag is None


def compare(progress: Progress, *, is_erased: bool, first_day: date | None) -> tuple[ComparedDay, ...]:
    """Compare the events of each day with the rollups; `first_day` is the first that still has rows."""
    moment = progress.moment
    assert moment is not None
    exported = {part.day: part for part in progress.parts if part.data == "events" and part.day is not None}
    if "events" not in progress.request.data:
        return ()
    found = []
    for day in sorted({*exported, *moment.days}):
        part, wanted = exported.get(day), moment.days.get(day)
        own = {"events": part.rows, **part.sums} if part else {}
        own = {name: value for name, value in own.items() if name in _COMPARED}
        is_gone = first_day is not None and day < first_day
        if moment.first_day is not None and day < moment.first_day:
            continue  # Only its sums were left at the moment.
        if part is None and wanted is not None and not wanted.is_comparable and not any(wanted.sums.values()):
            continue  # To be summed again, and nothing there.
        is_comparable = _is_whole(progress.request, day) and not is_gone and (wanted is None or wanted.is_comparable)
        verdict: Verdict = "not-comparable"
        if is_comparable:
            verdict = "equal" if _is_equal(own, wanted) else "erased" if is_erased else "differs"
        sums, pending = (wanted.sums, wanted.pending) if wanted else ({}, 0)
        found.append(ComparedDay(day=day, exported=own, expected=sums, pending=pending, verdict=verdict))
    return tuple(found)


_COMPARED = (
    "events", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "cost_nanousd",
)  # fmt: skip


def _is_whole(request: Request, day: date) -> bool:
    """Return whether all events of a day are in the export."""
    begin = datetime.combine(day, time(), UTC)
    is_from, is_until = request.first or begin, request.before or begin + _DAY
    return request.tag is None and is_from <= begin and is_until >= begin + _DAY


def _is_equal(own: Mapping[str, int], wanted: Expected | None) -> bool:
    if wanted is None:
        return not own.get("events")
    if own.get("events", 0) != wanted.sums.get("events", 0) + wanted.pending:
        return False
    return bool(wanted.pending) or all(own.get(name, 0) == wanted.sums.get(name, 0) for name in _COMPARED)


def rows_of(parts: Iterable[Part]) -> dict[str, int]:
    """Return the number of rows of each data set."""
    found: dict[str, int] = {}
    for part in parts:
        found[part.data] = found.get(part.data, 0) + part.rows
    return found


def sums_of(parts: Iterable[Part]) -> dict[str, int]:
    """Return the sums of tokens and money of all events."""
    found: dict[str, int] = {}
    for part in parts:
        if part.data == "events":
            for name, value in part.sums.items():
                found[name] = found.get(name, 0) + value
    return found
