"""What people sign in with: hashes of passwords, secrets of authenticators, digests of recovery codes."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from ingest.store.accounts.errors import explained
from ingest.store.connections import Connection


class SignInRow(NamedTuple):
    """Somebody who may sign in with a password."""

    tenant_id: int
    person_id: UUID
    password_hash: str
    has_totp: bool
    places: tuple[bytes, ...]


class Secrets(NamedTuple):
    """The secrets of the entered session's person; without `has_totp` no code is asked for yet."""

    password_hash: str
    totp_secret: bytes | None
    has_totp: bool
    codes_left: int


_FIND = """
SELECT its_tenant, its_person, its_hash, has_totp, its_places FROM nocontent.find_sign_in($1, $2)
WHERE its_tenant IS NOT NULL
"""
_NOW = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint"
_REHASH = "SELECT nocontent.rehash($1, $2, $3, $4)"
_TAKE_STEP = "SELECT nocontent.take_totp_step($1, $2, $3)"
_USE_CODE = "SELECT nocontent.use_recovery_code($1, $2, $3)"
_OWN = "SELECT its_hash, its_secret, has_totp, codes_left FROM nocontent.own_secrets()"
_SET_PASSWORD = "SELECT nocontent.set_own_password($1, $2)"  # noqa: S105 (a statement)
_BEGIN_TOTP = "SELECT nocontent.begin_totp($1)"
_CONFIRM_TOTP = "SELECT nocontent.confirm_totp($1, $2)"
_SET_CODES = "SELECT nocontent.set_recovery_codes($1)"
_END_TOTP = "SELECT nocontent.end_own_totp()"


async def find(connection: Connection, organisation: str, email: str) -> SignInRow | None:
    """Return whom an address of an organisation belongs to, or None if nobody may sign in with it."""
    row = await connection.fetchrow(_FIND, organisation, email)
    return None if row is None else SignInRow(row[0], row[1], row[2], row[3], tuple(row[4]))


async def now_s(connection: Connection) -> int:
    """Return PostgreSQL's time in seconds, by which codes are judged: a node's clock may be wrong."""
    return int(await connection.fetchval(_NOW))


async def rehash(connection: Connection, row: SignInRow, new: str | None) -> bool:
    """Store the hash of the same password with newer parameters, if there is one.

    Return False if the password was changed meanwhile; until COMMIT it is not.
    """
    old = row.password_hash
    return bool(await connection.fetchval(_REHASH, row.tenant_id, row.person_id, old, new or old))


async def take_totp_step(connection: Connection, tenant_id: int, person_id: UUID, step: int) -> bool:
    """Take a step of an authenticator; return False if it, or a later one, was taken before."""
    return bool(await connection.fetchval(_TAKE_STEP, tenant_id, person_id, step))


async def use_recovery_code(connection: Connection, tenant_id: int, person_id: UUID, digest: bytes) -> bool:
    """Use a recovery code up; return False if there is none, or it was used before."""
    return bool(await connection.fetchval(_USE_CODE, tenant_id, person_id, digest))


async def own(connection: Connection) -> Secrets:
    """Return the secrets of the entered session's person; raises NotAllowed."""
    with explained():
        (row,) = await connection.fetch(_OWN)
    return Secrets(*row.values())


async def set_own_password(connection: Connection, password_hash: str, new_digest: bytes) -> None:
    """Set the password of the entered session's person, end all other sessions, and renew this one."""
    with explained():
        await connection.execute(_SET_PASSWORD, password_hash, new_digest)


async def begin_totp(connection: Connection, secret: bytes) -> bool:
    """Keep a secret that is not in force yet; return False if one is."""
    with explained():
        return bool(await connection.fetchval(_BEGIN_TOTP, secret))


async def confirm_totp(connection: Connection, step: int, codes: Sequence[bytes]) -> bool:
    """Put the kept secret in force, with recovery codes, and end all other sessions; return False if there is none."""
    with explained():
        return bool(await connection.fetchval(_CONFIRM_TOTP, step, list(codes)))


async def set_recovery_codes(connection: Connection, codes: Sequence[bytes]) -> None:
    """Put new recovery codes in the place of all others."""
    with explained():
        await connection.execute(_SET_CODES, list(codes))


async def end_totp(connection: Connection) -> None:
    """Ask the entered session's person for no codes any more."""
    with explained():
        await connection.execute(_END_TOTP)
