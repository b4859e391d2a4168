"""Checks the settings of the jobs of this room, before a process that runs them starts."""

from ingest import config
from ingest.alerts import notices
from ingest.alerts.mail import job as mail
from ingest.alerts.webhooks import settings as webhooks


def check() -> None:
    """Raise CannotStart unless the settings of mail, notices and webhooks are as they should be."""
    mail.check()
    notices.check()
    own = config.load_own(webhooks.WebhookSettings)
    webhooks.keys(own)
    webhooks.allows_loopback(own)
