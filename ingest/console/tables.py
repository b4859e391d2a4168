"""Tables of pages, which the macro `table` draws and which download as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

# money: whole nano-USD; amount: of a currency that another column names; share: of 1, drawn in percent; ms: whole
# milliseconds; figure: text about numbers; code: an id or term of ours; digest: a hash in two lines.
Kind = Literal["text", "code", "count", "money", "amount", "share", "ms", "figure", "when", "day", "bytes", "digest"]
NUMBERS: frozenset[Kind] = frozenset(("count", "money", "amount", "share", "ms", "figure", "bytes"))
_NANO = Decimal(1_000_000_000)
# A spreadsheet runs a cell that begins with one of these as a formula, some after a line end or in full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 (they are meant)


class Link(NamedTuple):
    """A cell with a link to another page of the console, or to a file; CSV has its text."""

    text: str
    href: str
    is_file: bool = False


Cell = str | int | float | Decimal | datetime | date | Link | None


class Column(NamedTuple):
    """A column: its name in CSV, its title on the page, and how its cells are drawn."""

    name: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """Rows under a caption; `name` is that of the file, unique on its page. Without rows the page says `empty`."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str = "There are no rows."


def to_csv(table: Table) -> bytes:
    """Return a table as CSV (RFC 4180), in which no cell is a formula."""
    written = io.StringIO(newline="")
    out = csv.writer(written)
    out.writerow([column.name for column in table.columns])
    for row in table.rows:
        out.writerow([_cell(column.kind, cell) for column, cell in zip(table.columns, row, strict=True)])
    return written.getvalue().encode("utf-8")


def _cell(kind: Kind, cell: Cell) -> str:
    if isinstance(cell, Link):
        cell = cell.text
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(cell, int) and kind == "money":
        return f"{Decimal(cell) / _NANO:f}"
    return str(cell)
