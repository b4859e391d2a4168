"""strace on a worker: every call by which content could leave it, and where each of them went."""

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_WRITES = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice"
_OPENS = (
    "open,openat,openat2,creat,memfd_create,truncate,rename,renameat,renameat2,link,linkat,symlinkat,mkdirat,mknodat"
)
_PROCESSES = "execve,execveat,fork,vfork"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
_FILE = re.compile(r"\d+<([^>]*)>")
_INTENTS = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
_TO = (  # What a descriptor may be for a write to pass, by what strace shows of it.
    ("socket", re.compile(r"TCP|UDP|UNIX|NETLINK|socket:")),
    ("event", re.compile(r"anon_inode:|pipe:")),  # Wakes a thread: a number, or a byte.
)
_START_S = 5.0
_POLL_S = 0.05


class Trace(NamedTuple):
    """The calls that were seen, by where they went, and those that should not be."""

    seen: Counter[str]
    faults: list[str]
    why_not: str = ""  # If the worker could not be traced.


@contextmanager
def traced(worker: int, file: Path) -> Iterator[list[Trace]]:
    """Trace a worker until the block ends; then the list has the trace. Contents are not recorded, only sizes."""
    found: list[Trace] = []
    program = shutil.which("strace")
    if program is None:
        yield found
        found.append(Trace(Counter(), [], "strace is not installed"))
        return
    calls = f"trace={_WRITES},{_OPENS},{_PROCESSES}"
    tracer = subprocess.Popen(  # noqa: S603 (found on the machine's path)
        [program, "-f", "-yy", "-s", "0", "-e", calls, "-e", "signal=none", "-o", str(file), "-p", str(worker)],
        stderr=subprocess.DEVNULL,
    )
    is_attached = _attaches(tracer, worker)
    try:
        yield found
    finally:
        tracer.terminate()
        tracer.wait()
    found.append(read(file) if is_attached else Trace(Counter(), [], "this user may not trace the worker"))


def _attaches(tracer: "subprocess.Popen[bytes]", worker: int) -> bool:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and tracer.poll() is None:
        if "TracerPid:\t0" not in Path(f"/proc/{worker}/status").read_text("ascii"):
            return True
        time.sleep(_POLL_S)
    return False


def read(file: Path) -> Trace:
    """Sum up what strace has written."""
    seen: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for line in file.read_text("utf-8", "replace").splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        name, rest = call.groups()
        if name in _WRITES.split(","):
            to = _destination(rest)
            seen[f"{name} to {to}"] += 1
            if to == "file":
                faults[f"{name} to a file"] += 1
        elif name in _OPENS.split(",") and (name not in {"open", "openat", "openat2"} or _INTENTS.search(rest)):
            seen[f"{name}, {'refused' if '= -1' in rest else 'done'}"] += 1
            if "= -1" not in rest:
                faults[f"{name} that could write"] += 1
        elif name in _PROCESSES.split(","):
            faults[name] += 1
        else:
            seen["open to read"] += 1
    return Trace(seen, [f"{call}, {count} times" for call, count in faults.items()])


def _destination(rest: str) -> str:
    if rest.startswith(("1<", "2<")):
        return "standard output"
    found = _FILE.match(rest)
    shown = found[1] if found else ""
    return next((name for name, pattern in _TO if pattern.match(shown)), "file")
