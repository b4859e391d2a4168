"""The answers, in the event shapes that Anthropic's API and its SDK's fixtures have, and OpenAI's chunks.

Shapes: https://platform.claude.com/docs/en/build-with-claude/streaming, https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
from collections.abc import Mapping

Json = dict[str, object]
WORDS = "The quickest route goes over the bridge , and back along the river ."
USAGE: Json = {
    "input_tokens": 377, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1,
    "service_tier": "standard",
}  # fmt: skip
OUTPUT_TOKENS = 65
SIGNATURE = "RXFRQkNrZ0lBUkFDR0FJcVFMd3Rlc3RzaWduYXR1cmU="
ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


def text_of(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(name: str, data: Json) -> bytes:
    """Return one event of Anthropic's stream."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), text_of({"type": name, **data}))


def scene_of(asked: Mapping[str, object]) -> str:
    """Return what an answer consists of: `thinking`, `tools` or `text`."""
    if asked.get("thinking"):
        return "thinking"
    return "tools" if asked.get("tools") else "text"


def message_events(asked: Mapping[str, object], usage: Json, pieces: int = 10) -> list[bytes]:
    """Return the events of an answer of Anthropic's API; `pieces` is how many deltas the text has."""
    scene = scene_of(asked)
    start = {**_message(asked), "content": [], "stop_reason": None, "usage": usage}
    events = [event("message_start", {"message": start})]
    index = 0
    if scene == "thinking":
        events += _block(index, {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": "Which way is shorter?"},
            {"type": "signature_delta", "signature": SIGNATURE},
        ])  # fmt: skip
        index += 1
    words = WORDS.split(" ")
    deltas: list[Json] = [{"type": "text_delta", "text": words[piece % len(words)] + " "} for piece in range(pieces)]
    events += _block(index, {"type": "text", "text": ""}, deltas)
    events.insert(2, event("ping", {}))
    if scene == "tools":
        tool = {"type": "tool_use", "id": "toolu_01NoContentSample00001", "name": _tool(asked), "input": {}}
        parts = ["", '{"locati', 'on": "P', "ar", 'is"}']
        events += _block(index + 1, tool, [{"type": "input_json_delta", "partial_json": part} for part in parts])
    ending = {"stop_reason": "tool_use" if scene == "tools" else "end_turn", "stop_sequence": None}
    events.append(event("message_delta", {"delta": ending, "usage": {"output_tokens": OUTPUT_TOKENS}}))
    events.append(event("message_stop", {}))
    return events


def message(asked: Mapping[str, object], usage: Json) -> bytes:
    """Return a whole answer of Anthropic's API."""
    scene = scene_of(asked)
    content: list[Json] = [{"type": "text", "text": WORDS}]
    if scene == "thinking":
        content.insert(0, {"type": "thinking", "thinking": "Which way is shorter?", "signature": SIGNATURE})
    if scene == "tools":
        tool: Json = {"type": "tool_use", "id": "toolu_01NoContentSample00001", "name": _tool(asked)}
        content.append({**tool, "input": {"location": "Paris"}})
    stop = "tool_use" if scene == "tools" else "end_turn"
    counted = {**usage, "output_tokens": OUTPUT_TOKENS}
    return text_of({**_message(asked), "content": content, "stop_reason": stop, "usage": counted})


def error(status: int, echoed: str = "", kind: str = "", details: Json | None = None) -> bytes:
    """Return an error of Anthropic's API; its message repeats what was sent, as providers' messages do."""
    own: Json = {"type": kind or ERRORS.get(status, "api_error"), "message": f"cannot be done: {echoed}"}
    if details:
        own["details"] = details
    return text_of({"type": "error", "error": own, "request_id": "req_011NoContentSample00000001"})


def chat_chunks(asked: Mapping[str, object], pieces: int = 10) -> list[bytes]:
    """Return the events of an answer of OpenAI's chat completions."""
    base: Json = {
        "id": "chatcmpl-sample", "object": "chat.completion.chunk", "created": 1_760_000_000,
        "model": asked.get("model"),
    }  # fmt: skip
    words = WORDS.split(" ")
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": words[piece % len(words)] + " "} for piece in range(pieces)]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        chunks.append({**base, "choices": [], "usage": chat_usage()})
    return [b"data: %b\n\n" % text_of(chunk) for chunk in chunks] + [b"data: [DONE]\n\n"]


def chat(asked: Mapping[str, object]) -> bytes:
    """Return a whole answer of OpenAI's chat completions."""
    choice: Json = {"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}
    return text_of({
        "id": "chatcmpl-sample", "object": "chat.completion", "created": 1_760_000_000, "model": asked.get("model"),
        "choices": [choice], "usage": chat_usage(),
    })  # fmt: skip


def chat_usage() -> Json:
    return {
        "prompt_tokens": 377, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 377 + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip


def chat_error(status: int, echoed: str = "", code: str | None = None) -> bytes:
    """Return an error of OpenAI's API."""
    own: Json = {"message": f"cannot be done: {echoed}", "type": "invalid_request_error", "param": None, "code": code}
    return text_of({"error": own | ({"type": "server_error"} if status >= 500 else {})})  # noqa: PLR2004 (RFC 9110)


def _message(asked: Mapping[str, object]) -> Json:
    own: Json = {"id": "msg_01NoContentSample0000000001", "type": "message", "role": "assistant"}
    return own | {"model": asked.get("model"), "stop_sequence": None}


def _block(index: int, start: Json, deltas: list[Json]) -> list[bytes]:
    return [
        event("content_block_start", {"index": index, "content_block": start}),
        *(event("content_block_delta", {"index": index, "delta": delta}) for delta in deltas),
        event("content_block_stop", {"index": index}),
    ]


def _tool(asked: Mapping[str, object]) -> object:
    tools = asked.get("tools")
    return tools[0].get("name") if isinstance(tools, list) and tools and isinstance(tools[0], dict) else "get_weather"
