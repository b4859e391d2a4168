"""Letters on their way: claimed one by one, and settled by what became of each.

A claim sets `sending` and is committed before the letter goes out, so a process that ends meanwhile leaves a letter of
which nobody knows whether it went out: `reclaim` sends it again or never, as its kind promises.
"""

from datetime import timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from ingest.store.mail.kinds import KINDS, Kind

State = Literal["pending", "sent", "bounced", "refused", "given-up", "unsure", "suppressed", "over-limit"]
ABANDONED = timedelta(minutes=5)  # A letter takes less, and no other process leads the job before that.
ATTEMPTS_MAX = 26  # With the delays of `delay`, 3 days.
# Then a letter is of no use, or too old to come as a surprise: as where a mail server is named after a year without.
RESET_AGE_MAX, ONCE_AGE_MAX, AGE_MAX = timedelta(hours=1), timedelta(days=3), timedelta(days=30)
_FIRST_DELAY_S, _DELAY_S_MAX = 60, 14_400
DECLINABLE_AN_HOUR = 20  # Alerts and reports to one person.
LINKS_AN_HOUR = 5  # Invitations to one person, and resets.


class Claim(NamedTuple):
    """A letter that this process sends now, and its recipient."""

    tenant_id: int
    letter_id: UUID
    kind: Kind
    person_id: UUID
    ids: tuple[UUID, ...]
    numbers: tuple[int, ...]
    attempts: int
    email: str | None
    role: str | None
    is_declined: bool  # Or the person is disabled.
    lately: int  # Letters like it to the person in the hour before: of its kind, or alerts and reports together.

    @property
    def is_over_limit(self) -> bool:
        return (self.kind in {"invitation", "reset"} and self.lately >= LINKS_AN_HOUR) or (
            self.kind in _DECLINABLE and self.lately >= DECLINABLE_AN_HOUR
        )


class Outcome(NamedTuple):
    """What became of a letter; `delay` is for one that is tried again."""

    state: State
    reply_class: int | None = None
    delay: timedelta = timedelta()


class Waiting(NamedTuple):
    """The letters that are due: how many, and for how long the oldest is."""

    letters: int
    oldest_s: int


