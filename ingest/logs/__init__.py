"""Writes log lines: JSON with fields from a closed set; never a body, header, field name or exception's text.

Logging never raises, never waits (`logs.sink`) and never floods (`logs.rate`): lines that recur are counted instead.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Literal, NamedTuple, TypedDict, Unpack

import orjson

from ingest.logs.rate import Rate
from ingest.logs.sink import LINE_BYTES_MAX, Sink

# Lines that strangers cause are kept apart from all others, so that a flood of them hides no other line.
REFUSALS_A_SECOND = 6
OTHERS_A_SECOND = 24
_TEXT_MAX = 80  # Of one field.
_NUMBER_MAX = (1 << 63) - 1
Event = Literal[
    "starting", "started", "stopping", "stopped", "worker-lost", "worker-replaced", "worker-not-replaced", "refused",
    "bug", "database-lost", "flush-failed", "snapshot-failed", "snapshot-loaded", "partitions-kept", "partitions-low",
    "maintenance-failed", "task-restarted", "term-learned", "term-refused", "library", "setting-leaks",
    "login-overprivileged", "database-exposed", "certificate-reloaded", "certificate-not-loaded",
    "database-not-verified", "lines-lost", "lines-suppressed", "counts-lost", "clock-adrift", "clock-agrees",
    "traffic-lost", "retention-withheld", "retention-differs", "session-lost", "role-missing", "job-failed", "job-slow",
    "hand-over-refused", "processor-unavailable", "erasure-failed", "erasure-finished", "erasure-space-pending",
    "erasures-missing", "erasures-unreadable", "orders-absent", "session-keys-unreadable",
    "mail-server-unavailable", "webhook-ended", "webhooks-failed", "provider-key-unusable",
    "grants-confirmed", "grants-unconfirmed", "grants-too-large", "companion-lost", "confined",
]  # fmt: skip


class Fields(TypedDict, total=False):
    """The fields that a line may have besides its time, level and event."""

    request_id: str
    tenant_id: int
    problem: str  # A type of docs/problems.md, or the id of a gateway's error in docs/gateway.md.
    rules: list[str]  # Ids of docs/rules.md.
    task: str  # A worker's task: `Task` in metrics.py of the room that starts it.
    job: str  # One of `JobName` in ingest/store/jobs.py.
    error: str  # The class of an exception.
    sqlstate: str
    place: str  # module:line of our own code.
    logger: str  # A library's logger.
    setting: str  # A PostgreSQL parameter's name.
    privilege: str  # A PostgreSQL role's name, or an attribute of one.
    exposure: str  # A privilege that every login of the database has: docs/roles.md.
    partition: str  # Its name, which is its day.
    layers: list[str]  # `Layer` in ingest/gateway/confine/layers.py.
    count: int
    rows: int
    revision: int
    duration_ms: int
    suppressed: int  # Lines like this one that were not written in the previous second.


def info(event: Event, **fields: Unpack[Fields]) -> None:
    """Log an expected event."""
    _write("info", event, fields)


def warning(event: Event, **fields: Unpack[Fields]) -> None:
    """Log an event that an operator may want to look at."""
    _write("warning", event, fields)


def error(event: Event, **fields: Unpack[Fields]) -> None:
    """Log an event that an operator has to look at."""
    _write("error", event, fields)


def place_of(error: BaseException) -> str:
    """Return module:line of the innermost frame of our code that an exception came through."""
    place = "unknown"
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        module = str(frame.tb_frame.f_globals.get("__name__", ""))
        if module.split(".", maxsplit=1)[0] in {"ingest", "schema"}:
            place = f"{module}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place


def capture() -> None:
    """Reduce all other logging of a process to the fact that it happened, because its text may quote a request."""
    capture_libraries()
    logging.lastResort = _Library()  # For loggers that do not propagate to the root.
    logging.raiseExceptions = False  # It would print the message that a handler failed on.
    threading.excepthook = lambda args: _write("error", "bug", _origin(args.exc_type, args.exc_value))
    sys.unraisablehook = lambda args: _write("error", "bug", _origin(args.exc_type, args.exc_value))


def capture_libraries() -> None:
    """Reduce libraries' logging, warnings, and an exception that ends the main thread, likewise."""
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda kind, error, _traceback: _write("error", "bug", _origin(kind, error))


