"""The only way in: `decode` turns a body into a batch that passed every check, or raises `Refused`."""

import struct
from binascii import unhexlify
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Self

import msgspec
from msgspec import UNSET

from . import limits
from .event import Batch, Event, Kind
from .vocabulary import UNKNOWN, UNKNOWN_ID, TagSet, Vocabulary

_batch = msgspec.json.Decoder(Batch)
_tags = msgspec.json.Decoder(dict[str, str])
_STRINGS = ("event_id", "task_category", "provider", "requested_model", "routed_model", "status")  # Never null.
_EVENT_QUOTES = 2 * (len(Event.__struct_fields__) + len(_STRINGS))
_QUOTES_MAX = limits.EVENTS_MAX * (_EVENT_QUOTES + 2 + 4 * limits.TAGS_MAX) + 64  # 64: more than an envelope has.
_TAGS_CACHED_MAX, _TAGS_BYTES_MAX = 8_192, 1_024  # Per tenant; white space could make one of any length.
_DELETE = b"\x7f"
_DAY_MS = 86_400_000
_Count = Callable[[bytes, bytes], int]


class Window(NamedTuple):
    """The times an event may have, in milliseconds since 1970, both ends included."""

    oldest_ms: int
    newest_ms: int

    @classmethod
    def at(cls, now_ms: int, retention_days: int) -> Self:
        """Return the window as of a moment: the retention back, and AHEAD_MS_MAX ahead."""
        return cls(now_ms - retention_days * _DAY_MS, now_ms + limits.AHEAD_MS_MAX)


class Refused(Exception):
    """The body failed a check. Carries no details: the explain path finds out which rule was broken, and where."""


class Decoded(NamedTuple):
    """A batch that passed every check, so nothing checks it again. Columns are in the order of `events`."""

    batch: Batch
    event_ids: bytes  # 16 per event.
    term_ids: tuple[list[int], ...]  # Task category, provider, requested model, routed model.
    tags: list[TagSet]
    coarsened: int  # The number of strings replaced by `unknown`.


def decode(body: bytes, vocabulary: Vocabulary, window: Window, count: _Count = bytes.count) -> Decoded:
    """Decode a body that keeps the contract, or raise Refused; a caller may pass a faster `count`."""
    try:
        return _decode(body, vocabulary, window, count)
    # msgspec quotes the body in its messages and a UnicodeDecodeError holds all of it, so neither may escape.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused from None
    finally:
        vocabulary.end_batch()


def _decode(body: bytes, vocabulary: Vocabulary, window: Window, count: _Count) -> Decoded:
    quotes = count(body, b'"')
    if not body.isascii() or b"\\" in body or _DELETE in body or quotes > _QUOTES_MAX:
        raise Refused  # The parser refuses raw characters below 0x20 (RFC 8259); more names would cost it too much.
    batch = _batch.decode(body)
    events = batch.events
    if not events and (batch.stream is UNSET or not batch.dropped):
        raise Refused  # Nothing to store, or losses that a retry would count twice.
    tags = _tag_sets(events, vocabulary) if events else []
    if quotes != _quotes(batch, tags, body):
        raise Refused  # A repeated name: a JSON reader keeps one value and silently drops the other.
    _check_parts(events)
    columns: list[list[int]] = []
    coarsened = sum([tag.coarsened for tag in tags]) if vocabulary.kinds[Kind.TAG_VALUE].coarsens else 0
    for kind, names in (
        (Kind.TASK_CATEGORY, [event.task_category for event in events]),
        (Kind.PROVIDER, [event.provider for event in events]),
        (Kind.MODEL, [event.requested_model for event in events]),
        (Kind.MODEL, [event.routed_model for event in events]),
    ):
        terms = vocabulary.kinds[kind]
        try:
            ids = list(map(terms.__getitem__, names))
        except KeyError:
            raise Refused from None
        if terms.coarsens:
            coarsened += ids.count(UNKNOWN_ID) - names.count(UNKNOWN)
        columns.append(ids)
    if batch.stream is not UNSET:
        _ids([batch.stream.id], Window(window.newest_ms - limits.STREAM_MS_MAX, window.newest_ms))
    event_ids = _ids([event.event_id for event in events], window)
    return Decoded(batch, event_ids, tuple(columns), tags, coarsened)