_ALERTS = [kind for kind, row in KINDS.items() if row.group == "alert"]
_REPORTS = [kind for kind, row in KINDS.items() if row.group == "report"]
_DECLINABLE = [*_ALERTS, *_REPORTS]
_ONCE = [kind for kind, row in KINDS.items() if row.delivery == "at-most-once"]
# Somebody waits for a letter about an account, so it comes before alerts and reviews; by an index of its own.
_CLAIM = """
WITH due AS (
    SELECT * FROM (
        SELECT tenant_id, letter_id FROM nocontent.outbox
        WHERE state = 'pending' AND not_before <= clock_timestamp() AND kind IN ('invitation', 'reset', 'new-place')
        ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS first
    UNION ALL SELECT * FROM (
        SELECT tenant_id, letter_id FROM nocontent.outbox
        WHERE state = 'pending' AND not_before <= clock_timestamp()
        ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS other
    LIMIT 1
), claimed AS (
    UPDATE nocontent.outbox letter SET state = 'sending', attempts = attempts + 1, changed_at = clock_timestamp()
    FROM due WHERE letter.tenant_id = due.tenant_id AND letter.letter_id = due.letter_id
    RETURNING letter.tenant_id, letter.letter_id, kind, person_id, ids, numbers, attempts
)
SELECT claimed.tenant_id, letter_id, kind, claimed.person_id, ids, numbers, attempts, person.email, person.role,
    person.disabled_at IS NOT NULL OR EXISTS (
        SELECT FROM nocontent.mail_preferences declined
        WHERE declined.tenant_id = claimed.tenant_id AND declined.person_id = claimed.person_id
            AND mail_group = CASE WHEN kind = ANY($1) THEN 'alert' WHEN kind = ANY($2) THEN 'report' END
    ), (
        SELECT count(*) FROM nocontent.outbox other
        WHERE other.tenant_id = claimed.tenant_id AND other.person_id = claimed.person_id
            AND other.changed_at > clock_timestamp() - interval '1 hour' AND other.letter_id <> claimed.letter_id
            AND other.state IN ('sending', 'sent', 'unsure', 'bounced')
            AND other.kind = ANY(CASE WHEN claimed.kind = ANY($3) THEN $3 ELSE ARRAY[claimed.kind] END)
    )
FROM claimed
LEFT JOIN nocontent.people person ON person.tenant_id = claimed.tenant_id AND person.person_id = claimed.person_id
"""
_SETTLE = """
UPDATE nocontent.outbox SET state = $4, reply_class = $5, not_before = clock_timestamp() + $6,
    changed_at = clock_timestamp()
WHERE tenant_id = $1 AND letter_id = $2 AND attempts = $3 AND state = 'sending'
"""
_RECLAIM = """
UPDATE nocontent.outbox SET changed_at = clock_timestamp(), not_before = clock_timestamp(),
    state = CASE WHEN kind = ANY($1) THEN 'unsure' WHEN attempts >= $2 THEN 'given-up' ELSE 'pending' END
WHERE state = 'sending' AND changed_at < clock_timestamp() - $3::interval
RETURNING kind, state
"""
_EXPIRE = """
WITH expired AS (
    UPDATE nocontent.outbox SET state = 'given-up', changed_at = clock_timestamp()
    WHERE state = 'pending' AND created_at < clock_timestamp() - CASE
        WHEN kind = 'reset' THEN $1::interval WHEN kind = ANY($2) THEN $3::interval ELSE $4::interval END
    RETURNING letter_id
)
SELECT count(*) FROM expired
"""
_WAITING = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(not_before)), 0)::bigint
FROM nocontent.outbox WHERE state = 'pending' AND not_before <= clock_timestamp()
"""
_LINK = "SELECT nocontent.make_mail_link($1, $2, $3)"


def delay(attempts: int) -> timedelta | None:
    """Return how long a letter rests after so many attempts that may be repeated, or None if it is given up."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return timedelta(seconds=min(_FIRST_DELAY_S * 2 ** (attempts - 1), _DELAY_S_MAX))


async def claim(connection: Connection) -> Claim | None:
    """Claim the letter that is due for longest, those about accounts first.

    Outside of a transaction, so that it is committed before it is sent.
    """
    row = await connection.fetchrow(_CLAIM, _ALERTS, _REPORTS, _DECLINABLE)
    if row is None:
        return None
    own = list(row.values())
    own[4], own[5] = tuple(own[4]), tuple(own[5])
    return Claim(*own)


async def link(connection: Connection, claimed: Claim, digest: bytes) -> bool:
    """Make the link of a claimed invitation or reset valid; return False if its person has no use for one any more."""
    return await connection.fetchval(_LINK, claimed.tenant_id, claimed.letter_id, digest) is not None


async def settle(connection: Connection, claimed: Claim, outcome: Outcome) -> None:
    """Record what became of a claimed letter, unless another process has claimed it since."""
    await connection.execute(_SETTLE, claimed.tenant_id, claimed.letter_id, claimed.attempts, *outcome)


async def reclaim(connection: Connection) -> list[Kind]:
    """Take up letters whose sender has ended, each as its kind promises; return their kinds."""
    rows = await connection.fetch(_RECLAIM, _ONCE, ATTEMPTS_MAX, ABANDONED)
    return [row["kind"] for row in rows]


async def expire(connection: Connection) -> int:
    """Give up letters that nobody could send in time, for want of a server; return how many."""
    return int(await connection.fetchval(_EXPIRE, RESET_AGE_MAX, _ONCE, ONCE_AGE_MAX, AGE_MAX))


async def waiting(connection: Connection) -> Waiting:
    """Return how many letters are due."""
    row = await connection.fetchrow(_WAITING)
    assert row is not None  # A query without GROUP BY.
    return Waiting(*row.values())
