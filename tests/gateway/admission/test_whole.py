"""Admission in a whole gateway, confined by the kernel: what changes while it runs, and what ends."""

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ingest.knowledge import keys
from ingest.knowledge.gateway import GatewayTenant
from tests.gateway.running import Running, running
from tests.gateway.service import grant
from tests.support.service import children, wait_until

TENANT = GatewayTenant(7)
BODY = json.dumps({"model": "claude-opus-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("admission")
    kept = folder / "kept"
    kept.mkdir()
    with running(folder, TENANT, gateway_provider_keys=kept) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _granted(gateway: Running) -> None:
    """Begin with the token that the gateway was started with."""
    wait_until(lambda: ask(gateway) == 200)


def ask(gateway: Running, token: str | None = None, own_key: str | None = "sk-ant-own") -> int | str:
    """Return 200, or the fault of a refusal."""
    fields = {"Content-Type": "application/json", "X-Nocontent-Token": token or gateway.token}
    with contextlib.closing(http.client.HTTPConnection(gateway.bind, timeout=10)) as connection:
        connection.request("POST", "/v1/messages", BODY, fields | ({"x-api-key": own_key} if own_key else {}))
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("x-nocontent-fault") or answer.status


def companions_of(gateway: Running) -> list[int]:
    """Return the companion's process, or none while it is being replaced."""
    found = []
    for pid in children(gateway.process.pid):
        with contextlib.suppress(FileNotFoundError):  # It was just replaced.
            if "companion" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return found


def test_a_new_token_begins_and_a_revoked_one_ends(gateway: Running) -> None:
    known = gateway.service.snapshot
    more, tokens = grant(TENANT)
    gateway.service.snapshot = msgspec.structs.replace(
        known, revision=known.revision + 1, tokens=(*known.tokens, *more.tokens)
    )
    wait_until(lambda: ask(gateway, tokens[7]) == 200)
    gateway.service.revoke(more.tokens[0].token_id)
    revoked_at = time.monotonic()
    wait_until(lambda: ask(gateway, tokens[7]) == "token-unknown")
    assert time.monotonic() - revoked_at <= 10.0
    assert ask(gateway) == 200


def test_a_companion_that_is_killed_is_replaced_while_workers_go_on(gateway: Running) -> None:
    before = companions_of(gateway)
    os.kill(before[0], signal.SIGKILL)
    assert ask(gateway) == 200
    wait_until(lambda: companions_of(gateway) not in ([], before))
    polls = gateway.service.polls
    wait_until(lambda: gateway.service.polls > polls)
    assert ask(gateway) == 200


def test_without_the_service_workers_go_on(gateway: Running) -> None:
    gateway.service.is_away = True
    polls = gateway.service.polls
    wait_until(lambda: gateway.service.polls > polls)
    assert ask(gateway) == 200
    gateway.service.is_away = False


def test_a_key_is_rotated_without_a_restart(gateway: Running) -> None:
    service = gateway.service
    keys.write(service.key_file)
    service.key = keys.write(service.key_file)  # Neither is the first.
    more, tokens = grant(TENANT)
    service.snapshot = msgspec.structs.replace(
        service.snapshot, revision=service.snapshot.revision + 1, tokens=(*service.snapshot.tokens, *more.tokens)
    )
    wait_until(lambda: ask(gateway, tokens[7]) == 200)


def test_a_kept_key_goes_upstream_from_when_its_file_is_there_until_it_is_gone(gateway: Running) -> None:
    assert ask(gateway, own_key=None) == "provider-key-missing"
    file = gateway.log.parent / "kept" / "7-anthropic"
    file.touch(mode=0o600)
    file.write_text("sk-ant-kept")
    wait_until(lambda: ask(gateway, own_key=None) == 200)
    assert gateway.upstream.provider.received[-1].field("x-api-key") == "sk-ant-kept"
    file.unlink()
    wait_until(lambda: ask(gateway, own_key=None) == "provider-key-missing")


def test_no_credential_is_in_the_log(gateway: Running) -> None:
    assert ask(gateway, "sk-ant-mistaken") == "provider-key-as-token"
    assert ask(gateway, own_key=gateway.token) == "token-as-provider-key"
    wait_until(lambda: "token-as-provider-key" in gateway.log.read_text())  # A thread writes it.
    log = gateway.log.read_text()
    assert "provider-key-as-token" in log
    for secret in ("sk-ant", gateway.token[4:], "ncg_", gateway.service.key_file.read_text()[9:30]):
        assert secret not in log