def _quotes(batch: Batch, tags: Sequence[TagSet], body: bytes) -> int:
    """Return how many quotes a body with these contents has if no name is repeated: without escapes, two per string."""
    total = 2 * (bool(batch.events) or b'"events"' in body)  # No other string of a batch can be this.
    total += len(batch.events) * (_EVENT_QUOTES + 2) + sum([tag.quotes for tag in tags])
    total -= 2 * [event.stop_reason for event in batch.events].count(None)
    if batch.stream is not UNSET:
        total += 2 * (1 + 2 + 1)
    if batch.dropped is not UNSET:
        total += 2 * (1 + len(batch.dropped))
    return total


def _check_parts(events: Sequence[Event]) -> None:
    for each in events:  # Twice as fast as any().
        if each.reasoning_tokens > each.output_tokens or (each.ttft_ms or 0) > each.latency_ms:
            raise Refused


def _ids(uuids: Sequence[str], window: Window) -> bytes:
    """Return the ids' bytes if each is a UUIDv7 (RFC 9562: version 7, variant 10) with its time in the window."""
    count = len(uuids)
    if not count:
        return b""
    text = "".join(uuids)
    dashes = all(text[place::36] == "-" * count for place in (8, 13, 18, 23))
    if not dashes or text[14::36] != "7" * count or not set(text[19::36]) <= set("89abAB"):
        raise Refused
    try:
        ids = unhexlify(text.encode().translate(None, b"-"))
        heads = struct.unpack(f">{2 * count}Q", ids)[::2]
    except (ValueError, struct.error):  # Not hexadecimal, or with an extra dash.
        raise Refused from None
    if min(heads) >> 16 < window.oldest_ms or max(heads) >> 16 > window.newest_ms:
        raise Refused
    return ids


def _tag_sets(events: Sequence[Event], vocabulary: Vocabulary) -> list[TagSet]:
    known = vocabulary.tags
    raws = _DELETE.join([event.tags for event in events]).split(_DELETE)  # Twice as fast as bytes() for each.
    with suppress(KeyError):  # Usually none is new.
        return list(map(known.__getitem__, raws))
    if len(known) > _TAGS_CACHED_MAX:
        known.clear()
    found = {raw: known.get(raw) or _tag_set(raw, vocabulary) for raw in set(raws)}
    known.update({raw: tags for raw, tags in found.items() if len(raw) <= _TAGS_BYTES_MAX and not tags.coarsened})
    return list(map(found.__getitem__, raws))


def _tag_set(raw: bytes, vocabulary: Vocabulary) -> TagSet:
    quotes = raw.count(b'"')
    if quotes > 4 * limits.TAGS_MAX:  # Before the parser makes strings: there may be 400,000.
        raise Refused
    tags = _tags.decode(raw)
    if len(tags) > limits.TAGS_MAX or quotes != 4 * len(tags):
        raise Refused
    ids, coarsened = [], 0
    for key, value in tags.items():
        values = vocabulary.tag_values.get(vocabulary.tag_keys.get(key, UNKNOWN_ID))
        if values is None:
            raise Refused
        if value not in values:
            if not vocabulary.kinds[Kind.TAG_VALUE].coarsens:
                raise Refused
            coarsened += 1
            value = UNKNOWN  # noqa: PLW2901 (only the literal is kept)
        ids.append(values[value])
    padded = (*sorted(ids), 0, 0, 0, 0)[: limits.TAGS_MAX]
    return TagSet(padded, struct.pack(">4h", *padded), 4 * len(tags), coarsened)
