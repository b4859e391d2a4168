"""A round over a mail server: letters that were left on their way are taken up, and what is due is sent."""

import ssl
from collections.abc import Mapping
from functools import partial

from ingest import logs
from ingest.alerts.mail import smtp
from ingest.alerts.mail.settings import SERVER_REST_S, Relay
from ingest.alerts.mail.smtp import NoTls, ServerError
from ingest.alerts.mail.worker import Compose, Tally, Worker
from ingest.jobs.job import Round
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.mail import sending
from ingest.store.mail.kinds import ambiguous

REST_S = 1.0
_FIGURES: Mapping[str, Figure] = {
    "sent": "letters_sent",
    "bounced": "letters_bounced",
    "given-up": "letters_given_up",
    "suppressed": "letters_suppressed",
    "over-limit": "letters_suppressed",
    "refused": "letters_suppressed",
}


async def send_over(connection: Connection, wanted: Relay, tls: ssl.SSLContext, compose: Compose) -> Round:
    """Take up letters that were left on their way, and send what is due over a server."""
    worker = Worker(connection, wanted.sender, compose)
    worker.tally.ambiguous.update(await sending.reclaim(connection))
    worker.tally.states["given-up"] += await sending.expire(connection)
    faults: dict[Figure, int] = {"mail_server_failing": 0, "mail_without_tls": 0}
    is_complete = True
    if (await sending.waiting(connection)).letters:
        connect = partial(smtp.connect, wanted, tls)
        try:
            is_complete = await worker.run(connect, await connect())
        except ServerError as lost:
            logs.error("mail-server-unavailable", error=type(lost).__name__)
            faults = {"mail_server_failing": 1, "mail_without_tls": int(isinstance(lost, NoTls))}
    due = await sending.waiting(connection)
    figures = _figures(worker.tally) | faults | {"letters_waiting": due.letters, "letter_oldest_s": due.oldest_s}
    return Round(figures, is_complete, SERVER_REST_S if faults["mail_server_failing"] else REST_S)


def _figures(tally: Tally) -> dict[Figure, int]:
    figures: dict[Figure, int] = dict.fromkeys(_FIGURES.values(), 0)
    for state, count in tally.states.items():
        if state in _FIGURES:
            figures[_FIGURES[state]] += count
    for kind, count in tally.ambiguous.items():
        figures[ambiguous(kind)] = count
    return figures
