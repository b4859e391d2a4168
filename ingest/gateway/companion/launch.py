"""Starts the companion from the gateway's parent, and starts it again whenever it ends.

It is no child by multiprocessing: that would import what the parent imported. It ends when the parent does, by the end
of a pipe, so that what the workers handed over last is still reported, also if the parent was killed.
"""

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from ingest import logs

PARENT_PIPE = "parent"  # The file whose end tells the companion that the parent has ended.
END_S = 15.0  # For the companion to report what it has.
_PAUSE_S_MIN, _PAUSE_S_MAX = 0.1, 5.0
_GOOD_S = 30.0  # A companion that lasted so long is started again without a longer pause.

# As multiprocessing does: in the image our packages are beside the environment, where the parent alone has found them.
_ROOT = str(Path(__file__).parents[3])
_PROGRAM = (
    "import os, runpy, sys; sys.path[:] = sys.argv.pop(1).split(os.pathsep); "
    "runpy.run_module('ingest.gateway.companion', run_name='__main__', alter_sys=True)"
)


class Companion:
    """The companion as its parent sees it; `files` are inherited by every one that is started."""

    def __init__(self, files: Mapping[str, int]) -> None:
        reading, self._held = os.pipe()
        self._files = {**files, PARENT_PIPE: reading}
        self._ending = threading.Event()
        self._turn = threading.Lock()  # To start one.
        self._process = self._spawn()
        self._watch = threading.Thread(target=self._restart, name="companion", daemon=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Watch over the companion until the process ends, which waits for it."""
        self._watch.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Ask the companion to report what it has and to end, and wait for it."""
        with self._turn:
            if self._ending.is_set():
                return
            self._ending.set()
            if self._process.poll() is not None:  # Killed a moment ago: somebody has to report what is left.
                self._process = self._spawn()
        os.close(self._held)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        named = [f"{name}={file}" for name, file in self._files.items()]
        return subprocess.Popen(  # noqa: S603 (our own code, and numbers)
            [sys.executable, "-P", "-c", _PROGRAM, os.pathsep.join([_ROOT, *filter(None, sys.path)]), *named],
            pass_fds=tuple(self._files.values()),
            stdin=subprocess.DEVNULL,
        )

    def _restart(self) -> None:
        pause_s = _PAUSE_S_MIN
        while True:
            started_at = time.monotonic()
            self._process.wait()
            if self._ending.is_set():
                return
            logs.error("companion-lost")
            pause_s = _PAUSE_S_MIN if time.monotonic() - started_at > _GOOD_S else min(2 * pause_s, _PAUSE_S_MAX)
            self._ending.wait(pause_s)
            with self._turn:
                if self._ending.is_set():
                    return
                self._process = self._spawn()
