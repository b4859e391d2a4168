"""Composes a letter of the outbox: looks up its facts, and renders them with the links that it has."""

from collections.abc import Awaitable, Callable, Mapping

from ingest import config
from ingest.alerts.letters import unsubscribe, week
from ingest.alerts.letters.render import Links, Rendered, render
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.knowledge.keys import Keys
from ingest.knowledge.letters import About, Facts, SubprocessorNotice
from ingest.legal import library, subprocessors
from ingest.legal.settings import LegalSettings
from ingest.store.connections import Connection
from ingest.store.mail import facts
from ingest.store.mail.facts import Letter
from ingest.store.mail.kinds import DECLINABLE, KINDS, Kind


async def compose(connection: Connection, letter: Letter, own: Links) -> Rendered | None:
    """Return a letter as it is sent, or None if the person or what it is about is gone."""
    to, about = await facts.recipient(connection, letter), await _READERS[letter.kind](connection, letter)
    return None if to is None or about is None else render(Facts(to, about), own)


def links(letter: Letter, origin: str, keys: Keys | None, secret: str | None = None) -> Links:
    """Return the links of a letter; one to unsubscribe is in those that people can do without, if there are keys."""
    group = KINDS[letter.kind].group
    if keys is None or group not in DECLINABLE:
        return Links(console=origin, secret=secret)
    wanted = Subscription(letter.tenant_id, letter.person_id, group)
    return Links(console=origin, secret=secret, unsubscribe=unsubscribe.url(origin, keys, wanted))


async def _notice(_connection: Connection, letter: Letter) -> SubprocessorNotice | None:
    (notice_id,) = letter.ids
    listed = library.listed(config.load_own(LegalSettings))
    known = {each.notice_id: each for each in subprocessors.notices(listed)}.get(notice_id)
    if known is None:  # It ended meanwhile.
        return None
    return SubprocessorNotice(known.name, known.purpose, known.data, known.place, known.transfer, known.effective)


_READERS: Mapping[Kind, Callable[[Connection, Letter], Awaitable[About | None]]] = {
    **facts.READERS,
    "weekly-review": week.find,
    "subprocessor-notice": _notice,
}
assert _READERS.keys() == KINDS.keys()
