"""The list of subprocessors: data with notice periods, of which nothing changes after publication but that it ends.

An entry with `announced` is published: it is in the feed and the lock, and customers get notice of it. One without is a
draft, which the page marks.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from ingest.errors import CannotStart

SHIPPED = Path(__file__).parent / "subprocessors.toml"
NOTICE = timedelta(days=30)
_NAMESPACE = UUID("5f0e2c0a-6f0f-5d5a-9a53-6c8f5b6f2b1e")  # Of notices; made once, for ever.
_BYTES_MAX = 262_144
_Line = Annotated[str, Meta(min_length=1, max_length=400)]


class Subprocessor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A provider that processes data of customers, or the draft of one."""

    id: Annotated[str, Meta(pattern=r"\A[a-z0-9]{1,32}(-[a-z0-9]{1,32}){0,3}\Z")]
    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None  # None: a draft.
    purpose: _Line
    data: _Line
    place: _Line
    transfer: _Line
    announced: date | None = None
    effective: date | None = None
    ended: date | None = None

    @property
    def is_published(self) -> bool:
        return self.announced is not None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what was published, which `ended` is no part of."""
        published = msgspec.structs.replace(self, ended=None)
        return hashlib.sha256(msgspec.json.encode(published, order="deterministic")).hexdigest()


class Notice(NamedTuple):
    """A published entry that customers get notice of, under an id that is the same for ever."""

    notice_id: UUID
    name: str
    purpose: str
    data: str
    place: str
    transfer: str
    announced: date
    effective: date


class _List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subprocessor: tuple[Subprocessor, ...] = ()


def load(path: Path = SHIPPED) -> tuple[Subprocessor, ...]:
    """Read a list and its lock beside it; raises CannotStart, which names the entry, unless it keeps the rules."""
    listed, locked = read(path), _locked(lock_of(path))
    if fault := next(faults(listed, locked), None):
        raise CannotStart(f"The list of subprocessors: {fault}.")
    return listed


def read(path: Path) -> tuple[Subprocessor, ...]:
    """Read a list as it is; raises CannotStart if it is none."""
    try:
        with path.open("rb") as file:
            found = file.read(_BYTES_MAX)
        return msgspec.convert(tomllib.loads(found.decode("utf-8")), _List).subprocessor
    except (OSError, ValueError, RecursionError):
        raise CannotStart(
            "The list of subprocessors cannot be read, or has an entry that is not as docs/legal.md says."
        ) from None


def faults(listed: Sequence[Subprocessor], locked: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a list: too short a notice, and what differs from what was published."""
    if len({each.id for each in listed}) < len(listed):
        yield "two entries have the same id"
    for each in listed:
        yield from _faults_of(each)
        if each.is_published and each.id not in locked:
            yield f"{each.id} is not in the lock: `nocontent legal lock` publishes it"
        if each.id in locked and each.digest != locked[each.id]:
            yield f"{each.id} was changed after it was published: add another entry, and end this one"
    for missing in sorted(set(locked) - {each.id for each in listed}):
        yield f"{missing} was published and is missing: give it a day on which it ended"


def _faults_of(each: Subprocessor) -> Iterator[str]:
    if not all((text or "").isprintable() for text in (each.name, each.purpose, each.data, each.place, each.transfer)):
        yield f"{each.id} has a line break, or another character that cannot be printed"
    dates = (each.announced, each.effective)
    if None in dates or each.name is None:
        if dates != (None, None) or each.ended is not None:
            yield f"{each.id} needs a name, `announced` and `effective`, or none of them"
        return
    assert each.announced is not None and each.effective is not None  # noqa: PT018 (one condition)
    if each.effective - each.announced < NOTICE:
        yield f"{each.id} becomes effective less than {NOTICE.days} days after it is announced"
    if each.ended is not None and each.ended < each.announced:
        yield f"{each.id} ended before it was announced"


def notices(listed: Sequence[Subprocessor]) -> tuple[Notice, ...]:
    """Return the entries that customers get notice of: those that were published and have not ended."""
    return tuple(
        Notice(
            notice_id(each.id), each.name, each.purpose, each.data, each.place, each.transfer,
            each.announced, each.effective,
        )
        for each in listed
        if each.name is not None and each.announced is not None and each.effective is not None and each.ended is None
    )  # fmt: skip


def notice_id(entry: str) -> UUID:
    """Return the id of the notice about an entry."""
    return uuid5(_NAMESPACE, entry)


def lock_of(path: Path) -> Path:
    """Return the lock of a list: a file beside it, with a line for each published entry."""
    return path.with_suffix(".lock")


def sums(listed: Sequence[Subprocessor]) -> str:
    """Return what the lock would be, for whoever publishes an entry."""
    return "".join(f"{each.digest}  {each.id}\n" for each in listed if each.is_published)


def _locked(lock: Path) -> dict[str, str]:
    try:
        lines = lock.read_text("ascii").splitlines()
    except (OSError, ValueError):
        raise CannotStart(
            "The list of subprocessors has no lock beside it: `nocontent legal lock` makes one."
        ) from None
    return {entry: digest for digest, _, entry in (line.partition("  ") for line in lines)}
