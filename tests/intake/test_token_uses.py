"""When tokens were last used: noted once an hour for each, by a function that can write the present hour alone."""

import asyncio
from datetime import timedelta

from ingest.intake.token_uses import HOUR_S, TokenUses
from ingest.knowledge.tokens import Credential, Token
from ingest.store import connections, tenants, tokens
from ingest.store.connections import Connection

_HOUR = "SELECT last_used_at = date_trunc('hour', now()) FROM ingest_tokens WHERE token_id = $1"
_EARLIER = "UPDATE ingest_tokens SET last_used_at = date_trunc('hour', now()) - interval '1 hour'"
_LOCK = "SELECT FROM ingest_tokens WHERE token_id = $1 FOR UPDATE"


def _token(token_id: str) -> Token:
    return Token(token_id, 1, bytes(32), frozenset(), None, is_revoked=False)


def test_a_token_is_due_once_an_hour() -> None:
    uses, (one, other) = TokenUses(), map(_token, ("a" * 12, "b" * 12))
    uses.add(one, HOUR_S)
    uses.add(one, HOUR_S + 1)
    assert uses.due == {one.token_id: 1}
    uses.noted([one.token_id])
    uses.add(one, HOUR_S + 2)
    uses.add(other, HOUR_S + 3)
    assert uses.due == {other.token_id: 1}
    uses.add(one, 2 * HOUR_S)
    assert uses.due == {one.token_id: 1, other.token_id: 1}


def test_a_use_that_is_never_noted_is_forgotten_after_two_hours() -> None:
    uses, (one, other) = TokenUses(), map(_token, ("a" * 12, "b" * 12))
    uses.add(one, HOUR_S)
    uses.add(other, 2 * HOUR_S)
    uses.add(other, 3 * HOUR_S)
    assert uses.due == {other.token_id: 1}


async def _issue(owner: Connection, name: str) -> tuple[int, str]:
    tenant = await tenants.add(owner, name)
    credential = Credential.parse(await tokens.issue(owner, tenant, tokens.SCOPES_DEFAULT, None))
    assert credential is not None
    return tenant, credential.token_id


async def test_a_use_is_noted_to_the_hour_and_a_tenants_own_alone(owner: Connection, writer: Connection) -> None:
    (tenant, one), (other_tenant, other) = await _issue(owner, "acme"), await _issue(owner, "globex")
    revision = await owner.fetchval("SELECT revision FROM ingest_tokens WHERE token_id = $1", one)
    assert await tokens.note_uses(writer, {one: tenant, other: tenant}) == [one]
    assert await tokens.note_uses(writer, {one: tenant}) == [one]
    assert [await owner.fetchval(_HOUR, token_id) for token_id in (one, other)] == [True, None]
    assert await owner.fetchval("SELECT revision FROM ingest_tokens WHERE token_id = $1", one) == revision
    await owner.execute(_EARLIER)
    assert await tokens.note_uses(writer, {other: other_tenant}) == [other]
    (shown,) = await tokens.show(owner, tenant)
    assert shown.last_used_at is not None
    assert shown.created_at - shown.last_used_at < timedelta(hours=2)


async def test_an_act_on_a_token_makes_no_worker_wait(database: str, owner: Connection, writer: Connection) -> None:
    tenant, token_id = await _issue(owner, "acme")
    async with connections.connected(database, "nocontent_control") as control, control.transaction():
        await control.execute(_LOCK, token_id)
        async with asyncio.timeout(1.5):  # The statement may wait for 2 s.
            assert await tokens.note_uses(writer, {token_id: tenant}) == []
    assert await tokens.note_uses(writer, {token_id: tenant}) == [token_id]
