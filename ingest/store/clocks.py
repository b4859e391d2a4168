"""The clocks of retention: how long each kind of data is kept, by whose clock, and who deletes it."""

from typing import NamedTuple

_HORIZON = "the horizon: one day a day of PostgreSQL's clock"


class Clock(NamedTuple):
    """How long data is kept, what measures it, who deletes it, and the functions of the database that do."""

    kept: str
    measured_by: str
    deleted_by: str
    functions: tuple[str, ...] = ()  # Those that maintenance calls.


EVENTS = Clock(
    "the deployment's days of events, or the tenant's if fewer", _HORIZON, "maintenance", ("drop_day", "trim_events")
)
ANNOTATIONS = Clock("as long as their events", _HORIZON, "maintenance", ("trim_annotations",))
LEDGER = Clock("as long as events", _HORIZON, "maintenance", ("trim_ledger",))
USAGE = Clock("the deployment's days of sums, or until the tenant is erased", _HORIZON, "maintenance", ("trim_usage",))
MARKS = Clock(
    "until summed; a day beyond the events at most", _HORIZON, "the job `rollup`, maintenance", ("trim_usage_marks",)
)
INVOICES = Clock(
    "the deployment's years after issue, and until they are settled", _HORIZON, "maintenance", ("trim_invoices",)
)
TRAFFIC = Clock("90 days", _HORIZON, "maintenance", ("trim_traffic",))
WEBHOOKS = Clock("90 days after they end", _HORIZON, "maintenance", ("trim_webhooks",))
TOMBSTONES = Clock(
    "as long as a sender may still have an erased event", _HORIZON, "the job `erase`", ("trim_erasures",)
)
PERSON = Clock("until the person is removed, or the tenant erased", "no clock", "an owner, an admin or an operator")
SESSIONS = Clock("14 days", "PostgreSQL's clock", "signing out, or whoever signs in after it")
LINKS = Clock("7 days, 30 minutes or 10 minutes", "PostgreSQL's clock", "whoever signs in after it")
MAIL = Clock("90 days after it ended; until the person is removed", _HORIZON, "maintenance", ("trim_mail",))
TENANT = Clock("until the tenant is erased", "no clock", "an erasure of the tenant")
DEPLOYMENT = Clock("as long as the deployment", "no clock", "nobody")
OPERATOR = Clock("as long as the operator keeps the files", "the operator", "the operator")
BACKUPS = Clock(
    "NOCONTENT_BACKUP_DAYS, which receipts of erasures name", "the backup tool's clock", "the operator's backup tool"
)
VACUUM = Clock("until VACUUM has been there and the space is used again", "no clock", "PostgreSQL")
SPOOL = Clock("until the server has stored or refused them", "no clock", "the reporter")
