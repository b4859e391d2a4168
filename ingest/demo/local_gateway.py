"""A gateway on this machine, in front of a sample provider: its keys, a routing table, and requests of each kind."""

import dataclasses
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from ingest.demo import clients, local_service
from ingest.demo.clients import Client
from ingest.demo.settings import DemoSettings
from ingest.errors import CannotStart
from ingest.gateway.confine import layers
from ingest.knowledge import gateway, keys
from ingest.serving import process
from ingest.store import connections, summary, tokens
from ingest.store.gateway import acts
from ingest.store.summary import RoutedEvent
from schema.event import Kind

OPUS, HAIKU, SONNET = "claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-4-5"
ROUTES = {
    "summarization": (HAIKU, SONNET),
    "translation": (HAIKU, SONNET),
    "sql_generation": (SONNET,),
    "math": (OPUS,),
}
PROVIDER_KEY = "a-key-that-the-sample-provider-does-not-read"
DRAIN_S = 5
STORED_S = 20.0
_KEYS, _TOKEN_DAYS, _POLL_S = "gateway-keys", 30, 0.05
_TOOL = {"name": "look_up", "description": "Looks up a lemma", "input_schema": {"type": "object"}}


class Ask(NamedTuple):
    """A request as a client sends it."""

    what: str
    turns: list[dict[str, object]]
    more: Mapping[str, object] = MappingProxyType({})


class Answer(NamedTuple):
    """The status of an answer, and what its head says about the decision."""

    status: int
    reason: str
    model: str
    category: str
    confidence: str


def _user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


_PROOF = _user("Prove that there are infinitely many prime numbers.")
_CALL = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Every integer above 1 has a prime factor."}
ASKS = (
    Ask("a summary", [_user("Summarize these meeting notes in three sentences: the tram line was discussed.")]),
    Ask("a translation, streamed", [_user("Translate into German: The bridge is closed.")], {"stream": True}),
    Ask("a query", [_user("Write a SQL query that returns the ten customers with the most orders.")]),
    Ask("a proof", [_PROOF], {"tools": [_TOOL]}),
    Ask("the answer of its tool", [_PROOF, {"role": "assistant", "content": [_CALL]}, _user([_RESULT])],
        {"tools": [_TOOL]}),
    Ask("a summary, with thinking", [_user("Summarize these notes in one sentence: the bridge is closed.")],
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
    Ask("a greeting", [_user("Hello")]),
)  # fmt: skip


_Own = TypeVar("_Own", bound=DemoSettings)


def is_installed() -> bool:
    """Return whether a gateway could report: it does so by the reporter, as any proxy."""
    return clients.is_installed(Client("a gateway", "", clients.REPORTER))


def prepared(settings: _Own, folder: Path) -> _Own:
    """Return the settings of a service and a gateway that know each other, by a key that a folder of ours keeps."""
    if not is_installed():
        return settings
    file = folder / _KEYS
    if not file.exists():
        keys.write(file)
    return dataclasses.replace(
        settings,
        gateway_bind=local_service.free_address(settings.gateway_bind),
        gateway_metrics_bind=local_service.free_address(settings.gateway_metrics_bind),
        gateway_service_url=f"http://{settings.bind}",
        gateway_key_file=str(file),
        gateway_drain_s=DRAIN_S,
    )


async def enable(dsn: str, tenant: str) -> str:
    """Have a tenant's requests routed by the demo's table, and return a token for the gateway."""
    tenant_id = await local_service.find(dsn, tenant)
    async with connections.connected(dsn, "nocontent_control") as control:
        for category, models in ROUTES.items():
            category_id = await acts.find(control, tenant_id, Kind.TASK_CATEGORY, category)
            ids = [await acts.find(control, tenant_id, Kind.MODEL, model) for model in models]
            await acts.set_route(control, tenant_id, category_id, ids)
        await acts.set_mode(control, tenant_id, "on")
        return await tokens.issue(control, tenant_id, [gateway.SCOPE], timedelta(days=_TOKEN_DAYS))


def confined(settings: DemoSettings) -> tuple[DemoSettings, str]:
    """Return the settings, without the confinement if this machine lacks a part of it, and a sentence that says so."""
    try:
        layers.require(settings)
    except CannotStart as missing:
        return dataclasses.replace(settings, gateway_confine="off"), str(missing)
    return settings, ""


@contextmanager
def serving(settings: DemoSettings, folder: Path) -> Iterator[str]:
    """Serve a gateway in front of the sample provider until the block ends; yield its address."""
    with ExitStack() as stack:
        url = stack.enter_context(_provider(folder / "provider.log"))
        own = dataclasses.replace(settings, gateway_anthropic_url=url, dsn="")
        stack.enter_context(local_service.serving(own, folder / "gateway.log", "gateway"))
        yield own.gateway_bind


@contextmanager
def _provider(log: Path) -> Iterator[str]:
    with local_service.own_file(log) as lines:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.demo.provider"],
            env=local_service.environment(DemoSettings()),
            stdout=subprocess.PIPE,
            stderr=lines,
            preexec_fn=process.end_with_parent,  # noqa: PLW1509 (one system call, and this process has one thread)
        )
    try:
        assert child.stdout is not None
        if not (url := child.stdout.readline().decode().strip()):
            raise CannotStart(f"The sample provider did not start; see its log, {log}.")
        yield url
    finally:
        child.terminate()
        child.communicate()


def send(bind: str, token: str, asked: Ask) -> Answer:
    """Send a request as any client of Anthropic's API does, and read the answer to its end."""
    connection = http.client.HTTPConnection(bind, timeout=30)
    body = {"model": OPUS, "max_tokens": 2_048, "messages": asked.turns, **asked.more}
    head = {"Content-Type": "application/json", "x-api-key": PROVIDER_KEY, "X-Nocontent-Token": token}
    try:
        connection.request("POST", "/v1/messages", json.dumps(body), head)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        raise CannotStart("The gateway did not answer; see gateway.log beside the data.") from None
    finally:
        connection.close()
    said = (answer.headers.get(f"x-nocontent-{name}", "") for name in ("reason", "model", "category", "confidence"))
    return Answer(answer.status, *said)


async def stored(settings: DemoSettings, tenant: str, since_ms: int, count: int) -> list[RoutedEvent]:
    """Wait until the gateway has reported so many requests, and return their events."""
    tenant_id = await local_service.find(settings.dsn, tenant)
    since, deadline = datetime.fromtimestamp(since_ms / 1_000, UTC), time.monotonic() + STORED_S
    async with connections.connected(settings.dsn, "nocontent_analyst") as connection:
        while True:
            found = await summary.routed(connection, tenant_id, since)
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise CannotStart("The gateway reported too few requests; see gateway.log beside the data.")
            time.sleep(_POLL_S)  # noqa: ASYNC251 (nothing else is on this loop)
