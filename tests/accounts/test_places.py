"""A sign-in from a network that is new to somebody: one letter, with the id of the session alone."""

import asyncio
from dataclasses import replace

import asyncpg

from ingest.accounts import signing_in
from ingest.accounts.signing_in import Accounts, Visitor
from tests.support import accounts
from tests.support.accounts import Member
from tests.support.cluster import operator

_HOME, _AWAY = Visitor("203.0.113.9", ""), Visitor("198.51.100.9", "")


async def _letters(dsn: str, member: Member) -> list[asyncpg.Record]:
    async with operator(dsn) as connection:
        return await connection.fetch(
            """
            SELECT ids, numbers, cause, session_id FROM outbox
            LEFT JOIN sessions ON session_id = cause WHERE outbox.person_id = $1 AND kind = 'new-place'
            """,
            member.person_id,
        )


async def test_the_first_sign_in_and_known_places_make_no_letter(
    signing: Accounts, member: Member, people_database: str
) -> None:
    for address in ("203.0.113.9", "203.0.113.77", "::ffff:203.0.113.1"):
        await accounts.sign_in(signing, member, visitor=Visitor(address, ""))
    assert await _letters(people_database, member) == []


async def test_a_new_place_makes_one_letter_with_nothing_but_the_session(
    signing: Accounts, member: Member, people_database: str
) -> None:
    for visitor in (_HOME, _AWAY, _AWAY, _HOME):
        await accounts.sign_in(signing, member, visitor=visitor)
    (letter,) = await _letters(people_database, member)
    assert letter["ids"] == [letter["cause"]] == [letter["session_id"]]
    assert letter["numbers"] == []


async def test_sign_ins_at_the_same_moment_make_one_letter(
    signing: Accounts, member: Member, people_database: str
) -> None:
    await accounts.sign_in(signing, member, visitor=_HOME)
    await asyncio.gather(*(accounts.sign_in(signing, member, visitor=_AWAY) for _ in range(4)))
    assert len(await _letters(people_database, member)) == 1


async def test_a_wrong_password_makes_no_letter_and_no_known_place(
    signing: Accounts, member: Member, people_database: str
) -> None:
    await accounts.sign_in(signing, member, visitor=_HOME)
    outcomes = await asyncio.gather(accounts.sign_in(signing, member, "wrong", _AWAY), return_exceptions=True)
    assert isinstance(outcomes[0], Exception)
    assert await _letters(people_database, member) == []
    await accounts.sign_in(signing, member, visitor=_AWAY)
    assert len(await _letters(people_database, member)) == 1


async def test_somebody_with_an_authenticator_gets_it_after_the_code(
    signing: Accounts, member: Member, people_database: str
) -> None:
    await accounts.sign_in(signing, member, visitor=_HOME)
    _, codes = await accounts.with_totp(signing, member)
    waiting = await accounts.sign_in(signing, member, visitor=_AWAY)
    assert await _letters(people_database, member) == []
    await signing_in.enter_code(signing, codes[0], _AWAY._replace(cookie=waiting.cookie.value))
    assert len(await _letters(people_database, member)) == 1


async def test_a_place_stays_known_over_a_rotation_of_the_keys(
    signing: Accounts, member: Member, people_database: str
) -> None:
    await accounts.sign_in(signing, member, visitor=_HOME)
    rotating = [signing.keys()]
    for _ in range(3):  # Each sign-in replaces the digest by that of the new key.
        rotating.append(rotating[-1].rotated())
        await accounts.sign_in(replace(signing, keys=lambda: rotating[-1]), member, visitor=_HOME)
    assert await _letters(people_database, member) == []
    async with operator(people_database) as connection:
        places = "SELECT cardinality(places) FROM people WHERE person_id = $1"
        assert await connection.fetchval(places, member.person_id) == 1
