"""Reads what an answer used while it passes: a few events of a stream, or the end of a document; nothing else is kept.

A meter never raises, and holds at most EVENT_BYTES_MAX of a stream and DOCUMENT_BYTES_MAX of a document, in objects
that cannot be formatted. How the bytes were split into chunks makes no difference.
"""

import re
from typing import Final

from ingest.gateway.records import Shape, Usage
from ingest.gateway.telemetry import answers
from ingest.gateway.telemetry.answers import Seen
from nocontent_reporter.event import StopReason

EVENT_BYTES_MAX: Final = 65_536  # Of one event that is read; a message_start has a kilobyte.
DOCUMENT_BYTES_MAX: Final = 4_194_304
_NAMES: Final = (b"message_start", b"message_delta", b"message_stop", b"error")
_BEGINNING: Final = re.compile(rb"\nevent: ?(?:message_|error)")  # Of an event that matters.
_BEGINNING_BYTES: Final = len(b"\nevent: message")  # The most of it that may end a chunk.
_END_BYTES: Final = len(b"\n\r")  # Of a blank line without its last byte.


class Meter:
    """What is known so far of one answer. `feed` gets its body as it comes."""

    __slots__ = ("_seen", "_shape")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._seen = Seen()

    @staticmethod
    def of(shape: Shape, streams: bool) -> "Meter":  # noqa: FBT001 - as `Facts` has it.
        """Return a meter for an answer: `streams` says that it is a stream of events."""
        if not streams:
            return DocumentMeter(shape)
        return MessagesMeter(shape) if shape == "messages" else ChatMeter(shape)

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes."""
        raise NotImplementedError

    @property
    def usage(self) -> Usage | None:
        """The tokens as the provider counted them last; None: it has not said."""
        counts = self._read().counts
        return None if counts is None else answers.usage_of(self._shape, counts)

    @property
    def stop_reason(self) -> StopReason | None:
        return self._read().stop_reason

    @property
    def error(self) -> str | None:
        """The type of an error in the answer, of `answers.ERRORS`."""
        return self._read().error

    @property
    def is_whole(self) -> bool:
        """Whether the answer said itself that it was complete."""
        return self._read().is_whole

    def _read(self) -> Seen:
        return self._seen


class MessagesMeter(Meter):
    """Of a stream of Anthropic's Messages API.

    A line break inside JSON is escaped, so whatever a model writes, a line that begins with `event:` names an event.
    Lines end with LF or CRLF.
    """

    __slots__ = ("_held", "_is_in_event", "_is_too_long")

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._held = b"\n"  # The tail of what was fed, or the event that is being read from its line's beginning.
        self._is_in_event = False
        self._is_too_long = False

    def feed(self, chunk: bytes) -> None:
        held = self._held + chunk
        at = 0
        while True:
            if not self._is_in_event:
                found = _BEGINNING.search(held, at)
                if found is None:
                    self._held = held[max(at, len(held) - _BEGINNING_BYTES) :]
                    return
                at = found.start()
                self._is_in_event = True
            end = _end_of_event(held, at)
            if end < 0:
                self._hold(held[at:])
                return
            if not self._is_too_long:
                self._event(held[at:end])
            self._is_in_event = self._is_too_long = False
            at = end

    def _hold(self, event: bytes) -> None:
        """Keep the beginning of an event; of one that is too long to matter, what may begin its end."""
        self._is_too_long |= len(event) > EVENT_BYTES_MAX
        self._held = event[-_END_BYTES:] if self._is_too_long else event

    def _event(self, event: bytes) -> None:
        name, data = _parts(event)
        if name in _NAMES and len(event) <= EVENT_BYTES_MAX:
            answers.read_message_event(name.decode(), data, self._seen)


class ChatMeter(Meter):
    """Of a stream of OpenAI's chat completions, whose lines are JSON without a name."""

    __slots__ = ("_held", "_is_skipping")

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._held = b""
        self._is_skipping = False  # Of a line that is too long.

    def feed(self, chunk: bytes) -> None:
        held = self._held + chunk
        at = 0
        while (end := held.find(b"\n", at)) >= 0:
            if not self._is_skipping and end - at <= EVENT_BYTES_MAX:
                self._line(held[at:end])
            self._is_skipping = False
            at = end + 1
        rest = held[at:]
        self._is_skipping |= len(rest) > EVENT_BYTES_MAX
        self._held = b"" if self._is_skipping else rest

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        # Nearly every chunk has text alone; quotes inside text are escaped, so text cannot look like this.
        if b'"finish_reason":null' in line and (b'"usage"' not in line or b'"usage":null' in line):
            return
        answers.read_chat_event(line[5:].strip(), self._seen)


class DocumentMeter(Meter):
    """Of an answer that is one JSON document, a refusal too."""

    __slots__ = ("_chunks", "_is_read", "_kept")

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._chunks: list[bytes] = []
        self._kept = 0
        self._is_read = False

    def feed(self, chunk: bytes) -> None:
        self._is_read = False
        self._kept += len(chunk)
        if self._kept <= DOCUMENT_BYTES_MAX:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def _read(self) -> Seen:
        if not self._is_read:
            self._is_read = True
            if self._chunks:
                document = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
                answers.read_document(self._shape, document, self._seen)
                if self._seen.is_whole:
                    self._chunks.clear()
        return self._seen


def _end_of_event(held: bytes, at: int) -> int:
    """Return where the blank line of an event ends, less its last line feed, which begins the next; -1 if not there."""
    plain, carried = held.find(b"\n\n", at), held.find(b"\n\r\n", at)
    if plain < 0 or 0 <= carried < plain:
        return carried + 2 if carried >= 0 else -1
    return plain + 1


def _parts(event: bytes) -> tuple[bytes, bytes]:
    """Return the name and the data of an event; several lines of data are one text with line breaks."""
    name, data = b"", []
    for line in event.split(b"\n"):
        field, _, value = line.removesuffix(b"\r").partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, b"\n".join(data)
