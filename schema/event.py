"""The wire types of `POST /v1/events`: every string is an enum, a UUID or a term of a vocabulary."""

from enum import IntEnum
from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, defstruct
from msgspec.structs import FieldInfo, fields

from . import limits


class Kind(IntEnum):
    """The kinds of terms, stored by value. A tag value belongs to a tag key."""

    TASK_CATEGORY = 1
    PROVIDER = 2
    MODEL = 3
    TAG_KEY = 4
    TAG_VALUE = 5


TERMS_MAX = {
    Kind.TASK_CATEGORY: limits.TASK_CATEGORIES_MAX,
    Kind.PROVIDER: limits.PROVIDERS_MAX,
    Kind.MODEL: limits.MODELS_MAX,
    Kind.TAG_KEY: limits.TAG_KEYS_MAX,
    Kind.TAG_VALUE: limits.TAG_VALUES_MAX,
}
# Ids of a tenant's own terms; all others are the shipped catalogue's. An assigned id is never reassigned, so the two
# sets may grow only into ids that neither has used.
OWN_IDS = {
    Kind.TASK_CATEGORY: range(128, 256),
    Kind.PROVIDER: range(128, 512),
    Kind.MODEL: range(16_384, 32_768),
    Kind.TAG_KEY: range(16, 256),
    Kind.TAG_VALUE: range(8_192, 16_384),
}
assert all(ids.stop <= TERMS_MAX[kind] for kind, ids in OWN_IDS.items())
assert len(OWN_IDS[Kind.TAG_KEY]) >= limits.TAGS_MAX

# ingest.knowledge.capacity reads `extra`; decode enforces it: a UUIDv7 in the window, a term of that kind.
EventId = Annotated[str, Meta(min_length=36, max_length=36, extra={"uuid": 7}, extra_json_schema={"format": "uuid"})]
_TERM = Meta(max_length=limits.STRING_CHARS_MAX)
TaskCategory = Annotated[str, _TERM, Meta(extra={"kind": Kind.TASK_CATEGORY})]
Provider = Annotated[str, _TERM, Meta(extra={"kind": Kind.PROVIDER})]
Model = Annotated[str, _TERM, Meta(extra={"kind": Kind.MODEL})]
InputTokens = Annotated[int, Meta(ge=0, le=limits.INPUT_TOKENS_MAX)]
OutputTokens = Annotated[int, Meta(ge=0, le=limits.OUTPUT_TOKENS_MAX)]
NanoUsd = Annotated[int, Meta(ge=0, le=limits.COST_NANOUSD_MAX)]
# Stored with `digits` significant digits; ingest.store.rows rounds.
Milliseconds = Annotated[int, Meta(ge=0, le=limits.LATENCY_MS_MAX), Meta(extra={"digits": limits.LATENCY_DIGITS})]
Status = Literal["ok", "error", "timeout", "rate_limited", "cancelled", "refused"]
StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filter", "pause_turn", "context_window", "other"
]
Word = Status | StopReason | Literal["unknown", "null"]  # What an explanation may suggest instead of a value.
# Every code of RFC 9110's five classes: nginx (494-499), IIS, AWS (460, 561) and Cloudflare (520-530) add their own.
HttpStatus = Annotated[int, Meta(ge=limits.HTTP_STATUS_MIN, le=limits.HTTP_STATUS_MAX)]
# Kept as raw bytes: the same few objects recur, so decode looks the bytes up in `Vocabulary.tags`.
_TAG = {"type": "string", "maxLength": limits.STRING_CHARS_MAX}
_TAGS = {"type": "object", "maxProperties": limits.TAGS_MAX, "additionalProperties": _TAG}
Tags = Annotated[
    Raw,
    Meta(
        extra={"kind": Kind.TAG_VALUE}, description="Declared tag keys to terms of that key.", extra_json_schema=_TAGS
    ),
]


