"""`demo`: run the whole service on this machine, and send it a real trace and requests that must be refused."""

import argparse
import asyncio
import dataclasses
import http.client
import json
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from tqdm import tqdm

from ingest import embedded
from ingest.cli import processes, trace
from ingest.cli.arguments import Subparsers
from ingest.cli.demo_gateway import Gateway
from ingest.cli.processes import Settings
from ingest.cli.refusals import Bad, bad_requests
from ingest.demo import clients, local_console, local_gateway, local_service, statement
from ingest.demo.clients import CLIENTS, Sent
from ingest.demo.settings import DemoSettings
from ingest.errors import CannotStart
from ingest.serving import problems
from ingest.store import connections, privileges, summary
from ingest.store.database import require_dsn
from schema.ids import uuid7
from schema.limits import RETENTION_DAYS_MAX

TENANT = "demo"
TAGS = {"team": ("assistant", "editor", "search")}
BATCH_EVENTS = 1_000
REBATCH_EVENTS = 700  # Other batches the second time, so that the events are duplicates and no batch is a replay.


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "start the service on this machine, send it a real trace, what other clients send and what must be refused"
    demo = commands.add_parser("demo", help=says, description=says)
    demo.add_argument("--once", action="store_true", help="exit after the summary")
    demo.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    # SIGTERM acts like Ctrl-C, so that every process started here ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = processes.load()
    folder = local_service.own_folder(Path(wanted.data_dir))
    try:
        with _database(wanted) as dsn:
            bind, metrics_bind = (
                local_service.free_address(wanted.bind),
                local_service.free_address(wanted.metrics_bind),
            )
            addressed = dataclasses.replace(wanted, dsn=dsn, bind=bind, metrics_bind=metrics_bind)
            settings = local_gateway.prepared(addressed, folder)
            token = asyncio.run(local_service.prepare(settings, TENANT, TAGS))
            _keep_secret(folder / "token", token)
            gateway = Gateway(settings, folder, TENANT)
            is_ours = not wanted.dsn
            own = _as(settings, privileges.SERVICE_LOGIN, is_ours=is_ours)
            with local_service.serving(own, folder / "serve.log") as service, gateway.serving():
                _Tour(settings, token, gateway).run()
                if not args.once:
                    with _console(settings, folder, is_ours=is_ours):
                        print("\nserving until Ctrl-C …", flush=True)
                        return service.wait()
    except KeyboardInterrupt:
        print("\nstopped; the rows are kept for the next start")
    return 0


def _as(settings: Settings, login: str, *, is_ours: bool) -> Settings:
    """Return the settings of a process with its own login; in our own PostgreSQL, no server is a superuser either."""
    return (
        dataclasses.replace(settings, dsn=asyncio.run(local_service.as_login(settings.dsn, login)))
        if is_ours
        else settings
    )


@contextmanager
def _console(settings: Settings, folder: Path, *, is_ours: bool) -> Iterator[None]:
    """Serve the console until the block ends, and print how to sign in."""
    own = local_console.prepared(settings, folder)
    with local_service.serving(_as(own, privileges.CONSOLE_LOGIN, is_ours=is_ours), folder / "console.log", "console"):
        print(f"\nThe console: {own.console_url}; this link signs the owner of {TENANT} in, once, within 10 minutes:")
        print(f"\n{asyncio.run(local_console.sign_in_url(own, TENANT))}")
        yield


@contextmanager
def _database(wanted: DemoSettings) -> Iterator[str]:
    if wanted.dsn:
        print("using the PostgreSQL of NOCONTENT_DSN")
        yield require_dsn(wanted)
        return
    started = time.monotonic()
    with embedded.start(Path(wanted.data_dir).resolve() / "postgres") as server:
        print(f"PostgreSQL started in {time.monotonic() - started:.1f} s, data in {server.data_dir}")
        yield server.dsn


def _keep_secret(path: Path, text: str) -> None:
    with local_service.own_file(path) as file:
        file.write(f"{text}\n".encode("ascii"))


