"""The cost of the gates: ratios to a bare typed decode of the same body, in interleaved rounds of one run.

A service without gates would write the bare decode in msgspec: UUIDs, enums, bounded integers, tags as a dictionary,
strings unchecked. Also the CPU time of the explain path on the worst bodies that fit the bounds.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from uuid import UUID

import msgspec

from ingest.cli import trace
from ingest.intake.explain import Explanation
from ingest.store import rows
from schema import limits
from schema.decode import Refused, Window, decode
from schema.event import Batch, Event, Kind
from schema.vocabulary import Vocabulary
from tests.support.gauge import SHIPPED

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


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000, help="events in the body (default: 1000)")
    parser.add_argument("--rounds", type=int, default=31, help="rounds of each step, interleaved (default: 31)")
    args = parser.parse_args()
    vocabulary, window = _vocabulary(), _window()
    body = _body(args.events)
    decoded = decode(body, vocabulary, window)
    part = rows.encode(decoded, 1)
    steps: dict[str, Callable[[], object]] = {
        "bare typed decode": lambda: _bare.decode(body),
        "wire types alone": lambda: _wire.decode(body),
        "all gates": lambda: decode(body, vocabulary, window),
        "rows for COPY": lambda: rows.encode(decoded, 1),
        "merge and sort": lambda: rows.merge([part]),
    }
    print(f"{args.events} events, {len(body) / args.events:.0f} B each, Python {sys.version.split()[0]}")
    _table(_interleaved(steps, args.rounds), args.events)
    print(f"\nexplain path, CPU time (bound: {limits.BODY_BYTES_MAX:,} B): in all, and the longest step")
    for name, bad in _worst():
        rounds = [_explained(bad, vocabulary, window) for _ in range(5)]
        whole_ms, longest_ms = (statistics.median(spent) for spent in zip(*rounds, strict=True))
        print(f"  {name:38} {len(bad):>10,} B {whole_ms:8.1f} ms {longest_ms:8.1f} ms")
    return 0


def _interleaved(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(5):
                step()
            seconds[name].append((time.perf_counter() - started) / 5)
    return seconds


def _table(seconds: dict[str, list[float]], events: int) -> None:
    bare = seconds["bare typed decode"]
    print(f"  {'step':24} {'ns an event':>12} {'x bare':>8}")
    for name, spent in seconds.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(spent, bare, strict=True))
        print(f"  {name:24} {statistics.median(spent) / events * 1e9:12.0f} {ratio:8.2f}")


def _explained(body: bytes, vocabulary: Vocabulary, window: Window) -> tuple[float, float]:
    """Return the milliseconds of a refusal with its explanation, and of its longest step."""
    ends = [time.process_time()]
    try:
        decode(body, vocabulary, window)
    except Refused:
        ends.append(time.process_time())
        ends += [time.process_time() for _ in Explanation(body, vocabulary, window).steps()]
        ends.append(time.process_time())
        return (ends[-1] - ends[0]) * 1e3, max(after - before for before, after in pairwise(ends)) * 1e3
    raise AssertionError("a bad body was accepted")


def _worst() -> list[tuple[str, bytes]]:
    def fill(part: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
        room = limits.BODY_BYTES_MAX - len(start) - len(end)
        return start + part * (room // len(part)) + end

    good = json.dumps(_event()).encode()
    count = min(limits.EVENTS_MAX, limits.BODY_BYTES_MAX // (len(good) + 2)) - 1
    last = good.replace(b'"cost_nanousd": ', b'"cost_nanousd": -')
    names = b",".join(b'"n%d":0' % number for number in range(limits.NAMES_MAX - 10))
    return [
        ("good events, the last one bad", b'{"events":[' + (good + b",") * count + last + b"]}"),
        ("as many bad events as fit", b'{"events":[' + b",".join([last] * count) + b"]}"),
        ("integers for events", fill(b"1,", b'{"events":[', b"1]}")),
        ("empty objects for events", fill(b"{},", b'{"events":[', b"{}]}")),
        ("brackets", fill(b"[")),
        ("spaces", fill(b" ")),
        ("quotes", fill(b'""')),
        ("one long string", fill(b"a", b'{"prompt":"', b'"}')),
        ("one long secret-like string", fill(b"sk-ant-", b'{"prompt":"', b'"}')),
        ("many names in an event", b'{"events":[{' + names + b"}]}"),
        ("many names in each event", b'{"events":[' + b",".join([b"{" + names + b"}"] * 200) + b"]}"),
        ("many names in each whole event", b'{"events":[' + b",".join([good[:-1] + b"," + names + b"}"] * 100) + b"]}"),
        (
            "one reason again and again",
            fill(b'"shutdown":0,', b'{"events":[' + good + b'],"dropped":{', b'"shutdown":0}}'),
        ),
        ("names at the top", fill(b'"a":0,', b"{", b'"b":0}')),
        ("long look-alikes of keys", b'{"events":[' + b",".join([b'{"a":"' + b"-ey" * 680 + b'"}'] * 500) + b"]}"),
        ("digits", fill(b"9", b'{"events":', b"}")),
        ("a tag of many", b'{"events":[{"tags":{' + names + b"}}]}"),
    ]


def _vocabulary() -> Vocabulary:
    vocabulary = Vocabulary({}, SHIPPED)
    vocabulary.add(Kind.TAG_KEY, 0, "team", 17)
    for number, team in enumerate(("assistant", "editor"), 9_000):
        vocabulary.add(Kind.TAG_VALUE, 17, team, number)
    return vocabulary


def _window() -> Window:
    now_ms = time.time_ns() // 1_000_000
    return Window.at(now_ms, 1)


def _body(events: int) -> bytes:
    return msgspec.json.encode({"events": list(trace.events(trace.read()[:events], time.time_ns() // 1_000_000))})


def _event() -> dict[str, object]:
    return trace.event(trace.read()[0], time.time_ns() // 1_000_000)


if __name__ == "__main__":
    sys.exit(main())
