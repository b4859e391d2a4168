"""Acceptances: added by owners and admins of the session's tenant, and changed or deleted by no role."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from ingest.accounts.roles import ROLES, Role
from ingest.store import acceptances, connections
from ingest.store.acceptances import Accepted
from ingest.store.accounts import sessions
from ingest.store.accounts.errors import BadDetails, NotAllowed
from ingest.store.connections import Connection
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from tests.support import accounts, erasing, logins
from tests.support.accounts import Member
from tests.support.cluster import Cluster, operator

_DIGEST, _SHOWN = hashlib.sha256(b"published").digest(), hashlib.sha256(b"shown").digest()
_TERMS = Accepted("terms", 1, _DIGEST, _SHOWN)


@pytest.fixture(scope="module")
def dsn(postgres: Cluster) -> Iterator[str]:
    made = postgres.migrated()
    yield made
    postgres.drop(made)


@pytest.fixture
async def console(dsn: str) -> AsyncIterator[Connection]:
    async with connections.connected(dsn, "nocontent_console") as connection:
        yield connection


async def _accept(console: Connection, member: Member, wanted: Accepted = _TERMS) -> bool:
    async with sessions.entered(console, member.cookie.digest):
        return await acceptances.accept(console, wanted)


async def test_an_acceptance_is_one_row_however_often_it_is_repeated(dsn: str, console: Connection) -> None:
    own, other = await accounts.member(dsn, "once"), await accounts.member(dsn, "others")
    assert await _accept(console, own)
    assert not await _accept(console, own)
    assert await _accept(console, own, _TERMS._replace(version=2))
    async with sessions.entered(console, own.cookie.digest):
        found = await acceptances.of_tenant(console, own.tenant_id)
    assert [each.accepted.version for each in found] == [2, 1]
    assert (found[1].accepted, found[1].person, found[1].person_id) == (_TERMS, "The owner", own.person_id)
    async with sessions.entered(console, other.cookie.digest):
        assert await acceptances.of_tenant(console, own.tenant_id) == []
    async with operator(dsn) as owner:
        acts = await owner.fetch(
            "SELECT person_id FROM audit WHERE act = 'legal.accept' AND tenant_id = $1", own.tenant_id
        )
    assert [row["person_id"] for row in acts] == [own.person_id] * 2


@pytest.mark.parametrize("role", ROLES)
async def test_owners_and_admins_accept(dsn: str, console: Connection, role: Role) -> None:
    member = await accounts.member(dsn, f"by-{role}", role)
    if role in {"owner", "admin"}:
        assert await _accept(console, member)
    else:
        with pytest.raises(NotAllowed):
            await _accept(console, member)


async def test_nobody_accepts_without_a_session(console: Connection) -> None:
    with pytest.raises(NotAllowed):
        await acceptances.accept(console, _TERMS)


async def test_the_table_takes_nothing_else(dsn: str, console: Connection) -> None:
    member = await accounts.member(dsn, "bounds")
    for wanted in (_TERMS._replace(version=0), _TERMS._replace(digest=b"short"), _TERMS._replace(shown=b"")):
        with pytest.raises(BadDetails):
            await _accept(console, member, wanted)
    async with operator(dsn) as owner:
        assert await owner.fetch("SELECT FROM acceptances WHERE tenant_id = $1", member.tenant_id) == []


@pytest.mark.parametrize("role", logins.ROLES)
async def test_no_role_changes_or_deletes_an_acceptance(dsn: str, role: str) -> None:
    async with connections.connected(dsn, role) as connection:  # type: ignore[arg-type]  # Every role.
        for statement in (
            "UPDATE nocontent.acceptances SET version = 9",
            "UPDATE nocontent.acceptances SET at = now()",
            "DELETE FROM nocontent.acceptances",
            "TRUNCATE nocontent.acceptances",
            "INSERT INTO nocontent.acceptances SELECT 1, 1, 1, gen_random_uuid(), sha256(''), sha256('')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_whoever_accepted_stays_an_id_after_the_person_is_removed(dsn: str, console: Connection) -> None:
    own = await accounts.member(dsn, "leaving", "admin")
    assert await _accept(console, own)
    async with connections.connected(dsn, "nocontent_control") as control:
        await control.execute("SELECT nocontent.remove_person($1, $2)", own.tenant_id, own.person_id)
        (found,) = await acceptances.of_tenant(control, own.tenant_id)
    assert (found.person, found.person_id) == (None, own.person_id)


async def test_an_erasure_of_the_tenant_deletes_its_acceptances(
    dsn: str, console: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    own, other = await accounts.member(dsn, "going"), await accounts.member(dsn, "staying")
    assert await _accept(console, own)
    assert await _accept(console, other)
    async with connections.connected(dsn, "nocontent_control") as control:
        recorded = await erasures.record(control, Subject(own.tenant_id, "tenant"))
    await erasing.reach(dsn, "finished")
    async with operator(dsn) as owner:
        counts = {count.table: count.erased for count in await erasures.counts(owner, recorded)}
        left = await owner.fetch("SELECT DISTINCT tenant_id FROM acceptances")
    assert counts["acceptances"] == 1
    assert own.tenant_id not in {row["tenant_id"] for row in left}
    assert other.tenant_id in {row["tenant_id"] for row in left}


def test_numbers_of_documents_are_for_ever() -> None:
    assert acceptances.DOCUMENTS == ("terms", "privacy", "dpa")  # Add at the end.
