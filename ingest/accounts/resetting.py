"""Asking for a link that sets another password, without being signed in: a letter takes it to the person's address.

Whether there is such a person makes no difference to the answer, to the statements that the database runs, and to what
they write.
"""

from ingest.accounts import throttle
from ingest.accounts.signing_in import Accounts, Visitor, plain
from ingest.accounts.throttle import RESETS, RESETS_ACCOUNT, RESETS_ACCOUNT_DAY, RESETS_ADDRESS, Subject
from ingest.store.accounts import links


async def ask_reset(accounts: Accounts, organisation: str, email: str, visitor: Visitor) -> None:
    """Have a link sent to whoever has the address in the organisation, if anybody has; raises Throttled."""
    organisation, email = plain(organisation), plain(email)
    subject = Subject(f"{organisation} {email}", visitor.address)
    limits = (RESETS, RESETS_ADDRESS, RESETS_ACCOUNT_DAY, RESETS_ACCOUNT)
    counted = throttle.buckets(accounts.keys(), subject, (), limits)
    async with accounts.connect() as connection:
        await throttle.note(connection, counted)
        await links.ask_reset(connection, organisation, email)
