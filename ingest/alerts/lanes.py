"""The lanes of this room, and those of all rooms together."""

from ingest.alerts import notices, weekly
from ingest.alerts.budgets.job import BUDGETS
from ingest.alerts.mail import job as mail
from ingest.alerts.webhooks import worker as webhooks
from ingest.jobs.job import Job, Lane
from ingest.reports import lanes
from ingest.store.connections import Role

ROLE: Role = "nocontent_mailer"
LANES = (
    Lane("mail", ROLE, (Job("mail", mail.send_mail),)),
    Lane("alerts", ROLE, (BUDGETS, Job("weekly", weekly.review), Job("notices", notices.notify))),
    Lane("webhooks", ROLE, (Job("webhooks", webhooks.work),)),
)
ALL = (*lanes.LANES, *LANES)
