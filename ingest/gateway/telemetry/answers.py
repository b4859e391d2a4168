"""Reads the parts of an answer that are counted: usage, stop reason, and the type of an error, each by allow-list."""

from dataclasses import dataclass
from typing import Final

import msgspec

from ingest.gateway.records import Shape, Usage
from nocontent_reporter import stop_reasons, usage
from nocontent_reporter.event import StopReason

ERRORS: Final = frozenset({
    "api_error", "authentication_error", "billing_error", "insufficient_quota", "invalid_request_error",
    "not_found_error", "overloaded_error", "permission_error", "rate_limit_error", "request_too_large",
    "server_error", "timeout_error",
})  # fmt: skip
OTHER: Final = "other"
_DONE: Final = b"[DONE]"
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, ValueError)  # Of JSON, of depth, of UTF-8.


@dataclass(slots=True)
class Seen:
    """What an answer has told."""

    counts: dict[str, object] | None = None  # As the provider names them.
    stop_reason: StopReason | None = None
    error: str | None = None
    is_whole: bool = False


# Whatever has another type than expected is not read: a provider may add what it likes.
class _Message(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")
    stop_reason: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    type: object = None
    code: object = None


class _MessageEvent(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _MessageDocument(msgspec.Struct):
    type: object = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    stop_reason: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _Choice(msgspec.Struct):
    finish_reason: msgspec.Raw = msgspec.Raw(b"null")


class _Chat(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")
    choices: list[_Choice] | None = None
    error: _Error | None = None


_event = msgspec.json.Decoder(_MessageEvent)
_message = msgspec.json.Decoder(_MessageDocument)
_chat = msgspec.json.Decoder(_Chat)
_any = msgspec.json.Decoder()


def read_message_event(name: str, data: bytes, seen: Seen) -> None:
    """Read an event of Anthropic's stream; the usage of a later one replaces what it names again."""
    if name == "message_stop":
        seen.is_whole = True
        return
    try:
        event = _event.decode(data)
    except _UNREADABLE:
        return
    if name == "error":
        seen.error = _error_of(event.error)
        return
    message = event.message or event.delta or _Message()
    counts = _counts(message.usage if name == "message_start" else event.usage)
    if counts is not None:
        seen.counts = (seen.counts or {}) | {each: count for each, count in counts.items() if count is not None}
    if (reason := stop_reasons.anthropic(_plain(message.stop_reason))) is not None:
        seen.stop_reason = reason


def read_chat_event(data: bytes, seen: Seen) -> None:
    """Read a chunk of OpenAI's stream; its last one has the usage, if the client asked for it."""
    if data == _DONE:
        seen.is_whole = True
        return
    try:
        chat = _chat.decode(data)
    except _UNREADABLE:
        return
    _read_chat(chat, seen)


def read_document(shape: Shape, document: bytes, seen: Seen) -> None:
    """Read a whole answer; one that is not JSON to its end is not whole."""
    try:
        if shape == "chat":
            chat = _chat.decode(document)
            _read_chat(chat, seen)
            seen.is_whole = chat.error is None and chat.choices is not None
            return
        message = _message.decode(document)
    except _UNREADABLE:
        return
    seen.is_whole = message.type == "message"
    seen.error = None if message.error is None else _error_of(message.error)
    seen.stop_reason = stop_reasons.anthropic(_plain(message.stop_reason))
    seen.counts = _counts(message.usage)


def usage_of(shape: Shape, counts: dict[str, object]) -> Usage:
    """Return the disjoint counts of what a provider of a shape has counted."""
    found = usage.anthropic(counts) if shape == "messages" else usage.openai(counts)
    return Usage(**found.tokens)


def _read_chat(chat: _Chat, seen: Seen) -> None:
    seen.counts = _counts(chat.usage) or seen.counts
    for choice in chat.choices or ():
        if (reason := stop_reasons.openai(_plain(choice.finish_reason))) is not None:
            seen.stop_reason = reason
    if chat.error is not None:
        seen.error = _error_of(chat.error)


def _counts(raw: msgspec.Raw) -> dict[str, object] | None:
    counts = _plain(raw)
    return counts if isinstance(counts, dict) else None


def _plain(raw: msgspec.Raw) -> object:
    try:
        found: object = _any.decode(raw)
    except _UNREADABLE:
        return None
    return found


def _error_of(error: _Error | None) -> str:
    """Return the type of an error, if it is one of the providers'; its message is not read."""
    for name in (error.type, error.code) if error is not None else ():
        if isinstance(name, str) and name in ERRORS:
            return name
    return OTHER
