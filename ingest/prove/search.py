"""Looks for canaries where a service may have left them: files, metrics, tables, memory."""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ingest.prove.canaries import FIND_BYTES, Canaries, Find
from ingest.prove.client import Address, send_alone
from ingest.store import search

_PIECE_BYTES = 8_388_608
_FINDS_MAX = 100  # In one place; more say nothing new.


class Searched(NamedTuple):
    """A place that was searched. What is not gated is reported, and is no reason to fail."""

    place: str
    bytes: int
    finds: tuple[tuple[str, Find], ...]  # Where in the place, and what.
    unread: tuple[str, ...] = ()
    is_gated: bool = True


class _Finder:
    """Searches one stream of pieces after another, with what a border between two may have cut."""

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self._rest = b""
        self.bytes = 0
        self.finds: dict[tuple[str, Find], None] = {}
        self.unread: list[str] = []

    def start(self) -> None:
        self._rest = b""

    def read(self, where: str, piece: bytes) -> None:
        self.bytes += len(piece)
        if len(self.finds) < _FINDS_MAX:
            for find in self._canaries.find(self._rest + piece):
                self.finds[where, find] = None
        self._rest = (self._rest + piece)[-FIND_BYTES:]

    def searched(self, place: str) -> Searched:
        named = {(where, find.form) for where, find in self.finds if find.canary}
        finds = tuple((where, find) for where, find in self.finds if find.canary or (where, find.form) not in named)
        return Searched(place, self.bytes, finds, tuple(self.unread))


def in_files(place: str, canaries: Canaries, paths: Iterable[Path], step: Callable[[], object]) -> Searched:
    """Search files, and all files below folders."""
    finder = _Finder(canaries)
    for path in paths:
        for file in _files(path):
            finder.start()
            try:
                for piece in _pieces(file):
                    finder.read(str(file), piece)
            except FileNotFoundError:
                continue  # It was removed meanwhile: a running PostgreSQL does that.
            except OSError:
                finder.unread.append(str(file))
            step()
    return finder.searched(place)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if file.is_file():  # Neither a socket nor a pipe.
                yield file


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


async def in_metrics(canaries: Canaries, to: Address, path: str) -> Searched:
    """Search what Prometheus would read. Raises OSError."""
    wire = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (path.encode(), to.authority)
    answer = await send_alone(to, wire)
    finder = _Finder(canaries)
    finder.read(path, answer.wire)
    if answer.status != 200:  # noqa: PLR2004 (RFC 9110, section 15.3.1)
        finder.unread.append(f"status {answer.status}")
    return finder.searched("metrics")


async def in_database(canaries: Canaries, dsn: str, step: Callable[[], object]) -> Searched:
    """Search every row of every table that the login may read; raises CannotStart."""
    finder = _Finder(canaries)
    last = ""
    async for table, piece in _rows(dsn, finder.unread):
        if table != last:
            finder.start()
            step()
        last = table
        finder.read(table, piece)
    return finder.searched("database")


async def _rows(dsn: str, unread: list[str]) -> AsyncIterator[tuple[str, bytes]]:
    async for table, piece in search.dump(dsn):
        if piece is None:
            unread.append(table)
        else:
            yield table, piece


_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .w.. \S+ \S+ \S+ *(.*)")


def in_memory(canaries: Canaries, pids: Iterable[int]) -> Searched:
    """Search the writable memory of processes and their children (proc(5)); what was freed still stands there."""
    finder = _Finder(canaries)
    for pid in pids:
        for process in _family(pid):
            try:
                _read_memory(finder, process)
            except OSError:
                finder.unread.append(f"process {process}")
    return finder.searched("memory")._replace(is_gated=False)


def _read_memory(finder: _Finder, pid: int) -> None:
    maps = Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for first, last, name in _WRITABLE.findall(maps):
            finder.start()
            for start in range(int(first, 16), int(last, 16), _PIECE_BYTES):
                try:
                    memory.seek(start)
                    piece = memory.read(min(_PIECE_BYTES, int(last, 16) - start))
                except (OSError, OverflowError):
                    break  # A device's or the kernel's own.
                finder.read(f"process {pid} {name}".strip(), piece)


def _family(pid: int) -> list[int]:
    """Give a process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _family(int(child))
    return found
