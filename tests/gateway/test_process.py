"""A whole gateway: what it loads, what it refuses to start with, how it stops, and what its log says of a bug."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import logs
from ingest.demo.provider import shapes, upstream
from ingest.gateway import fields
from ingest.knowledge.gateway import GatewayTenant
from tests.gateway import forwarding
from tests.gateway.forwarding import KEY, message
from tests.gateway.running import Running, running
from tests.serving.test_imports import loaded
from tests.support.service import ROOT, WAIT_S, environment, wait_until

CANARY = "canary-3e9a71"


def test_neither_parent_nor_worker_loads_a_driver_or_starlettes_routing() -> None:
    parent = loaded("ingest.__main__, ingest.cli.gateway, ingest.gateway.process")
    worker = loaded("ingest.__main__, ingest.serving.worker, ingest.gateway.worker")
    for found in (parent, worker):
        assert {"asyncpg", "numpy", "starlette.applications", "starlette.requests"} & found == set()


def test_a_gateway_that_is_given_a_database_does_not_start(tmp_path: Path) -> None:
    env = environment("postgresql://a:canary@127.0.0.1/b", gateway_key_file=tmp_path)
    command = [sys.executable, "-m", "ingest", "gateway"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert ended.returncode == 2
    assert "NOCONTENT_DSN" in ended.stderr
    assert "canary" not in ended.stderr


def test_sigterm_lets_streams_end_and_refuses_new_connections(tmp_path: Path) -> None:
    with running(tmp_path, GatewayTenant(7)) as gateway, _begun(gateway, "pace;40") as connection:
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _accepts(gateway))
        with connection.getresponse() as answer:
            body = answer.read()
        assert body == b"".join(shapes.message_events(json.loads(message(stream=True)), shapes.USAGE))
        assert gateway.process.wait(WAIT_S) == 0
        (event,) = gateway.service.events
        assert event["output_tokens"] == shapes.OUTPUT_TOKENS


def test_a_stop_waits_for_streams_only_so_long(tmp_path: Path) -> None:
    with running(tmp_path, GatewayTenant(7), gateway_drain_s=1) as gateway, _begun(gateway, "stall;4") as connection:
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)), connection.getresponse() as answer:
            answer.read()
        assert gateway.process.wait(WAIT_S) == 0
        assert len(gateway.service.events) == 1


@contextlib.contextmanager
def _begun(gateway: Running, asks: str) -> Iterator[http.client.HTTPConnection]:
    """Ask for a stream that is under way upstream."""
    connection = http.client.HTTPConnection(gateway.bind, timeout=WAIT_S)
    fields = {"X-Nocontent-Token": gateway.token, "x-api-key": KEY, "x-provider": asks}
    connection.request("POST", "/v1/messages", message(stream=True), fields)
    wait_until(lambda: bool(gateway.upstream.provider.received))
    with contextlib.closing(connection):
        yield connection


def _accepts(gateway: Running) -> bool:
    connection = http.client.HTTPConnection(gateway.bind, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


async def test_the_log_of_a_bug_has_its_place_and_nothing_of_the_request(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(given: object) -> None:
        raise ValueError(CANARY, given)

    monkeypatch.setattr(fields, "client", fail)
    with upstream.serving() as provider:
        async with forwarding.forwarding(provider.url) as gateway:
            body = message(messages=[{"role": "user", "content": CANARY}])
            answer = await gateway.ask(gateway.request(body, f"x-canary: {CANARY}"))
            assert (answer.status, answer.fault) == (500, "bug")
            assert CANARY.encode() not in answer.body
    logs.flush()
    said = capfd.readouterr().err
    assert '"event":"bug","error":"ValueError"' in said
    assert CANARY not in said
    assert KEY not in said
