"""An act takes its revision first, commits it with its audit lines, and waits for the act before it."""

import asyncio

import pytest

from ingest.store import acts, connections, readers, tenants, tokens
from ingest.store.connections import Connection
from tests.support.cluster import operator

_REVISION = "SELECT revision FROM control"
_AUDITED = "SELECT act FROM audit WHERE tenant_id > 0 ORDER BY audit_id"


async def _fail(connection: Connection, revision: int) -> None:
    """Begin an act that must have this revision, and fail in it."""
    async with acts.act(connection) as act:
        assert act.revision == revision
        await act.note_token(1, "token.issue", "0f9a4c7be21d")
        raise ZeroDivisionError


async def _audited(connection: Connection) -> list[str]:
    return [row["act"] for row in await connection.fetch(_AUDITED)]


async def test_an_act_that_fails_leaves_neither_revision_nor_audit_line(database: str) -> None:
    async with operator(database) as connection:
        before = await connection.fetchval(_REVISION)
        with pytest.raises(ZeroDivisionError):
            await _fail(connection, before + 1)
        assert await connection.fetchval(_REVISION) == before
        assert await _audited(connection) == []


async def test_a_part_of_an_act_has_a_revision_of_its_own_and_fails_alone(database: str) -> None:
    async with operator(database) as connection:
        async with acts.act(connection) as act:
            await act.note(1, "tenant.add")
            with pytest.raises(ZeroDivisionError):
                await _fail(connection, act.revision + 1)
        assert await connection.fetchval(_REVISION) == act.revision
        assert await _audited(connection) == ["tenant.add"]


async def test_an_act_waits_for_the_one_before_it_to_commit(database: str) -> None:
    async with (
        connections.connected(database, "nocontent_control") as one,
        connections.connected(database, "nocontent_control") as other,
    ):

        async def follow() -> int:
            async with acts.act(other) as act:
                return act.revision

        async with acts.act(one) as first:
            following = asyncio.create_task(follow())
            assert await asyncio.wait([following], timeout=0.2) == (set(), {following})
        assert await following == first.revision + 1


async def test_a_token_is_revoked_in_the_name_of_its_tenant_alone(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as connection:
        acme, globex = [await tenants.add(connection, name) for name in ("acme", "globex")]
        token_id = (await tokens.issue(connection, acme, tokens.SCOPES_DEFAULT, None)).split("_")[1]
        assert not await tokens.revoke(connection, globex, token_id)
        assert [row.state for row in await tokens.show(connection, acme)] == ["good"]
        assert await tokens.tenant_of(connection, token_id) == acme
        assert await tokens.revoke(connection, acme, token_id)
        assert [row.state for row in await tokens.show(connection, acme)] == ["revoked"]


async def test_what_changes_nothing_is_not_audited_and_readers_take_no_revision(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as connection:
        tenant_id = await tenants.add(connection, "acme")
        assert await tenants.add(connection, "acme") == tenant_id
        assert not await tokens.revoke(connection, tenant_id, "000000000000")
    async with operator(database) as connection:
        before = await connection.fetchval(_REVISION)
        login = await connection.fetchval("SELECT session_user::text")
        await readers.add(connection, tenant_id, login)
        await readers.add(connection, tenant_id, login)
        assert await readers.remove(connection, tenant_id, login)
        assert await connection.fetchval(_REVISION) == before
        assert await _audited(connection) == ["tenant.add", "reader.add", "reader.remove"]
