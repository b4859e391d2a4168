"""Limits on attempts: of an address, an account, a day and all; and none that locks an owner out of a known place."""

import asyncio

import pytest

from ingest.accounts import signing_in, throttle
from ingest.accounts.errors import BadCode, BadSignIn, Throttled
from ingest.accounts.signing_in import Accounts, Credentials, Visitor
from ingest.accounts.throttle import ACCOUNT, ACCOUNT_DAY, ADDRESS, ALL, CODE, PLACE, Limit, Subject
from ingest.knowledge.keys import Keys
from ingest.store.accounts.attempts import Bucket
from tests.support import accounts
from tests.support.accounts import KEYS, Member
from tests.support.cluster import operator

_LIMITS = (ALL, ADDRESS, ACCOUNT_DAY, ACCOUNT)


async def _attempt(signing: Accounts, account: str, address: str) -> int:
    """Count an attempt without hashing; return the seconds to wait, or 0."""
    async with signing.connect() as connection:
        try:
            await throttle.note(connection, throttle.buckets(KEYS, Subject(account, address), (), _LIMITS))
        except Throttled as throttled:
            return throttled.retry_after_s
    return 0


async def _attempts(signing: Accounts, count: int, account: str, address: str) -> list[int]:
    return [await _attempt(signing, account.format(turn), address.format(turn)) for turn in range(count)]


async def _let_pass(dsn: str, span: str) -> None:
    """Let all spans be over that would be, once a time has passed."""
    passed = "UPDATE sign_in_attempts SET until = now() - interval '1 second' WHERE until < now() + $1::text::interval"
    async with operator(dsn) as connection:
        await connection.execute(passed, span)


async def test_an_address_has_ten_attempts_whatever_it_tries(signing: Accounts) -> None:
    waits = await _attempts(signing, 12, "acme {}@example.com", "192.0.2.1")
    assert waits[:10] == [0] * 10
    assert all(200 <= wait <= 300 for wait in waits[10:])
    assert not await _attempt(signing, "acme other@example.com", "192.0.2.2")


async def test_an_address_alone_uses_up_neither_the_limit_of_all_nor_that_of_a_day(
    signing: Accounts, people_database: str
) -> None:
    assert any(await _attempts(signing, 60, "acme owner@example.com", "192.0.2.1"))
    subject = Subject("acme owner@example.com", "")
    async with operator(people_database) as connection:
        for limit in (ALL, ACCOUNT_DAY):
            (bucket,) = throttle.buckets(KEYS, subject, (), (limit,))
            counted = "SELECT attempts FROM sign_in_attempts WHERE bucket = $1"
            assert await connection.fetchval(counted, bucket.digest) == ADDRESS.attempts_max


async def test_an_account_has_ten_attempts_from_wherever(signing: Accounts) -> None:
    waits = await _attempts(signing, 12, "acme owner@example.com", "192.0.2.{}")
    assert waits[:10] == [0] * 10
    assert all(waits[10:])
    assert not await _attempt(signing, "acme other@example.com", "192.0.2.99")


async def test_an_account_has_fifty_attempts_a_day(signing: Accounts, people_database: str) -> None:
    for _ in range(5):
        assert not any(await _attempts(signing, 10, "acme owner@example.com", "192.0.2.{}"))
        await _let_pass(people_database, "1 hour")
    assert await _attempt(signing, "acme owner@example.com", "192.0.2.99") > 80_000


async def test_attempts_have_a_limit_in_all(signing: Accounts, people_database: str) -> None:
    assert not await _attempt(signing, "acme a", "192.0.2.1")
    (bucket,) = throttle.buckets(KEYS, Subject("", ""), (), (ALL,))
    fill = "UPDATE sign_in_attempts SET attempts = $1 WHERE bucket = $2"
    async with operator(people_database) as connection:
        assert await connection.execute(fill, ALL.attempts_max, bucket.digest) == "UPDATE 1"
    assert await _attempt(signing, "globex b", "192.0.2.2")
    async with operator(people_database) as connection:  # A flood of accounts and addresses stores no more rows.
        assert await connection.fetchval("SELECT count(*) FROM sign_in_attempts") == len(_LIMITS)


async def test_attempts_at_the_same_moment_are_all_counted(signing: Accounts) -> None:
    waits = await asyncio.gather(*(_attempt(signing, "acme owner", f"192.0.2.{turn}") for turn in range(20)))
    assert sum(wait == 0 for wait in waits) == 10


