"""A service, a fake provider and a relay between clients and service, for cases that each have a tenant."""

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ingest.store import dump, tenants, tokens, vocabulary
from ingest.store.connections import Connection
from schema.event import Kind
from schema.learning import Candidate
from tests.clients import litellm_proxy, otlp_spans, upstream
from tests.clients.cases import Case, LiteLLMCase
from tests.clients.litellm_proxy import MODEL_GROUPS, Callback
from tests.clients.otlp_spans import SpanCase
from tests.clients.page import Row
from tests.clients.relay import Relay, relaying
from tests.support import cluster, customers, service
from tests.support.service import ROOT, Server
from tests.support.wire import Sender

PYTHON = ROOT / ".venv-clients/bin/python"
CANARY = b"CANARY"
STORED_S = 45.0
_REFUSALS = re.compile(r"^ingest_refusals_total\{[^}]*\} (\S+)$", re.MULTILINE)
_OK = 200


class _Violation(msgspec.Struct):
    rule: str


class _Said(msgspec.Struct):
    """What an answer may say: counts, or reasons."""

    rejected: int = 0
    violations: list[_Violation] = []


class Rig:
    """What every case shares."""

    def __init__(self, server: Server, relay: Relay, provider: str, folder: Path) -> None:
        self._server = server
        self._relay = relay
        self._provider = provider
        self._folder = folder
        self._tenants = 0

    def litellm(self, cases: Sequence[LiteLLMCase], *, redacts: bool) -> list[Row]:
        """Run LiteLLM's proxy once, with a callback for each case."""
        made = {each.name: self._tenant(each.case) for each in cases}
        callbacks = [Callback(each.name, made[each.name][1], each.settings) for each in cases]
        with litellm_proxy.proxy(self._provider, self._relay.url, callbacks, self._folder, redacts=redacts) as url:
            refused = self._refused()
            litellm_proxy.call(url)
            self._await_stored({made[each.name][0]: each.case.expected.stored for each in cases})
            self._await_refused(refused + sum(len(each.case.expected.refused) > 0 for each in cases))
            time.sleep(litellm_proxy.FLUSHED_S + 1)  # What should not be sent would be by then.
        return [self._row(each.case, *made[each.name]) for each in cases]

    def example(self, name: str, case: Case) -> Row:
        """Run an example of the reporter with a provider's SDK, asking for what must not be stored."""
        tenant, token = self._tenant(case)
        folder = self._folder / name
        folder.mkdir()
        environment = {
            "ANTHROPIC_API_KEY": "CANARY-KEY", "ANTHROPIC_BASE_URL": self._provider,
            "OPENAI_API_KEY": "CANARY-KEY", "OPENAI_BASE_URL": f"{self._provider}/v1", "HOME": str(folder),
            **litellm_proxy.reporting(self._relay.url, token, folder),
        }  # fmt: skip
        program = ROOT / f"reporter/examples/{name}.py"
        subprocess.run([PYTHON, program, "CANARY-PROMPT"], env=environment, check=True, timeout=60)
        self._await_stored({tenant: case.expected.stored})
        return self._row(case, tenant, token)

    def spans(self, wanted: SpanCase) -> Row:
        """Run an SDK under an instrumentation once."""
        tenant, token = self._tenant(wanted.case)
        otlp_spans.run(wanted, self._provider, self._relay.url, token)
        self._await_stored({tenant: wanted.case.expected.stored})
        answers = self._relay.answers[token]
        rejected, refused = otlp_spans.outcome(answers)
        statuses = frozenset(answer.status for answer in answers)
        return Row(wanted.case, statuses, self._stored(tenant), rejected, refused)

    async def canaries(self) -> list[str]:
        """Return the places in which a canary is found: answers, log, metrics, tables."""
        scraper = Sender(self._server.metrics_bind)
        places = {
            "an answer": b"".join(each.head + each.body for some in self._relay.answers.values() for each in some),
            "the log": self._server.log.read_bytes(),
            "the metrics": scraper.get("/metrics").body,
        }
        scraper.close()
        found = {place for place, held in places.items() if CANARY in held}
        async for table, piece in dump.dump(self._server.dsn):
            if piece is not None and CANARY in piece:
                found.add(table)
        return sorted(found)

    def _tenant(self, case: Case) -> tuple[int, str]:
        """Make the tenant of a case, with a token."""
        self._tenants += 1
        name = f"client-{self._tenants}"

        async def make(connection: Connection) -> tuple[int, str]:
            tenant = await tenants.add(connection, name)
            await tenants.set_diagnostics(connection, tenant, case.diagnostics)
            for group in MODEL_GROUPS:
                await vocabulary.add(connection, tenant, Candidate(Kind.MODEL, 0, group))
            return tenant, await tokens.issue(connection, tenant, tokens.SCOPES_DEFAULT, None)

        return customers.act(self._server.dsn, make)

    def _stored(self, tenant: int) -> int:
        (row,) = cluster.fetch(self._server.dsn, "SELECT count(*) FROM events WHERE tenant_id = $1", tenant)
        return int(row[0])

    def _await_stored(self, expected: Mapping[int, int]) -> None:
        """Wait until each tenant has the rows expected, or long enough to say that it never will."""
        deadline = time.monotonic() + STORED_S
        while time.monotonic() < deadline:
            if all(self._stored(tenant) >= rows for tenant, rows in expected.items()):
                return
            time.sleep(0.5)

    def _refused(self) -> int:
        """Return how many requests were refused so far."""
        scraper = Sender(self._server.metrics_bind)
        text = scraper.get("/metrics").body.decode()
        scraper.close()
        return sum(int(float(count)) for count in _REFUSALS.findall(text))

    def _await_refused(self, count: int) -> None:
        """Wait until so many requests were refused, or long enough to say that they never will be."""
        deadline = time.monotonic() + STORED_S
        while self._refused() < count and time.monotonic() < deadline:
            time.sleep(0.5)

    def _row(self, case: Case, tenant: int, token: str) -> Row:
        answers = self._relay.answers[token]
        said = [msgspec.json.decode(answer.body, type=_Said) for answer in answers]
        refused = [each.violations[0].rule for each in said if each.violations]
        statuses = frozenset(answer.status for answer in answers)
        return Row(case, statuses, self._stored(tenant), sum(each.rejected for each in said), frozenset(refused))


@contextlib.contextmanager
def running() -> Iterator[Rig]:
    """Start all that cases share."""
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        dsn = opened.enter_context(cluster.started()).migrated()
        server = opened.enter_context(service.serving(dsn, folder / "serve.log", workers=1))
        relay = opened.enter_context(relaying(server.bind))
        yield Rig(server, relay, opened.enter_context(upstream.serving()), folder)
