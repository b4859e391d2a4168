"""The parts of an export request in the order of reading, the same for both encodings."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from ingest.intake.errors import Malformed, Rejected
from schema import limits
from schema.rules import Violation

PARTS_MAX = 4 * limits.EVENTS_MAX  # Resources, scopes and records of a request.
RECORD_ATTRIBUTES_MAX = 1_000  # Of a record with its events and links. OpenTelemetry's own default is 128.
LIST_BYTES_MAX = 4_096  # A longer list is not read: nothing that is stored is a list.
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8


class Unread(Enum):
    """Stands for a value that is not read: a list of pairs, bytes, a long or mixed list."""

    STRUCTURE = "structure"


Value = str | bool | int | float | tuple[str, ...] | Unread | None
Attributes = list[bytes]  # Each a KeyValue, still encoded: most recur, so few are ever decoded.
Attribute = tuple[str, Value]
ReadAttribute = Callable[[bytes], Attribute]


class Resource(NamedTuple):
    """The process that sent the records after it."""

    attributes: Attributes


class Scope(NamedTuple):
    """The instrumentation that made the records after it."""

    name: str
    attributes: Attributes


class Record(NamedTuple):
    """A span, or a log record, whose `name` is that of its event and whose times are equal."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    start_ns: int
    end_ns: int
    is_error: bool
    message: str  # Of the status.
    attributes: Attributes
    nested: list[Attributes]  # Of events, then of links.
    body: bytes  # Of a log record: an AnyValue, still encoded.


Part = Resource | Scope | Record
Parts = Iterator[Part]


class Encoding(NamedTuple):
    """The readers of one encoding."""

    spans: Callable[[bytes], Parts]
    logs: Callable[[bytes], Parts]
    attribute: ReadAttribute
    leaves: Callable[[bytes], Iterator[Attribute]]  # Of an AnyValue, each with its path; a plain one has an empty path.


def malformed() -> Malformed:
    return Malformed((Violation("shape.malformed-otlp", ""),))


def too_large(rule: str) -> Rejected:
    return Rejected((Violation(rule, ""),))
