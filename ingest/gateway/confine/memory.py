"""Keeps memory where it is: no core file, no reader of the same user, no swap; overwrites freed memory if asked."""

import os
import resource
import sys
from pathlib import Path

from ingest import config
from ingest.gateway.confine import kernel
from ingest.gateway.confine.errors import LayerMissing
from ingest.serving import process

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # mlockall(2)
_CAP_IPC_LOCK = 14
_STATUS = Path("/proc/self/status")
PERTURB = 165  # Any byte that is not 0: the C library fills freed memory with it.


def hide() -> None:
    """Forbid core files, also those that a program on the machine would be given, and readers of the same user."""
    process.forbid_core_dumps()
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def require_lock() -> None:
    """Raise LayerMissing if this process may not lock all its memory, now and later."""
    if sys.platform != "linux":
        raise LayerMissing("mlock", "it is made for Linux")
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY and not _may_lock():
        raise LayerMissing("mlock", "it needs CAP_IPC_LOCK, or an unlimited RLIMIT_MEMLOCK (ulimit -l)")


def lock() -> None:
    """Keep all pages, also later ones, out of swap; raises OSError.

    Pages are locked as they are used: locking whole mappings would fill memory with stacks that nobody has touched.
    """
    if sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
        kernel.lock_memory(_CURRENT | _FUTURE | _ON_FAULT)


def overwrite_on_free() -> None:
    """Let processes that start from now on overwrite what they free: Python must ask the C library for all memory."""
    config.export("PYTHONMALLOC", "malloc")
    config.export("MALLOC_PERTURB_", str(PERTURB))


def require_overwriting() -> None:
    """Raise LayerMissing if the C library would ignore it."""
    if not _has_glibc():
        raise LayerMissing("overwrite", "it needs the GNU C library")


def _has_glibc() -> bool:
    name = "CS_GNU_LIBC_VERSION"
    return name in os.confstr_names and (os.confstr(name) or "").startswith("glibc")


def _may_lock() -> bool:
    for line in _STATUS.read_bytes().splitlines():
        name, _, value = line.partition(b":")
        if name == b"CapEff":
            return bool(int(value, 16) >> _CAP_IPC_LOCK & 1)
    return False
