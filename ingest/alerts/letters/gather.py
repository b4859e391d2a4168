"""Composes a letter of the outbox: looks up its facts, and renders them with the links that it has."""

from ingest.accounts.keys import Keys
from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.render import Links, Rendered, render
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.knowledge.letters import Facts
from ingest.store.connections import Connection
from ingest.store.mail import facts as stored_facts
from ingest.store.mail.facts import Stored
from ingest.store.mail.kinds import DECLINABLE, KINDS


async def facts(connection: Connection, letter: Stored) -> Facts | None:
    """Return what a letter says, or None if the person or what it is about is gone."""
    to = await stored_facts.recipient(connection, letter)
    about = await stored_facts.about(connection, letter)
    return None if to is None or about is None else Facts(to, about)


def links(letter: Stored, origin: str, keys: Keys | None, secret: str | None = None) -> Links:
    """Return the links of a letter; one to unsubscribe is in those that people can do without, if there are keys."""
    group = KINDS[letter.kind].group
    if keys is None or group not in DECLINABLE:
        return Links(console=origin, secret=secret)
    wanted = Subscription(letter.tenant_id, letter.person_id, group)
    return Links(console=origin, secret=secret, unsubscribe=unsubscribe.url(origin, keys, wanted))


async def compose(connection: Connection, letter: Stored, own: Links) -> Rendered | None:
    """Return a letter as it is sent, or None if there is nothing to say any more."""
    found = await facts(connection, letter)
    return None if found is None else render(found, own)
