"""Reads secrets of the payment processor from files that nobody else can read."""

import os
import re
import stat
from pathlib import Path

from ingest.errors import CannotStart

_BYTES_MAX = 4_096
_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH


class Secret:
    """A secret; its text appears in no `repr`, error, log line or pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(****)"

    def __reduce__(self) -> str:
        raise TypeError("A secret is not pickled.")

    def reveal(self) -> str:
        return self._text


def read(setting: str, path: str, pattern: str, count_max: int) -> tuple[Secret, ...]:
    """Read secrets, one a line; raise CannotStart, which names the setting and neither path nor content."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{setting} names a file that cannot be read.") from None
    if mode & _OTHERS:
        raise CannotStart(f"{setting} names a file that other users may read: chmod o-rwx.")
    if len(found) > _BYTES_MAX or not found.isascii():
        raise CannotStart(f"{setting} names a file that is too long or not ASCII.")
    lines = [line.strip() for line in found.decode("ascii").splitlines() if line.strip()]
    if not 0 < len(lines) <= count_max or not all(re.fullmatch(pattern, line, re.ASCII) for line in lines):
        raise CannotStart(f"{setting} names a file that has not 1 to {count_max} secrets of the expected form.")
    return tuple(Secret(line) for line in lines)
