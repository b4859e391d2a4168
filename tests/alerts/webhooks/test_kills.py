"""`nocontent jobs` killed between the answer of a receiver and the UPDATE: the same message comes again."""

import asyncio
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from standardwebhooks.webhooks import Webhook

from ingest.alerts.webhooks import signing
from ingest.knowledge import keys
from ingest.store import connections
from ingest.store.webhooks import deliveries, webhooks
from ingest.store.webhooks.deliveries import Event
from tests.support import accounts, receiver, service
from tests.support.certificates import Pair
from tests.support.cluster import operator
from tests.support.receiver import Receiver

_LOCK = "SELECT FROM webhook_deliveries FOR UPDATE"
_DUE = "UPDATE webhook_deliveries SET not_before = now()"
_STATES = "SELECT state, attempts FROM webhook_deliveries"


def _jobs(dsn: str, pair: Pair, folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    wanted = {"webhook_keys_file": folder / "keys", "webhook_loopback": True}
    environment = service.environment(dsn, **wanted) | {"SSL_CERT_FILE": str(pair.root)}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "ingest", "jobs", *more], cwd=service.ROOT, env=environment, stdout=log, stderr=log
        )


async def test_a_message_comes_again_under_its_id(database: str, hook: Receiver, pair: Pair, tmp_path: Path) -> None:
    own = keys.write(tmp_path / "keys")
    member = await accounts.member(database)
    async with connections.connected(database, "nocontent_control") as control:
        webhook = await webhooks.add(control, member.tenant_id, hook.url)
    async with connections.connected(database, "nocontent_mailer") as mailer:
        assert await deliveries.put(mailer, member.tenant_id, webhook, Event("erasure-receipt", uuid4(), [uuid4()]))
    worker = _jobs(database, pair, tmp_path)
    answered = asyncio.Event()
    async with operator(database) as connection:
        transaction = connection.transaction()

        async def respond(writer: asyncio.StreamWriter) -> None:
            await transaction.start()
            await connection.execute(_LOCK)  # So that the worker cannot settle.
            await receiver.raw(receiver.OK)(writer)
            answered.set()

        hook.respond = respond
        await asyncio.wait_for(answered.wait(), service.WAIT_S)
        worker.kill()
        worker.wait()
        await transaction.rollback()
        assert [tuple(row) for row in await connection.fetch(_STATES)] == [(2, 1)]
        await connection.execute(_DUE)
        hook.respond = receiver.raw(receiver.OK)
        assert await asyncio.to_thread(_jobs(database, pair, tmp_path, "--once").wait, service.WAIT_S) == 0
        assert [tuple(row) for row in await connection.fetch(_STATES)] == [(3, 2)]
    _require_same(hook, signing.secret(own, webhook))
    said = (tmp_path / "log").read_text()
    assert "1 webhooks delivered" in said
    for secret in ("localhost", "/hook", signing.secret(own, webhook), str(webhook)):
        assert secret not in said


def _require_same(hook: Receiver, secret: str) -> None:
    first, second = hook.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    for each in hook.received:
        Webhook(secret).verify(each.body, dict(each.headers))
