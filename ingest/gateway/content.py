"""Holds what a person or a model wrote, so that no log, error, metric or trace can have it by accident."""

from typing import NoReturn

_SHOWN = "<content>"


class Content:
    """Bytes that cannot be formatted, printed, pickled or copied: `expose` alone returns them."""

    __slots__ = ("_bytes",)

    def __init__(self, given: bytes) -> None:
        self._bytes = given

    def expose(self) -> bytes:
        """Return the bytes, for the socket that they go to or the reader that decides about them."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __repr__(self) -> str:  # Tracebacks and debuggers call it, so it does not raise.
        return _SHOWN

    def __str__(self) -> NoReturn:
        raise TypeError("content is not text")

    def __format__(self, _spec: str) -> NoReturn:
        raise TypeError("content cannot be formatted")

    def __bytes__(self) -> NoReturn:
        raise TypeError("content is exposed by name")

    def __reduce__(self) -> NoReturn:
        raise TypeError("content stays in its process")

    __hash__ = None  # type: ignore[assignment]  # No key of a table.
