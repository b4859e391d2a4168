"""Log lines: JSON with fields from the closed set below; never a body, header, field name or exception's text."""

import asyncio
import logging
import sys
import time
from types import TracebackType
from typing import Literal, TypedDict, Unpack

import orjson

Event = Literal[
    "starting", "started", "stopping", "stopped", "worker-lost", "worker-replaced", "worker-not-replaced", "refused",
    "bug", "database-lost", "flush-failed", "snapshot-failed", "snapshot-loaded", "partitions-kept", "partitions-low",
    "maintenance-failed", "term-learned", "term-refused", "library", "setting-leaks",
    "login-may-too-much", "database-exposed", "certificate-reloaded", "certificate-not-loaded", "database-not-verified",
]  # fmt: skip


class Fields(TypedDict, total=False):
    """What a line may say besides its time, level and event."""

    request_id: str
    tenant_id: int
    problem: str  # A type of docs/problems.md.
    rules: list[str]  # Ids of docs/rules.md.
    error: str  # The class of an exception.
    sqlstate: str
    place: str  # module:line of our own code.
    logger: str  # A library's.
    setting: str  # A PostgreSQL parameter's name.
    privilege: str  # A PostgreSQL role's name, or an attribute of one.
    exposure: str  # What any login of the database may do: docs/roles.md.
    partition: str  # Its name, which is its day.
    count: int
    rows: int
    revision: int
    duration_ms: int


def info(event: Event, **fields: Unpack[Fields]) -> None:
    """Write one line of what went as it should."""
    _write("info", event, fields)


def warning(event: Event, **fields: Unpack[Fields]) -> None:
    """Write one line of what somebody may want to look at."""
    _write("warning", event, fields)


def error(event: Event, **fields: Unpack[Fields]) -> None:
    """Write one line of what somebody has to look at."""
    _write("error", event, fields)


def place_of(error: BaseException) -> str:
    """Give module:line of the innermost frame of ours that an exception came through."""
    place = "unknown"
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        module = str(frame.tb_frame.f_globals.get("__name__", ""))
        if module.split(".", maxsplit=1)[0] in {"ingest", "schema"}:
            place = f"{module}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place


def capture() -> None:
    """Let libraries, warnings and uncaught exceptions say only that they spoke: their words may quote a request."""
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda kind, error, _traceback: _write("error", "bug", _face(kind, error))


def capture_loop() -> None:
    """The same for what a task of the running loop leaves behind."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        left = context.get("exception")
        fields = _face(type(left), left) if isinstance(left, BaseException) else Fields(logger="asyncio")
        _write("error", "bug", fields)

    asyncio.get_running_loop().set_exception_handler(handle)


class _Library(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = Fields(logger=record.name)
        if record.exc_info and record.exc_info[1]:
            fields |= _face(type(record.exc_info[1]), record.exc_info[1])
        _write(record.levelname.lower(), "library", fields)


def _face(kind: type[BaseException], error: BaseException) -> Fields:
    return Fields(error=kind.__name__, place=place_of(error))


def _write(level: str, event: Event, fields: Fields) -> None:
    now = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = orjson.dumps({"at": at, "level": level, "event": event, **fields}, option=orjson.OPT_APPEND_NEWLINE)
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
