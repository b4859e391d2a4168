"""The list of subprocessors for programs: JSON, and a feed (Atom, RFC 4287) of what is announced and what ends."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID, uuid5

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from ingest.legal.subprocessors import Subprocessor, notice_id

PATH = "/legal/subprocessors"
_SINCE = date(2026, 11, 28)  # Of the first list, for a feed without entries.
_environment = Environment(
    loader=PackageLoader("ingest.legal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


class Entry(NamedTuple):
    """What happened with a subprocessor on a day, under an id that is the same for ever."""

    id: UUID
    day: date
    title: str
    of: Subprocessor


def as_json(listed: Sequence[Subprocessor]) -> bytes:
    """Return what is published, with the last day on which that changed."""
    published = [each for each in listed if each.is_published]
    return msgspec.json.format(
        msgspec.json.encode({"updated": _updated(_entries(published)), "subprocessors": published}), indent=2
    )


def as_atom(listed: Sequence[Subprocessor], origin: str, author: str) -> bytes:
    """Return the feed, the newest entry first."""
    entries = sorted(_entries(each for each in listed if each.is_published), key=lambda each: each.day, reverse=True)
    template = _environment.get_template("subprocessors.atom.jinja")
    feed_id = uuid5(notice_id("feed"), origin)
    return template.render(
        entries=entries, feed_id=feed_id, updated=_updated(entries), origin=origin, path=PATH, author=author
    ).encode()


def _entries(published: Iterable[Subprocessor]) -> Iterator[Entry]:
    for each in published:
        assert each.announced is not None
        entry_id = notice_id(each.id)
        yield Entry(entry_id, each.announced, f"{each.name}: from {each.effective}", each)
        if each.ended is not None:
            yield Entry(uuid5(entry_id, "ended"), each.ended, f"{each.name}: ended {each.ended}", each)


def _updated(entries: Iterable[Entry]) -> date:
    return max((each.day for each in entries), default=_SINCE)