async def test_a_span_that_is_over_begins_again(signing: Accounts, people_database: str) -> None:
    assert any(await _attempts(signing, 11, "acme owner@example.com", "192.0.2.1"))
    await _let_pass(people_database, "2 days")
    assert not await _attempt(signing, "acme owner@example.com", "192.0.2.1")
    async with operator(people_database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM sign_in_attempts WHERE until < now()") == 0


async def test_an_owner_is_not_locked_out_of_a_known_place(signing: Accounts, member: Member) -> None:
    assert await accounts.sign_in(signing, member)  # From now on the network is known.
    typed = Credentials(member.tenant, member.email, "wrong")
    for turn in range(ACCOUNT.attempts_max):
        with pytest.raises(BadSignIn):
            await signing_in.sign_in(signing, typed, Visitor(f"198.51.100.{turn}", ""))
    with pytest.raises(Throttled):
        await signing_in.sign_in(signing, typed, Visitor("198.51.100.99", ""))
    with pytest.raises(Throttled):  # Nor does the right password help there.
        await accounts.sign_in(signing, member, visitor=Visitor("198.51.100.99", ""))
    for address in (accounts.VISITOR.address, "203.0.113.200", "::ffff:203.0.113.7"):
        assert await accounts.sign_in(signing, member, visitor=accounts.VISITOR._replace(address=address))


async def test_a_known_place_has_a_limit_of_its_own(signing: Accounts, member: Member) -> None:
    assert await accounts.sign_in(signing, member)
    for _ in range(PLACE.attempts_max):
        with pytest.raises(BadSignIn):
            await accounts.sign_in(signing, member, "wrong")
    with pytest.raises(Throttled) as throttled:
        await accounts.sign_in(signing, member)
    assert 0 < throttled.value.retry_after_s <= PLACE.span_s


async def test_a_place_is_known_of_one_person(signing: Accounts, member: Member, people_database: str) -> None:
    assert await accounts.sign_in(signing, member)
    own = await _known(people_database, member)
    assert len(own) == 1
    subject = Subject("acme x", accounts.VISITOR.address, f"{member.tenant_id} {member.person_id}")
    assert throttle.places(KEYS, subject)[0] in own
    assert throttle.places(KEYS.rotated(), subject)[1] in own  # It stays known while the key is in force.
    for other in (subject._replace(person="1 x"), subject._replace(address="203.0.112.1")):
        assert not set(throttle.places(KEYS, other)) & set(own)


async def test_the_last_ten_places_are_known(signing: Accounts, member: Member, people_database: str) -> None:
    for turn in range(12):
        await _let_pass(people_database, "2 days")
        assert await accounts.sign_in(signing, member, visitor=Visitor(f"198.51.{turn}.1", ""))
    person = f"{member.tenant_id} {member.person_id}"
    last = [throttle.places(KEYS, Subject("", f"198.51.{turn}.7", person))[0] for turn in range(2, 12)]
    assert await _known(people_database, member) == last


async def _known(dsn: str, member: Member) -> list[bytes]:
    async with operator(dsn) as connection:
        found = await connection.fetchval("SELECT places FROM people WHERE person_id = $1", member.person_id)
    return list(found)


async def test_codes_cannot_be_guessed(signing: Accounts, member: Member) -> None:
    await accounts.with_totp(signing, member)
    visitor = Visitor("198.51.100.1", "")
    waiting = await accounts.sign_in(signing, member, visitor=visitor)
    for _ in range(CODE.attempts_max):
        with pytest.raises(BadCode):
            await signing_in.enter_code(signing, "x", visitor._replace(cookie=waiting.cookie.value))
    with pytest.raises(Throttled):
        await signing_in.enter_code(signing, "x", visitor._replace(cookie=waiting.cookie.value))


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("unix", "", True),
    ],
)
def test_an_address_counts_without_what_its_owner_can_choose(one: str, other: str, *, are_same: bool) -> None:
    assert (_bucket(ADDRESS, one) == _bucket(ADDRESS, other)) is are_same


def _bucket(limit: Limit, address: str, keys: Keys = KEYS) -> Bucket:
    return throttle.buckets(keys, Subject("acme owner", address), (), (limit,))[0]


def test_without_the_key_nobody_can_tell_whose_a_bucket_is() -> None:
    assert _bucket(ACCOUNT, "192.0.2.1").digest != _bucket(ACCOUNT, "192.0.2.1", Keys.make()).digest
