"""The only way in: `decode` turns a body into a batch that passed every check, or raises `Refused`."""

import struct
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import gt
from typing import NamedTuple, Self

import msgspec
from msgspec import UNSET, Raw, UnsetType

from . import limits
from .columns import columns_of, is_whole, lists_of
from .event import NAMES, STRINGS, Batch, Columns, Dropped, Kind, Stream
from .vocabulary import UNKNOWN, UNKNOWN_ID, TagSet, Vocabulary

_batch = msgspec.json.Decoder(Batch)
_tags = msgspec.json.Decoder(dict[str, str])
_EVENT_QUOTES = 2 * (len(NAMES) + len(STRINGS))  # Of an event in rows: it has an id beside STRINGS, one may be null.
_QUOTES_MAX = limits.EVENTS_MAX * (_EVENT_QUOTES + 2 + 4 * limits.TAGS_MAX) + 64  # 64: more than an envelope has.
# Separators outside of strings: of fields, and of terms or tags.
_COMMAS_MAX = limits.EVENTS_MAX * (len(NAMES) + limits.TAGS_MAX) + limits.LISTED_MAX + 64
_TAGS_CACHED_MAX, _TAGS_BYTES_MAX = 8_192, 1_024  # Per tenant; white space could make one of any length.
_DELETE = b"\x7f"
_Count = Callable[[bytes, bytes], int]


class Window(NamedTuple):
    """The times an event may have, in milliseconds since 1970, both ends included."""

    oldest_ms: int
    newest_ms: int

    @classmethod
    def at(cls, now_ms: int, retention_days: int) -> Self:
        """Return the window as of a moment: the retention back, and AHEAD_MS_MAX ahead."""
        return cls(now_ms - retention_days * 86_400_000, now_ms + limits.AHEAD_MS_MAX)


class Refused(Exception):
    """The body failed a check. Carries no details: the explain path finds out which rule was broken, and where."""


class Decoded(NamedTuple):
    """A batch that passed every check, so nothing checks it again. All events are in the same order."""

    stream: Stream | UnsetType
    dropped: Dropped | UnsetType
    event_ids: bytes  # 16 per event.
    numbers: Mapping[str, Sequence[int]]  # By field: ids of terms, codes of words, and numbers,
    tables: Mapping[str, Mapping[int, int]]  # but if a field is here: places, each with an id or code.
    tags: Sequence[int]  # Places in the next; a range for events in rows.
    tag_sets: Sequence[TagSet]
    coarsened: int  # The number of strings replaced by `unknown`.


def decode(body: bytes, vocabulary: Vocabulary, window: Window, count: _Count = bytes.count) -> Decoded:
    """Decode a body that keeps the contract, or raise Refused; a caller may pass a faster `count`."""
    try:
        return _decode(body, vocabulary, window, count)
    # Errors of a parser or a look-up quote the body, or hold all of it, so none may escape.
    except (msgspec.MsgspecError, ValueError, KeyError, struct.error, RecursionError):
        raise Refused from None
    finally:
        vocabulary.end_batch()


def _decode(body: bytes, vocabulary: Vocabulary, window: Window, count: _Count) -> Decoded:
    quotes = count(body, b'"')
    if not body.isascii() or b"\\" in body or _DELETE in body or quotes > _QUOTES_MAX or _has_too_much(body, count):
        raise Refused  # The parser refuses raw characters below 0x20 (RFC 8259); more names would cost it too much.
    batch = _batch.decode(body)
    if not is_whole(batch):
        raise Refused
    columns = columns_of(batch)
    tag_sets = _tag_sets(batch.tag_sets or columns.tags, vocabulary)
    if quotes != _quotes(batch, columns, tag_sets):
        raise Refused  # A repeated name: a JSON reader keeps one value and silently drops the other.
    numbers, tables, coarsened = lists_of(columns, batch.terms or (), vocabulary)
    places = columns.tags if batch.tag_sets else range(len(tag_sets))
    if vocabulary.kinds[Kind.TAG_VALUE].coarsens:
        coarsened += sum([tag_sets[place].coarsened for place in places])
    for part, most in (("reasoning_tokens", "output_tokens"), ("ttft_ms", "latency_ms")):
        if any(map(gt, numbers[part], numbers[most])):
            raise Refused
    if batch.stream is not UNSET:
        _ids([batch.stream.id], Window(window.newest_ms - limits.STREAM_MS_MAX, window.newest_ms))
    event_ids = _ids(columns.event_id, window)
    return Decoded(batch.stream, batch.dropped, event_ids, numbers, tables, places, tag_sets, coarsened)


def _has_too_much(body: bytes, count: _Count) -> bool:
    """Return whether a body has more values than a batch. Of rows alone the parser stops at the first wrong one."""
    is_rows = b'"events"' in body[: body.find(b"[")] and body.find(b"[") == body.rfind(b"[")
    outside = b"".join(body.split(b'"')[::2]) if not is_rows and count(body, b",") > _COMMAS_MAX else b""  # Of strings.
    return count(outside, b",") > _COMMAS_MAX


def _quotes(batch: Batch, columns: Columns, tag_sets: Sequence[TagSet]) -> int:
    """Return how many quotes a body with these contents has if no name is repeated: without escapes, two per string."""
    total = sum([tags.quotes for tags in tag_sets])
    if batch.events is not UNSET:
        total += 2 + len(batch.events) * (_EVENT_QUOTES + 2) - 2 * columns.stop_reason.count(None)
    if batch.columns is not UNSET:
        total += 2 * (3 + len(NAMES) + len(batch.terms or ()) + len(columns.event_id))
    if batch.stream is not UNSET:
        total += 2 * (1 + 2 + 1)
    if batch.dropped is not UNSET:
        total += 2 * (1 + len(batch.dropped))
    return total


def _ids(uuids: Sequence[str], window: Window) -> bytes:
    """Return the ids' bytes if each is a UUIDv7 (RFC 9562: version 7, variant 10) with its time in the window."""
    count = len(uuids)
    if not count:
        return b""
    text = "".join(uuids).encode()
    dashes = all(text[place::36] == b"-" * count for place in (8, 13, 18, 23))
    if not dashes or text[14::36] != b"7" * count or text[19::36].translate(None, b"89abAB"):
        raise Refused
    ids = unhexlify(text.replace(b"-", b""))  # A ValueError if not hexadecimal,
    heads = struct.unpack(f">{2 * count}Q", ids)[::2]  # a struct.error if there was an extra dash.
    if min(heads) >> 16 < window.oldest_ms or max(heads) >> 16 > window.newest_ms:
        raise Refused
    return ids


def _tag_sets(tags: Sequence[Raw], vocabulary: Vocabulary) -> list[TagSet]:
    known = vocabulary.tags
    raws = _DELETE.join(tags).split(_DELETE) if tags else []  # Twice as fast as bytes() for each.
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
    packed = struct.pack(">4h", *(*sorted(ids), 0, 0, 0, 0)[: limits.TAGS_MAX])
    return TagSet(packed, 4 * len(tags), coarsened)
