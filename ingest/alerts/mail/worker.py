"""Sends the letters that are due: each is claimed, committed as `sending`, sent, and settled by what became of it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

from jinja2 import TemplateError

from ingest import logs
from ingest.accounts.links import Link
from ingest.alerts.mail import message, smtp
from ingest.alerts.mail.message import CannotBuild, Content, Envelope
from ingest.alerts.mail.smtp import Ambiguous, Refused, Server, ServerError
from ingest.errors import CannotStart
from ingest.store.connections import Connection
from ingest.store.mail import sending
from ingest.store.mail.kinds import KINDS, LINKED, Kind
from ingest.store.mail.sending import Claim, Outcome

# Looks up what a letter says and renders it; None if its subject is gone. The link is that of an invitation or reset.
Compose = Callable[[Connection, Claim, Link | None], Awaitable[Content | None]]
Connect = Callable[[], Awaitable[Server]]
SENDERS = 4  # Connections to the server, of which each waits for replies by itself.
ROUND_S = 20.0
END_S = 10.0  # For letters on their way when the process stops.
# Of facts or a template: not of the database, whose faults end the round.
_FAULTS = (ArithmeticError, AttributeError, CannotStart, LookupError, TemplateError, TypeError, ValueError)


class Ready(NamedTuple):
    """A claimed letter, to send."""

    claimed: Claim
    recipient: str
    content: bytes


class Tally:
    """What became of letters in a round."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.ambiguous: Counter[Kind] = Counter()


class Worker:
    """Sends letters over connections of its own; it takes turns on one connection to the database."""

    def __init__(self, connection: Connection, sender: str, compose: Compose) -> None:
        self._connection = connection
        self._sender = sender
        self._compose = compose
        self._turn = asyncio.Lock()
        self._is_ending = False
        self.tally = Tally()

    async def run(self, connect: Connect, first: Server) -> bool:
        """Send what is due, for a round at most; return whether nothing is left. Raises ServerError.

        Letters on their way are brought to their end, whatever happens to others, and also if the round is cancelled.
        """
        give_up_at = asyncio.get_running_loop().time() + ROUND_S
        senders = [asyncio.create_task(self._send_over(first, give_up_at))]
        senders += [asyncio.create_task(self._open_and_send(connect, give_up_at)) for _ in range(SENDERS - 1)]
        try:
            await asyncio.wait(senders)
        finally:
            self._is_ending = True
            await asyncio.wait(senders, timeout=END_S)
            for sender in senders:
                sender.cancel()
            ended = await asyncio.gather(*senders, return_exceptions=True)
        faults = [each for each in ended if isinstance(each, BaseException)]
        if faults:  # A server that is away hides neither a database that is away nor a bug.
            raise min(faults, key=lambda fault: isinstance(fault, ServerError))
        return all(ended)

    async def _open_and_send(self, connect: Connect, give_up_at: float) -> bool:
        async with self._turn:
            if (await sending.waiting(self._connection)).letters == 0:
                return True
        try:
            server = await connect()
        except ServerError:  # One connection is enough, if a server takes no more from us.
            return True
        return await self._send_over(server, give_up_at)

    async def _send_over(self, server: Server, give_up_at: float) -> bool:
        try:
            while not self._is_ending and asyncio.get_running_loop().time() < give_up_at:
                async with self._turn:
                    ready = await self._next()
                if ready is None:
                    return True
                if isinstance(ready, Ready):
                    await self._send(server, ready)
            return False
        finally:
            await server.quit()

    async def _next(self) -> Ready | Outcome | None:
        """Claim a letter and make it ready; return its outcome if it is not to be sent, and None if none is due."""
        claimed = await sending.claim(self._connection)
        if claimed is None:
            return None
        # Committed: whatever happens from here on, the letter is known to be on its way.
        link = Link.make() if claimed.kind in LINKED else None
        outcome = _unwanted(claimed)
        if outcome is None and link is not None and not await sending.link(self._connection, claimed, link.digest):
            outcome = Outcome("suppressed")
        ready = outcome or await self._composed(claimed, link)
        if isinstance(ready, Outcome):
            await self._settle(claimed, ready)
        return ready

    async def _composed(self, claimed: Claim, link: Link | None) -> Ready | Outcome:
        """Make a letter; one that a bug or a later release keeps from being made rests, and holds up no other."""
        try:
            content = await self._compose(self._connection, claimed, link)
            if content is None:
                return Outcome("suppressed")
            envelope = Envelope(claimed.letter_id, self._sender, claimed.email or "")
            return Ready(claimed, envelope.recipient, message.build(envelope, content))
        except CannotBuild:
            return Outcome("refused")
        except _FAULTS as fault:
            logs.error("bug", error=type(fault).__name__, place=logs.place_of(fault))
            return _later(claimed, None)

    async def _send(self, server: Server, ready: Ready) -> None:
        """Send a letter and settle it; raises ServerError if the connection is of no use any more."""
        lost = False
        try:
            outcome = Outcome("sent", await server.send(ready.recipient, ready.content))
        except Refused as refused:
            permanent = refused.reply_class == smtp.PERMANENT
            outcome = Outcome("bounced", refused.reply_class) if permanent else _later(ready.claimed, smtp.TRANSIENT)
        except ServerError:
            outcome, lost = _later(ready.claimed, None), True
        except Ambiguous:
            lost = True
            self.tally.ambiguous[ready.claimed.kind] += 1
            once = KINDS[ready.claimed.kind].delivery == "at-most-once"
            outcome = Outcome("unsure") if once else _later(ready.claimed, None)
        async with self._turn:
            await self._settle(ready.claimed, outcome)
        if lost:
            raise ServerError

    async def _settle(self, claimed: Claim, outcome: Outcome) -> None:
        await sending.settle(self._connection, claimed, outcome)
        self.tally.states[outcome.state] += 1


def _unwanted(claimed: Claim) -> Outcome | None:
    """Return the outcome of a letter that is not to be sent: declined, not for this role any more, or one too many."""
    if claimed.is_declined or claimed.email is None or claimed.role not in KINDS[claimed.kind].roles:
        return Outcome("suppressed")
    return Outcome("over-limit") if claimed.is_over_limit else None


def _later(claimed: Claim, reply_class: int | None) -> Outcome:
    rest: timedelta | None = sending.delay(claimed.attempts)
    return Outcome("given-up", reply_class) if rest is None else Outcome("pending", reply_class, rest)
