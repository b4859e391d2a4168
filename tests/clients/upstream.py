"""A provider that answers as Anthropic and OpenAI do, with canaries in every answer and every error."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

ANSWER = "CANARY-OUTPUT the weather in Paris is rainy"
# A word in the request asks for each of these answers.
FAILURES = {"FAIL400": 400, "FAIL429": 429, "FAIL500": 500}
_ANTHROPIC_USAGE = {
    "input_tokens": 25, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 2000, "output_tokens": 42,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
}  # fmt: skip
_OPENAI_USAGE = {
    "prompt_tokens": 125, "completion_tokens": 42, "total_tokens": 167,
    "prompt_tokens_details": {"cached_tokens": 100}, "completion_tokens_details": {"reasoning_tokens": 7},
}  # fmt: skip


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve on a free port of this machine; yield the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers by path and by what the request asks for."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = json.loads(sent)
        failure = next((status for word, status in FAILURES.items() if word in sent), None)
        is_anthropic = self.path.partition("?")[0].endswith("/messages")
        if failure is not None:
            self._send(failure, "application/json", json.dumps(_failure(failure)))
        elif asked.get("stream"):
            self._send(200, "text/event-stream", _anthropic_stream(asked) if is_anthropic else _openai_stream(asked))
        else:
            self._send(200, "application/json", json.dumps(_anthropic(asked) if is_anthropic else _openai(asked)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the library)
        """Log nothing."""

    def _send(self, status: int, media_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("request-id", "req_018EeWyXxfu5pfWkrYcMdjWG")
        self.end_headers()
        self.wfile.write(body)


def _failure(status: int) -> dict[str, object]:
    """Return an error as providers write it: it quotes the prompt."""
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    message = "messages.0.content: unexpected value: 'CANARY-PROMPT my ssn is 078-05-1120'"
    return {"type": "error", "error": {"type": kind, "message": message}}


def _anthropic(asked: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "model": asked["model"],
        "content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": _ANTHROPIC_USAGE,
    }  # fmt: skip


def _anthropic_stream(asked: dict[str, object]) -> str:
    start = _anthropic(asked) | {"content": [], "stop_reason": None}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return _events(
        ("message_start", {"message": start}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": ANSWER}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": delta, "usage": {"output_tokens": 42}}),
        ("message_stop", {}),
    )


def _events(*events: tuple[str, dict[str, object]]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n" for name, data in events)


def _openai(asked: dict[str, object]) -> dict[str, object]:
    message = {"role": "assistant", "content": ANSWER}
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion", "created": 1_700_000_000,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _OPENAI_USAGE,
    }  # fmt: skip


def _openai_stream(asked: dict[str, object]) -> str:
    head = {
        "id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": asked["model"],
    }  # fmt: skip
    first = {"index": 0, "delta": {"role": "assistant", "content": ANSWER}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks = (head | {"choices": [first]}, head | {"choices": [last]}, head | {"choices": [], "usage": _OPENAI_USAGE})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
