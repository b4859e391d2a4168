"""A database with people for all tests of a module, and what signing in needs."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from ingest.accounts.passwords import Passwords
from ingest.accounts.signing_in import Accounts
from tests.support import accounts
from tests.support.accounts import PASSWORD, Lender, Member
from tests.support.cluster import Cluster, operator

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def people_database(postgres: Cluster) -> Iterator[str]:
    dsn = postgres.migrated()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
async def signing(people_database: str) -> AsyncIterator[Accounts]:
    """Yield what signing in needs, without attempts until now; its pool waits as long as a busy machine takes."""
    async with operator(people_database) as connection:
        await connection.execute("TRUNCATE nocontent.sign_in_attempts")
    pool = Passwords(wait_s=60)
    lender = Lender(people_database)
    yield Accounts(lender.connect, lambda: accounts.KEYS, pool)
    await lender.close()
    pool.close()


@pytest.fixture(scope="module")
def password_hash() -> str:
    """Return the hash of every member's password: hashing it again for each would take most of the time."""

    async def made() -> str:
        pool = Passwords(wait_s=60)
        try:
            return await pool.hash(PASSWORD)
        finally:
            pool.close()

    return asyncio.run(made())


@pytest.fixture
async def member(people_database: str, password_hash: str) -> Member:
    """Return the owner of a tenant of the test's own, who has a password and a session."""
    made = await accounts.member(people_database, f"acme-{next(_NUMBERS)}")
    await accounts.give_password(people_database, made, password_hash)
    return made
