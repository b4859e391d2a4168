"""The search for canaries in places where a service may leave them: files, metrics, tables, memory."""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from ingest.prove.canaries import FIND_BYTES, Canaries, Find
from ingest.prove.client import Address, send_alone
from ingest.store import dump

_PIECE_BYTES = 8_388_608
_FINDS_MAX = 100  # In one place; more add nothing.


class Sought(Protocol):
    """The canaries to search for, as `Canaries`."""

    def find(self, data: bytes) -> Iterator[Find]: ...


class SearchResult(NamedTuple):
    """A searched place. Finds in a place that is not gated are reported but do not fail the run."""

    place: str
    bytes: int
    finds: tuple[tuple[str, Find], ...]  # Each with its position in the place.
    unread: tuple[str, ...] = ()
    is_gated: bool = True


class _Finder:
    """A search of streams of pieces that also finds what a border between two pieces cuts."""

    def __init__(self, canaries: Sought) -> None:
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

    def searched(self, place: str) -> SearchResult:
        named = {(where, find.form) for where, find in self.finds if find.canary}
        finds = tuple((where, find) for where, find in self.finds if find.canary or (where, find.form) not in named)
        return SearchResult(place, self.bytes, finds, tuple(self.unread))


def in_files(place: str, canaries: Sought, paths: Iterable[Path], step: Callable[[], object]) -> SearchResult:
    """Search files and all files below folders."""
    finder = _Finder(canaries)
    for path in paths:
        for file in _files(path):
            finder.start()
            try:
                for piece in _pieces(file):
                    finder.read(str(file), piece)
                if file.parent.name == _WAL:
                    _read_wal(finder, file)
            except FileNotFoundError:
                continue  # Removed meanwhile, as a running PostgreSQL does.
            except OSError:
                finder.unread.append(str(file))
            step()
    return finder.searched(place)


def in_pieces(place: str, canaries: Sought, pieces: Iterable[bytes]) -> SearchResult:
    """Search what is in memory here, such as bodies that a server was sent."""
    finder = _Finder(canaries)
    for number, piece in enumerate(pieces, 1):
        finder.start()
        finder.read(f"piece {number}", piece)
    return finder.searched(place)


_WAL = "pg_wal"
_PAGE_BYTES = 8_192
_LONG_HEADER = 2  # XLP_LONG_HEADER of access/xlog_internal.h; with it a page's header has 40 bytes, else 24.


def _read_wal(finder: _Finder, file: Path) -> None:
    """Read a segment without its page headers, because a record continues after the next header."""
    finder.start()
    for piece in _pieces(file):
        pages = (piece[at : at + _PAGE_BYTES] for at in range(0, len(piece), _PAGE_BYTES))
        finder.read(
            f"{file} without headers",
            b"".join(page[40 if page[2:3] and page[2] & _LONG_HEADER else 24 :] for page in pages),
        )


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if file.is_file():  # Not a socket or a pipe.
                yield file


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


# Requests that a stranger may send to the metrics port, each with a canary where an HTTP server may echo or log it.
_STRANGERS = (
    b"GET %(path)b?%(word)b HTTP/1.1\r\nHost: %(host)b\r\nConnection: close\r\n\r\n",
    b"GET %(path)b?name[]=%(word)b HTTP/1.1\r\nHost: %(host)b\r\nConnection: close\r\n\r\n",
    b"GET /%(word)b HTTP/1.1\r\nHost: %(host)b\r\nConnection: close\r\n\r\n",
    b"%(word)b %(path)b HTTP/1.1\r\nHost: %(host)b\r\nConnection: close\r\n\r\n",
    b"GET %(path)b HTTP/%(word)b\r\nHost: %(host)b\r\n\r\n",
    b"GET %(path)b %(word)b HTTP/1.1\r\nHost: %(host)b\r\n\r\n",
    b"GET http://%(word)b/ HTTP/1.1\r\nHost: %(word)b\r\nConnection: close\r\n\r\n",
    b"GET %(path)b HTTP/1.1\r\nHost: %(host)b\r\nAccept: text/plain; version=%(word)b\r\nConnection: close\r\n\r\n",
    (
        b"GET %(path)b HTTP/1.1\r\nHost: %(host)b\r\nAccept: application/openmetrics-text; version=1.0.0;"
        b" escaping=%(word)b\r\nConnection: close\r\n\r\n"
    ),
    b"GET %(path)b HTTP/1.1\r\nHost: %(host)b\r\n%(word)b: %(word)b\r\nCookie: %(word)b\r\nConnection: close\r\n\r\n",
    b"POST %(path)b HTTP/1.1\r\nHost: %(host)b\r\nContent-Length: 15\r\nConnection: close\r\n\r\n%(word)b",
    b"GET %(path)b HTTP/1.1\r\nHost: %(host)b\r\n%(word)b\r\n\r\n",
    b"%(word)b\r\n\r\n",
)