class Event(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One request that a proxy routed. Every field is required; null means unknown, which is not zero."""

    event_id: EventId
    task_category: TaskCategory
    provider: Provider
    requested_model: Model
    routed_model: Model
    input_tokens: InputTokens
    output_tokens: OutputTokens
    cache_read_tokens: InputTokens
    cache_write_5m_tokens: InputTokens
    cache_write_1h_tokens: InputTokens
    reasoning_tokens: OutputTokens
    cost_nanousd: NanoUsd | None
    baseline_cost_nanousd: NanoUsd | None
    latency_ms: Milliseconds
    ttft_ms: Milliseconds | None
    status: Status
    http_status: HttpStatus | None
    stop_reason: StopReason | None
    streamed: bool
    cached: bool
    fallback: bool
    retried: bool
    escalated: bool
    tags: Tags


NAMES = Event.__struct_fields__
STRINGS = ("task_category", "provider", "requested_model", "routed_model", "status", "stop_reason")
NUMBERS = tuple(name for name in NAMES if name not in {*STRINGS, "event_id", "tags"})  # Booleans, too.
KINDS = dict(zip(STRINGS, (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.MODEL), strict=False))
Place = Annotated[int, Meta(ge=0, lt=limits.LISTED_MAX, description="An index into `terms` or `tag_sets`.")]
_EVENTS = Meta(min_length=1, max_length=limits.EVENTS_MAX)
_PLACES = dict.fromkeys((*STRINGS, "tags"), Place) | {"stop_reason": Place | None}


def _column(field: FieldInfo) -> object:
    """Return the type of a field's column: its own type, but 0 and 1 for a boolean, a place for a string or tags."""
    item = _PLACES.get(field.name, Literal[0, 1] if field.type is bool else field.type)
    return Annotated[list[item], _EVENTS]  # type: ignore[valid-type]  # Evaluated only at run time.


_LISTS = [(field.name, _column(field)) for field in fields(Event)]


class Columns(defstruct("_Lists", _LISTS, frozen=True, forbid_unknown_fields=True)):  # type: ignore[misc]  # Dynamic.
    """The events of a batch by field. Every field is required, and every list has one item for each event."""


class Stream(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A batch's place in the sequence of batches from one reporter; a replay returns the first receipt."""

    id: EventId  # A UUIDv7 too: an arbitrary UUID could be somebody's key.
    sequence: Annotated[int, Meta(ge=0, le=limits.SEQUENCE_MAX)]


DropReason = Literal["queue_full", "retries_exhausted", "refused", "shutdown"]
Count = Annotated[int, Meta(ge=0, le=limits.DROPPED_MAX)]
Dropped = Annotated[
    dict[DropReason, Count],
    Meta(
        description="Events lost at the proxy since its last report, by reason.",
        extra_json_schema={"propertyNames": {"enum": list(get_args(DropReason))}},
    ),
]


class Batch(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The body of `POST /v1/events`: `events`, or `terms`, `tag_sets` and `columns`; losses alone have neither."""

    events: Annotated[list[Event], Meta(min_length=0, max_length=limits.EVENTS_MAX)] | UnsetType = UNSET
    stream: Stream | UnsetType = UNSET
    dropped: Dropped | UnsetType = UNSET
    terms: Annotated[list[Annotated[str, _TERM]], Meta(min_length=1, max_length=limits.LISTED_MAX)] | UnsetType = UNSET
    tag_sets: Annotated[list[Tags], _EVENTS] | UnsetType = UNSET
    columns: Columns | UnsetType = UNSET


STATUS_CODES: dict[str | None, int] = {name: code for code, name in enumerate(get_args(Status))}
STOP_REASON_CODES: dict[str | None, int] = {None: 0} | {name: code for code, name in enumerate(get_args(StopReason), 1)}
DROP_REASONS: tuple[DropReason, ...] = get_args(DropReason)
assert len(STATUS_CODES) <= 2**3  # Its bits in `events.outcome`.
assert len(STOP_REASON_CODES) <= 2**4
