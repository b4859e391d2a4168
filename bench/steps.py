"""The steps of the hot path, each alone on the same batch: `micro` times them and `instructions` counts them."""

import json
import time
from collections.abc import Callable, Mapping
from uuid import UUID

import msgspec

from bench.bodies import coded
from bench.limit import GROUP_BATCHES, known_vocabulary
from bench.workload import Clock, Ids, Template, events
from ingest.serving import codings
from ingest.store import rows
from schema.decode import Decoded, Window, decode
from schema.event import STRINGS, Batch, Event, Kind
from tests.support import columns

EVENTS = 1_000
_REPEATS = 5
# What a service without gates would write: UUIDs, enums, bounded integers, tags as a dictionary, strings unchecked.
_PLAIN: dict[str, object] = {"event_id": UUID, "tags": dict[str, str]}
_BareEvent = msgspec.defstruct(
    "_BareEvent",
    [(field.name, _PLAIN.get(field.name, field.type)) for field in msgspec.structs.fields(Event)],
    forbid_unknown_fields=True,
    frozen=True,
)
_BareBatch = msgspec.defstruct(
    "_BareBatch",
    [("events", list[_BareEvent])],  # type: ignore[valid-type]  # Made above from the fields of Event.
    forbid_unknown_fields=True,
)
_bare = msgspec.json.Decoder(_BareBatch)
_wire = msgspec.json.Decoder(Batch)

Step = Callable[[], object]


class Prepared:
    """A batch in every state that it passes through, determined by the time."""

    def __init__(self, now_ms: int, ids: Callable[[int], Ids]) -> None:
        templates = [Template(events(EVENTS, seed)) for seed in range(GROUP_BATCHES)]
        bodies = [b"{%s}" % template.stamp(ids(EVENTS)) for template in templates]
        self.vocabulary = known_vocabulary()
        self.window = Window.at(now_ms, 1)
        self.body = bodies[0]
        self.columns = columns.from_rows(bodies[0])
        self.decoded = self.decode(bodies[0])
        self.names = [[str(event[name]) for event in json.loads(self.body)["events"]] for name in STRINGS[:4]]
        self.group = [rows.encode(self.decode(each), 1) for each in bodies]
        self.gzip, self.zstd = coded(self.body, "gzip"), coded(self.body, "zstd")
        self.zstd_columns = coded(self.columns, "zstd")

    def decode(self, sent: bytes) -> Decoded:
        return decode(sent, self.vocabulary, self.window, rows.count)


def prepared_now() -> Prepared:
    now_ms = time.time_ns() // 1_000_000
    return Prepared(now_ms, Clock("in-order", GROUP_BATCHES * EVENTS, now_ms).take)


def steps(batch: Prepared) -> dict[str, tuple[Step, int]]:
    """Return each step with the number of events that it handles."""
    one = {
        "gunzip": lambda: codings.gunzip(batch.gzip),
        "unzstd": lambda: codings.unzstd(batch.zstd),
        "byte gate": lambda: _byte_gate(batch.body),
        "bare typed decode": lambda: _bare.decode(batch.body),
        "typed decode": lambda: _wire.decode(batch.body),
        "term look-up": lambda: _look_up(batch),
        "decode, all gates": lambda: batch.decode(batch.body),
        "encode rows": lambda: rows.encode(batch.decoded, 1),
        "digest": lambda: rows.digest(batch.decoded),
        "decode and encode": lambda: rows.encode(batch.decode(batch.body), 1),
        "decode columns": lambda: batch.decode(batch.columns),
        "unzstd columns": lambda: codings.unzstd(batch.zstd_columns),
        "both of columns": lambda: rows.encode(batch.decode(batch.columns), 1),
    }
    named: dict[str, tuple[Step, int]] = {name: (step, EVENTS) for name, step in one.items()}
    return named | {"merge": (lambda: rows.merge(batch.group), EVENTS * GROUP_BATCHES)}


def timed(todo: Mapping[str, tuple[Step, int]], rounds: int) -> dict[str, list[float]]:
    """Return the nanoseconds per event of each step in each round; the steps take turns."""
    spent: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(rounds):
        for name, (step, count) in todo.items():
            started = time.perf_counter_ns()
            for _ in range(_REPEATS):
                step()
            spent[name].append((time.perf_counter_ns() - started) / _REPEATS / count)
    return spent


def _byte_gate(sent: bytes) -> tuple[bool, bool, bool, int]:
    """Repeat the first gate's work without its private names."""
    return sent.isascii(), b"\\" in sent, b"\x7f" in sent, rows.count(sent, b'"')


def _look_up(batch: Prepared) -> list[list[int]]:
    return [
        list(map(batch.vocabulary.kinds[kind].__getitem__, names))
        for kind, names in zip((Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.MODEL), batch.names, strict=True)
    ]
