"""What a person at a browser needs: a service that was sent the demo's real trace, its jobs, and a console."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.alerts.budgets import asking
from ingest.alerts.budgets.asking import Given
from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.cli import trace
from ingest.demo import statement
from ingest.knowledge.keys import KeyFile
from ingest.store.budgets import budgets
from ingest.store.budgets.budgets import Scope
from ingest.store.connections import Connection
from tests.support import cluster, console, customers, erasing, sample, service
from tests.support.cluster import Cluster
from tests.support.console import MONDAY, Console
from tests.support.customers import Customer, CustomerSpec
from tests.support.service import Server
from tests.support.wire import Answer

TENANT = "acme"
MODEL = "acme-large-2"  # Which nobody has registered.
_BATCH_EVENTS = 5_000
# The trace costs some 126 dollars.
_BUDGETS = (
    Given("150", "month", has_forecast=True), Given("30", "month", Scope.MODEL, "claude-haiku-4-5"),
    Given("400", "month", Scope.CATEGORY, "chat", zone="Europe/Berlin"),
)  # fmt: skip


class Stage(NamedTuple):
    """A running service and console, with one tenant."""

    server: Server
    console: Console
    customer: Customer
    public_keys: Path  # Of receipts.

    def send(self, token: str | None = None, **changed: object) -> Answer:
        """Send an event, as the tenant's proxy does."""
        with contextlib.closing(self.server.sender(token or self.customer.token)) as sender:
            return sender.post(msgspec.json.encode({"events": [sample.event(**changed)]}))

    def command(self, *arguments: str) -> str:
        """Run an operator's command, and return its output."""
        ended = service.command(*arguments, env=service.environment(self.server.dsn, console_url=self.console.origin))
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.decode()

    def invite(self, email: str, role: str) -> str:
        """Invite a person, as an operator, and return the link."""
        return self.command("account", "invite", TENANT, email, "--role", role, "--name", f"The {role}").strip()

    def write(self, monday: date = MONDAY) -> str:
        """Put letters to the owner; return the path that unsubscribes from one."""
        with ThreadPoolExecutor(1) as thread:  # As in `run`.
            return thread.submit(self._write, monday).result()

    def _write(self, monday: date) -> str:
        console.add_letters(self.server.dsn, self.customer.tenant_id, monday)
        (owner,) = cluster.fetch(self.server.dsn, "SELECT person_id FROM people WHERE role = 'owner'")
        keys = KeyFile(self.console.log.with_name("session-keys")).keys()
        return unsubscribe.url("", keys, Subscription(self.customer.tenant_id, owner[0], "report"))

    def run(self, statement: str) -> None:
        """Run a statement as a superuser; in another thread, because Playwright has a loop in this one."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(cluster.run, self.server.dsn, statement).result()


@contextlib.contextmanager
def serving(postgres: Cluster, folder: Path) -> Iterator[Stage]:
    """Serve both until the block ends, with the trace stored and summed."""
    dsn = postgres.migrated()
    customer = customers.prepare(dsn, {TENANT: CustomerSpec()})[TENANT]
    given = erasing.settings(folder / "erasures")
    erasures, public = given["NOCONTENT_ERASURES_DIR"], given["NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE"]
    with (
        service.serving(
            dsn, folder / "serve.log", workers=1, erasures_dir=erasures, receipt_public_keys_file=public,
            receipt_key_file=given["NOCONTENT_RECEIPT_KEY_FILE"], backup_days=erasing.BACKUP_DAYS, erasure_percent=100,
        ) as server,
        console.serving(dsn, folder, erasures_dir=erasures, receipt_public_keys_file=public) as pages,
    ):  # fmt: skip
        stage = Stage(server, pages, customer, Path(public))
        _send_trace(stage)
        assert (stage.send(prompt="hello").status, stage.send(routed_model=MODEL).status) == (422, 422)
        asyncio.run(statement.read(dsn, customer.tenant_id))
        customers.act(dsn, lambda connection: _add_budgets(connection, customer.tenant_id))
        yield stage
    postgres.drop(dsn)


async def _add_budgets(connection: Connection, tenant_id: int) -> None:
    for given in _BUDGETS:
        await budgets.add(connection, tenant_id, await asking.read(connection, tenant_id, given))


def _send_trace(stage: Stage) -> None:
    events, stream = list(trace.events(trace.read(), time.time_ns() // 1_000_000)), sample.uuid7()
    with contextlib.closing(stage.server.sender(stage.customer.token)) as sender:
        for sequence, start in enumerate(range(0, len(events), _BATCH_EVENTS)):
            batch = {"stream": {"id": stream, "sequence": sequence}, "events": events[start : start + _BATCH_EVENTS]}
            answer = sender.post(msgspec.json.encode(batch))
            assert answer.status == 200, answer.body
