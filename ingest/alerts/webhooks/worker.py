"""The job that posts deliveries: it claims what is due, posts up to 128 at once, and stores what was answered.

A delivery is claimed and committed before it is posted, and settled after; if a worker dies between, it is due again in
a minute, under the same id.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import NamedTuple

from ingest import config, logs
from ingest.alerts.webhooks import backoff, payload, signing
from ingest.alerts.webhooks import settings as own
from ingest.alerts.webhooks.settings import WebhookSettings
from ingest.alerts.webhooks.signing import Message
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.knowledge.keys import Keys
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.mail import outbox
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice
from ingest.store.webhooks import deliveries
from ingest.store.webhooks.deliveries import Claim, Outcome
from ingest.store.webhooks.kinds import Answer

POSTS_MAX = 128  # At once, of which a webhook has four, and one that fails has one.
ROUND_S_MAX = 20.0  # Nothing is claimed after that, long before the lead ends (5 min).
REST_S = 1.0
TROUBLE_REST_S = 30.0
Post = Callable[[str, dict[str, str], bytes], Awaitable[Answer]]


class Sender(NamedTuple):
    """How deliveries are posted: by which function, signed by which keys."""

    post: Post
    keys: Keys

    async def send(self, claimed: Claim) -> Answer:
        """Post a delivery; return the class of the answer."""
        message = Message(str(claimed.delivery_id), int(time.time()), payload.body(claimed))
        headers = signing.headers(self.keys, claimed.webhook_id, message)
        return await self.post(claimed.url, headers, message.body)


async def work(connection: Connection) -> Round:
    """Post what is due, as far as a round goes; without keys nothing is claimed."""
    settings = config.load_own(WebhookSettings)
    counts, rest_s = Counter[Figure](), REST_S
    try:
        keys = own.keys(settings)
        allows_loopback = own.allows_loopback(settings)
        if keys is not None:
            counts = await _post_all(connection, keys(), allows_loopback=allows_loopback)
    except CannotStart as fault:
        logs.error("webhooks-failed", error=type(fault).__name__)
        rest_s = TROUBLE_REST_S
    now = await deliveries.standing(connection)
    figures: dict[Figure, int] = {
        **counts, "webhooks_waiting": now.waiting, "webhooks_failing": now.failing, "webhook_oldest_s": now.oldest_s,
    }  # fmt: skip
    return Round(figures, is_complete=True, rest_s=rest_s)


async def _post_all(connection: Connection, keys: Keys, *, allows_loopback: bool) -> Counter[Figure]:
    claimed = await deliveries.claim(connection, POSTS_MAX)
    if not claimed:
        return Counter()
    if find_spec("aiohttp") is None:
        raise CannotStart("Webhooks need the package aiohttp: install nocontent with the extra `mail`.")
    from ingest.alerts.webhooks.client import Client  # noqa: PLC0415 (of the extra `mail`)

    async with Client(allows_loopback=allows_loopback) as client:
        return await post_claimed(connection, Sender(client.post, keys), claimed)


async def post_claimed(connection: Connection, sender: Sender, claimed: list[Claim]) -> Counter[Figure]:
    """Post deliveries, and others as places become free; settle each as soon as it is answered."""
    until = time.monotonic() + ROUND_S_MAX
    counts: Counter[Figure] = Counter()
    running = _begun(sender, claimed)
    try:
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                counts.update(await _settle(connection, running.pop(task), task.result()))
            if time.monotonic() < until:
                running |= _begun(sender, await deliveries.claim(connection, POSTS_MAX - len(running)))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return counts


def _begun(sender: Sender, claimed: list[Claim]) -> dict[asyncio.Task[Answer], Claim]:
    return {asyncio.create_task(sender.send(each)): each for each in claimed}


async def _settle(connection: Connection, claimed: Claim, answer: Answer) -> list[Figure]:
    """Store what became of a delivery, and a letter in the same transaction if its webhook ended with that."""
    is_delivered = answer == "2xx"
    rest_s = None if is_delivered or answer == "gone" else backoff.rest_s(claimed.attempt)
    async with connection.transaction():
        reason = await deliveries.settle(connection, claimed, Outcome(answer, is_delivered, rest_s))
        if reason is not None:
            about = Notice("webhook-disabled", (claimed.webhook_id,), (), claimed.webhook_id)
            await outbox.put_to_roles(connection, claimed.tenant_id, KINDS["webhook-disabled"].roles, about)
    found: list[Figure] = ["webhooks_delivered"] if is_delivered else ["webhooks_failed"]
    if not is_delivered and rest_s is None:
        found.append("webhooks_given_up")
    if reason is not None:
        logs.warning("webhook-ended", tenant_id=claimed.tenant_id)
        found.append("webhooks_ended")
    return found
