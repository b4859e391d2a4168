"""Reads what a page of figures is asked: a period, a figure for its chart, a dimension; and writes links that ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from ingest.console.charts import measures, periods
from ingest.console.charts.measures import MEASURES, Measure
from ingest.console.charts.periods import LOCAL_DAYS_MAX, RANGES, UTC_ZONE, Choice, InvalidRange
from ingest.console.errors import BadQuery
from ingest.console.forms import Fields

_INVALID = "Choose a first day that is not after the last one, and ten years at most."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question to a page of figures."""

    page_path: str
    choice: Choice
    measure: Measure
    time: Mapping[str, str]  # The part of the query about the period.
    others: Mapping[str, str]  # The rest of it.
    error: str | None

    @property
    def ranges(self) -> Mapping[str, str]:
        return RANGES

    @property
    def measures(self) -> Sequence[Measure]:
        return [*MEASURES.values()]

    @property
    def is_of_utc_days(self) -> bool:
        return self.choice.period.zone is UTC_ZONE and self.choice.name != "24h"

    @property
    def since(self) -> str:
        return self.time.get("since", self.choice.period.days[0].isoformat())

    @property
    def until(self) -> str:
        return self.time.get("until", self.choice.period.days[1].isoformat())

    def path(self, **changed: str) -> str:
        """Return the path of this page with another period or figure."""
        time = {} if "range" in changed else self.time
        return _path(self.page_path, {**time, **self.others, **changed})

    @property
    def query(self) -> str:
        """Return the part of the query about the period."""
        return urlencode(self.time)

    @property
    def others_but_by(self) -> Mapping[str, str]:
        """Return the query without a dimension, for the form that chooses one."""
        return {**self.time, **{name: value for name, value in self.others.items() if name != "by"}}

    @property
    def series_path(self) -> str:
        """Return the path of the chart's JSON."""
        return _path(f"{self.page_path}/series", {**self.time, **self.others})

    @property
    def zoom_path(self) -> str:
        """Return the path to which a zoom adds its dates."""
        return _path(self.page_path, self.others)


def ask(given: Fields, zone: ZoneInfo, path: str, default: str, local_days_max: int = LOCAL_DAYS_MAX) -> Asked:
    """Return the question of a query; raises BadQuery if no link or form of ours asks it."""
    now = datetime.now(UTC)
    measure = MEASURES.get(given.get("measure", measures.DEFAULT))
    if measure is None:
        raise BadQuery
    error = None
    if "since" in given or "until" in given:
        time = {name: given.text(name) for name in ("since", "until")}
        try:
            choice = periods.of_dates(time["since"], time["until"], now, zone, local_days_max)
        except InvalidRange:
            choice, error = periods.of_name(default, now, zone, local_days_max), _INVALID
    else:
        time = {"range": given.get("range", default)}
        try:
            choice = periods.of_name(time["range"], now, zone, local_days_max)
        except InvalidRange:
            raise BadQuery from None
    others = {name: given[name] for name in ("by", "measure") if name in given}
    return Asked(page_path=path, choice=choice, measure=measure, time=time, others=others, error=error)


def _path(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def is_download(given: Fields) -> bool:
    """Return whether a table is asked for as a file, which has all of its rows."""
    return "csv" in given
