"""Instructions of each step of the hot path, counted by callgrind, which are the same on a busy and an idle machine.

`python -m bench.instructions` compares with instructions.json and fails if a step needs over a tenth more; `--record`
writes that file. Needs valgrind. Counts are comparable only if the Python build and the machine's instruction set are
the same; if not, it prints so and passes.
"""

import argparse
import gc
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from bench.results import ROOT
from bench.steps import Prepared, steps
from bench.workload import EVENTS_PER_MS, Ids, ids_of

BASELINE = Path(__file__).with_name("instructions.json")
GROWTH_MAX = 0.10
REPEATS = 3
NOW_MS = 1_767_225_600_000  # An arbitrary but fixed time.
# Two names of a C library function that nothing else calls: before each call, callgrind dumps its counts and starts
# anew. Not called by ctypes, because libffi's assembly hides the callee.
MARKS = ("getpgid", "__getpgid")
_PACKAGES = ("msgspec", "numpy", "zstandard")


class Counts(Struct, frozen=True, kw_only=True):
    """The contents of instructions.json."""

    build: str  # Counts are comparable only if this is equal.
    packages: dict[str, str]
    instructions_an_event: dict[str, float]


def main() -> int:
    """Count, then record or compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write instructions.json instead of comparing with it")
    parser.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.counted:
        _run_steps()
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: nothing was counted")
        return 0
    counted = Counts(
        build=_build(), packages={name: metadata.version(name) for name in _PACKAGES}, instructions_an_event=_count()
    )
    if args.record:
        BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(counted), indent=1) + b"\n")
        print(f"recorded in {BASELINE.relative_to(ROOT)}")
    return compare(counted, msgspec.json.decode(BASELINE.read_bytes(), type=Counts))


def compare(counted: Counts, baseline: Counts) -> int:
    """Print both counts, and return 1 if a step has grown too much, or 0 if none has or they are not comparable."""
    is_comparable = counted.build == baseline.build
    if not is_comparable:
        print(f"not comparable: recorded on {baseline.build}, this is {counted.build}")
    is_slower = False
    print(f"{'instructions an event':24}{'now':>9}{'recorded':>10}{'change':>9}")
    for name, now in counted.instructions_an_event.items():
        before = baseline.instructions_an_event.get(name, now)
        is_slower |= now > before * (1 + GROWTH_MAX)
        print(f"{name:24}{now:>9,.0f}{before:>10,.0f}{now / before - 1:>+9.1%}")
    if is_slower and is_comparable:
        print(f"a step needs over {GROWTH_MAX:.0%} more: make it cheaper, or say why and --record")
    return int(is_slower and is_comparable)


def _build() -> str:
    """Return Python's version, its compiler flags and the instruction set, because each changes the counts."""
    flags = sha256(str(sysconfig.get_config_var("CONFIG_ARGS")).encode()).hexdigest()[:8]
    wide = "avx2" if "avx2" in Path("/proc/cpuinfo").read_text("utf-8") else "no-avx2"
    return f"Python {platform.python_version()} {platform.python_compiler()} {flags} {platform.machine()} {wide}"


def _count() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += [f"--dump-before={mark}" for mark in MARKS]
        ended = subprocess.run(
            [*command, sys.executable, "-m", "bench.instructions", "--counted"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        counted = {}
        # Every second dump is of a step; those between hold the warm-up of the next step.
        for number, line in enumerate(ended.stdout.splitlines(), 1):
            name, _, events = line.rpartition(" ")
            counted[name] = _total(Path(f"{out}.{2 * number}")) / REPEATS / int(events)
    return counted


def _total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _run_steps() -> None:
    """Run each step under callgrind between two marks, after a first run of it."""
    dice = np.random.default_rng(0)
    at_ms = NOW_MS - 1_000

    def take(count: int) -> Ids:
        return ids_of(at_ms + dice.random(count) * (count / EVENTS_PER_MS), dice.bytes(16 * count))

    todo = steps(Prepared(NOW_MS, take))
    gc.collect()
    gc.disable()
    for name, (step, events) in todo.items():
        step()
        repeats = [None] * REPEATS
        os.getpgid(0)
        for _ in repeats:
            step()
        os.getpgid(0)
        print(f"{name} {events}")


if __name__ == "__main__":
    sys.exit(main())
