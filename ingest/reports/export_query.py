"""Parses what a sender asks of an export: days, a part's name, the moment and the place to go on after."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ingest.reports import errors, query
from ingest.rights.exporting.writers import FORMATS
from ingest.store.rights.datasets import BY_DAY, DATA, STANDING, DataTable
from ingest.store.rights.exporting import BATCHES_START, START, InvalidPlace
from ingest.store.rights.moments import CHARS_MAX, Moment

QUERY_BYTES_MAX = CHARS_MAX + 256
DAYS_MAX = 800
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLACES = {
    "events": re.compile(rf"{_UUID}\Z", re.ASCII),
    "ledger": re.compile(rf"{_UUID}:(?:-1|[0-9]{{1,18}})\Z", re.ASCII),
}
_STARTS = {"events": START, "ledger": BATCHES_START}
assert _PLACES.keys() == _STARTS.keys() == BY_DAY.keys()


class Days(NamedTuple):
    """Whole days of UTC, from the first on and before another."""

    first: date
    before: date

    @property
    def times(self) -> tuple[datetime, datetime]:
        return midnight(self.first), midnight(self.before)


class DayPart(NamedTuple):
    """A part with the rows of a day as of a moment, or the rest of it after a place."""

    data: str
    day: date
    format: str
    moment: Moment
    after: str
    is_resumed: bool

    @property
    def name(self) -> str:
        return f"{self.data}-{self.day}.{self.format}"


class TablePart(NamedTuple):
    """A part with the rows of a table as they are; of days if they have a time."""

    table: DataTable
    format: str
    days: Days | None


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(given: Mapping[str, str]) -> Days:
    """Return the days of `from` and `before`."""
    for name in ("from", "before"):
        if name not in given:
            raise errors.ParameterMissing(name)
    found = Days(_day("from", given["from"]), _day("before", given["before"]))
    if found.first >= found.before:
        raise errors.RangeReversed("from")
    if found.before - found.first > timedelta(days=DAYS_MAX):
        raise errors.RangeTooLong("from")
    return found


def data(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the data sets of `data`, all by default."""
    if "data" not in given:
        return DATA
    named = tuple(given["data"].split(","))
    if not {*named} <= {*DATA} or len({*named}) < len(named):
        raise errors.ParameterInvalid("data")
    return named


def day_part(data: str, file: str, given: Mapping[str, str]) -> DayPart:
    """Return the part that a path and a query string name; raises ExportNotFound."""
    day, _, form = file.partition(".")
    if data not in BY_DAY or form not in FORMATS:
        raise errors.ExportNotFound
    try:
        found = _day("", day)
    except errors.ParameterInvalid:
        raise errors.ExportNotFound from None
    if "snapshot" not in given:
        raise errors.ParameterMissing("snapshot")
    moment = Moment.parse(given["snapshot"])
    after = given.get("after", _STARTS[data])
    if "after" in given:
        _require_place(data, found, after)
        if form == "parquet":  # Its end names all that is before, so that a rest is no file.
            raise errors.ParameterInvalid("after")
    return DayPart(data, found, form, moment, after, "after" in given)


def table_part(file: str, given: Mapping[str, str]) -> TablePart:
    """Likewise."""
    name, _, form = file.partition(".")
    table = next((each for each in STANDING if each.name == name), None)
    if table is None or form not in FORMATS:
        raise errors.ExportNotFound
    if table.at is None and given:
        raise errors.ParameterUnknown
    return TablePart(table, form, days(given) if table.at is not None else None)


def _require_place(data: str, day: date, after: str) -> None:
    if not _PLACES[data].match(after):
        raise InvalidPlace
    if data == "events":  # An id begins with its time.
        start_ms = int(midnight(day).timestamp() * 1_000)
        if not start_ms <= int(after.replace("-", "")[:12], 16) < start_ms + 86_400_000:
            raise InvalidPlace


def _day(name: str, text: str) -> date:
    if not _DAY.match(text):
        raise errors.ParameterInvalid(name)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise errors.ParameterInvalid(name) from None
    if not query.EARLIEST.date() <= found <= query.LATEST.date():
        raise errors.ParameterInvalid(name)
    return found
