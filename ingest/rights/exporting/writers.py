"""Writers of blocks of rows as JSON lines, CSV and Parquet: one interface for files and for answers over HTTP."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import orjson

from ingest.rights.exporting.errors import FormatMissing
from ingest.store.rights.columns import Block, Field, Kind

_TEXT_ROWS_MAX = 2_048
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_GUARDED = {Kind.TERM, Kind.TEXT, Kind.TEXTS}


class Writer(Protocol):
    """Turns blocks into bytes. Blocking: a caller with an event loop calls it in a thread."""

    rows_max: int  # Of a call, so that memory stays flat.

    def head(self) -> bytes:
        """Return what a part begins with."""
        ...

    def block(self, block: Block) -> bytes:
        """Return the bytes of some rows."""
        ...

    def end(self) -> bytes:
        """Return what a part ends with."""
        ...


def pieces(writer: Writer, block: Block) -> Iterator[bytes]:
    """Yield the bytes of a block, in pieces of a bounded size."""
    for part in block.parts(writer.rows_max):
        yield writer.block(part)


class JsonLines:
    """One JSON object a line; unknown values are null."""

    rows_max = _TEXT_ROWS_MAX

    def __init__(self, fields: Sequence[Field]) -> None:
        self._names = tuple(field.name for field in fields)

    def head(self) -> bytes:
        return b""

    def block(self, block: Block) -> bytes:
        names = self._names
        rows = zip(*(column.plain() for column in block.columns), strict=True)
        return b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for row in rows
        )

    def end(self) -> bytes:
        return b""


class Csv:
    """RFC 4180, with a heading; unknown values are empty, lists and tags are JSON.

    A spreadsheet would run a term that begins as a formula does, so it gets an apostrophe in front, as OWASP advises.
    """

    rows_max = _TEXT_ROWS_MAX

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)

    def head(self) -> bytes:
        return _lines([[field.name for field in self._fields]])

    def block(self, block: Block) -> bytes:
        columns = [_cells(field, column.plain()) for field, column in zip(self._fields, block.columns, strict=True)]
        return _lines(zip(*columns, strict=True))

    def end(self) -> bytes:
        return b""


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cells(field: Field, values: Sequence[object]) -> Sequence[object]:
    if field.kind in _GUARDED:
        return [guarded(value) if isinstance(value, str) else _json(value) for value in values]
    if field.kind is Kind.BOOLEAN:
        return [None if value is None else str(value).lower() for value in values]
    if field.kind in {Kind.TAGS, Kind.INTEGERS}:
        return [_json(value) for value in values]
    return values


def guarded(text: str) -> str:
    """Return a term so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _parquet(fields: Sequence[Field]) -> Writer:
    try:
        from ingest.rights.exporting.parquet import Parquet  # noqa: PLC0415 (pyarrow is an extra)
    except ImportError:
        raise FormatMissing from None
    return Parquet(fields)


FORMATS: Mapping[str, Callable[[Sequence[Field]], Writer]] = {"jsonl": JsonLines, "csv": Csv, "parquet": _parquet}
MEDIA_TYPES: Mapping[str, str] = {
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
}
assert FORMATS.keys() == MEDIA_TYPES.keys()
