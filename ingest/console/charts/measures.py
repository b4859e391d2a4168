"""Names the measures that a chart may show."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from ingest.reports.answers import Row

MeasureKind = Literal["money", "count"]
DEFAULT = "spend"


class Measure(NamedTuple):
    """A figure of a row, whole: nano-USD or a number."""

    name: str
    title: str
    kind: MeasureKind
    of: Callable[[Row], int]


def tokens_in(row: Row) -> int:
    """Return all tokens that went in, read from a cache or written to one included, as `nocontent usage` does."""
    tokens = row.tokens
    return tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h


MEASURES: Mapping[str, Measure] = {
    each.name: each
    for each in (
        Measure("spend", "Spend", "money", lambda row: row.cost.total_nanousd),
        Measure("savings", "Savings", "money", lambda row: row.savings.total_nanousd),
        Measure("requests", "Requests", "count", lambda row: row.events),
        Measure("tokens", "Tokens", "count", lambda row: tokens_in(row) + row.tokens.output),
    )
}
