"""`nocontent console` as an operator runs it, and people who visit it with a browser of few words."""

import asyncio
import contextlib
import html
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID, uuid4

from ingest.accounts.links import Link
from ingest.accounts.passwords import Passwords
from ingest.accounts.roles import ROLES, Role
from ingest.accounts.sessions import COOKIE_NAME
from ingest.knowledge import keys as session_keys
from ingest.store import connections
from ingest.store.accounts import people
from ingest.store.accounts.people import NewPerson
from ingest.store.budgets import budgets
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.outbox import Letter
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from ingest.store.webhooks import webhooks
from tests.support import bills, customers, entries, service
from tests.support.budgets import DOLLAR, spec
from tests.support.wire import Answer, Sender

MONDAY = date(2026, 11, 16)
PASSWORD = "four unrelated garden words"
TENANTS = ("acme", "globex")
FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r'name="token" value="([A-Za-z0-9_-]+)"')


class Console(NamedTuple):
    """A running console with its people: one of each role, in each tenant."""

    process: "subprocess.Popen[bytes]"
    bind: str
    metrics_bind: str
    dsn: str
    log: Path

    @property
    def origin(self) -> str:
        return f"http://{self.bind}"

    def stranger(self) -> "Visitor":
        return Visitor(self)

    @contextlib.contextmanager
    def visitor(self, role: Role, tenant: str = "acme") -> Iterator["Visitor"]:
        """Yield a person of a role who has signed in."""
        with contextlib.closing(Visitor(self)) as made:
            made.sign_in(tenant, f"{role}@example.com")
            yield made


class Visitor:
    """A browser: keeps the one cookie, follows no redirect, and says where its requests come from."""

    def __init__(self, console: Console) -> None:
        self._sender = Sender(console.bind)
        self.cookie: str | None = None

    def close(self) -> None:
        self._sender.close()

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request("GET", path, None, headers)

    def post(
        self, path: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Send a form with the token of the session, if there is one."""
        own = {"token": self.token()} if self.cookie is not None else {}
        return self.submit(path, own | dict(form or {}), headers)

    def submit(self, path: str, form: Mapping[str, str], headers: Mapping[str, str | None] | None = None) -> Answer:
        """Send a form as it is, from a page of the console."""
        return self.request(
            "POST", path, urlencode(form).encode(), {"Sec-Fetch-Site": "same-origin"} | dict(headers or {})
        )

    def request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        own: dict[str, str | None] = {"Content-Type": FORM if body is not None else None}
        if self.cookie is not None:
            own["Cookie"] = f"{COOKIE_NAME}={self.cookie}"
        answer = self._sender.request(method, path, body, own | dict(headers or {}))
        self._keep(answer)
        return answer

    def token(self) -> str:
        """Return the token of the session's forms, from a page."""
        found = _TOKEN.search(self.get("/account").body.decode())
        assert found is not None
        return found[1]

    def sign_in(self, tenant: str, email: str, password: str = PASSWORD) -> None:
        answer = self.submit("/sign-in", {"organisation": tenant, "email": email, "password": password})
        assert answer.status == HTTPStatus.SEE_OTHER, text(answer)

    def _keep(self, answer: Answer) -> None:
        given = SimpleCookie(answer.headers.get("set-cookie", "")).get(COOKIE_NAME)
        if given is not None:
            self.cookie = given.value or None


def text(answer: Answer) -> str:
    """Return what a page says, without its markup."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", answer.body.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def furnish(dsn: str) -> None:
    """Make the tenants, each with a token, a batch of a stream, and one person of every role, who accepted PASSWORD."""
    made = customers.prepare(dsn, dict.fromkeys(TENANTS, customers.CustomerSpec()))
    asyncio.run(_furnish(dsn, [each.tenant_id for each in made.values()]))


def add_letters(dsn: str, tenant_id: int, monday: date = MONDAY) -> None:
    """Put letters to the owner of a tenant, one about the week from a day on."""
    asyncio.run(_add_letters(dsn, tenant_id, monday))


async def _add_letters(dsn: str, tenant_id: int, monday: date) -> None:
    day = (monday - date(1970, 1, 1)).days
    week = (day, *((day + days) * 86_400 for days in (-7, 0, 7)))
    async with connections.connected(dsn, "nocontent_control") as control:
        owner = await people.find(control, tenant_id, "owner@example.com")
        for letter in (
            Letter("new-place", owner, (uuid4(),), (), uuid4()),
            Letter("weekly-review", owner, (), week, uuid4()),
            Letter("reset", owner, (), (), uuid4()),
        ):
            assert await outbox.put(control, tenant_id, letter)


def add_documents(dsn: str, tenant_id: int) -> None:
    """Issue an invoice, record an erasure that erases nothing, put letters, and add a budget and a webhook."""
    add_letters(dsn, tenant_id)
    asyncio.run(bills.issue(dsn, [1_000], tenant_id))
    subject = Subject(tenant_id, "stream", stream_id=UUID(int=0), sequence=0)
    customers.act(dsn, lambda connection: erasures.record(connection, subject))
    customers.act(dsn, lambda connection: budgets.add(connection, tenant_id, spec(DOLLAR)))
    customers.act(dsn, lambda connection: webhooks.add(connection, tenant_id, "https://hooks.example.com/other"))


async def _furnish(dsn: str, tenant_ids: list[int]) -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    async with connections.connected(dsn, "nocontent_control") as control:
        for tenant_id in tenant_ids:
            for role in ROLES:
                await add(dsn, control, tenant_id, NewPerson(f"{role}@example.com", f"The {role}", role), hashed)
    async with entries.writing(dsn) as queue:
        for tenant_id in tenant_ids:
            await entries.acknowledged(queue, entries.entry(tenant_id=tenant_id, sequence=1, stream_id=uuid4()))


async def add(dsn: str, control: Connection, tenant_id: int, new: NewPerson, hashed: str) -> None:
    """Add a person who has accepted the invitation."""
    link = Link.make()
    person_id = await people.add(control, tenant_id, new)
    await people.add_link(control, tenant_id, person_id, "invitation", link.digest)
    async with connections.connected(dsn, "nocontent_console") as connection:
        assert await connection.fetchval("SELECT nocontent.use_link($1, $2)", link.digest, hashed)


@contextlib.contextmanager
def serving(dsn: str, folder: Path, **settings: object) -> Iterator[Console]:
    """Serve the console on free ports until the block ends."""
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in service.free_ports(2))
    key_file = folder / "session-keys"
    session_keys.write(key_file)
    wanted: dict[str, object] = {
        "console_bind": bind,
        "console_metrics_bind": metrics_bind,
        "console_url": f"http://{bind}",
        "session_keys_file": key_file,
        "unsubscribe_keys_file": key_file,
        "webhook_keys_file": key_file,
        "drain_s": 0,
        **settings,
    }
    log = folder / "console.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest", "console"],
            cwd=service.ROOT, env=service.environment(dsn, **wanted), stdout=lines, stderr=lines,
        )  # fmt: skip
    console = Console(process, bind, metrics_bind, dsn, log)
    try:
        service.wait_until(lambda: _is_ready(console), lambda: log.read_text("utf-8", "replace"))
        yield console
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(service.WAIT_S)


def _is_ready(console: Console) -> bool:
    assert console.process.poll() is None, console.log.read_text("utf-8", "replace")
    with contextlib.closing(Sender(console.bind)) as sender, contextlib.suppress(ConnectionRefusedError):
        return sender.get("/readyz").status == HTTPStatus.OK
    return False
