"""Your data, export: choose data sets, days and a format; the parts stream as those of `GET /v1/exports` do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, timedelta
from http import HTTPStatus
from importlib.util import find_spec
from urllib.parse import urlencode

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.errors import BadQuery
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Link, Table
from ingest.console.visit import Visit
from ingest.errors import IngestError
from ingest.reports import errors, export_parts, export_query, streaming
from ingest.reports.export_answers import ROOT, ExportManifest, ExportPart
from ingest.reports.export_parts import Source
from ingest.reports.export_query import Days
from ingest.reports.streaming import Pieces, Stream
from ingest.rights.exporting.errors import FormatMissing
from ingest.serving import documents
from ingest.serving.errors import NotFound
from ingest.store.billing import accounts
from ingest.store.rights.datasets import DATA
from ingest.store.rights.exporting import InvalidPlace
from ingest.store.rights.moments import InvalidMoment

PATH = "/data/export"
_USAGE = ("events", "ledger", "usage", "annotations", "traffic", "vocabulary")
# The data sets that each role may export: an analyst those of use, without invoices, people and the audit.
DATA_OF: Mapping[Role, tuple[str, ...]] = {"owner": DATA, "admin": DATA, "analyst": _USAGE}
EXPORTERS: frozenset[Role] = frozenset(DATA_OF)
FORMATS: Mapping[str, str] = {
    "jsonl": "JSON lines",
    "csv": "CSV",
    "parquet": "Parquet",
    "focus": "FOCUS, the FinOps format (usage alone)",
}
SAYS: Mapping[str, str] = {
    "events": "one row for each call of a model, as it was sent",
    "ledger": "what arrived and when, batch by batch",
    "usage": "sums by hour and day, and marks of what is not summed yet",
    "annotations": "events that are known to be wrong",
    "vocabulary": "the registered terms",
    "traffic": "what was refused and what arrived, by day",
    "invoices": "invoices, their lines and payments",
    "audit": "who changed what",
    "account": "the organisation: its settings, tokens, prices and plans",
    "people": "people, their sessions and links",
    "erasures": "what was erased",
}
assert SAYS.keys() == set(DATA)
_REFUSED = (
    errors.ParameterInvalid, errors.ParameterMissing, errors.ParameterUnknown, errors.ParameterRepeated,
    errors.RangeReversed, errors.RangeTooLong, InvalidMoment, InvalidPlace,
)  # fmt: skip
_WRONG: Mapping[type[IngestError], str] = {
    errors.RangeReversed: "The first day comes after the last one.",
    errors.RangeTooLong: f"An export has {export_query.DAYS_MAX} days at most.",
}
_DAYS_DEFAULT = 30
_DAY = timedelta(days=1)
_COLUMNS = (
    Column("part", "Part"),
    Column("data", "Data set"),
    Column("day", "Day", "day"),
    Column("rows", "Rows", "count"),
    Column("cost_usd", "Reported costs", "money"),
)


async def show(visit: Visit) -> Response:
    """Show the form and, once it was sent, the links of the parts as of one moment."""
    choice = _Choice(visit, await _today(visit))
    if "format" not in visit.query:
        return _page(visit, choice, HTTPStatus.OK)
    try:
        asked = choice.days()
    except _REFUSED as refused:
        return _page(visit, choice, HTTPStatus.UNPROCESSABLE_ENTITY, error=_WRONG.get(type(refused), _NO_DAYS))
    if not choice.data:
        return _page(visit, choice, HTTPStatus.UNPROCESSABLE_ENTITY, error="Choose at least one data set.")
    found = await export_parts.manifest(_source(visit), asked, choice.data)
    return _page(visit, choice, HTTPStatus.OK, manifest=found)


_NO_DAYS = "Name the first and the last day, such as 2026-11-01."


class _Choice:
    """The wishes of a query, or those that the form begins with."""

    def __init__(self, visit: Visit, today: date) -> None:
        allowed = DATA_OF[visit.person.role]
        named = visit.query.all("data")
        self.data = tuple(each for each in allowed if each in named or "format" not in visit.query)
        self.format = visit.query.text("format") or "jsonl"
        self.first = visit.query.text("first") or str(today - _DAYS_DEFAULT * _DAY)
        self.last = visit.query.text("last") or str(today)
        if self.format not in formats():
            raise NotFound
        if self.format == "focus":
            self.data = ("usage",)

    def days(self) -> Days:
        """Return the days; the form names the last one, and not the one after it."""
        try:
            before = date.fromisoformat(self.last) + _DAY
        except (ValueError, OverflowError):
            raise errors.ParameterInvalid("last") from None
        return export_query.days({"from": self.first, "before": str(before)})


def formats() -> dict[str, str]:
    """Return the formats that this process can write, in words."""
    return {name: says for name, says in FORMATS.items() if name != "parquet" or find_spec("pyarrow") is not None}


async def _today(visit: Visit) -> date:
    async with visit.read() as connection:
        return (await accounts.now(connection)).astimezone(UTC).date()


def _page(
    visit: Visit,
    choice: _Choice,
    status: HTTPStatus,
    *,
    error: str = "",
    manifest: ExportManifest | None = None,
) -> Response:
    parts = manifest.parts if manifest is not None else []
    return visit.render(
        "data_export.html", status, choice=choice, formats=[*formats().items()], error=error, manifest=manifest,
        choices=[(each, SAYS[each]) for each in DATA_OF[visit.person.role]],
        parts=Table("parts", "Parts", _COLUMNS, [*_rows(parts, choice.format)]),
        resumable=[each.name for each in parts if each.day and choice.format in {"jsonl", "csv"}],
    )  # fmt: skip


def _rows(parts: Sequence[ExportPart], form: str) -> Iterator[tuple[Cell, ...]]:
    for part in parts:
        link = part.links.get("csv" if form == "focus" else form)
        if link is not None and (part.name == "focus") == (form == "focus"):
            yield _row(part, f"{PATH}{link.removeprefix(ROOT)}", form)


def _row(part: ExportPart, href: str, form: str) -> tuple[Cell, ...]:
    cost = None if part.sums is None else part.sums["cost_nanousd"]
    name = f"{part.name}.{'csv' if form == 'focus' else form}"
    return Link(name, href, is_file=True), part.data, part.day, part.rows, cost


async def resume(visit: Visit) -> Response:
    """Redirect to the rest of a part, after the row that the file has last."""
    name, dot, form = visit.query.text("part").partition(".")
    data, _, day = name.partition("-")
    given = {"snapshot": visit.query.text("snapshot"), "after": visit.query.text("after")}
    try:
        part = export_query.day_part(data, f"{day}{dot}{form}", given)
    except (errors.ExportNotFound, *_REFUSED):
        return visit.redirect(PATH, "export-row-unknown")
    rest = urlencode({"snapshot": str(part.moment), "after": part.after}, safe=":,-")
    return visit.redirect(f"{PATH}/{part.data}/{part.day}.{part.format}?{rest}")


async def get_day(visit: Visit) -> Response:
    """Stream the rows of a day as of a moment."""
    data = visit.path_params["data"]
    _require(visit, data)
    with _refusing():
        part = export_query.day_part(data, visit.path_params["file"], visit.query)
        return _stream(visit, export_parts.day(_source(visit), part), part.name, part.format)


async def get_table(visit: Visit) -> Response:
    """Stream the rows of a table as they are now."""
    file = visit.path_params["file"]
    with _refusing():
        if file == "focus.csv":
            _require(visit, "usage")
            pieces = export_parts.focus_rows(_source(visit), export_query.days(visit.query))
            return _stream(visit, pieces, file, "csv")
        part = export_query.table_part(file, visit.query)
        _require(visit, part.table.data)
        return _stream(visit, export_parts.table(_source(visit), part), file, part.format)


def _require(visit: Visit, data: str) -> None:
    """Raise NotFound for a data set that the role may not export."""
    if data not in DATA_OF[visit.person.role]:
        raise NotFound


def _source(visit: Visit) -> Source:
    return visit.services.downloads.source(visit.person.tenant_id, visit.session.digest)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (errors.ExportNotFound, FormatMissing):
        raise NotFound from None
    except _REFUSED:
        raise BadQuery from None


def _stream(visit: Visit, pieces: Pieces, name: str, form: str) -> Stream:
    headers = export_parts.headers(name, form)
    if form != "parquet" and documents.takes_gzip(visit.request):
        return Stream(streaming.gzipped(pieces), headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    return Stream(pieces, headers)


PAGES = (
    Page(path=PATH, name="data-export", title="Export", roles=EXPORTERS, handler=show),
    Page(path=f"{PATH}/resume", name="data-export-resume", title="Export", roles=EXPORTERS, handler=resume),
    Page(
        path=f"{PATH}/{{file}}", name="data-export-table", title="Export", roles=EXPORTERS, handler=get_table,
        example={"file": "nobody.csv"},
    ),
    Page(
        path=f"{PATH}/{{data}}/{{file}}", name="data-export-day", title="Export", roles=EXPORTERS, handler=get_day,
        example={"data": "events", "file": "nobody.csv"},
    ),
)  # fmt: skip
