"""The demo's part about the gateway: requests through it, the decisions, the stored events and the savings."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from ingest.demo import clients, local_gateway, local_service
from ingest.demo.local_gateway import ASKS
from ingest.demo.settings import DemoSettings
from ingest.errors import CannotStart
from ingest.knowledge.tokens import Credential
from ingest.store.summary import RoutedEvent

_NANO = 1_000_000_000
_TOKEN = "gateway-token"  # noqa: S105 (a file)


class Gateway:
    """A gateway of the demo's tenant, unless this checkout lacks what it reports with."""

    def __init__(self, settings: DemoSettings, folder: Path, tenant: str) -> None:
        self.is_there = local_gateway.is_installed()
        self._settings, self._unconfined = local_gateway.confined(settings)
        self._folder = folder
        self._tenant = tenant
        self._token = asyncio.run(local_gateway.enable(settings.dsn, tenant)) if self.is_there else ""
        if self.is_there:
            with local_service.own_file(folder / _TOKEN) as file:
                file.write(f"{self._token}\n".encode("ascii"))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        if not self.is_there:
            yield
            return
        with local_gateway.serving(self._settings, self._folder):
            yield

    def show(self) -> int:
        """Send requests, print what became of each, and return how many events they made."""
        if not self.is_there:
            print(f"  left out: {clients.REPORTER} is not installed")
            return 0
        if self._unconfined:
            print(f"  not confined: {self._unconfined}")
        since_ms = time.time_ns() // 1_000_000
        print(
            f"  {'asked of ' + local_gateway.OPUS:26}{'status':>6}  {'reason':17}{'category':16}{'permille':>8}  model"
        )
        for asked in ASKS:
            answer = local_gateway.send(self._settings.gateway_bind, self._token, asked)
            if answer.status != HTTPStatus.OK:
                raise CannotStart(f"The gateway answered {answer.status}; see gateway.log beside the data.")
            print(
                f"  {asked.what:26}{answer.status:6}  {answer.reason:17}{answer.category:16}{answer.confidence:>8}"
                f"  {answer.model}",
                flush=True,
            )
        refused = local_gateway.send(self._settings.gateway_bind, str(Credential.make()), ASKS[0])
        print(f"  {'by a token of nobody':26}{refused.status:6}")
        events = asyncio.run(local_gateway.stored(self._settings, self._tenant, since_ms, len(ASKS)))
        _print_stored(events)
        return len(events)

    def print_command(self) -> None:
        """Print a request that a reader may send."""
        if self.is_there:
            body = json.dumps({"model": local_gateway.OPUS, "max_tokens": 64, "messages": ASKS[0].turns})
            print(
                f"\ncurl -sSi http://{self._settings.gateway_bind}/v1/messages -H 'x-api-key: any'"
                f" -H \"X-Nocontent-Token: $(cat '{self._folder / _TOKEN}')\" -d '{body}'"
            )


def _print_stored(events: list[RoutedEvent]) -> None:
    first = next(event for event in events if event.reason == "routed")
    print(
        f"  stored      {len(events):>7,} events, such as: {first.task_category}, {first.requested_model} ->"
        f" {first.routed_model}, {first.input_tokens} + {first.output_tokens} tokens, {first.reason}"
    )
    cost, baseline = (sum(each) for each in zip(*((e.cost_nanousd, e.baseline_nanousd) for e in events), strict=True))
    print(
        f"  saved       {(baseline - cost) / _NANO:>10,.4f} USD of {baseline / _NANO:.4f}, or"
        f" {100 * (baseline - cost) / baseline:.0f} %, at the prices of the book"
    )
