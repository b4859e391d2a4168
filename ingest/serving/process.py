"""How a process may end: not after the one that started it, and without leaving its memory on disk."""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # Loaded here: not between fork and exec.


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Ask Linux to send this process a signal when its parent ends, however that ends; elsewhere does nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def is_running(pid: int) -> bool:
    """Tell whether there is a process of that id, of whomever."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def forbid_core_dumps() -> None:
    """Let neither this process nor its children write a core file: memory holds bodies that are being read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
