"""Sessions: cookies that were forged, sessions that are over, new ids, the tokens of forms."""

import pytest

from ingest.accounts import signing_in
from ingest.accounts.errors import BadSignIn
from ingest.accounts.sessions import IDLE_S_MAX, Cookie
from ingest.accounts.signing_in import Accounts
from ingest.knowledge.keys import Keys
from ingest.store.accounts import sessions as stored
from tests.support import accounts
from tests.support.accounts import KEYS, Member
from tests.support.cluster import operator


async def test_the_cookie_has_what_browsers_ask_of_a_host_cookie(signing: Accounts, member: Member) -> None:
    header = (await accounts.sign_in(signing, member)).header()
    assert header.startswith("__Host-nocontent=v1.")
    assert header.endswith("; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax; Path=/")


def _forged(cookie: Cookie) -> dict[str, str]:
    version, key_id, raw, signature = cookie.value.split(".")
    other = Cookie.make(KEYS).value.split(".")
    return {
        "empty": "",
        "cut": cookie.value[:-1],
        "longer": cookie.value + "A",
        "another id": ".".join((version, key_id, other[2], signature)),
        "another signature": ".".join((version, key_id, raw, other[3])),
        "another key": Cookie.make(Keys.make()).value,
        "another key's id": f"{version}.00000000.{raw}.{signature}",
        "another version": cookie.value.replace("v1", "v2"),
        "a NUL": cookie.value + "\0",
        "other letters": cookie.value.replace("v1", "\u0475\u00b9"),
        "signed and unknown": Cookie.make(KEYS).value,
        "megabytes": cookie.value * 10_000,
    }


async def test_a_forged_cookie_is_no_session(signing: Accounts, member: Member) -> None:
    for what, value in _forged(member.cookie).items():
        assert await accounts.session_of(signing, value) is None, what
    assert await accounts.session_of(signing, member.cookie) is not None


async def test_a_cookie_does_nothing_after_signing_out(signing: Accounts, member: Member) -> None:
    cookie = (await accounts.sign_in(signing, member)).cookie
    await signing_in.sign_out(signing, cookie.value)
    assert await accounts.session_of(signing, cookie) is None
    assert await accounts.session_of(signing, member.cookie) is not None  # Another session goes on.
    await signing_in.sign_out(signing, cookie.value)
    await signing_in.sign_out(signing, None)


async def test_a_session_of_another_tenant_shows_that_tenant_alone(
    signing: Accounts, member: Member, people_database: str
) -> None:
    other = await accounts.member(people_database, f"{member.tenant}-other")
    session = await accounts.session_of(signing, other.cookie)
    assert session is not None
    async with signing.connect() as connection, stored.entered(connection, session.digest):
        seen = [row["tenant_id"] for row in await connection.fetch("SELECT tenant_id FROM people")]
    assert seen == [other.tenant_id]


async def test_signing_in_gives_a_new_id_and_ends_the_old_one(signing: Accounts, member: Member) -> None:
    first = (await accounts.sign_in(signing, member)).cookie
    second = (await accounts.sign_in(signing, member, visitor=accounts.VISITOR._replace(cookie=first.value))).cookie
    assert await accounts.session_of(signing, first) is None
    assert await accounts.session_of(signing, second) is not None


@pytest.mark.parametrize(
    "columns",
    [
        f"seen_at = now() - interval '{IDLE_S_MAX + 1} seconds'",
        "expires_at = now() - interval '1 second'",
        "awaits_totp = true",
    ],
)
async def test_a_session_that_is_over_is_none(
    signing: Accounts, member: Member, people_database: str, columns: str
) -> None:
    await accounts.change(people_database, "sessions", member, columns)
    assert await accounts.session_of(signing, member.cookie) is None
    async with signing.connect() as connection, stored.entered(connection, member.cookie.digest):
        assert await connection.fetchval("SELECT nocontent.session_tenant()") is None


async def test_use_keeps_a_session_alive(signing: Accounts, member: Member, people_database: str) -> None:
    await accounts.change(people_database, "sessions", member, "seen_at = now() - interval '6 minutes'")
    assert await accounts.session_of(signing, member.cookie) is not None
    async with operator(people_database) as connection:
        asked = "SELECT now() - seen_at < interval '1 minute' FROM sessions WHERE person_id = $1"
        assert await connection.fetchval(asked, member.person_id)


async def test_a_person_who_is_disabled_is_out_at_once(signing: Accounts, member: Member, people_database: str) -> None:
    await accounts.change(people_database, "people", member, "disabled_at = now()")
    assert await accounts.session_of(signing, member.cookie) is None
    with pytest.raises(BadSignIn):
        await accounts.sign_in(signing, member)


async def test_a_person_has_twenty_sessions_at_most(signing: Accounts, member: Member, people_database: str) -> None:
    last = [await accounts.signed_in(people_database, member.tenant_id, member.person_id) for _ in range(25)][-1]
    async with operator(people_database) as connection:
        asked = "SELECT count(*) FROM sessions WHERE person_id = $1"
        assert await connection.fetchval(asked, member.person_id) == 20
    assert await accounts.session_of(signing, member.cookie) is None
    assert await accounts.session_of(signing, last) is not None


async def test_the_token_of_a_form_is_of_one_session(signing: Accounts, member: Member) -> None:
    one, other = (
        await accounts.session_of(signing, member.cookie),
        await accounts.session_of(signing, (await accounts.sign_in(signing, member)).cookie),
    )
    assert one is not None
    assert other is not None
    token = one.form_token(KEYS)
    assert one.has_form_token(KEYS, token)
    assert one.has_form_token(KEYS.rotated(), token)
    assert not other.has_form_token(KEYS, token)
    for forged in ("", token[:-1], "\u00e9" * 43, "\ud800"):
        assert not one.has_form_token(KEYS, forged)


async def test_what_is_over_is_deleted_by_whoever_signs_in(
    signing: Accounts, member: Member, people_database: str
) -> None:
    gone = await accounts.member(people_database, f"{member.tenant}-gone")
    await accounts.link(people_database, gone, "sign-in")
    for table in ("sessions", "account_links"):
        await accounts.change(people_database, table, gone, "expires_at = now() - interval '1 second'")
    assert await accounts.sign_in(signing, member)
    async with operator(people_database) as connection:
        for table in ("sessions", "account_links"):
            left = f"SELECT count(*) FROM {table} WHERE person_id = $1"
            assert await connection.fetchval(left, gone.person_id) == 0
