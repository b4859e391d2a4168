"""A process that sends the letters that are due, and is killed by whoever started it: `… killed_mailer DSN PORT`."""

import asyncio
import ssl
import sys

from ingest.alerts.mail import round as rounds
from ingest.alerts.mail.settings import Relay
from ingest.store import connections
from tests.support import mail


async def _run(dsn: str, port: int) -> None:
    relay = Relay(mail.HOST, port, "none", None, None, mail.SENDER)
    async with connections.connected(dsn, "nocontent_mailer") as connection:
        await rounds.send_over(connection, relay, ssl.create_default_context(), mail.compose)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2])))
