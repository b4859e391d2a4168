"""The manifest of an export over HTTP: its moment, and its parts with their links."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from ingest.reports.export_query import Days
from ingest.rights.exporting.writers import FORMATS
from ingest.store.rights.datasets import BY_DAY, STANDING
from ingest.store.rights.figures import Day, Facts
from ingest.store.rights.moments import Moment

ROOT = "/v1/exports"


class ExportPart(Struct, frozen=True):
    """A part: a day of a data set, or a table."""

    data: str
    name: Annotated[str, Meta(description="Of the part without its ending.")]
    day: date | None
    rows: Annotated[int | None, Meta(description="As of the moment; null where nobody counts.")]
    sums: Annotated[
        dict[str, int] | None,
        Meta(description="Of tokens and reported costs of the rows, by the rollups; null while these lack some."),
    ]
    links: Annotated[dict[str, str], Meta(description="By format; relative to this service.")]


class ExportManifest(Struct, frozen=True):
    """The reply to `GET /v1/exports`."""

    first: Annotated[date, Meta(description="The parameter `from`.")]
    before: date
    taken_at: Annotated[datetime, Meta(description="The moment: parts by day have what was stored then.")]
    snapshot: Annotated[str, Meta(description="The moment as PostgreSQL names it.")]
    schema: Annotated[str, Meta(description="The last migration.")]
    first_day: Annotated[date | None, Meta(description="The first day that still has events.")]
    open_erasures: Annotated[int, Meta(description="Erasures in progress: rows may be missing from later parts.")]
    parts: list[ExportPart]


def manifest(asked: Days, data: tuple[str, ...], moment: Moment, facts: Facts, days: dict[date, Day]) -> ExportManifest:
    """Return the manifest of some data sets."""
    return ExportManifest(
        first=asked.first,
        before=asked.before,
        taken_at=facts.at,
        snapshot=str(moment),
        schema=facts.schema,
        first_day=facts.first_day,
        open_erasures=len(facts.open_erasures),
        parts=[*_by_day(asked, data, moment, facts, days), *_tables(asked, data)],
    )


def _by_day(
    asked: Days, data: tuple[str, ...], moment: Moment, facts: Facts, days: dict[date, Day]
) -> Iterator[ExportPart]:
    if facts.first_day is None or facts.next_day is None:
        return
    first, before = max(asked.first, facts.first_day), min(asked.before, facts.next_day)
    for place in range((before - first).days):
        day = first + timedelta(days=place)
        for each in (name for name in BY_DAY if name in data):
            known = days.get(day) if each == "events" else None
            if each == "events" and known is None:
                continue
            links = {form: f"{ROOT}/{each}/{day}.{form}?snapshot={moment}" for form in FORMATS}
            yield ExportPart(each, f"{each}-{day}", day, _rows(known), _sums(known), links)


def _rows(known: Day | None) -> int | None:
    return None if known is None or known.is_recounted else known.sums["events"] + known.pending


def _sums(known: Day | None) -> dict[str, int] | None:
    return None if known is None or known.is_recounted or known.pending else dict(known.sums)


def _tables(asked: Days, data: tuple[str, ...]) -> Iterator[ExportPart]:
    for table in STANDING:
        if table.data in data:
            within = f"?from={asked.first}&before={asked.before}" if table.at else ""
            links = {form: f"{ROOT}/{table.name}.{form}{within}" for form in FORMATS}
            yield ExportPart(table.data, table.name, None, None, None, links)
    if "usage" in data:
        link = f"{ROOT}/focus.csv?from={asked.first}&before={asked.before}"
        yield ExportPart("usage", "focus", None, None, None, {"csv": link})
