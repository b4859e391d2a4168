"""The job `mail`: letters that are due to the server that the settings name; without one they wait."""

import ssl
from collections.abc import Mapping
from functools import partial

from ingest import config, logs
from ingest.alerts.mail import composing, smtp
from ingest.alerts.mail.composing import ComposerSettings
from ingest.alerts.mail.settings import Relay, relay
from ingest.alerts.mail.smtp import NoTls, ServerError
from ingest.alerts.mail.worker import Compose, Tally, Worker
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.mail import sending
from ingest.store.mail.kinds import ambiguous

REST_S = 1.0
SERVER_REST_S = 30.0  # While the server cannot be used.
_NO_FAULT: dict[Figure, int] = {"mail_server_failing": 0, "mail_without_tls": 0}
_FIGURES: Mapping[str, Figure] = {
    "sent": "letters_sent",
    "bounced": "letters_bounced",
    "given-up": "letters_given_up",
    "suppressed": "letters_suppressed",
    "over-limit": "letters_suppressed",
    "refused": "letters_suppressed",
}


def check() -> None:
    """Raise CannotStart unless the settings of mail are as they should be."""
    settings = config.load_own(ComposerSettings)
    if relay(settings):
        composing.composer(settings)


async def send_mail(connection: Connection) -> Round:
    """Send what is due."""
    settings = config.load_own(ComposerSettings)
    try:
        wanted = relay(settings)
        compose = composing.composer(settings) if wanted else None
    except CannotStart as fault:  # Only this job stops; the file may be mended while it rests.
        logs.error("mail-server-unavailable", error=type(fault).__name__)
        return Round(_NO_FAULT | {"mail_server_failing": 1}, is_complete=True, rest_s=SERVER_REST_S)
    if wanted is None or compose is None:
        expired, due = await sending.expire(connection), await sending.waiting(connection)
        figures = _NO_FAULT | {"letters_given_up": expired, "letters_waiting": due.letters, "letter_oldest_s": 0}
        return Round(figures, is_complete=True, rest_s=SERVER_REST_S)
    return await send_over(connection, wanted, ssl.create_default_context(), compose)


async def send_over(connection: Connection, wanted: Relay, tls: ssl.SSLContext, compose: Compose) -> Round:
    """Take up letters that were left on their way, and send what is due over a server."""
    worker = Worker(connection, wanted.sender, compose)
    worker.tally.ambiguous.update(await sending.reclaim(connection))
    worker.tally.states["given-up"] += await sending.expire(connection)
    faults = _NO_FAULT
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
