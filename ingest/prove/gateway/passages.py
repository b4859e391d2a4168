"""Every way of content through a gateway: what the client sends, what the provider does, when the client leaves."""

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ingest.demo.provider import shapes
from ingest.prove.canaries import Canaries
from ingest.prove.case import Case, Expected, Request

Leaves = Literal["", "in-head", "in-body", "before-answer", "in-answer"]
Json = dict[str, object]
MODEL = "claude-haiku-4-5"
EVENTS = len(shapes.message_events({}, shapes.USAGE))  # Of a streamed answer.
OVERSIZE = 33_554_432 + 1
DEPTH = 20_000
_FAULTS = (400, 401, 403, 404, 413, 429, 500, 503, 529)
BROKEN = (
    "hang", "stall;3", "cut-json;10", "too-long;9", "flood;3", "long-head", "garbage", "redirect", "http10",
    "two-lengths", "bad-chunk", "reset", "close-after",
)  # fmt: skip


_ASKED = ',"messages":[{"role":"user","content":"x"}]'
_PLACES = (
    ("user", '"messages":[{"role":"user","content":"%s"}]'),
    ("system", '"system":"%s"' + _ASKED),
    ("text block", '"messages":[{"role":"user","content":[{"type":"text","text":"%s"}]}]'),
    ("tool", '"tools":[{"name":"t","description":"%s","input_schema":{"type":"object"}}]' + _ASKED),
    ("tool result", '"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"%s"}]}]'),
    ("signature", '"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"%s","signature":"%s"}]}]'),
    ("metadata", '"metadata":{"user_id":"%s"}' + _ASKED),
    ("unknown field", '"note":{"%s":"%s"}' + _ASKED),
    ("model", '"model":"%s"' + _ASKED),
)


class Passage(NamedTuple):
    """A request with its canary, when its client leaves, and what it must be answered."""

    family: str
    case: Case
    leaves: Leaves = ""
    status: int = 0  # What the provider answers, which the client must get; 0: something else decides.


def passages(canaries: Canaries) -> Iterator[Passage]:
    """Yield every passage; each that may make the gateway shun the provider is followed by one that succeeds."""
    yield from _successes(canaries)
    for passage in (*_cuts(canaries), *_faults(canaries), *_broken(canaries), *_departures(canaries)):
        yield passage
        word = canaries.make()
        yield Passage("success", _case("between others", word, _asking(word), Expected.ACCEPTED))
    yield from _refusals(canaries)


def asks_provider(passage: Passage) -> bool:
    """Return whether a passage needs the provider of a proof, which does as it is asked."""
    return b"x-provider: " in passage.case.request.wire


def _successes(canaries: Canaries) -> Iterator[Passage]:
    for name, body in _bodies(canaries):
        for is_streamed in (False, True):
            asked = {**body, "stream": is_streamed}
            word = str(body["_canary"])
            asked.pop("_canary")
            how = "streamed" if is_streamed else "whole"
            yield Passage("success", _case(f"{name}, {how}", word, request(asked), Expected.ACCEPTED))
    for name, target in (
        ("tokens counted", "/v1/messages/count_tokens"),
        ("beta query", "/v1/messages?beta=true&x=%s"),
    ):
        word = canaries.make()
        yield Passage("success", _case(name, word, _asking(word, target=target.replace("%s", word)), Expected.ACCEPTED))
    word = canaries.make()
    chat = request({"model": MODEL, "messages": [{"role": "user", "content": word}]}, target="/v1/chat/completions")
    yield Passage("success", _case("chat completions", word, chat, Expected.ACCEPTED))
    word = canaries.make()
    header = request(_body(word), fields=((b"anthropic-beta", word.encode()), (b"x-note", word.encode())))
    yield Passage("success", _case("in fields", word, header, Expected.ACCEPTED))
    word = canaries.make()
    key = request(_body("x"), key=f"sk-ant-api03-{word}")
    yield Passage("success", _case("in the provider's key", word, key, Expected.ACCEPTED))


def _bodies(canaries: Canaries) -> Iterator[tuple[str, Json]]:
    """Yield a body for each place of a message."""
    for name, written in _PLACES:
        word = canaries.make()
        yield (
            name,
            {"model": MODEL, "max_tokens": 64, **json.loads(f"{{{written}}}".replace("%s", word)), "_canary": word},
        )


def _cuts(canaries: Canaries) -> Iterator[Passage]:
    for how in ("cut", "half-event", "error-event"):
        for count in range(EVENTS):
            yield _misbehaving(canaries, "stream cut", f"{how};{count}", is_streamed=True)


