"""The members that are read of the two shapes of a request; others are skipped, and never become objects."""

from msgspec import Raw, Struct

ABSENT = Raw(b"null")


class Part(Struct, frozen=True, gc=False):
    """A block of a message's content."""

    type: str
    text: Raw = ABSENT
    content: Raw = ABSENT  # Of a tool's result.
    signature: Raw = ABSENT  # Of thinking.
    source: Raw = ABSENT  # Of an image or a document,
    image_url: Raw = ABSENT  # and in a chat.
    input_audio: Raw = ABSENT
    file: Raw = ABSENT


class Message(Struct, frozen=True, gc=False):
    """A turn; `thinking_blocks` and `reasoning_details` are how proxies write Anthropic's thinking in a chat."""

    role: str
    content: Raw = ABSENT
    thinking_blocks: Raw = ABSENT
    reasoning_details: Raw = ABSENT


class Thinking(Struct, frozen=True, gc=False):
    """Whether the model shall think."""

    type: str


class MessagesRequest(Struct, frozen=True):
    """`POST /v1/messages`."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    stream: bool | None = None
    system: Raw = ABSENT
    tools: Raw = ABSENT
    thinking: Thinking | None = None


class ChatRequest(Struct, frozen=True):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None
    tools: Raw = ABSENT
    functions: Raw = ABSENT


class Named(Struct, frozen=True, gc=False):
    """A request of another shape: what is needed to forward it."""

    model: str | None = None
    stream: Raw = ABSENT
