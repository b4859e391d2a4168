"""Signing in with a code after the password; each works once, also at the same moment."""

import asyncio
import time

import pytest

from ingest.accounts import signing_in, totp
from ingest.accounts.errors import BadCode, SessionOver
from ingest.accounts.sessions import Cookie
from ingest.accounts.signing_in import Accounts
from ingest.store.accounts import sessions
from ingest.store.accounts.sessions import NewSession
from tests.support import accounts
from tests.support.accounts import KEYS, Member


async def test_a_code_is_asked_for_after_the_password(signing: Accounts, member: Member) -> None:
    generator, _ = await accounts.with_totp(signing, member)
    waiting = await accounts.sign_in(signing, member)
    assert waiting.awaits_totp
    assert "Max-Age=600;" in waiting.header()
    assert await accounts.session_of(signing, waiting.cookie) is None  # The password alone opens nothing.
    visitor = accounts.VISITOR._replace(cookie=waiting.cookie.value)
    with pytest.raises(BadCode):
        await signing_in.enter_code(signing, f"{(int(generator.now()) + 1) % 10**6:06}", visitor)
    code = generator.now()
    signed_in = await signing_in.enter_code(signing, code, visitor)
    assert await accounts.session_of(signing, signed_in.cookie) is not None
    with pytest.raises(SessionOver):  # What waited is used up.
        await signing_in.enter_code(signing, code, visitor)


async def test_a_code_that_was_used_is_of_no_use(signing: Accounts, member: Member) -> None:
    generator, _ = await accounts.with_totp(signing, member)
    code = generator.now()
    waiting = [await accounts.sign_in(signing, member) for _ in range(3)]
    visitors = [accounts.VISITOR._replace(cookie=each.cookie.value) for each in waiting]
    await signing_in.enter_code(signing, code, visitors[0])
    for replayed in (code, generator.at(int(time.time()) - totp.STEP_S)):
        with pytest.raises(BadCode):
            await signing_in.enter_code(signing, replayed, visitors[1])
    outcomes = await asyncio.gather(
        *(signing_in.enter_code(signing, code, visitor) for visitor in visitors[1:]), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [BadCode, BadCode]


async def test_a_recovery_code_works_once(signing: Accounts, member: Member) -> None:
    _, codes = await accounts.with_totp(signing, member)
    waiting = [
        accounts.VISITOR._replace(cookie=(await accounts.sign_in(signing, member)).cookie.value) for _ in range(3)
    ]
    assert await signing_in.enter_code(signing, codes[0].upper(), waiting[0])
    with pytest.raises(BadCode):
        await signing_in.enter_code(signing, codes[0], waiting[1])
    outcomes = await asyncio.gather(
        *(signing_in.enter_code(signing, codes[1], visitor) for visitor in waiting[1:]), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BadCode", "SignedIn"]


async def test_a_password_alone_opens_no_session_of_somebody_with_an_authenticator(
    signing: Accounts, member: Member
) -> None:
    """Also where the console has read the account before there was one, or a session that awaits a code has ended."""
    await accounts.with_totp(signing, member)
    waiting = await accounts.sign_in(signing, member)
    async with signing.connect() as connection:
        for instead in (None, Cookie.make(KEYS).digest, member.cookie.digest):
            new = NewSession(Cookie.make(KEYS).digest, "other", awaits_totp=False, places=(b"a" * 32,), instead=instead)
            assert not await sessions.open_session(connection, member.tenant_id, member.person_id, new)
        assert await sessions.close(connection, waiting.cookie.digest)
        new = new._replace(instead=waiting.cookie.digest)
        assert not await sessions.open_session(connection, member.tenant_id, member.person_id, new)
    again = await accounts.sign_in(signing, member)
    async with signing.connect() as connection:
        new = new._replace(instead=again.cookie.digest)
        assert await sessions.open_session(connection, member.tenant_id, member.person_id, new)


async def test_a_code_needs_a_session_that_awaits_one(signing: Accounts, member: Member) -> None:
    for cookie in (None, "", member.cookie.value, Cookie.make(KEYS).value):
        with pytest.raises(SessionOver):
            await signing_in.enter_code(signing, "000000", accounts.VISITOR._replace(cookie=cookie))
