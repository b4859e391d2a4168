"""Links: each works once, for its time, and for what it was made."""

import asyncio

import pytest

from ingest.accounts import links, signing_in
from ingest.accounts.errors import BadSignIn, LinkOver, WeakPassword
from ingest.accounts.passwords import Verdict
from ingest.accounts.signing_in import Accounts
from ingest.store.accounts.people import LinkKind
from tests.support import accounts
from tests.support.accounts import PASSWORD, Member
from tests.support.cluster import operator


async def test_a_reset_works_once_and_ends_all_sessions(
    signing: Accounts, member: Member, people_database: str
) -> None:
    secret, other = (
        await accounts.link(people_database, member, "reset"),
        await accounts.link(people_database, member, "sign-in"),
    )
    async with signing.connect() as connection:
        for _ in range(3):  # A program that scans mail opens links.
            found = await links.find(connection, secret)
            assert found is not None
            assert (found.kind, found.person.email) == ("reset", member.email)
    with pytest.raises(WeakPassword):  # It can still be used.
        await signing_in.set_password(signing, secret, "short")
    outcomes = await asyncio.gather(
        *(signing_in.set_password(signing, secret, f"a new password of turn {turn}") for turn in "ab"),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkOver", "Linked"]
    assert await accounts.session_of(signing, member.cookie) is None
    with pytest.raises(BadSignIn):
        await accounts.sign_in(signing, member)
    turn = "ab"[type(outcomes[0]).__name__ != "Linked"]
    assert await accounts.sign_in(signing, member, f"a new password of turn {turn}")
    with pytest.raises(LinkOver):  # Other links have ended, too.
        await signing_in.follow(signing, other, accounts.VISITOR)


async def test_an_old_password_that_is_being_compared_opens_nothing_after_a_reset(
    signing: Accounts, member: Member, people_database: str
) -> None:
    secret = await accounts.link(people_database, member, "reset")
    verify = signing.passwords.verify

    async def overtaken(password_hash: str | None, password: str) -> Verdict:
        verdict = await verify(password_hash, password)
        await signing_in.set_password(signing, secret, "a password of the reset")
        return verdict

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signing.passwords, "verify", overtaken)
        with pytest.raises(BadSignIn):
            await accounts.sign_in(signing, member)
    async with operator(people_database) as connection:
        assert not await connection.fetchval("SELECT count(*) FROM sessions WHERE person_id = $1", member.person_id)
    assert await accounts.sign_in(signing, member, "a password of the reset")


@pytest.mark.parametrize("kind", ["invitation", "reset", "sign-in"])
async def test_a_link_ends_with_its_time(
    signing: Accounts, member: Member, people_database: str, kind: LinkKind
) -> None:
    if kind == "invitation":
        await accounts.change(people_database, "people", member, "password_hash = NULL, password_changed_at = NULL")
    secret = await accounts.link(people_database, member, kind)
    span = {"invitation": "7 days", "reset": "30 minutes", "sign-in": "10 minutes"}[kind]
    async with operator(people_database) as connection:
        asked = "SELECT expires_at - created_at = $2::text::interval FROM account_links WHERE person_id = $1"
        assert await connection.fetchval(asked, member.person_id, span)
    await accounts.change(people_database, "account_links", member, "expires_at = now() - interval '1 second'")
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, secret, PASSWORD)
    with pytest.raises(LinkOver):
        await signing_in.follow(signing, secret, accounts.VISITOR)


async def test_a_new_link_takes_the_place_of_the_last(signing: Accounts, member: Member, people_database: str) -> None:
    first, second = [await accounts.link(people_database, member, "reset") for _ in range(2)]
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, first, PASSWORD)
    assert await signing_in.set_password(signing, second, PASSWORD)


async def test_a_link_for_signing_in_works_once_and_sets_no_password(
    signing: Accounts, member: Member, people_database: str
) -> None:
    secret = await accounts.link(people_database, member, "sign-in")
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, secret, PASSWORD)
    outcomes = await asyncio.gather(
        *(signing_in.follow(signing, secret, accounts.VISITOR) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkOver", "LinkOver", "SignedIn"]


@pytest.mark.parametrize("secret", ["", "a", "\u00e9" * 43, "a" * 44, "Ab1-_" * 8 + "Ab1", "../" * 20])
async def test_what_is_no_link_opens_nothing(signing: Accounts, secret: str) -> None:
    async with signing.connect() as connection:
        assert await links.find(connection, secret) is None
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, secret, PASSWORD)
