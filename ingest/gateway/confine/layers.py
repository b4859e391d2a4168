"""Puts all layers in force in the calling process, or says which of them this machine lacks.

A process that is not confined as it was told to be does not start: there is no half.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from ingest import logs
from ingest.config import PREFIX
from ingest.errors import CannotStart
from ingest.gateway.confine import kernel, landlock, memory, seccomp
from ingest.gateway.confine.errors import LayerMissing
from ingest.gateway.confine.profile import Profile
from ingest.gateway.confine.settings import RELAXABLE, ConfineSettings

Layer = Literal[
    "core-limit", "not-dumpable", "mlock", "no-new-privileges", "landlock-fs", "landlock-net", "landlock-scope",
    "seccomp",
]  # fmt: skip
LAYERS: tuple[Layer, ...] = get_args(Layer)
_TASKS = Path("/proc/self/task")
_THREAD_ENDS_S = 1.0  # Python does not wait until the kernel has ended a thread.
_POLL_S = 0.001


def require(wanted: ConfineSettings) -> None:
    """Raise CannotStart if this machine lacks a layer; for the parent, before it listens."""
    if wanted.gateway_overwrite:
        _require("overwrite", memory.require_overwriting, f"unset {PREFIX}GATEWAY_OVERWRITE")
    if wanted.gateway_confine == "off":
        return
    if sys.platform != "linux":
        raise CannotStart(f"A gateway is confined by Linux alone: set {PREFIX}GATEWAY_CONFINE=off to do without.")
    layers = _wanted(wanted)
    _require("seccomp", seccomp.require if "seccomp" in layers else _nothing, _without("seccomp"))
    for layer in ("landlock-fs", "landlock-net"):
        _require(layer, partial(landlock.require, layers & {layer}), _without(layer))
    if wanted.gateway_lock_memory == "required":
        _require("mlock", memory.require_lock, f"set {PREFIX}GATEWAY_LOCK_MEMORY=tried")


def apply(profile: Profile, wanted: ConfineSettings) -> tuple[Layer, ...]:
    """Confine this process for good, and log and return the layers in force; raise CannotStart if one fails.

    Landlock restricts the thread that asks and those that it starts later, so this one must be the only one.
    """
    if wanted.gateway_confine == "off":
        return ()
    require(wanted)
    in_force: set[str] = set()
    logs.rest()
    _step("not-dumpable", memory.hide)
    in_force |= {"core-limit", "not-dumpable"}
    if _locks(wanted):
        _step("mlock", memory.lock)
        in_force.add("mlock")
    _step("landlock-fs", _require_one_thread)
    _step("no-new-privileges", lambda: kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1))
    in_force.add("no-new-privileges")
    layers = _wanted(wanted)
    _step("landlock-fs", lambda: in_force.update(landlock.restrict(profile, layers)))
    if "seccomp" in layers:
        _step("seccomp", partial(seccomp.restrict, profile))
        in_force.add("seccomp")
    found = tuple(layer for layer in LAYERS if layer in in_force)
    logs.info("confined", layers=list(found))
    return found


def prepare(wanted: ConfineSettings) -> None:
    """Hide the parent's own memory, and let the processes that it starts overwrite what they free if asked."""
    if wanted.gateway_confine != "off":
        memory.hide()
    if wanted.gateway_overwrite:
        memory.overwrite_on_free()


def keeps_files(wanted: ConfineSettings) -> bool:
    """Return whether the kernel keeps a process to the files of its profile."""
    return wanted.gateway_confine != "off" and "landlock-fs" in _wanted(wanted)


def _wanted(wanted: ConfineSettings) -> frozenset[str]:
    return frozenset(RELAXABLE) - wanted.relaxed


def _locks(wanted: ConfineSettings) -> bool:
    if wanted.gateway_lock_memory != "tried":
        return wanted.gateway_lock_memory == "required"
    try:
        memory.require_lock()
    except LayerMissing:
        return False
    return True


def _require_one_thread() -> None:
    deadline = time.monotonic() + _THREAD_ENDS_S
    while len(list(_TASKS.iterdir())) > 1:
        if time.monotonic() > deadline:
            raise OSError
        time.sleep(_POLL_S)


def _require(layer: str, check: Callable[[], None], relief: str) -> None:
    try:
        check()
    except LayerMissing as missing:
        raise CannotStart(
            f"This machine cannot confine the gateway by {layer}: {missing.why}. To do without, {relief}."
        ) from None


def _without(layer: str) -> str:
    return f"add {layer} to {PREFIX}GATEWAY_CONFINE_WITHOUT"


def _step(layer: str, take: Callable[[], object]) -> None:
    try:
        take()
    except OSError as refused:
        raise CannotStart(f"The kernel refuses {layer} to the gateway (errno {refused.errno}).") from None


def _nothing() -> None:
    return
