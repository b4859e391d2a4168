"""Child processes that prepare, then warm up and measure when told to, and report: both ends of the pipe."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from msgspec import Struct

from bench.results import ROOT
from ingest.serving import process

_PREPARED, _GO = "prepared", "go"


class ChildFailed(Exception):
    """A process of the benchmark ended early; its error is on the terminal."""


class Quantiles(Struct, frozen=True):
    """Quantiles of the latencies."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


class Tally(Struct, frozen=True, kw_only=True):
    """The counts and latencies of a turn."""

    seconds: float
    events: int  # In requests answered with 200.
    requests: int
    accepted: int  # According to the receipts.
    refused_events: int = 0
    duplicates: int = 0
    statuses: dict[int, int] = {}
    ack_ms: Quantiles = Quantiles()
    behind_ms_p99: float = 0.0  # Delay of sending: beyond a millisecond, the client is the limit.
    cpu_s: float = 0.0


class Act(Protocol):
    """The work of a child in its turns."""

    def warm(self) -> Tally: ...

    def measure(self) -> Tally: ...


def play(act: Act) -> None:
    """Take turns, in the child, once it has prepared."""
    print(_PREPARED, flush=True)
    for turn in (act.warm, act.measure):
        sys.stdin.readline()
        print(msgspec.json.encode(turn()).decode(), flush=True)


class Child:
    """The parent's end."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.process = child

    def wait_prepared(self) -> None:
        heard = self._hear()
        assert heard == _PREPARED, heard

    def take_turn(self) -> Tally:
        """Start its next turn: the first warms up, the second measures."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{_GO}\n")
        self.process.stdin.flush()
        return msgspec.json.decode(self._hear(), type=Tally)

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise ChildFailed(f"{self.process.args!r} ended with {self.process.wait()}")
        return line


@contextmanager
def started(module: str, plan: Struct) -> Iterator[Child]:
    """Start a module as a child with a plan, and stop it when the block ends."""
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="ascii",
        preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
    )
    assert child.stdin is not None
    try:
        child.stdin.write(msgspec.json.encode(plan).decode() + "\n")
        child.stdin.flush()
        yield Child(child)
    finally:
        child.stdin.close()
        child.kill()
        child.wait()
