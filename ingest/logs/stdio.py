"""The standard streams of a process: open from its start, never what ends it, and in a server closed to words."""

import contextlib
import io
import os
import sys
from typing import TextIO

from ingest import logs

_STDIN, _STDOUT, _STDERR = _STANDARD = (0, 1, 2)


def hold_open() -> None:
    """Put /dev/null in the place of a standard stream that is closed: the next file opened would take its number."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest number that is free.


def tolerate() -> None:
    """Go on where nobody reads what a command complains of: its exit status says it too."""
    sys.stderr = _Tolerant(sys.stderr)


def seal() -> None:
    """Let nothing but log lines reach the streams of a server: what libraries print may quote a request.

    Those of a process that is not ours, whose streams were never made tolerant, stay as they are.
    """
    if isinstance(sys.stderr, _Tolerant):
        sys.stdout, sys.stderr = _Sealed("stdout"), _Sealed("stderr")


def tell(sentence: str) -> None:
    """Say something to whoever started this process, sealed or not."""
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
    """Says only that something was printed, and where."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, text: str) -> int:
        logs.warning("library", logger=self._name)
        return len(text)

    def fileno(self) -> int:
        return _STDOUT if self._name == "stdout" else _STDERR