async def in_metrics(canaries: Canaries, to: Address, path: str) -> list[SearchResult]:
    """Search the metrics port's responses to strangers, and then the metrics that Prometheus reads. Raises OSError."""
    port, metrics = _Finder(canaries), _Finder(canaries)
    for number, wire in enumerate(_STRANGERS, 1):
        told = {b"path": path.encode(), b"host": to.authority, b"word": canaries.make().encode()}
        port.start()
        port.read(f"answer {number}", (await send_alone(to, wire % told)).wire)
    wire = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (path.encode(), to.authority)
    answer = await send_alone(to, wire)
    metrics.read(path, answer.wire)
    if answer.status != 200:  # noqa: PLR2004 (RFC 9110, section 15.3.1)
        metrics.unread.append(f"status {answer.status}")
    return [port.searched("metrics port"), metrics.searched("metrics")]


_LARGE_OBJECTS = "large objects"
# Places outside our tables that keep text, by their names in a report.
_APART = {
    "audit": ("audit",),
    _LARGE_OBJECTS: ("pg_largeobject", "pg_largeobject_metadata"),
    "comments": ("pg_description", "pg_shdescription", "pg_seclabel", "pg_shseclabel"),
    "settings of roles": ("pg_db_role_setting", "pg_authid"),
    "sessions": (
        "pg_stat_activity", "pg_prepared_xacts", "pg_prepared_statements", "pg_replication_slots",
        "pg_stat_replication", "pg_stat_subscription",
    ),
    "statements": ("pg_stat_statements",),
}  # fmt: skip
_PLACES = {table: place for place, tables in _APART.items() for table in tables}


async def in_database(canaries: Sought, dsn: str, step: Callable[[], object]) -> list[SearchResult]:
    """Search every row of every table that the login may read, and all large objects; raises CannotStart."""
    finders = {place: _Finder(canaries) for place in ("database", *_APART)}
    last = ""
    async for table, piece in _pieces_of_database(dsn):
        finder = finders[_LARGE_OBJECTS if " " in table else _PLACES.get(table.rpartition(".")[2], "database")]
        if table != last:
            finder.start()
            step()
        last = table
        if piece is None:
            finder.unread.append(table)
        else:
            finder.read(table, piece)
    return [finder.searched(place) for place, finder in finders.items()]


async def _pieces_of_database(dsn: str) -> AsyncIterator[tuple[str, bytes | None]]:
    async for table, piece in dump.dump(dsn):
        yield table, piece
    async for name, piece in dump.large_objects(dsn, FIND_BYTES):
        yield name, piece


_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .w.. \S+ \S+ \S+ *(.*)")


def in_memory(canaries: Canaries, pids: Iterable[int]) -> SearchResult:
    """Search the writable memory of processes and their children (proc(5)), which includes freed memory."""
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
                    break  # A device's or the kernel's memory.
                finder.read(f"process {pid} {name}".strip(), piece)


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _family(int(child))
    return found
