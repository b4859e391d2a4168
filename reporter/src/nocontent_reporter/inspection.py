"""Looks into a spool without changing it, or into a file of events, and says what is wrong without quoting it."""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from nocontent_reporter import codings, columns, rows
from nocontent_reporter.checks import Checker, Fault, rule_of_name
from nocontent_reporter.event import NAMES, Event

BUSY_S = 5.0
_REQUIRED = ("provider", "requested_model", "routed_model", "input_tokens", "output_tokens", "latency_ms")
_COUNTS = """
SELECT coalesce(sum(events), 0), coalesce(sum(events) FILTER (WHERE sequence IS NOT NULL), 0),
    coalesce(sum(events) FILTER (WHERE parked_tag IS NOT NULL), 0),
    coalesce(sum(events) FILTER (WHERE parked_until_ms IS NOT NULL), 0), count(*), coalesce(min(age_ms), 0)
FROM batches
"""


class Unusable(Exception):
    """The file cannot be looked into; the message is for a person."""


class Contents(NamedTuple):
    """What a spool holds, in events."""

    waiting: int  # That can be sent now.
    sending: int  # Sent at least once, without an answer so far.
    parked_for_terms: int  # Until a term is registered.
    parked_for_time: int  # Until the server's clock has come to their time.
    batches: int
    oldest_s: int  # The age of the oldest batch.
    bytes: int
    losses: dict[str, int]  # That no batch has reported yet, by reason.


def contents(path: Path) -> Contents:
    """Return what a spool holds; raises Unusable."""
    with closing(_opened(path)) as db:
        try:
            return _contents(db)
        except sqlite3.Error:
            raise Unusable(f"{path} is damaged") from None


def faults(path: Path) -> Iterator[str]:
    """Yield what is wrong with a spool; raises Unusable."""
    if (mode := path.stat().st_mode & 0o777) & 0o077 if path.exists() else 0:
        yield f"others than its owner can open it: its mode is {mode:03o}, not 600"
    with closing(_opened(path)) as db:
        try:
            found = [row[0] for row in db.execute("PRAGMA integrity_check")]
            if found != ["ok"]:
                yield f"SQLite finds it damaged in {len(found)} places"
            for number, events, body in db.execute("SELECT id, events, body FROM batches ORDER BY id"):
                if not _is_whole(events, body):
                    yield f"batch {number} is damaged: {events:,} events"
        except sqlite3.Error:
            yield "SQLite finds it damaged"


def faults_of_events(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the pointer and rule of each fault in a file of events; raises Unusable."""
    try:
        found = json.loads(file.read_bytes(), object_pairs_hook=_object)
    except OSError:
        raise Unusable(f"{file} cannot be read") from None
    except (ValueError, RecursionError):
        raise Unusable(f"{file} is not JSON") from None
    is_batch = isinstance(found, dict) and "events" in found
    events = found["events"] if is_batch else found
    if not isinstance(events, list):
        raise Unusable(f"{file} has no list of events")
    checker = Checker()
    for place, fields in enumerate(events):
        fault = _fault(checker, fields)
        if fault is not None:
            yield f"{'/events' if is_batch else ''}/{place}/{fault.field}", fault.rule


class _Repeated(dict[str, object]):
    """An object of which a name came twice."""


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Repeated(made)


def _fault(checker: Checker, fields: object) -> Fault | None:
    """Return the first rule that an event as rows write it breaks."""
    if not isinstance(fields, dict):
        return Fault("shape.wrong-type", "*")
    if isinstance(fields, _Repeated) or isinstance(fields.get("tags"), _Repeated):
        return Fault("shape.duplicate-key", "*")
    if unknown := fields.keys() - set(NAMES):
        named = map(rule_of_name, sorted(unknown))
        return Fault(next(filter(None, named), "shape.unknown-field"), "*")
    if missing := [name for name in _REQUIRED if name not in fields]:
        return Fault("shape.missing-field", missing[0])
    tags = fields.get("tags", {})
    pairs = tuple(tags.items()) if isinstance(tags, dict) else tags
    return checker.fault(Event(**{**fields, "tags": pairs}))


def _opened(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise Unusable(f"{path} does not exist")
    db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=BUSY_S)
    try:
        (application,), (version,) = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
    except sqlite3.OperationalError:
        db.close()
        raise Unusable(f"{path} cannot be opened") from None
    except sqlite3.DatabaseError:
        db.close()
        raise Unusable(f"{path} is no spool, or its beginning is damaged") from None
    if application != rows.APPLICATION_ID or version != rows.FORMAT:
        db.close()
        is_newer = application == rows.APPLICATION_ID and version > rows.FORMAT
        raise Unusable(f"{path} is of a newer version ({version})" if is_newer else f"{path} is no spool")
    return db


def _contents(db: sqlite3.Connection) -> Contents:
    total, sending, for_terms, for_time, batches, oldest_ms = db.execute(_COUNTS).fetchone()
    wall_ms, age_ms = db.execute("SELECT wall_ms, age_ms FROM state").fetchone()
    now_ms = age_ms + max(0, time.time_ns() // 1_000_000 - wall_ms)
    return Contents(
        waiting=total - sending - for_terms - for_time,
        sending=sending,
        parked_for_terms=for_terms,
        parked_for_time=for_time,
        batches=batches,
        oldest_s=(now_ms - oldest_ms) // 1_000 if batches else 0,
        bytes=rows.used_bytes(db),
        losses=dict(db.execute("SELECT reason, events FROM losses ORDER BY reason")),
    )


def _is_whole(events: int, body: bytes) -> bool:
    try:
        return not events or len(columns.decode(codings.unpack(body)).events()) == events
    except columns.DAMAGE:
        return False
