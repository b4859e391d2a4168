"""Files of keys, as of sessions: the first of a file signs, and both verify, so that a rotation ends no session."""

import hmac
import os
import re
import secrets
import stat
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from ingest import logs
from ingest.errors import CannotStart

KEYS_MAX = 2
_SECRET_BYTES = 32
_LINE = re.compile(r"([0-9a-f]{8}) ([A-Za-z0-9_-]{43})", re.ASCII)
_FILE_BYTES_MAX = 4_096
_LOOK_AGAIN_S = 1.0
_SETTING = "NOCONTENT_SESSION_KEYS_FILE"
_MAKES = "`nocontent account keygen` or `nocontent gateway keygen`"


class Key(NamedTuple):
    """A key of HMAC-SHA256, and the id by which a cookie names it."""

    key_id: str
    secret: bytes

    @classmethod
    def make(cls) -> Self:
        return cls(secrets.token_hex(4), secrets.token_bytes(_SECRET_BYTES))

    def sign(self, purpose: str, *parts: bytes) -> bytes:
        """Return the HMAC of some bytes for a purpose; each part is framed by its length."""
        message = b"".join(len(part).to_bytes(4, "big") + part for part in (purpose.encode(), *parts))
        return hmac.digest(self.secret, message, "sha256")

    def __str__(self) -> str:
        return f"{self.key_id} {urlsafe_b64encode(self.secret).rstrip(b'=').decode()}"


@dataclass(frozen=True, slots=True)
class Keys:
    """One or two keys; the first signs."""

    own: tuple[Key, ...] = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Return a new key alone, for a process whose sessions may end with it."""
        return cls((Key.make(),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key a line, the one that signs first; raises ValueError, without the text."""
        matches = [_LINE.fullmatch(line) for line in text.splitlines()]
        if not 1 <= len(matches) <= KEYS_MAX or None in matches:
            raise ValueError
        keys = tuple(Key(match[1], urlsafe_b64decode(f"{match[2]}=")) for match in matches if match)
        if len({key.key_id for key in keys}) < len(keys):
            raise ValueError
        return cls(keys)

    @property
    def first(self) -> Key:
        return self.own[0]

    def find(self, key_id: str) -> Key | None:
        return next((key for key in self.own if key.key_id == key_id), None)

    def rotated(self) -> "Keys":
        """Return a new key, and the one that signed until now."""
        return Keys((Key.make(), self.first))

    def __str__(self) -> str:
        return "".join(f"{key}\n" for key in self.own)


class KeyFile:
    """A file of keys, which is read again within a second after it was changed."""

    def __init__(self, path: Path, setting: str = _SETTING) -> None:
        """Read the file that a setting names; raises CannotStart."""
        self._path, self._setting = path, setting
        self._keys, self._version = _read(path, setting)
        self._looked_at = time.monotonic()

    def keys(self) -> Keys:
        """Return the keys in force; a file that cannot be read any more changes nothing."""
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._looked_at = time.monotonic()
            try:
                if _version(self._path.stat()) != self._version:
                    self._keys, self._version = _read(self._path, self._setting)
            except (OSError, CannotStart):
                logs.error("session-keys-unreadable", setting=self._setting)
        return self._keys


def _read(path: Path, setting: str) -> tuple[Keys, tuple[int, ...]]:
    try:
        with path.open("rb") as file:
            known = os.fstat(file.fileno())
            text = file.read(_FILE_BYTES_MAX)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{setting} names a file that cannot be read: {_MAKES} makes one.") from None
    if stat.S_IMODE(known.st_mode) & stat.S_IRWXO:
        raise CannotStart(f"{setting} names a file that every user of this machine may open: chmod it to 0600.")
    try:
        return Keys.parse(text.decode("ascii")), _version(known)
    except ValueError:  # UnicodeDecodeError is one.
        raise CannotStart(f"{setting} names a file that is not one of keys: see {_MAKES}.") from None


def _version(known: os.stat_result) -> tuple[int, ...]:
    return known.st_ino, known.st_mtime_ns, known.st_size


def write(path: Path, setting: str = _SETTING) -> Keys:
    """Make a file with a key, or put a new key before the one that signs; return the keys. Raises CannotStart."""
    keys = _read(path, setting)[0].rotated() if path.exists() else Keys.make()
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(str(keys))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise CannotStart("The file of keys cannot be written.") from None
    return keys


def named(path: str, setting: str) -> Callable[[], Keys] | None:
    """Return what returns the keys in force of a setting's file, or None if it names none; raises CannotStart."""
    return KeyFile(Path(path), setting).keys if path else None
