"""`python -m bench.gateway`: JSON and streams through gateways, each in turn in every round; writes gateway.json."""

import argparse
import contextlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench import machine, results
from bench.gateway import systems
from bench.gateway.load import Measured, Plan
from bench.gateway.systems import SYSTEMS, Target
from bench.results import ROOT, GatewayResults, Spread
from ingest.serving import process

IDLE_STREAMS = 1_000
SETTLE_S = 1.0


def main() -> int:
    """Measure, write the file and print the table."""
    args = _arguments()
    command = shlex.join(["python", "-m", "bench.gateway", *sys.argv[1:]])
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    names = [name for name in SYSTEMS if (not args.only or name in args.only.split(",")) and not systems.why_not(name)]
    here, started_at = machine.here(ROOT), machine.now()
    with tempfile.TemporaryDirectory() as made, systems.upstream(Path(made)) as port:
        for turn in range(args.rounds):
            for name in names:
                print(f"round {turn + 1}: {name}", file=sys.stderr)
                with SYSTEMS[name](port, Path(made)) as target:
                    for figure, value in _measured(target, args.seconds, args.streams):
                        figures[name][figure].append(value)
            _subtract_direct(figures)
    found = GatewayResults(
        taken_at=started_at, commit=machine.commit(), machine=here, command=command, rounds=args.rounds,
        seconds_each=args.seconds, idle_streams=args.streams,
        systems={name: {figure: _spread(values) for figure, values in each.items()} for name, each in figures.items()},
        ratio_litellm=_ratio(figures, "litellm"), ratio_starlette=_ratio(figures, "starlette"),
        skipped={name: why for name in SYSTEMS if (why := systems.why_not(name))},
    )  # fmt: skip
    results.write(args.out, found)
    for name, each in found.systems.items():
        print(name, *(f"{figure}={spread.median:,.2f}" for figure, spread in each.items()))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="in which each system has a turn (default: 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: 5)")
    parser.add_argument("--streams", type=int, default=IDLE_STREAMS, help="that stay open (default: 1,000; 0: none)")
    parser.add_argument("--only", default="", help="systems, with commas (default: all that are installed)")
    parser.add_argument("--out", default="gateway", help="name of the file in bench/results (default: gateway)")
    return parser.parse_args()


def _measured(target: Target, seconds: float, streams: int) -> Iterator[tuple[str, float]]:
    """Yield the figures of one turn."""
    for figure, connections, is_stream in (
        ("json_32", 32, False), ("json_10", 10, False), ("json_1", 1, False),
        ("stream_32", 32, True), ("stream_1", 1, True),
    ):  # fmt: skip
        before_s = systems.cpu_s(target.pid or 0)
        found = _load(Plan(target.port, target.path, dict(target.fields), connections, seconds, is_stream))
        yield from _cpu(figure, before_s, systems.cpu_s(target.pid or 0), found.answered)
        yield f"{figure}_requests_s", found.requests_s
        yield f"{figure}_p50_ms", found.p50_ms
        yield f"{figure}_p99_ms", found.p99_ms
        yield f"{figure}_first_byte_ms", found.first_byte_p50_ms
        yield f"{figure}_failed", found.failed
    if target.pid is None:
        return
    yield "start_s", target.start_s
    rss_mb = systems.rss_mb(target.pid)
    yield "rss_mb", max(rss_mb.values())  # Of the process that serves.
    yield "rss_all_mb", sum(rss_mb.values())
    held_mb = _held_mb(target, streams) if streams else None
    if held_mb is not None:
        yield "idle_streams_mb", held_mb


def _cpu(
    figure: str, before_s: Mapping[int, float], after_s: Mapping[int, float], requests: int
) -> Iterator[tuple[str, float]]:
    """Yield the CPU time of a request: of the process that serves, and of the others of its system."""
    spent_s = sorted(now_s - before_s.get(pid, 0.0) for pid, now_s in after_s.items())
    if spent_s and requests:
        yield f"{figure}_cpu_us", spent_s[-1] / requests * 1e6
        yield f"{figure}_others_cpu_us", sum(spent_s[:-1]) / requests * 1e6


def _load(plan: Plan) -> Measured:
    child = subprocess.run(
        [sys.executable, "-m", "bench.gateway.load"], cwd=ROOT, input=msgspec.json.encode(plan) + b"\n",
        stdout=subprocess.PIPE, check=True, timeout=plan.seconds + 120,
    )  # fmt: skip
    return msgspec.json.decode(child.stdout, type=Measured)


def _held_mb(target: Target, streams: int) -> float | None:
    """Return how much more memory this many streams take that have begun and wait; None if not all begin."""
    assert target.pid is not None
    before = sum(systems.rss_mb(target.pid).values())
    plan = Plan(target.port, target.path, dict(target.fields), streams, 0.0, holds=True)
    with contextlib.ExitStack() as stack:
        child = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "bench.gateway.load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call)
            )
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(msgspec.json.encode(plan) + b"\n")
        child.stdin.flush()
        if child.stdout.readline() != b"held\n":
            return None
        time.sleep(SETTLE_S)
        held = sum(systems.rss_mb(target.pid).values())
        child.stdin.close()
        child.wait()
    return held - before


def _subtract_direct(figures: Mapping[str, dict[str, list[float]]]) -> None:
    """Add what a system adds to the time to the first byte, within this round."""
    for name, each in figures.items():
        if name != "direct" and "direct" in figures:
            for kind in ("json_1", "stream_1"):
                direct_ms = figures["direct"][f"{kind}_first_byte_ms"][-1]
                each.setdefault(f"{kind}_added_ms", []).append(each[f"{kind}_first_byte_ms"][-1] - direct_ms)


def _ratio(figures: Mapping[str, Mapping[str, list[float]]], peer: str) -> float | None:
    """Return how many times the peer's JSON requests ours are: the median of the rounds."""
    if peer not in figures or "ours" not in figures:
        return None
    pairs = zip(figures["ours"]["json_32_requests_s"], figures[peer]["json_32_requests_s"], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


if __name__ == "__main__":
    sys.exit(main())
