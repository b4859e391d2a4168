"""Parses query strings by an allow-list: each parameter once, and each value in its only form."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ingest.reports import errors
from ingest.store.usage.reads import COLUMNS, Dimension, Granularity, Tag

QUERY_BYTES_MAX = 1_024
GROUPS_MAX = 3
LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Bounds the rows that PostgreSQL adds up: hours of a month, days of two years, months of ten.
SPANS_MAX: Mapping[Granularity, timedelta] = {
    "hour": 35 * _DAY, "day": 800 * _DAY, "month": 3_653 * _DAY, "total": 3_653 * _DAY,
}  # fmt: skip
_SPANS_DEFAULT: Mapping[Granularity, timedelta] = {
    "hour": _DAY, "day": 30 * _DAY, "month": 365 * _DAY, "total": 30 * _DAY,
}  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.0{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,512}\Z", re.ASCII)
_LIMIT = re.compile(r"[1-9][0-9]{0,3}\Z", re.ASCII)


class Question(NamedTuple):
    """What a reader asks of its usage."""

    since: datetime
    before: datetime
    granularity: Granularity
    group_by: tuple[str, ...]  # As asked for, and named in the answer.
    dimensions: tuple[Dimension, ...]
    percentiles: bool


def parameters(query: bytes, known: tuple[str, ...], bytes_max: int = QUERY_BYTES_MAX) -> dict[str, str]:
    """Return the parameters of a query string; an error names only those that are known."""
    if len(query) > bytes_max:
        raise errors.QueryTooLong
    found: dict[str, str] = {}
    for part in query.split(b"&") if query else []:
        name, _, value = part.partition(b"=")
        named = next((each for each in known if each.encode() == name), None)
        if named is None:
            raise errors.ParameterUnknown
        if named in found:
            raise errors.ParameterRepeated(named)
        try:
            found[named] = unquote_to_bytes(value).decode("ascii")
        except UnicodeDecodeError:
            raise errors.ParameterInvalid(named) from None
    return found


def question(given: Mapping[str, str], tag_keys: Mapping[str, int], now: datetime) -> Question:
    """Return the question of `since`, `before`, `granularity`, `group_by` and `percentiles`."""
    granularity = _granularity(given.get("granularity", "day"))
    unit = _HOUR if granularity == "hour" else _DAY
    ends = _floor(now, unit) + unit
    before = _time("before", given["before"]) if "before" in given else ends
    since = _time("since", given["since"]) if "since" in given else _floor(before, unit) - _SPANS_DEFAULT[granularity]
    for name, at in (("since", since), ("before", before)):
        if at != _floor(at, _HOUR if granularity == "total" else unit):
            raise errors.TimeMisaligned(name)
    if since >= before:
        raise errors.RangeReversed("since" if "since" in given else "before")
    is_daily = since == _floor(since, _DAY) and before == _floor(before, _DAY)
    if before - since > SPANS_MAX[granularity if is_daily else "hour"]:
        raise errors.RangeTooLong("since")
    group_by = tuple(given["group_by"].split(",")) if "group_by" in given else ()
    if len(group_by) > GROUPS_MAX or len({*group_by}) < len(group_by):
        raise errors.GroupingTooFine("group_by")
    dimensions = tuple(_dimension(each, tag_keys) for each in group_by)
    return Question(since, before, granularity, group_by, dimensions, _switch(given, "percentiles"))


def limit(given: Mapping[str, str]) -> int:
    """Return the most rows that a reader wants."""
    text = given.get("limit", str(LIMIT_DEFAULT))
    if not _LIMIT.match(text) or int(text) > LIMIT_MAX:
        raise errors.ParameterInvalid("limit")
    return int(text)


def cursor(given: Mapping[str, str]) -> str | None:
    """Return the text of a cursor, which may still be a forgery."""
    text = given.get("cursor")
    if text is not None and not _CURSOR.match(text):
        raise errors.CursorInvalid("cursor")
    return text


def _switch(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "true")
    if text not in {"true", "false"}:
        raise errors.ParameterInvalid(name)
    return text == "true"


def _granularity(text: str) -> Granularity:
    for each in SPANS_MAX:
        if each == text:
            return each
    raise errors.ParameterInvalid("granularity")


def _time(name: str, text: str) -> datetime:
    """Parse a time of RFC 3339; a `+` of its offset that was not escaped is still one here, and no space."""
    if not _TIME.match(text):
        raise errors.ParameterInvalid(name)
    try:
        at = datetime.fromisoformat(re.sub(r"\.0+", "", text.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise errors.ParameterInvalid(name) from None
    if not EARLIEST <= at <= LATEST:
        raise errors.ParameterInvalid(name)
    return at


def _dimension(text: str, tag_keys: Mapping[str, int]) -> Dimension:
    if text in COLUMNS:
        return COLUMNS[text]
    if not text.startswith("tag:"):
        raise errors.ParameterInvalid("group_by")
    key = text.removeprefix("tag:")
    if key not in tag_keys:
        raise errors.TagUndeclared("group_by")
    return Tag(key, tag_keys[key])


def _floor(at: datetime, unit: timedelta) -> datetime:
    return at - (at - EARLIEST) % unit
