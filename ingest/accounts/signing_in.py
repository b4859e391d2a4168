"""Signing in and out: with a password, then a code if there is one for it; and with links, which set a password.

No connection is held while a password is hashed. Whether an address exists makes no difference to the answer, to the
statements that the database runs, and to what is hashed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.accounts import links, passwords, throttle, totp
from ingest.accounts.errors import BadCode, BadSignIn, LinkOver, SessionOver, WeakPassword
from ingest.accounts.links import Linked
from ingest.accounts.passwords import Passwords
from ingest.accounts.sessions import AGE_S_MAX, PENDING_S_MAX, Connect, Cookie, browser_of
from ingest.accounts.throttle import ACCOUNT, ACCOUNT_DAY, ADDRESS, ALL, CODE, CODE_DAY, Subject
from ingest.knowledge.keys import Keys
from ingest.store.accounts import credentials, sessions
from ingest.store.accounts import links as stored_links
from ingest.store.accounts.credentials import SignInRow
from ingest.store.accounts.sessions import NewSession, Pending
from ingest.store.connections import Connection

_FIELD_CHARS_MAX = 254


@dataclass(frozen=True, slots=True)
class Accounts:
    """Holds the connections, the keys in force, and the pool that hashes."""

    connect: Connect
    keys: Callable[[], Keys] = field(repr=False)
    passwords: Passwords


class Credentials(NamedTuple):
    """The fields of the form for signing in."""

    organisation: str
    email: str
    password: str


class Visitor(NamedTuple):
    """Where a request comes from: the peer's address, the header User-Agent, and the cookie that came with it."""

    address: str
    user_agent: str
    cookie: str | None = None


class SignedIn(NamedTuple):
    """A new session's cookie; one that awaits a code is good for nothing else yet."""

    cookie: Cookie
    awaits_totp: bool = False

    def header(self) -> str:
        """Return the value of Set-Cookie."""
        return self.cookie.header(PENDING_S_MAX if self.awaits_totp else AGE_S_MAX)


async def sign_in(accounts: Accounts, typed: Credentials, visitor: Visitor) -> SignedIn:
    """Open a session for whoever knows the password; raises BadSignIn, Throttled or Overloaded."""
    keys = accounts.keys()
    organisation, email = plain(typed.organisation), plain(typed.email)
    async with accounts.connect() as connection:
        found = await credentials.find(connection, organisation, email)
        person, known = (_person(found), found.places) if found else ("", ())
        subject = Subject(f"{organisation} {email}", visitor.address, person)
        counted = throttle.buckets(keys, subject, known, (ALL, ADDRESS, ACCOUNT_DAY, ACCOUNT))
        await throttle.note(connection, counted)
    verdict = await accounts.passwords.verify(found.password_hash if found else None, typed.password)
    if found is None or not verdict.is_right:
        raise BadSignIn
    signed_in = SignedIn(Cookie.make(keys), found.has_totp)
    async with accounts.connect() as connection:
        new = _new_session(keys, signed_in, visitor, throttle.places(keys, subject))
        async with connection.transaction():
            # Hashing takes long: a reset meanwhile has ended all sessions, and this one must not come after it.
            if not await credentials.rehash(connection, found, verdict.new_hash):
                raise BadSignIn
            if not await sessions.open_session(connection, found.tenant_id, found.person_id, new):
                raise BadSignIn
        await throttle.forget(connection, counted)
    return signed_in


async def enter_code(accounts: Accounts, code: str, visitor: Visitor) -> SignedIn:
    """Open the session that awaits a code, under a new id; raises BadCode, SessionOver or Throttled."""
    keys = accounts.keys()
    digest = Cookie.read(keys, visitor.cookie or "")
    async with accounts.connect() as connection:
        waiting = await sessions.pending(connection, digest) if digest else None
        if waiting is None:
            raise SessionOver
        subject = Subject(_person(waiting), visitor.address, _person(waiting))
        counted = throttle.buckets(keys, subject, waiting.places, (CODE_DAY, CODE))
        await throttle.note(connection, counted)
        if not await _is_taken(connection, waiting, code):
            raise BadCode
        signed_in = SignedIn(Cookie.make(keys))
        new = _new_session(keys, signed_in, visitor, throttle.places(keys, subject))
        if not await sessions.open_session(connection, waiting.tenant_id, waiting.person_id, new):
            raise SessionOver
        await throttle.forget(connection, counted)
    return signed_in


async def sign_out(accounts: Accounts, cookie: str | None) -> None:
    """End the session of a cookie, whatever it awaits."""
    digest = Cookie.read(accounts.keys(), cookie or "")
    if digest is not None:
        async with accounts.connect() as connection:
            await sessions.close(connection, digest)


async def set_password(accounts: Accounts, secret: str, password: str) -> Linked:
    """Accept an invitation, or reset a password: all sessions end. Raises LinkOver, WeakPassword or Overloaded."""
    async with accounts.connect() as connection:
        linked = await links.find(connection, secret)
    digest = links.digest_of(secret)
    if linked is None or digest is None or linked.kind == "sign-in":
        raise LinkOver
    require_strong(password, linked.person.email, linked.person.tenant_name)
    hashed = await accounts.passwords.hash(password)
    async with accounts.connect() as connection:
        if not await stored_links.use(connection, digest, hashed):
            raise LinkOver
    return linked


async def follow(accounts: Accounts, secret: str, visitor: Visitor) -> SignedIn:
    """Open a session by a link for signing in, which an operator has made; raises LinkOver."""
    keys = accounts.keys()
    digest = links.digest_of(secret)
    async with accounts.connect() as connection:
        linked = await links.find(connection, secret)
        if linked is None or digest is None or linked.kind != "sign-in":
            raise LinkOver
        signed_in = SignedIn(Cookie.make(keys))
        person = linked.person
        async with connection.transaction():
            new = _new_session(keys, signed_in, visitor, ())
            if not await stored_links.use(connection, digest, None):
                raise LinkOver
            if not await sessions.open_session(connection, person.tenant_id, person.person_id, new):
                raise LinkOver
    return signed_in


def require_strong(password: str, email: str, organisation: str) -> None:
    """Raise WeakPassword if a new password is one that is guessed."""
    found = passwords.weakness(password, email, organisation)
    if found is not None:
        raise WeakPassword(found)


def plain(typed: str) -> str:
    """Return a name or address as it is stored; what is too long or no text of PostgreSQL's is nobody's."""
    stored = typed.strip().lower()
    return stored if len(stored) <= _FIELD_CHARS_MAX and stored.isprintable() and _is_text(stored) else ""


async def _is_taken(connection: Connection, waiting: Pending, code: str) -> bool:
    """Use up a code of the authenticator or a recovery code; return whether it was good."""
    step = totp.step_of(waiting.secret, code, await credentials.now_s(connection))
    digest = totp.digest_of(code)
    if step is not None:
        return await credentials.take_totp_step(connection, waiting.tenant_id, waiting.person_id, step)
    if digest is not None:
        return await credentials.use_recovery_code(connection, waiting.tenant_id, waiting.person_id, digest)
    return False


def _new_session(keys: Keys, signed_in: SignedIn, visitor: Visitor, places: tuple[bytes, ...]) -> NewSession:
    instead = Cookie.read(keys, visitor.cookie) if visitor.cookie else None
    browser = browser_of(visitor.user_agent)
    return NewSession(signed_in.cookie.digest, browser, signed_in.awaits_totp, places, instead)


def _person(found: SignInRow | Pending) -> str:
    return f"{found.tenant_id} {found.person_id}"


def _is_text(typed: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in typed)
