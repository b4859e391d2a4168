"""Splits a body of other formats into its records: a JSON array, one object, or one object in each line (NDJSON)."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from ingest.intake.errors import Malformed, Rejected
from ingest.serving.steps import Steps
from schema.rules import Violation

BRACES_A_RECORD_MAX = 256  # On average; LiteLLM's records have some 30.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # Their messages may quote the body.


class _Object(Struct):
    """A JSON object of which nothing is kept."""


_objects = msgspec.json.Decoder(list[_Object | None])
_raws = msgspec.json.Decoder(list[Raw])
_raw = msgspec.json.Decoder(Raw)


def is_array(body: bytes) -> bool:
    return body.lstrip(b" \t\r\n")[:1] == b"["


def split(body: bytes, records_max: int) -> Steps[list[Raw | None]]:
    """Return the records, with None for a line that is not JSON; raises Malformed, and Rejected if there are too many.

    The text of a record is not examined yet, so one step takes some 2 ms for each mebibyte.
    """
    # Each record ends with a brace, so this bounds the lists that the parser makes before anyone can count them.
    if body.count(b"}") > records_max * BRACES_A_RECORD_MAX:
        raise Rejected((Violation("size.too-many-events", ""),))
    if is_array(body):
        return (yield from _array(body, records_max))
    yield
    try:
        alone = _raw.decode(body)
    except UNREADABLE:
        lines = [line for line in body.split(b"\n") if line.strip(b" \t\r")]
    else:
        if bytes(alone)[:1] != b"{":
            raise Rejected((Violation("shape.wrong-type", ""),))
        return [alone]
    _require_few(lines, records_max)
    yield
    records = [_line(line) for line in lines]
    if not any(records):
        raise Malformed((Violation("shape.malformed-json", ""),))
    return records


def _array(body: bytes, records_max: int) -> Steps[list[Raw | None]]:
    try:
        _require_few(_objects.decode(body), records_max)
        yield
        return list(_raws.decode(body))
    except msgspec.ValidationError:
        raise Rejected((Violation("shape.wrong-type", ""),)) from None
    except UNREADABLE:
        raise Malformed((Violation("shape.malformed-json", ""),)) from None


def _line(line: bytes) -> Raw | None:
    try:
        return _raw.decode(line)
    except UNREADABLE:
        return None


def _require_few(records: Sequence[object], records_max: int) -> None:
    if len(records) > records_max:
        raise Rejected((Violation("size.too-many-events", ""),))
