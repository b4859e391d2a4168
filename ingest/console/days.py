"""The last days that a page is about, by its query: `?days=7`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ingest.console.errors import BadQuery

CHOICES: Sequence[int] = (1, 7, 30, 90)
_DEFAULT = 7
_NAMES = {1: "Today"}


class Days(NamedTuple):
    """So many days of UTC until now, the current one included."""

    number: int
    since: date

    @property
    def start(self) -> datetime:
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)

    @property
    def choices(self) -> Sequence[tuple[int, str]]:
        """Return each choice and its label."""
        return [(number, name_of(number)) for number in CHOICES]


def of(query: Mapping[str, str]) -> Days:
    """Return the days that a query asks for; raises BadQuery for others than CHOICES."""
    asked = query.get("days", str(_DEFAULT))
    if asked not in map(str, CHOICES):
        raise BadQuery
    number = int(asked)
    return Days(number, datetime.now(UTC).date() - timedelta(number - 1))


def name_of(number: int) -> str:
    return _NAMES.get(number, f"{number} days")
