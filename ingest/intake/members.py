"""Reads the members of objects of other formats, and stops at too many names: half a million take half a second."""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from ingest.intake.errors import Rejected
from schema.limits import NAMES_MAX
from schema.rules import Violation

_SMALL_BYTES = 32_768  # With at most 5,500 names, which take some 3 ms.


class _Name(str):
    """A name that was counted."""

    __slots__ = ()


_members = msgspec.json.Decoder(dict[str, Raw])
_lists = msgspec.json.Decoder(list[dict[str, Raw] | None])


def of_object(raw: bytes | Raw, names_max: int = NAMES_MAX) -> dict[str, Raw]:
    """Return the members of an object; raises msgspec's errors, and Rejected if it has too many."""
    if len(raw) > _SMALL_BYTES:
        return _plain(msgspec.json.decode(raw, type=dict[_Name, Raw], dec_hook=_counting(names_max)))
    members = _members.decode(raw)
    if len(members) > names_max:
        raise _too_many()
    return members


def of_list(raw: bytes | Raw) -> list[dict[str, Raw]]:
    """Return the members of the objects in a list of objects and nulls; raises as `of_object`, for all together."""
    if len(raw) > _SMALL_BYTES:
        listed = msgspec.json.decode(raw, type=list[dict[_Name, Raw] | None], dec_hook=_counting(NAMES_MAX))
        return [_plain(each) for each in listed if each]
    return [each for each in _lists.decode(raw) if each]


def _plain(members: dict[_Name, Raw]) -> dict[str, Raw]:
    return {str(name): raw for name, raw in members.items()}


def _counting(names_max: int) -> Callable[[type, object], object]:
    left = names_max

    def name(_: type, text: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise _too_many()
        return _Name(text)

    return name


def _too_many() -> Rejected:
    return Rejected((Violation("size.too-many-names", ""),))
