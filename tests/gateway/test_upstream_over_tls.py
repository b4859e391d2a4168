"""A whole, confined gateway in front of an upstream with TLS and a name: it opens no file for either."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingest.demo.provider import upstream
from ingest.knowledge.gateway import GatewayTenant
from tests.gateway.running import Running, running
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gateway")
    authority = Authority(tmp_path_factory.mktemp("authority"))  # Workers may read its folder, and no key of ours.
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*authority.issue("upstream", "localhost").files)
    with upstream.serving(server) as provider:
        urls = {
            "gateway_anthropic_url": provider.url.replace("127.0.0.1", "localhost"),
            "gateway_openai_url": provider.url,  # Of which the certificate says nothing.
            "gateway_upstream_ca_file": authority.root,
        }
        with running(folder, GatewayTenant(1), **urls) as found:
            yield found


def ask(gateway: Running, path: str) -> tuple[int, dict[str, object]]:
    fields = {"x-nocontent-token": gateway.token, "content-type": "application/json"}
    key = {"x-api-key": "sk-of-a-test"} if path == "/v1/messages" else {"authorization": "Bearer sk-of-a-test"}
    body = json.dumps({"model": "claude-opus-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]})
    with closing(http.client.HTTPConnection(gateway.bind, timeout=30)) as connection:
        connection.request("POST", path, body, fields | key)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_it_is_asked_by_its_name(gateway: Running) -> None:
    status, answer = ask(gateway, "/v1/messages")
    assert (status, answer["type"]) == (200, "message")


def test_a_certificate_of_another_name_is_refused_in_the_providers_shape(gateway: Running) -> None:
    status, answer = ask(gateway, "/v1/chat/completions")
    assert status == 502
    assert isinstance(answer["error"], dict)
