"""Landlock: from now on this process reads below some paths alone, and writes and connects nowhere else.

What is open already stays usable. Nothing lifts a rule, and threads that start later have them too, but those that run
already would not: the kernel restricts the thread that asks (landlock(7)).
"""

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.gateway.confine import kernel
from ingest.gateway.confine.errors import LayerMissing
from ingest.gateway.confine.profile import Profile

ABI_FS = 3  # Linux 6.2, the first that can refuse to truncate a file.
ABI_NET = 4  # Linux 6.7.
_ABI_DEVICES = 5
ABI_SCOPE = 6  # Linux 6.12.
_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # On every machine.
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH, _NET_PORT = 1, 2

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITES = 1 << 1 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 14  # Write and truncate files, make and remove them; make folders.
_ALL_ABI_3 = (1 << 15) - 1
_IOCTL_DEVICES = 1 << 15
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPES = 1 | 2  # Abstract UNIX sockets, signals.


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """Return the version of Landlock in this kernel, or 0 without it."""
    if kernel.machine() is None:
        return 0
    try:
        return kernel.call(_CREATE, None, 0, _VERSION)
    except OSError:
        return 0


def require(layers: frozenset[str]) -> None:
    """Raise LayerMissing if the kernel lacks one of these."""
    found = abi()
    if "landlock-fs" in layers and found < ABI_FS:
        raise LayerMissing("landlock-fs", f"Landlock has ABI {found} here; {ABI_FS} is needed, of Linux 6.2")
    if "landlock-net" in layers and found < ABI_NET:
        raise LayerMissing("landlock-net", f"Landlock has ABI {found} here; {ABI_NET} is needed, of Linux 6.7")


def restrict(profile: Profile, layers: frozenset[str]) -> frozenset[str]:
    """Restrict the calling thread, and those it starts, and return the layers in force; raises OSError."""
    found = abi()
    in_force = layers & {"landlock-fs", "landlock-net"} | ({"landlock-scope"} if found >= ABI_SCOPE else set())
    wanted = _Ruleset()
    if "landlock-fs" in in_force:
        wanted.fs = _ALL_ABI_3 | (_IOCTL_DEVICES if found >= _ABI_DEVICES else 0)
    if "landlock-net" in in_force:
        wanted.net = _BIND_TCP | _CONNECT_TCP
    if "landlock-scope" in in_force:
        wanted.scoped = _SCOPES
    if not wanted.fs | wanted.net | wanted.scoped:
        return frozenset()
    ruleset = kernel.call(_CREATE, ctypes.byref(wanted), ctypes.sizeof(wanted) if found >= ABI_SCOPE else 16, 0)
    try:
        if wanted.fs:
            _allow_paths(ruleset, profile)
        if wanted.net:
            for port in profile.ports:
                rule = _NetPort(_CONNECT_TCP, port)
                kernel.call(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0)
        kernel.call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return frozenset(in_force)


def _allow_paths(ruleset: int, profile: Profile) -> None:
    for path in profile.reads:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    for path in profile.writes:
        _allow(ruleset, path, _READ_FILE | _READ_DIR | _WRITES)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with _reference(path) as opened:
        if opened is None:  # Not on this machine, so nothing to read.
            return
        of_files = rights if stat.S_ISDIR(os.fstat(opened).st_mode) else rights & _READ_FILE
        rule = _PathBeneath(of_files, opened)
        kernel.call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)


@contextmanager
def _reference(path: Path) -> Iterator[int | None]:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        yield None
        return
    try:
        yield opened
    finally:
        os.close(opened)