def _faults(canaries: Canaries) -> Iterator[Passage]:
    for status, asks in (*((status, f"status;{status}") for status in _FAULTS), (429, "spend-limit")):
        for is_streamed in (False, True):
            passage = _misbehaving(canaries, "error that echoes", asks, is_streamed=is_streamed)
            yield passage._replace(status=status)


def _broken(canaries: Canaries) -> Iterator[Passage]:
    for asks in BROKEN:
        yield _misbehaving(canaries, "broken provider", asks, is_streamed=asks.startswith("stall"))


def _departures(canaries: Canaries) -> Iterator[Passage]:
    moments: tuple[tuple[Leaves, str], ...] = (
        ("in-head", ""), ("in-body", ""), ("before-answer", "delay;300"), ("in-answer", "pace;50"),
        ("in-answer", "endless"),
    )  # fmt: skip
    for leaves, asks in moments:
        passage = _misbehaving(canaries, "client leaves", asks, is_streamed=True)
        name = f"{leaves}, {asks or 'at once'}"
        yield passage._replace(leaves=leaves, case=passage.case._replace(name=name, expected=Expected.BROKEN))


def _refusals(canaries: Canaries) -> Iterator[Passage]:
    for name, made in _unfit(canaries):
        yield Passage("refused", made._replace(name=name))


def _unfit(canaries: Canaries) -> Iterator[tuple[str, Case]]:
    def case(word: str, asked: Request) -> Case:
        return _case("", word, asked)

    word = canaries.make()
    yield "not JSON", case(word, request(b'{"model":"' + word.encode()))
    word = canaries.make()
    deep = b'{"model":"x","messages":' + b"[" * DEPTH + b'"' + word.encode() + b'"' + b"]" * DEPTH + b"}"
    yield "deep", case(word, request(deep))._replace(expected=Expected.BROKEN)
    word = canaries.make()
    yield "no model", case(word, request({"messages": [{"role": "user", "content": word}]}))
    word = canaries.make()
    yield "two models", case(word, request(b'{"model":"%b","model":"%b"}' % (word.encode(), word.encode())))
    word = canaries.make()
    yield "too large", case(word, request(word.encode().ljust(OVERSIZE, b"x")))
    word = canaries.make()
    yield "compressed", case(word, request(word.encode(), fields=((b"content-encoding", b"gzip"),)))
    word = canaries.make()
    yield "another path", case(word, request(_body(word), target=f"/v1/{word}"))
    word = canaries.make()
    yield "another method", case(word, request(_body(word), method="PUT"))
    word = canaries.make()
    yield "no such token", case(word, request(_body(word), token=f"nct_000000000000_{word:x<43.43}"))
    word = canaries.make()
    yield "a key as a token", case(word, request(_body(word), token=f"sk-ant-api03-{word}"))
    word = canaries.make()
    two = request(_body(word), fields=((b"authorization", b"Bearer " + word.encode()),))
    yield "two keys", case(word, two)
    word = canaries.make()
    yield "no HTTP", case(word, Request(wire=word.encode() + b"\r\n\r\n"))._replace(expected=Expected.BROKEN)
    word = canaries.make()
    long = request(_body("x"), fields=((b"x-long", word.encode() * 9_000),))
    yield "a long head", case(word, long)._replace(expected=Expected.BROKEN)


def _misbehaving(canaries: Canaries, family: str, asks: str, *, is_streamed: bool) -> Passage:
    word = canaries.make()
    asked = request({**_body(word), "stream": is_streamed}, fields=((b"x-provider", asks.encode()),) if asks else ())
    name = f"{asks}, {'streamed' if is_streamed else 'whole'}"
    return Passage(family, _case(name, word, asked, Expected.BROKEN))


def _asking(word: str, target: str = "/v1/messages") -> Request:
    return request(_body(word), target=target)


def _body(word: str) -> Json:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": f"Where is the {word}?"}]}


def _case(name: str, word: str, asked: Request, expected: Expected = Expected.REFUSED) -> Case:
    return Case(name, word, asked, expected, is_alone=True)


def request(
    body: Json | bytes,
    target: str = "/v1/messages",
    method: str = "POST",
    token: str = "%TOKEN%",  # noqa: S107 (to be filled in)
    **more: object,
) -> Request:
    """Return a request as it goes over the wire, with more `fields` or another `key`."""
    fields = more.get("fields", ())
    key = more.get("key", "sk-ant-api03-none")
    assert isinstance(fields, tuple)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: %HOST%\r\nX-Nocontent-Token: {token}\r\nx-api-key: {key}\r\n"
        f"anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    ).encode()
    lines = b"".join(b"%b: %b\r\n" % (name, value) for name, value in fields)
    return Request(wire=head + lines + b"Connection: close\r\n\r\n" + content)
