"""From an act on the table to the model that serves, and from there to the console's figures: everything is real."""

import asyncio
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.demo.provider import upstream
from ingest.demo.provider.upstream import Upstream
from ingest.knowledge import keys
from ingest.routes import view
from ingest.store import connections
from ingest.store.gateway import acts
from schema.event import Kind
from tests.gateway import running
from tests.gateway.running import Started
from tests.support import customers, service
from tests.support.cluster import Cluster
from tests.support.customers import Customer, CustomerSpec

_OPUS, _HAIKU = "claude-opus-4-5", "claude-haiku-4-5"
_TEXT = "Summarize the following article in three sentences for our newsletter."
_BODY = json.dumps({"model": _OPUS, "max_tokens": 200, "messages": [{"role": "user", "content": _TEXT}]})


class Whole(NamedTuple):
    """A service on PostgreSQL with its jobs, a gateway and a provider."""

    dsn: str
    customer: Customer
    gateway: Started
    provider: Upstream

    def ask(self) -> Mapping[str, str]:
        """Send the request; return the fields of the answer by which the gateway says what it decided."""
        with closing(http.client.HTTPConnection(self.gateway.bind, timeout=10)) as connection:
            own = {"x-nocontent-token": self.customer.token, "x-api-key": "sk-ant-canary"}
            connection.request("POST", "/v1/messages", _BODY, own | {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        prefix = "x-nocontent-"
        return {name.lower().removeprefix(prefix): value for name, value in answer.getheaders()}

    def served(self) -> str:
        """Return the model that the last request asked the provider for."""
        return str(json.loads(self.provider.provider.received[-1].body)["model"])


@pytest.fixture(scope="module")
def whole(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder, dsn = tmp_path_factory.mktemp("whole"), postgres.migrated()
    key_file = folder / "keys"
    keys.write(key_file)
    customer = customers.prepare(dsn, {"acme": CustomerSpec(scopes=("gateway:use",))})["acme"]
    with (
        service.serving(dsn, folder / "log", gateway_key_file=key_file, jobs="true") as server,
        upstream.serving() as provider,
        running.started(
            Path(folder), provider, gateway_key_file=key_file, gateway_service_url=f"http://{server.bind}"
        ) as gateway,
    ):
        yield Whole(dsn, customer, gateway, provider)
    postgres.drop(dsn)


def test_an_act_reaches_the_gateway_and_its_decisions_reach_the_figures(whole: Whole) -> None:
    tenant_id = whole.customer.tenant_id
    service.wait_until(lambda: whole.ask().get("reason") == "off")
    customers.act(whole.dsn, lambda connection: acts.set_confidence(connection, tenant_id, 0))
    customers.act(whole.dsn, lambda connection: acts.set_mode(connection, tenant_id, "dry-run"))
    service.wait_until(lambda: whole.ask().get("reason") == "no-route")
    category = whole.ask()["category"]

    async def set_route(connection: connections.Connection) -> None:
        its_id = await acts.find(connection, tenant_id, Kind.TASK_CATEGORY, category)
        model = await acts.find(connection, tenant_id, Kind.MODEL, _HAIKU)
        await acts.set_route(connection, tenant_id, its_id, [model])

    customers.act(whole.dsn, set_route)
    service.wait_until(lambda: whole.ask().get("reason") == "dry-run")
    assert whole.served() == _OPUS
    customers.act(whole.dsn, lambda connection: acts.set_mode(connection, tenant_id, "on"))
    service.wait_until(lambda: whole.ask().get("reason") == "routed")
    assert whole.served() == _HAIKU
    service.wait_until(lambda: {"dry-run", "routed"} <= _reasons(whole))


def _reasons(whole: Whole) -> set[str]:
    async def read() -> set[str]:
        async with connections.connected(whole.dsn, "nocontent_usage_reader") as connection:
            return set((await view.read(connection, whole.customer.tenant_id)).reasons)

    return asyncio.run(read())
