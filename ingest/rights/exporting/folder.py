"""The folder of an export: files that appear whole, a record of progress, and a lock."""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import msgspec

from ingest.rights.exporting.errors import Refused
from ingest.rights.exporting.manifest import Manifest, Part, Progress, Request

MANIFEST = "manifest.json"
_PROGRESS = "export.json"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_BYTES = 1_048_576
_T = TypeVar("_T", Progress, Manifest)


class Written(NamedTuple):
    """A file that was written."""

    bytes: int
    sha256: str


class Output:
    """A file in the making, of which a killed process leaves nothing under the file's own name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.part")
        self._digest = hashlib.sha256()
        self._bytes = 0
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._file = open(self._draft, "wb", opener=_private)  # noqa: SIM115 (closed below; Path has no opener)

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self._bytes += len(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        """Delete what was written, unless it was kept."""
        if not self._file.closed:
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def keep(self) -> Written:
        """Rename the file to its final name, once it is on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)
        _sync(self._path.parent)
        return Written(self._bytes, self._digest.hexdigest())


class Folder:
    """An export on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, request: Request) -> Progress:
        """Return how far the export has come; raises Refused if the folder is of something else."""
        if (self.path / _PROGRESS).exists():
            progress = self._read(_PROGRESS, Progress)
            if progress.request != request:
                raise Refused("export.folder-of-another")
            self._tidy()
            return progress if progress.moment else Progress(request=request)
        if any(self.path.iterdir()):
            raise Refused("export.folder-not-empty")
        progress = Progress(request=request)
        self.note(progress)
        return progress

    def _tidy(self) -> None:
        """Delete what a killed process left."""
        for draft in self.path.rglob(".*.part"):
            draft.unlink()

    def completed(self, request: Request) -> Manifest | None:
        """Return the manifest of an export that is complete; raises Refused if it is another's."""
        if not (self.path / MANIFEST).exists():
            return None
        manifest = self._read(MANIFEST, Manifest)
        if manifest.request != request:
            raise Refused("export.folder-of-another")
        return manifest

    def check(self, parts: tuple[Part, ...], step: Callable[[int], object]) -> None:
        """Compare files with their checksums; raises Refused."""
        for part in parts:
            digest = hashlib.sha256()
            try:
                with (self.path / part.file).open("rb") as file:
                    while piece := file.read(_READ_BYTES):
                        digest.update(piece)
            except FileNotFoundError:
                raise Refused("export.file-changed") from None
            if digest.hexdigest() != part.sha256:
                raise Refused("export.file-changed")
            step(part.rows)

    def note(self, progress: Progress) -> None:
        """Record how far the export has come."""
        self._write(_PROGRESS, progress)

    def end(self, manifest: Manifest) -> None:
        """Write the manifest, with which the export is complete."""
        self._write(MANIFEST, manifest)
        (self.path / _PROGRESS).unlink(missing_ok=True)
        _sync(self.path)

    def output(self, name: str) -> Output:
        return Output(self.path / name)

    def _write(self, name: str, value: Progress | Manifest) -> None:
        with Output(self.path / name) as output:
            output.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
            output.keep()

    def _read(self, name: str, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except msgspec.MsgspecError:
            raise Refused("export.folder-not-empty") from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Make the folder, lock it, and turn what the system refuses into Refused."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Folder(path)
        except BlockingIOError:
            raise Refused("export.folder-in-use") from None
        finally:
            os.close(lock)
    except (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError):
        raise Refused("export.folder-refused") from None
    except OSError as refused:
        if refused.errno not in _FULL:
            raise
        raise Refused("export.disk-full") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
