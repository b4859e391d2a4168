"""Goes through the messages of a request once, for what is read of their content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec
from msgspec import Raw

from ingest.gateway.reading.excerpt import beginning
from ingest.gateway.reading.shapes import ABSENT, ChatRequest, Message, MessagesRequest, Part

SAMPLE_BYTES_MAX = 4_096
# Of what names a conversation: the beginnings of tools, system and first message, 64 KiB in all.
_TOOLS_BYTES = _SYSTEM_BYTES = 16_384
_FIRST_BYTES = 32_768
_EMPTY = (b"", b"null", b"[]", b'""', b"{}")
_SYSTEM_ROLES = ("system", "developer")
_TOOL_ROLES = ("tool", "function")

_LIST = ord("[")

_parts = msgspec.json.Decoder(list[Part])


@dataclass(slots=True)
class Outline:
    """The facts that lie in the messages of a request."""

    messages: Sequence[Message]
    system: Raw
    tools: Raw
    output_max: int | None
    asks_thinking: bool = False
    is_tool_loop: bool = False
    has_signed_thinking: bool = False
    media: int = 0  # Images, documents and recordings,
    media_bytes: int = 0  # and what they take of the body.

    @classmethod
    def of(cls, request: MessagesRequest | ChatRequest) -> Self:
        """Read the messages; raises msgspec.ValidationError for blocks of another shape."""
        if isinstance(request, MessagesRequest):
            asks = request.thinking is not None and request.thinking.type != "disabled"
            outline = cls(request.messages, request.system, request.tools, request.max_tokens, asks)
        else:
            tools = request.functions if _is_empty(request.tools) else request.tools
            system = next((each.content for each in request.messages if each.role in _SYSTEM_ROLES), ABSENT)
            outline = cls(request.messages, system, tools, request.max_completion_tokens or request.max_tokens)
        for message in request.messages:
            outline._add(message)
        outline.is_tool_loop = outline._is_tool_loop()
        return outline

    @property
    def has_tools(self) -> bool:
        return not _is_empty(self.tools)

    @property
    def shared_size(self) -> int:
        """Bytes of tools and system, which come first in what a provider caches."""
        return sum(len(memoryview(raw)) for raw in (self.tools, self.system) if not _is_empty(raw))

    def sample(self) -> bytes:
        """Return the text of the user's last message that has one; the system's only if there is none.

        A system prompt behind a user's text changed a third of the labels (docs/routing.md).
        """
        said = (each.content for each in reversed(self.messages) if each.role == "user")
        users = (_text(content, SAMPLE_BYTES_MAX) for content in said)
        return next(filter(None, users), b"") or _text(self.system, SAMPLE_BYTES_MAX)

    def prefix(self) -> tuple[bytes, int]:
        """Return the bytes that name the conversation, and how many of them are of tools and system."""
        first = next((each.content for each in self.messages if each.role == "user"), ABSENT)
        shared = _start(self.tools, _TOOLS_BYTES) + b"\0" + _start(self.system, _SYSTEM_BYTES) + b"\0"
        return shared + _start(first, _FIRST_BYTES), len(shared)

    def _add(self, message: Message) -> None:
        """Count what a message has of media, and look for signatures."""
        if not (_is_empty(message.thinking_blocks) and _is_empty(message.reasoning_details)):
            self.has_signed_thinking = True
        for part in _every(_listed(message.content)):
            if part.type == "redacted_thinking" or not _is_empty(part.signature):
                self.has_signed_thinking = True
            for raw in (part.source, part.image_url, part.input_audio, part.file):
                if not _is_empty(raw):
                    self.media += 1
                    self.media_bytes += len(memoryview(raw))

    def _is_tool_loop(self) -> bool:
        """Return whether a tool was answered last, or the provider's own tools wait to go on."""
        if not self.messages:
            return False
        last = self.messages[-1]
        if last.role == "assistant":
            if any(part.type.endswith("tool_use") for part in _listed(last.content)):
                return True
            last = next((each for each in reversed(self.messages) if each.role != "assistant"), last)
        return last.role in _TOOL_ROLES or any(part.type.endswith("tool_result") for part in _listed(last.content))


def _every(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield parts, and those in the results of tools."""
    for part in parts:
        yield part
        if part.type == "tool_result":
            yield from _listed(part.content)


def _listed(content: Raw) -> Sequence[Part]:
    return _parts.decode(content) if memoryview(content)[0] == _LIST else ()


def _text(content: Raw, bytes_max: int) -> bytes:
    """Return the text of a string, or the last texts of a list, which the user wrote after what a program put there."""
    found: list[bytes] = []
    left = bytes_max
    for part in reversed(_listed(content)):
        if part.type == "text" and left > 1 and (text := beginning(memoryview(part.text), left)):
            found.append(text)
            left -= len(text) + 1
    return b"\n".join(reversed(found)) or beginning(memoryview(content), bytes_max)


def _start(raw: Raw, bytes_max: int) -> bytes:
    return memoryview(raw)[:bytes_max].tobytes()


def _is_empty(raw: Raw) -> bool:
    if raw is ABSENT:
        return True
    view = memoryview(raw)
    return len(view) <= 4 and view.tobytes() in _EMPTY  # noqa: PLR2004 - as long as `null`.
