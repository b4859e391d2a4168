"""The job `mail`: letters that are due to the server that the settings name; without one they wait."""

import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ingest import config, logs
from ingest.alerts.mail.settings import SERVER_REST_S, ComposerSettings, relay
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.store.connections import Connection
from ingest.store.jobs import Figure
from ingest.store.mail import sending

if TYPE_CHECKING:  # Its module needs the extra.
    from ingest.alerts.mail.worker import Compose

_NO_FAULT: dict[Figure, int] = {"mail_server_failing": 0, "mail_without_tls": 0}


def check() -> None:
    """Raise CannotStart unless the settings of mail are as they should be."""
    settings = config.load_own(ComposerSettings)
    if relay(settings):
        _composer(settings)


async def send_mail(connection: Connection) -> Round:
    """Send what is due."""
    settings = config.load_own(ComposerSettings)
    try:
        wanted = relay(settings)
        compose = _composer(settings) if wanted else None
    except CannotStart as fault:  # Only this job stops; the file may be mended while it rests.
        logs.error("mail-server-unavailable", error=type(fault).__name__)
        return Round(_NO_FAULT | {"mail_server_failing": 1}, is_complete=True, rest_s=SERVER_REST_S)
    if wanted is None or compose is None:
        expired, due = await sending.expire(connection), await sending.waiting(connection)
        figures = _NO_FAULT | {"letters_given_up": expired, "letters_waiting": due.letters, "letter_oldest_s": 0}
        return Round(figures, is_complete=True, rest_s=SERVER_REST_S)
    from ingest.alerts.mail.round import send_over  # noqa: PLC0415 (of the extra `mail`)

    return await send_over(connection, wanted, ssl.create_default_context(), compose)


def _composer(settings: ComposerSettings) -> "Compose":
    if find_spec("aiosmtplib") is None:
        raise CannotStart("Sending mail needs the package aiosmtplib: install nocontent with the extra `mail`.")
    from ingest.alerts.mail import composing  # noqa: PLC0415 (of the extra `mail`)

    return composing.composer(settings)