def capture_loop() -> None:
    """Reduce reports of unhandled exceptions in tasks of the running loop, likewise."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        fields = _origin(type(error), error) if isinstance(error, BaseException) else Fields(logger="asyncio")
        _write("error", "bug", fields)

    asyncio.get_running_loop().set_exception_handler(handle)


class Guard:
    """Ends a process whose block raises, with status 1; multiprocessing would print the exception's message."""

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, SystemExit):
            _write("error", "bug", _origin(kind, error))
            raise SystemExit(1) from None


def lost() -> Mapping[str, int]:
    """Return how many lines of this process were lost, by reason."""
    return {str(reason): count for reason, count in _sink.lost.items()}


def say(sentence: str) -> None:
    """Write a sentence for the person who started the process, between its log lines."""
    _sink.put(sentence.encode("utf-8", "backslashreplace") + b"\n")


def flush() -> None:
    """Wait until all lines are written, a second at most."""
    _sink.flush()


def rest() -> None:
    """End the thread that writes; the next line starts another, which has the restrictions of its process by then."""
    _sink.rest()


class _Kind(NamedTuple):
    """The fields that lines about the same recurring event share."""

    level: str
    event: Event
    fields: tuple[tuple[str, object], ...]


class _Library(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = Fields(logger=record.name)
        if record.exc_info and record.exc_info[1]:
            fields |= _origin(type(record.exc_info[1]), record.exc_info[1])
        _write(record.levelname.lower(), "library", fields)


# Fields that differ in each line; lines are counted by the others.
_VARYING = {"request_id", "tenant_id", "count", "rows", "revision", "duration_ms"}


def _origin(kind: type[BaseException], error: BaseException | None) -> Fields:
    return Fields(error=kind.__name__, place="unknown" if error is None else place_of(error))


def _write(level: str, event: Event, fields: Fields) -> None:
    hashable = ((name, tuple(value) if isinstance(value, list) else value) for name, value in fields.items())
    kind = _Kind(level, event, tuple(each for each in hashable if each[0] not in _VARYING))
    second = int(time.monotonic())
    rate = _refusals if event == "refused" else _others
    for line in _due_of(rate, second):
        _sink.put(line)
    if rate.admits(kind, second):
        _sink.put(_line(level, event, fields))


def _due(second: int) -> Iterator[bytes]:
    for rate in (_refusals, _others):
        yield from _due_of(rate, second)


def _due_of(rate: Rate[_Kind], second: int) -> Iterator[bytes]:
    for kind, count in rate.due(second):
        if kind is None:
            yield _line("warning", "lines-suppressed", Fields(suppressed=count))
        else:
            yield _line(kind.level, kind.event, {**dict(kind.fields), "suppressed": count})


def _loss(count: int) -> bytes:
    return _line("warning", "lines-lost", Fields(count=count))


def _plain(value: object) -> object:
    """Return a short value that JSON can hold, because names of classes and loggers may be anything."""
    if isinstance(value, list | tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, int):
        return max(-_NUMBER_MAX, min(value, _NUMBER_MAX))
    return value.encode("ascii", "replace").decode("ascii")[:_TEXT_MAX] if isinstance(value, str) else value


def _line(level: str, event: Event, fields: Mapping[str, object]) -> bytes:
    now = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    head = {"at": at, "level": level, "event": event}
    own = {name: _plain(value) for name, value in fields.items()}
    line = orjson.dumps(head | own, option=orjson.OPT_APPEND_NEWLINE)
    if len(line) <= LINE_BYTES_MAX:
        return line
    numbers = {name: value for name, value in own.items() if isinstance(value, int)}
    return orjson.dumps(head | numbers, option=orjson.OPT_APPEND_NEWLINE)


_refusals: Rate[_Kind] = Rate(REFUSALS_A_SECOND)
_others: Rate[_Kind] = Rate(OTHERS_A_SECOND)
REFUSALS_A_SECOND_MAX = _refusals.lines_max
LINES_A_SECOND_MAX = REFUSALS_A_SECOND_MAX + _others.lines_max + 1  # One reports lost lines.
BYTES_A_SECOND_MAX = LINES_A_SECOND_MAX * LINE_BYTES_MAX
_sink = Sink(_due, _loss)
