"""The folder of orders and receipts, outside of the database and its backups: written once, never overwritten."""

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from ingest.rights.receipts.canonical import BYTES_MAX
from ingest.rights.receipts.errors import AlreadyWritten, FolderUnusable

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ORDER = re.compile(rf"({_ID})\.order\.json", re.ASCII)
RECEIPTS_MAX = 1_000  # Of one erasure: one for each restore after which it was done again.
_FILE_MODE = 0o440  # Readers are the owner and its group.


class Folder:
    """A folder with `<erasure_id>.order.json` and `<erasure_id>.receipt.json`; its methods raise FolderUnusable."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        with _usable():
            mode = self._path.stat().st_mode
        if not stat.S_ISDIR(mode) or mode & stat.S_IWOTH:
            raise FolderUnusable

    def ordered(self) -> set[UUID]:
        """Return the ids of the erasures that have an order, valid or not."""
        with _usable(), os.scandir(self._path) as entries:
            return {UUID(found[1]) for entry in entries if (found := _ORDER.fullmatch(entry.name))}

    def order(self, erasure_id: UUID) -> bytes | None:
        """Return the file of an order, or None; its signature is not checked."""
        return self._read(f"{erasure_id}.order.json")

    def receipts(self, erasure_id: UUID) -> list[bytes]:
        """Return the files of the receipts of an erasure, the first one first."""
        found: list[bytes] = []
        while (raw := self._read(_receipt_name(erasure_id, len(found) + 1))) is not None:
            found.append(raw)
        return found

    def write_order(self, erasure_id: UUID, raw: bytes) -> None:
        """Write an order to the disk; raises AlreadyWritten if there is another."""
        self._write(f"{erasure_id}.order.json", raw)

    def write_receipt(self, erasure_id: UUID, number: int, raw: bytes) -> None:
        """Write the receipt of this number, from 1, to the disk; raises AlreadyWritten if there is another."""
        assert 1 <= number <= RECEIPTS_MAX
        self._write(_receipt_name(erasure_id, number), raw)

    def _read(self, name: str) -> bytes | None:
        with _usable():
            try:
                opened = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            with os.fdopen(opened, "rb") as file:
                return file.read(BYTES_MAX + 1)

    def _write(self, name: str, raw: bytes) -> None:
        """Write a file as a whole, or nothing: a link, unlike a rename, never replaces another file."""
        if self._has(name, raw):
            return
        part = self._path / f".{name}.{secrets.token_hex(8)}.part"
        with _usable():
            try:
                _write_part(part, raw)
                os.link(part, self._path / name)
            except FileExistsError:  # Another process was faster.
                if not self._has(name, raw):  # And is gone again.
                    raise FolderUnusable from None
            finally:
                with suppress(FileNotFoundError):
                    part.unlink()
            self._flush()

    def _has(self, name: str, raw: bytes) -> bool:
        """Return whether a file has these bytes, by now on the disk; raises AlreadyWritten if it has others."""
        found = self._read(name)
        if found is None:
            return False
        if found != raw:
            raise AlreadyWritten
        with _usable(), (self._path / name).open("rb") as file:
            os.fsync(file.fileno())  # A process that was killed may have linked it, and no more.
            self._flush()
        return True

    def _flush(self) -> None:
        opened = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _receipt_name(erasure_id: UUID, number: int) -> str:
    return f"{erasure_id}.receipt.json" if number == 1 else f"{erasure_id}.receipt-{number}.json"


def _write_part(path: Path, raw: bytes) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(raw)
        file.flush()
        os.fchmod(file.fileno(), _FILE_MODE)
        os.fsync(file.fileno())


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):  # ValueError: a NUL in the name. A message has the path.
        raise FolderUnusable from None
