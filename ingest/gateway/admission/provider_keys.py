"""Providers' keys that the operator keeps for tenants: a file each, read again when it changes."""

import os
import stat
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from ingest import logs
from ingest.config import PREFIX
from ingest.errors import CannotStart

_BYTES_MAX = 4_096
_LOOK_AGAIN_S = 1.0
_KEPT_MAX = 10_000  # Tenants and providers, with and without a key.


class ProviderKey:
    """A key that cannot be formatted, printed, pickled or compared: `expose` alone returns it."""

    __slots__ = ("_bytes",)

    def __init__(self, given: bytes) -> None:
        self._bytes = given

    def expose(self) -> bytes:
        """Return the key, for the head that goes upstream."""
        return self._bytes

    def __repr__(self) -> str:  # Tracebacks and debuggers call it, so it does not raise.
        return "<key>"

    def __str__(self) -> NoReturn:
        raise TypeError("a key is not text")

    def __format__(self, _spec: str) -> NoReturn:
        raise TypeError("a key cannot be formatted")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key stays in its process")

    def __eq__(self, _other: object) -> NoReturn:
        raise TypeError("keys are not compared")

    __hash__ = None  # type: ignore[assignment]  # No key of a table.


class _Kept(NamedTuple):
    """What is known of a file, as of a moment; its version is None if there is none."""

    key: ProviderKey | None
    version: tuple[int, ...] | None
    looked_at: float


class ProviderKeys:
    """The files of a folder; one that is gone, or that others may read, is no key from the next second on."""

    def __init__(self, folder: str) -> None:
        """Remember the folder that the setting names, or that there is none; raises CannotStart."""
        self._folder = Path(folder) if folder else None
        self._kept: dict[tuple[int, str], _Kept] = {}
        if self._folder is not None and not (self._folder.is_dir() and os.access(self._folder, os.R_OK | os.X_OK)):
            raise CannotStart(f"{PREFIX}GATEWAY_PROVIDER_KEYS must be a folder that this process may read.")

    def find(self, tenant_id: int, provider: str) -> ProviderKey | None:
        """Return the key that is kept for a tenant, or None."""
        if self._folder is None:
            return None
        now, place = time.monotonic(), (tenant_id, provider)
        kept = self._kept.get(place)
        if kept is None or now - kept.looked_at >= _LOOK_AGAIN_S:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            kept = self._kept[place] = self._look(self._folder / f"{tenant_id}-{provider}", tenant_id, kept)
        return kept.key

    def _look(self, path: Path, tenant_id: int, before: _Kept | None) -> _Kept:
        now = time.monotonic()
        try:
            with path.open("rb") as file:
                known = os.fstat(file.fileno())
                version = known.st_ino, known.st_mtime_ns, known.st_size, known.st_mode
                if before is not None and before.version == version:
                    return before._replace(looked_at=now)
                text = file.read(_BYTES_MAX + 1)
        except FileNotFoundError:
            return _Kept(None, None, now)
        except OSError:
            logs.error("provider-key-unusable", tenant_id=tenant_id)
            return _Kept(None, None, now)
        key = text.strip()
        is_usable = len(key) > 0 and len(text) <= _BYTES_MAX and not key.translate(None, bytes(range(0x21, 0x7F)))
        if stat.S_IMODE(known.st_mode) & stat.S_IRWXO or not is_usable:
            logs.error("provider-key-unusable", tenant_id=tenant_id)
            return _Kept(None, version, now)
        return _Kept(ProviderKey(key), version, now)
