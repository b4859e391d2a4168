"""Ids that are not current UUIDv7s: sixteen chosen bytes, in every form that a UUID parser may accept."""

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from ingest.prove.case import Case, refused_beside
from ingest.prove.kit import Kit
from ingest.prove.places import Put, in_field, in_stream_id

_DAY_MS = 86_400_000
_WHERE: Mapping[str, Put] = {
    "an event": in_field("event_id"),
    "the last of three events": lambda kit, made: kit.batch([kit.event(), kit.event(), kit.event({"event_id": made})]),
    "the stream": in_stream_id,
}


def hostile_ids(kit: Kit) -> Iterator[Case]:
    """Yield ids with a canary; it is in a header too, because a search cannot find one that is half an id."""
    for where, put in _WHERE.items():
        for what, make in _FORMS.items():
            canary = kit.canary()
            yield refused_beside(f"{what} for {where}", canary, put(kit, make(kit.uuid7(), canary)))
        for what, at_ms in _times(kit, where):
            yield refused_beside(f"{what} for {where}", kit.canary(), put(kit, kit.uuid7(at_ms)))


def _times(kit: Kit, where: str) -> Iterator[tuple[str, int]]:
    days = 400 if where == "the stream" else kit.policy.retention_days
    yield "a time just beyond what is kept", kit.now_ms - days * _DAY_MS - 60_000
    yield "a time long ago", kit.now_ms - 4_000 * _DAY_MS
    yield "the time of the epoch", 0
    yield "a time ahead", kit.now_ms + kit.policy.bounds["ahead_ms_max"] + 120_000
    yield "a time far ahead", kit.now_ms + 4_000 * _DAY_MS
    yield "the last time of all", 2**48 - 1


def _version(digit: str) -> Callable[[str, str], str]:
    return lambda good, _canary: good[:14] + digit + good[15:]


def _variant(digit: str) -> Callable[[str, str], str]:
    return lambda good, _canary: good[:19] + digit + good[20:]


def _of_text(_good: str, canary: str) -> str:
    """Write the canary's fifteen bytes as a UUID without a version."""
    return str(UUID(bytes=canary.encode() + b"!"))


def _of_text_as_version_4(_good: str, canary: str) -> str:
    return str(UUID(bytes=canary.encode() + b"!", version=4))


_FORMS: Mapping[str, Callable[[str, str], str]] = {
    **{f"version {digit}": _version(digit) for digit in "01234568abcdef"},
    **{f"variant {digit}": _variant(digit) for digit in "01234567cdefCF"},
    "text as bytes": _of_text,
    "text as bytes of version 4": _of_text_as_version_4,
    "the nil id": lambda _good, _canary: str(UUID(int=0)),
    "the largest id": lambda _good, _canary: str(UUID(int=2**128 - 1)),
    "36 letters": lambda _good, canary: (canary * 3)[:36],
    "dashes where they are, and letters": lambda _good, canary: f"{canary[:8]}-qqqq-7qqq-8qqq-{canary[3:]}",
    "no dashes": lambda good, _canary: good.replace("-", ""),
    "no dashes, and four letters more": lambda good, canary: good.replace("-", "") + canary[-4:],
    "spaces for dashes": lambda good, _canary: good.replace("-", " "),
    "a dash too early": lambda good, _canary: good[:7] + "-" + good[7] + good[9:],
    "spaces for digits": lambda good, _canary: good[:34] + "  ",
    "underscores for digits": lambda good, _canary: good[:24] + "_" + good[25:],
    "braces": lambda good, _canary: "{" + good + "}",
    "a URN": lambda good, _canary: f"urn:uuid:{good}",
    "something before": lambda good, canary: canary + good,
    "something after": lambda good, canary: good + canary,
}
