"""Parquet with typed columns, a row group for each block: dictionaries of terms, times in UTC, UUIDs."""

import io
from collections.abc import Mapping, Sequence
from uuid import UUID

import pyarrow as pa
from pyarrow import parquet

from ingest.store.rights.columns import Block, Field, Ids, Kind, Numbers, Objects, Tags, Terms, Times, Values

_TERM = pa.dictionary(pa.int32(), pa.string())
_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIME: pa.timestamp("us", "UTC"),
    Kind.DAY: pa.date32(),
    Kind.ID: pa.uuid(),
    Kind.TERM: _TERM,
    Kind.TEXT: pa.string(),
    Kind.TAGS: pa.map_(pa.string(), pa.string()),
    Kind.INTEGERS: pa.list_(pa.int64()),
    Kind.TEXTS: pa.list_(pa.string()),
}
assert _TYPES.keys() == set(Kind)


class _Sink(io.RawIOBase):
    """Takes bytes, and hands them over once."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]  # pyarrow hands over a buffer.
        self._pieces.append(piece)
        self._place += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class Parquet:
    """A Parquet file, block by block; it needs no seeking, so that it can be streamed."""

    rows_max = 65_536  # A row group.

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._schema = pa.schema([pa.field(field.name, _TYPES[field.kind]) for field in fields])
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def head(self) -> bytes:
        return self._sink.taken()

    def block(self, block: Block) -> bytes:
        arrays = [_array(field.kind, column) for field, column in zip(self._fields, block.columns, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=self.rows_max)
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


def _array(kind: Kind, column: Values) -> pa.Array:
    match column:
        case Numbers(array, known):
            return pa.array(array, _TYPES[kind], mask=None if known is None else ~known)
        case Times(array):
            return pa.array(array, pa.int64()).cast(_TYPES[Kind.TIME])
        case Ids(raw):
            stored = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(raw) // 16, [None, pa.py_buffer(raw)])
            return pa.ExtensionArray.from_storage(pa.uuid(), stored)
        case Terms(places, names):
            return pa.array(names, pa.string()).take(pa.array(places)).dictionary_encode()
        case Tags(places, sets):
            return pa.array([list(each.items()) for each in sets], _TYPES[kind]).take(pa.array(places))
        case Objects(values):
            return _of_objects(kind, values)
        case _:
            raise AssertionError(column)


def _of_objects(kind: Kind, values: list[object]) -> pa.Array:
    if kind is Kind.ID:
        stored = pa.array([each.bytes if isinstance(each, UUID) else None for each in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(pa.uuid(), stored)
    if kind is Kind.TERM:
        return pa.array(values, pa.string()).dictionary_encode()
    if kind is Kind.TAGS:
        values = [list(each.items()) if isinstance(each, dict) else None for each in values]
    return pa.array(values, _TYPES[kind])
