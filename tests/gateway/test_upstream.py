"""The provider of the tests: what the tests of the gateway rest on."""

import http.client
import json
from contextlib import closing

import pytest

from ingest.demo.provider.misbehaviours import MISBEHAVIOURS
from ingest.demo.provider.upstream import Upstream

_BODY = json.dumps({"model": "claude-opus-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]})


def ask(provider: Upstream, body: str, asks: str = "", path: str = "/v1/messages") -> tuple[int, bytes]:
    """Return status and body."""
    with closing(http.client.HTTPConnection(provider.url.removeprefix("http://"), timeout=5)) as connection:
        connection.request("POST", path, body, {"x-provider": asks} if asks else {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_an_answer_is_whole(provider: Upstream) -> None:
    answer = json.loads(ask(provider, _BODY)[1])
    assert (answer["model"], answer["usage"]["output_tokens"]) == ("claude-opus-4-5", 65)
    assert provider.provider.received[-1].body == _BODY.encode()


def test_a_stream_has_its_events_in_order(provider: Upstream) -> None:
    text = ask(provider, _BODY.replace('"max_tokens"', '"stream": true, "max_tokens"'))[1].decode()
    names = [line.removeprefix("event: ") for line in text.split("\n") if line.startswith("event: ")]
    assert names[:2] == ["message_start", "content_block_start"]
    assert names[-2:] == ["message_delta", "message_stop"]


def test_a_chat_ends_with_done(provider: Upstream) -> None:
    text = ask(provider, '{"model":"gpt-5","stream":true,"messages":[]}', path="/v1/chat/completions")[1]
    assert text.endswith(b"data: [DONE]\n\n")


def test_a_status_is_as_asked(provider: Upstream) -> None:
    status, answer = ask(provider, _BODY, "status;529")
    assert status == 529
    assert json.loads(answer)["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("name", ["cut;3", "half-event;3"])
def test_a_cut_stream_has_no_end(provider: Upstream, name: str) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(provider, _BODY, name)


@pytest.mark.parametrize("name", ["garbage", "reset", "long-head"])
def test_what_is_no_http_is_none(provider: Upstream, name: str) -> None:
    assert name in MISBEHAVIOURS
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(provider, _BODY, name)
