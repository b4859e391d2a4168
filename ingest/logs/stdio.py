"""The standard streams of a process: open from its start, never a cause of its end, and without text in a server."""

import contextlib
import io
import os
import sys
from typing import TextIO

from ingest import logs

_STDIN, _STDOUT, _STDERR = _STANDARD = (0, 1, 2)


def hold_open() -> None:
    """Replace a closed standard stream with /dev/null, because the next opened file would get its number."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Gets the lowest free number.


def tolerate() -> None:
    """Go on if nobody reads a command's errors: its exit status shows them too."""
    sys.stderr = _Tolerant(sys.stderr)


def seal() -> None:
    """Allow only log lines on a server's streams, because output of libraries may quote a request.

    The streams of another process, which were never made tolerant, stay as they are.
    """
    if isinstance(sys.stderr, _Tolerant):
        sys.stdout, sys.stderr = _Sealed("stdout"), _Sealed("stderr")


def tell(sentence: str) -> None:
    """Print a message for the person who started this process, sealed or not."""
    if isinstance(sys.stderr, _Sealed):
        logs.say(sentence)
    else:
        print(sentence, file=sys.stderr)


class _Tolerant(io.TextIOBase):
    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.flush()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        return _STDERR


class _Sealed(io.TextIOBase):
    """A stream that reports only that something was printed, and where."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, text: str) -> int:
        logs.warning("library", logger=self._name)
        return len(text)

    def fileno(self) -> int:
        return _STDOUT if self._name == "stdout" else _STDERR
