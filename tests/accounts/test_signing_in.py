"""Signing in with a password: an address that exists looks like one that does not."""

from statistics import median
from time import process_time
from typing import NamedTuple

import pytest

from ingest.accounts import signing_in
from ingest.accounts.errors import BadSignIn
from ingest.accounts.signing_in import Accounts, Credentials, Visitor
from ingest.store.accounts import sessions as stored
from tests.support import accounts
from tests.support.accounts import PASSWORD, Member
from tests.support.cluster import operator


async def test_the_right_password_opens_a_session(signing: Accounts, member: Member) -> None:
    signed_in = await accounts.sign_in(signing, member)
    assert not signed_in.awaits_totp
    session = await accounts.session_of(signing, signed_in.cookie)
    assert session is not None
    assert (session.person.person_id, session.person.role) == (member.person_id, "owner")
    assert (session.person.tenant_name, session.person.email) == (member.tenant, member.email)
    assert member.email not in repr(session)
    async with signing.connect() as connection:
        found = await stored.list_own(connection, member.tenant_id, member.person_id)
        assert found == []  # Without a session there is nothing to see.
        async with stored.entered(connection, session.digest):
            found = await stored.list_own(connection, member.tenant_id, member.person_id)
    assert sorted(each.browser for each in found) == ["firefox", "other"]


class _Wrong(NamedTuple):
    """Something that does not belong together."""

    tenant: str | None = None
    email: str | None = None
    password: str = PASSWORD


_WRONG = {
    "password": _Wrong(password="another password"),
    "no password": _Wrong(password=""),
    "address": _Wrong(email="nobody@example.com"),
    "organisation": _Wrong(tenant="nobody"),
    "nothing": _Wrong("", "", ""),
    "a NUL": _Wrong(tenant="acme\0", email="\0", password="\0"),
    "a surrogate": _Wrong(email="\ud800@example.com", password="\ud800"),
    "megabytes": _Wrong(email="a" * 1_000_000, password="b" * 1_000_000),
    "SQL": _Wrong(email="' OR true --"),
}


@pytest.mark.parametrize("what", _WRONG)
async def test_what_does_not_belong_together_is_answered_alike(signing: Accounts, member: Member, what: str) -> None:
    wrong = _WRONG[what]
    typed = Credentials(wrong.tenant or member.tenant, wrong.email or member.email, wrong.password)
    if what == "nothing":
        typed = Credentials("", "", "")
    with pytest.raises(BadSignIn) as caught:
        await signing_in.sign_in(signing, typed, accounts.VISITOR)
    assert not caught.value.args


async def test_an_address_that_exists_makes_no_difference(
    signing: Accounts, member: Member, people_database: str
) -> None:
    """The same statements run, and the same is hashed, so the time of the processor is comparable, too."""
    invited = await accounts.member(people_database, f"{member.tenant}-invited")
    disabled = await accounts.member(people_database, f"{member.tenant}-disabled")
    async with operator(people_database) as connection:
        known = await connection.fetchval("SELECT password_hash FROM people WHERE person_id = $1", member.person_id)
        await accounts.give_password(people_database, disabled, known)
        await connection.execute("UPDATE people SET disabled_at = now() WHERE person_id = $1", disabled.person_id)
    tried = {
        "wrong password": (member.tenant, member.email, "another password"),
        "no such address": (member.tenant, "nobody@example.com", PASSWORD),
        "no such organisation": ("nobody", member.email, PASSWORD),
        "not accepted": (invited.tenant, invited.email, PASSWORD),
        "disabled": (disabled.tenant, disabled.email, PASSWORD),
    }
    asked: dict[str, list[str]] = {}
    took: dict[str, list[float]] = {}
    for turn in range(5):
        for what, typed in tried.items():
            statements: list[str] = []
            began = process_time()
            with pytest.raises(BadSignIn):
                await signing_in.sign_in(
                    accounts.recording(signing, statements), Credentials(*typed), Visitor(f"192.0.2.{turn}", "")
                )
            took.setdefault(what, []).append(process_time() - began)
            assert asked.setdefault(what, statements) == statements
    assert len({tuple(statements) for statements in asked.values()}) == 1
    assert len(next(iter(asked.values()))) == 2
    times = {what: median(spans) for what, spans in took.items()}
    assert max(times.values()) < 2 * min(times.values()), times
