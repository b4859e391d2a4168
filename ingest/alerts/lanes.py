"""The lanes of this room, and those of all rooms together."""

from ingest.alerts import notices, weekly
from ingest.alerts.budgets.job import BUDGETS
from ingest.alerts.mail import job as mail
from ingest.alerts.webhooks import worker as webhooks
from ingest.jobs.job import Job, Lane
from ingest.reports import lanes

LANES = (
    Lane("mail", "nocontent_mailer", (Job("mail", mail.send_mail),)),
    Lane(
        "alerts",
        weekly.ROLE,
        (BUDGETS, Job("weekly", weekly.review), Job("notices", notices.notify)),
    ),
    Lane("webhooks", "nocontent_mailer", (Job("webhooks", webhooks.work),)),
)
ALL = (*lanes.LANES, *LANES)
