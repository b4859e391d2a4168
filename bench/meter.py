"""CPU time and resident memory of trees of processes, from /proc (proc(5))."""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """CPU time and memory of a process and all its descendants."""

    cpu_s: float
    rss_bytes: int


def usage(pid: int) -> Usage:
    """Sum up a tree, including the CPU time of descendants that have ended and been waited for."""
    ticks = resident = 0
    for each in _tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            resident += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, and both of waited-for children.
    return Usage(ticks / _TICKS_PER_S, resident * _PAGE_BYTES)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        try:
            for task in Path(f"/proc/{each}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
