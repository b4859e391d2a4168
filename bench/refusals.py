"""`python -m bench.refusals`: the CPU time of refusing the worst bodies within the bounds, and of explaining why."""

import argparse
import json
import statistics
import sys
import time
from itertools import pairwise

from bench.limit import known_vocabulary
from ingest.cli import trace
from ingest.intake.explain import Explanation
from schema import limits
from schema.decode import Refused, Window, decode

NOW_MS = time.time_ns() // 1_000_000
VOCABULARY, WINDOW = known_vocabulary(), Window.at(NOW_MS, 1)


def main() -> int:
    """Print a row for each bad body."""
    argparse.ArgumentParser(prog="python -m bench.refusals", description=__doc__).parse_args()
    print(f"CPU time of a refusal (bound: {limits.BODY_BYTES_MAX:,} B): in all, and the longest step")
    for name, bad in _worst():
        rounds = [_explained(bad) for _ in range(5)]
        whole_ms, longest_ms = (statistics.median(spent) for spent in zip(*rounds, strict=True))
        print(f"  {name:38} {len(bad):>10,} B {whole_ms:8.1f} ms {longest_ms:8.1f} ms")
    return 0


def _explained(body: bytes) -> tuple[float, float]:
    """Return the milliseconds of a refusal with its explanation, and of its longest step."""
    ends = [time.process_time()]
    try:
        decode(body, VOCABULARY, WINDOW)
    except Refused:
        ends.append(time.process_time())
        ends += [time.process_time() for _ in Explanation(body, VOCABULARY, WINDOW).steps()]
        ends.append(time.process_time())
        return (ends[-1] - ends[0]) * 1e3, max(after - before for before, after in pairwise(ends)) * 1e3
    raise AssertionError("a bad body was accepted")


def _worst() -> list[tuple[str, bytes]]:
    def fill(part: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
        room = limits.BODY_BYTES_MAX - len(start) - len(end)
        return start + part * (room // len(part)) + end

    good = json.dumps(trace.event(trace.read()[0], NOW_MS)).encode()
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


if __name__ == "__main__":
    sys.exit(main())