class _Tour:
    """Sends everything and prints the results."""

    def __init__(self, settings: DemoSettings, token: str, gateway: Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(settings.bind, timeout=60)

    def run(self) -> None:
        before = asyncio.run(self._totals())
        arrivals = trace.read()
        now_ms = time.time_ns() // 1_000_000
        events = list(trace.events(arrivals, now_ms))
        self._title("A real trace: 28,185 requests that two Azure services received on 2023-11-16")
        stream, first_s, stored = self._replay("first time", events, BATCH_EVENTS)
        speed = stored["accepted"] / first_s
        print(f"  stored      {stored['accepted']:>7,} events, {speed:,.0f} events/s over one connection")
        _, _, known = self._replay("second time", events, REBATCH_EVENTS)
        print(f"  duplicates  {known['duplicates']:>7,} of {len(events):,} when sent again in other batches")
        receipt = self._post(self._body(events[:BATCH_EVENTS], stream, 0))[1]
        print(f"  replayed    {receipt['accepted']:>7,} events: the first receipt of a batch that was sent before")
        rows = Sent(
            sent=len(events), stored=stored["accepted"], refused=0, rules=[], bytes=stored["bytes"] / len(events)
        )
        stored_by_others = self._others(rows)
        self._title("A gateway in front of a sample provider, with a table of routes")
        stored_by_others += self._gateway.show()
        self._refuse(arrivals, now_ms)
        self._summarize(before, len(events) + stored_by_others)
        self._account()
        self._try_it(arrivals, now_ms)

    def _replay(self, name: str, events: list[dict[str, object]], size: int) -> tuple[str, float, Counter[str]]:
        stream = str(uuid7(time.time_ns() // 1_000_000, secrets.randbits(80)))
        sums: Counter[str] = Counter()
        started = time.monotonic()
        with tqdm(
            total=len(events), desc=f"  {name}", unit="event", leave=False, disable=not sys.stderr.isatty()
        ) as bar:
            for sequence, start in enumerate(range(0, len(events), size)):
                part = events[start : start + size]
                body = self._body(part, stream, sequence)
                status, answer = self._post(body)
                if status != http.HTTPStatus.OK:
                    raise CannotStart(f"The service answered {status} to the trace; see serve.log beside the data.")
                sums.update({name: answer[name] for name in ("accepted", "duplicates")}, bytes=len(body))
                bar.update(len(part))
        return stream, time.monotonic() - started, sums

    def _others(self, rows: Sent) -> int:
        """Run the other clients, print a row for each, and return how many events they had stored."""
        self._title("Other clients, each in a process of its own; the last call of each carries content or a key")
        print(f"  {'':30}{'sent':>7}{'stored':>9}{'refused':>9}  {'by rule':24}{'plain bytes an event':>20}")
        _print_row("the trace above (rows)", rows)
        token_file, stored, wrong = Path(self._settings.data_dir) / "token", 0, 0
        for client in CLIENTS:
            if not clients.is_installed(client):
                print(f"  {client.what:30}left out: {client.needs} is not installed")
                continue
            done = clients.run(client, self._settings, token_file)
            _print_row(client.what, done)
            stored += done.stored
            wrong += (done.sent, done.refused) != (done.stored + done.refused, 1)
        if wrong:
            raise CannotStart(f"{wrong} of the other clients were not answered as they must be.")
        return stored

    def _refuse(self, arrivals: list[trace.Arrival], now_ms: int) -> None:
        self._title("What must be refused")
        good = trace.event(arrivals[0], now_ms)
        old = str(uuid7(now_ms - (RETENTION_DAYS_MAX + 2) * 86_400_000, secrets.randbits(80)))
        failed = 0
        for bad in bad_requests(good, old):
            status, problem = self._send(bad)
            where = {violation.rule: violation.pointer for violation in problem.violations}
            is_right = bad.expected in (where or {problem.type.removeprefix(problems.TYPE_PREFIX)})
            failed += not is_right
            verdict = "refused" if is_right else "WRONG  "
            print(f"  {verdict}  {status}  {bad.what:30} {bad.expected:30} {where.get(bad.expected, '')}")
        if failed:
            raise CannotStart(f"{failed} requests were not refused as they must be.")

    def _summarize(self, before: summary.Totals, expected: int) -> None:
        totals = asyncio.run(self._totals())
        self._title("In the database")
        print(
            f"  events      {totals.events:>7,}"
            + (f", of them {before.events:,} from earlier runs" if before.events else "")
        )
        print(f"  cost        {totals.cost_nanousd / 1e9:>10,.2f} USD (prices are real, the routing is made up)")
        print(f"  saved       {totals.savings_nanousd / 1e9:>10,.2f} USD against the requested models")
        print(f"  columns of `events` that could hold text: {totals.text_columns}")
        state = "no" if totals.events - before.events == expected else "UNEXPECTED"
        print(f"  {state} event came from the refused requests")
        waiting = Counter(asyncio.run(local_console.invite_owner(self._settings, TENANT)))
        kinds = ", ".join(f"{count} {kind}" for kind, count in waiting.items()) or "none"
        print(f"  letters that wait for a mail server (NOCONTENT_SMTP_URL): {kinds}; `nocontent mail list {TENANT}`")

    def _account(self) -> None:
        self._title("What it comes to, from the rollups")
        tenant = asyncio.run(local_service.find(self._settings.dsn, TENANT))
        print(
            *(f"  {line}" for line in statement.lines(asyncio.run(statement.read(self._settings.dsn, tenant)))),
            sep="\n",
        )

    def _try_it(self, arrivals: list[trace.Arrival], now_ms: int) -> None:
        self._title("Send one yourself (again: a duplicate; with a field more: refused)")
        body = json.dumps({"events": [trace.event(arrivals[0], now_ms)]}, separators=(",", ":"))
        sample = Path(self._settings.data_dir) / "batch.json"
        _keep_secret(sample, body)
        token = Path(self._settings.data_dir) / "token"
        print(
            f"\ncurl -sS http://{self._settings.bind}/v1/events -H \"Authorization: Bearer $(cat '{token}')\""
            f" -H 'Content-Type: application/json' -d '{body}'"
        )
        self._gateway.print_command()
        print(f"\nthe same event stands in {sample}; metrics: http://{self._settings.metrics_bind}/metrics")

    async def _totals(self) -> summary.Totals:
        async with connections.connected(self._settings.dsn, "nocontent_analyst") as connection:
            return await summary.totals(connection)

    @staticmethod
    def _body(events: list[dict[str, object]], stream: str, sequence: int) -> bytes:
        return msgspec.json.encode({"stream": {"id": stream, "sequence": sequence}, "events": events})

    def _post(self, body: bytes) -> tuple[int, dict[str, int]]:
        self._connection.request("POST", "/v1/events", body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _send(self, bad: Bad) -> tuple[int, problems.Problem]:
        """Send over a new connection; the response may arrive before the body is sent."""
        connection = http.client.HTTPConnection(self._settings.bind, timeout=60)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", f"/v1/events{bad.query}", bad.body, self._headers | dict(bad.headers))
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read(), type=problems.Problem)

    @staticmethod
    def _title(text: str) -> None:
        print(f"\n{text}", flush=True)


def _print_row(what: str, done: Sent) -> None:
    rule = done.rules[0] if done.rules else ""
    print(f"  {what:30}{done.sent:7,}{done.stored:9,}{done.refused:9,}  {rule:24}{done.bytes:20,.0f}", flush=True)
