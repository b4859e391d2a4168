"""Calls the kernel by number, because the C library has no functions for Landlock and seccomp."""

import ctypes
import os
import platform
import sys
from typing import Literal, get_args

Machine = Literal["x86_64", "aarch64"]
MACHINES: tuple[Machine, ...] = get_args(Machine)
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def machine() -> Machine | None:
    """Return the processor's name if this is a Linux whose system calls we know."""
    found = platform.machine()
    return next((each for each in MACHINES if each == found and sys.platform == "linux"), None)


def call(number: int, *arguments: object) -> int:
    """Make a system call; raise OSError if the kernel refuses it."""
    assert _LIBC is not None  # The caller has asked for the machine.
    ctypes.set_errno(0)
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(int(_LIBC.syscall(ctypes.c_long(number), *words)))


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; raise OSError if the kernel refuses it."""
    assert _LIBC is not None
    ctypes.set_errno(0)
    _checked(int(_LIBC.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))))


def lock_memory(flags: int) -> None:
    """mlockall(2); raise OSError if the kernel refuses it."""
    assert _LIBC is not None
    ctypes.set_errno(0)
    _checked(int(_LIBC.mlockall(flags)))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
