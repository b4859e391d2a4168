"""What routing must know of a request, read from the bytes of its body in memory.

A body that JSON readers agree is not JSON, or that names no model or two, is Malformed. Whatever a provider might still
take is forwarded as it is, with `is_readable` False: the provider says what is wrong with it. Everything is read on the
event loop: msgspec holds the interpreter's lock, so a thread would stop the loop as well.
"""

from contextlib import suppress
from typing import NamedTuple

import msgspec

from ingest.gateway.content import Content
from ingest.gateway.reading import span
from ingest.gateway.reading.errors import Malformed
from ingest.gateway.reading.outline import Outline
from ingest.gateway.reading.shapes import ChatRequest, MessagesRequest, Named
from ingest.gateway.records import Shape

BYTES_PER_TOKEN = 4
MEDIA_TOKENS = 1_600  # Of an image or a document, whose bytes say little: Anthropic's figure for the largest image.
# A body with more braces is not read: objects take 20 times their bytes, and a microsecond each. Those in texts count
# too: minified JavaScript has some 11,000 a MiB.
OBJECTS_MAX = 65_536
LENIENT_BYTES_MAX = 1_048_576

_messages = msgspec.json.Decoder(MessagesRequest)
_chat = msgspec.json.Decoder(ChatRequest)
_named = msgspec.json.Decoder(Named)
# What Python's json and some others take, and msgspec does not: half a pair of surrogates, and numbers that are none.
_SURROGATES = tuple(f"\\u{d}{second}".encode() for d in "dD" for second in "89abcdefABCDEF")
_BOM = b"\xef\xbb\xbf"
_NOWHERE = (0, 0)


class Facts(NamedTuple):
    """A request, as far as routing reads it."""

    shape: Shape
    model: str
    model_span: span.Span = _NOWHERE  # Of the JSON string, with its quotes.
    is_readable: bool = False
    streams: bool = False
    output_max: int | None = None
    has_tools: bool = False
    is_tool_loop: bool = False
    has_signed_thinking: bool = False
    asks_thinking: bool = False  # The answer may have signed blocks.
    caches: bool = False  # It asks the provider to cache; a text that quotes the field's name counts as well.
    caches_1h: bool = False  # For an hour, in place of five minutes.
    turns: int = 0
    input_estimate: int = 0  # Tokens.
    sample: Content = Content(b"")  # For the classifier.
    prefix: Content = Content(b"")  # Names the conversation: tools and system, then the first message of the user.
    shared_bytes: int = 0  # The part of `prefix` before that message, which other conversations may share,
    shared_estimate: int = 0  # and the tokens that it stands for.


def read(body: bytes, shape: Shape) -> Facts:
    """Read a body of any size; raises Malformed."""
    try:
        return _read(body, shape)
    except RecursionError:
        raise Malformed("too-deep") from None


def _read(body: bytes, shape: Shape) -> Facts:
    if body.count(b"{") <= OBJECTS_MAX:
        try:
            request = _messages.decode(body) if shape == "messages" else _chat.decode(body)
            model_span = span.find(body)
            return _facts(body, shape, request, model_span)
        except (msgspec.MsgspecError, UnicodeDecodeError, span.TooManyCandidates):
            # msgspec quotes the body in its message, so it is dropped.
            pass
    return _unread(body, shape)


def _facts(body: bytes, shape: Shape, request: MessagesRequest | ChatRequest, model_span: span.Span) -> Facts:
    outline = Outline.of(request)
    prefix, shared_bytes = outline.prefix()
    caches = b'"cache_control"' in body
    return Facts(
        shape=shape,
        model=request.model,
        model_span=model_span,
        is_readable=True,
        streams=bool(request.stream),
        output_max=outline.output_max,
        has_tools=outline.has_tools,
        is_tool_loop=outline.is_tool_loop,
        has_signed_thinking=outline.has_signed_thinking,
        asks_thinking=outline.asks_thinking,
        caches=caches,
        caches_1h=caches and b'"1h"' in body,
        turns=len(request.messages),
        input_estimate=(len(body) - outline.media_bytes) // BYTES_PER_TOKEN + outline.media * MEDIA_TOKENS,
        sample=Content(outline.sample()),
        prefix=Content(prefix),
        shared_bytes=shared_bytes,
        shared_estimate=outline.shared_size // BYTES_PER_TOKEN,
    )


def _unread(body: bytes, shape: Shape) -> Facts:
    """Return what a body of another shape still says: its model, and that it is to be forwarded as it is."""
    try:
        named = _named.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise Malformed("no-model") from None  # It is no text, or the body is no object.
    except msgspec.DecodeError:
        named = _leniently(body)
    else:
        if named.model is not None:
            _expect_one(body)
    if named.model is None:
        raise Malformed("no-model")
    return Facts(shape, named.model, streams=bytes(named.stream) == b"true")


def _expect_one(body: bytes) -> None:
    with suppress(span.TooManyCandidates):
        span.find(body)


def _leniently(body: bytes) -> Named:
    """Return what a lenient reader would find. A large body is not tried a second time, but forwarded."""
    if len(body) > LENIENT_BYTES_MAX:
        return Named("")
    strict = body.removeprefix(_BOM).replace(b"NaN", b"0").replace(b"Infinity", b"0")
    for beginning in _SURROGATES:
        strict = strict.replace(beginning, rb"\u00")
    try:
        return _named.decode(strict)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed("not-json") from None
