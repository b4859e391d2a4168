"""docs/clients.md: the table that a run of real clients makes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.clients.cases import Case, Expected

_BEGIN, _END = "<!-- made by `make clients` -->\n", "<!-- end -->\n"
_HEAD = (
    "| client | switches | `diagnostics` | answers | stored | rejected | refused by |\n"
    "|---|---|---|---|---:|---:|---|\n"
)


class Row(NamedTuple):
    """What became of a case."""

    case: Case
    statuses: frozenset[int]
    stored: int
    rejected: int
    refused: frozenset[str]

    @property
    def is_expected(self) -> bool:
        expected = self.case.expected
        by_rule = self.refused <= expected.refused and bool(self.refused) == bool(expected.refused)
        return (self.stored, self.rejected) == (expected.stored, expected.rejected) and by_rule


def table(rows: Sequence[Row]) -> str:
    """Return the table of a run; a row that is not as expected ends with a mark."""
    return _HEAD + "".join(map(_line, rows))


def write(file: Path, rows: Sequence[Row]) -> None:
    """Write the table into the page, between its marks."""
    before, _, rest = file.read_text("utf-8").partition(_BEGIN)
    file.write_text(before + _BEGIN + table(rows) + _END + rest.partition(_END)[2], "utf-8")


def _line(row: Row) -> str:
    case = row.case
    answers = ", ".join(map(str, sorted(row.statuses)))
    rules = ", ".join(f"`{rule}`" for rule in sorted(row.refused))
    mark = "" if row.is_expected else f" (expected {_told(case.expected)})"
    diagnostics = f"`{case.diagnostics.name.lower()}`"
    cells = (case.client, case.switch, diagnostics, answers, row.stored, row.rejected, rules + mark)
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _told(expected: Expected) -> str:
    return f"{expected.stored} stored, {expected.rejected} rejected, {sorted(expected.refused)}"
