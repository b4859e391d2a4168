"""Acts of a person on the own account: password, codes, sessions; those that need it ask for the password again."""

from typing import NamedTuple

from ingest.accounts import throttle, totp
from ingest.accounts.errors import BadCode, BadPassword, TotpState
from ingest.accounts.sessions import Cookie, Session
from ingest.accounts.signing_in import Accounts, Visitor, require_strong
from ingest.accounts.throttle import CONFIRM, Subject
from ingest.store.accounts import credentials, sessions
from ingest.store.connections import Connection


class Enrolment(NamedTuple):
    """A secret for an authenticator that is not in force yet, as text to type and as the content of a picture."""

    text: str
    uri: str


async def require_password(accounts: Accounts, session: Session, password: str, visitor: Visitor) -> None:
    """Compare with the person's password; raises BadPassword, Throttled or Overloaded."""
    person = session.person
    subject = Subject(f"{person.tenant_id} {person.person_id}", visitor.address)
    counted = throttle.buckets(accounts.keys(), subject, (), (CONFIRM,))
    async with accounts.connect() as connection:
        await throttle.note(connection, counted)
        async with sessions.entered(connection, session.digest):
            known = await credentials.own(connection)
    verdict = await accounts.passwords.verify(known.password_hash, password)
    if not verdict.is_right:
        raise BadPassword
    async with accounts.connect() as connection:
        await throttle.forget(connection, counted)


class PasswordChange(NamedTuple):
    """The password until now, and the new one."""

    old: str
    new: str


async def change_password(accounts: Accounts, session: Session, change: PasswordChange, visitor: Visitor) -> Cookie:
    """Set a new password: all other sessions end, and this one goes on under the cookie that is returned."""
    require_strong(change.new, session.person.email, session.person.tenant_name)
    await require_password(accounts, session, change.old, visitor)
    hashed = await accounts.passwords.hash(change.new)
    cookie = Cookie.make(accounts.keys())
    async with accounts.connect() as connection, sessions.entered(connection, session.digest):
        await credentials.set_own_password(connection, hashed, cookie.digest)
    return cookie


async def begin_totp(connection: Connection, session: Session) -> Enrolment:
    """Make a secret for an authenticator, in a transaction of the session; raises TotpState if one is in force."""
    secret = totp.make_secret()
    if not await credentials.begin_totp(connection, secret):
        raise TotpState
    return Enrolment(totp.as_text(secret), totp.uri(secret, session.person.email, session.person.tenant_name))


async def enrolment(connection: Connection, session: Session) -> Enrolment | None:
    """Return the secret that waits for its first code, in a transaction of the session, or None."""
    known = await credentials.own(connection)
    if known.totp_secret is None or known.has_totp:
        return None
    secret = known.totp_secret
    return Enrolment(totp.as_text(secret), totp.uri(secret, session.person.email, session.person.tenant_name))


async def confirm_totp(connection: Connection, code: str) -> list[str]:
    """Put the secret in force by its first code, in a transaction of the session; return the recovery codes, once.

    Raises BadCode, or TotpState if there is no secret that waits.
    """
    known = await credentials.own(connection)
    if known.totp_secret is None or known.has_totp:
        raise TotpState
    step = totp.step_of(known.totp_secret, code, await credentials.now_s(connection))
    if step is None:
        raise BadCode
    codes = totp.make_codes()
    if not await credentials.confirm_totp(connection, step, totp.digests_of(codes)):
        raise TotpState
    return codes


async def renew_codes(connection: Connection) -> list[str]:
    """Replace the recovery codes, in a transaction of the session; raises TotpState if no codes are in force."""
    if not (await credentials.own(connection)).has_totp:
        raise TotpState
    codes = totp.make_codes()
    await credentials.set_recovery_codes(connection, totp.digests_of(codes))
    return codes


async def end_totp(accounts: Accounts, session: Session, password: str, visitor: Visitor) -> None:
    """Ask for no codes any more, after the password; raises as `require_password`."""
    await require_password(accounts, session, password, visitor)
    async with accounts.connect() as connection, sessions.entered(connection, session.digest):
        await credentials.end_totp(connection)
