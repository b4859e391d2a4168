"""Child processes that prepare, then warm up and measure when told to, and report: both ends of the pipe."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from bench.load import Tally
from ingest.serving import process

ROOT = Path(__file__).resolve().parent.parent
_PREPARED, _GO = "prepared", "go"


class ChildFailed(Exception):
    """A process of the benchmark ended early; its error is on the terminal."""


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
        self.begin_turn()
        return self.end_turn()

    def begin_turn(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{_GO}\n")
        self.process.stdin.flush()

    def has_ended(self, wait_s: float) -> bool:
        """Return whether its turn ends within a while."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], wait_s)[0])

    def end_turn(self) -> Tally:
        return msgspec.json.decode(self._hear(), type=Tally)

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise ChildFailed(f"{self.process.args!r} ended with {self.process.wait()}")
        return line


@contextmanager
def started(module: str, plan: msgspec.Struct) -> Iterator[Child]:
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
