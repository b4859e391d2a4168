"""Asks again before something is deleted: for the organisation's name, and the password unless it was just given."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ingest.accounts import own
from ingest.accounts.errors import AccountError, BadPassword, Throttled
from ingest.console.visit import Visit

FRESH = timedelta(minutes=5)
_WRONG_NAME = "That is not the name of your organisation. Nothing was changed."
_WRONG: Mapping[type[AccountError], str] = {
    BadPassword: "That is not your password. Nothing was changed.",
    Throttled: "Too many wrong passwords. Nothing was changed. Wait a few minutes.",
}


def is_fresh(visit: Visit) -> bool:
    """Return whether the password of this session was given within the last minutes."""
    return datetime.now(UTC) - visit.session.confirmed_at < FRESH


async def fault(visit: Visit) -> str:
    """Return why the form does not confirm an act, in words, or "" if it does; raises Overloaded."""
    typed, name = visit.form.text("organisation"), visit.person.tenant_name
    if not hmac.compare_digest(typed.encode(), name.encode()):
        return _WRONG_NAME
    if is_fresh(visit):
        return ""
    try:
        await own.require_password(
            visit.services.accounts, visit.session, visit.form.get("password", ""), visit.visitor
        )
    except (BadPassword, Throttled) as refused:
        return _WRONG[type(refused)]
    return ""
