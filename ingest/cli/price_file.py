"""Reads a tenant's own rates from a CSV file; a fault names the line and the column, never the value."""

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ingest.errors import CannotStart
from ingest.pricing.overrides import PARTS, Fault, Offer, read_instant, read_rates, read_size
from ingest.pricing.rates import ALWAYS, ANY_SIZE, FOREVER

_NAMES = ("provider", "model", *PARTS, "from", "until", "above")
_NEEDED = {"provider", "model"}
_CHARS_MAX = 10_000_000


class Given(NamedTuple):
    """Rates of a line, and the names of the model that they are of."""

    provider: str
    model: str
    offer: Offer


def read(file: str) -> dict[int, Given]:
    """Read a file, or standard input, by line; raises CannotStart."""
    try:
        if file == "-":
            text = sys.stdin.read(_CHARS_MAX + 1)
        else:
            with Path(file).open(encoding="ascii", newline="") as opened:
                text = opened.read(_CHARS_MAX + 1)
    except (OSError, UnicodeDecodeError):
        raise CannotStart("The file cannot be read or is not ASCII.") from None
    if len(text) > _CHARS_MAX:
        raise CannotStart(f"The file has more than {_CHARS_MAX:,} characters.")
    return parse(text.splitlines())


def parse(lines: Iterable[str]) -> dict[int, Given]:
    """Read lines of CSV, the first of which has the names of the columns; raises CannotStart."""
    reader = csv.reader(lines, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(names)) != len(names) or not _NEEDED <= set(names) <= set(_NAMES):
            raise CannotStart(f"The first line has the names of the columns, each once: some of {','.join(_NAMES)}.")
        found = {}
        for cells in reader:
            if any(cells):
                found[reader.line_num] = _given(reader.line_num, names, cells)
    except csv.Error:
        raise CannotStart(f"Line {reader.line_num} is not CSV.") from None
    if not found:
        raise CannotStart("The file has no rates.")
    return found


def _given(line: int, names: list[str], cells: list[str]) -> Given:
    if len(cells) != len(names):
        raise CannotStart(f"Line {line} has another number of cells than the first line.")
    row = dict(zip(names, (cell.strip() for cell in cells), strict=True))
    try:
        return Given(row["provider"], row["model"], _offer(row))
    except Fault as fault:
        raise CannotStart(f"Line {line}: {fault}.") from None


def _offer(row: Mapping[str, str]) -> Offer:
    since, until, above = row.get("from"), row.get("until"), row.get("above")
    return Offer(
        read_instant(since) if since else ALWAYS,
        read_instant(until) if until else FOREVER,
        read_size(above) if above else ANY_SIZE,
        read_rates(row),
    )
