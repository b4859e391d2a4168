"""Hashing: right and wrong passwords, parameters, weakness, and a pool that no flood widens."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import argon2
import pytest

from ingest.accounts import passwords
from ingest.accounts.passwords import WAITING_MAX, Passwords, weakness
from ingest.errors import Overloaded

_GOOD = "tangerine lantern 9"
_CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1)


@pytest.fixture
async def pool() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_hash_is_argon2id_with_the_published_parameters(pool: Passwords) -> None:
    hashed = await pool.hash(_GOOD)
    assert hashed.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert (await pool.verify(hashed, _GOOD)) == (True, None)
    assert await pool.hash(_GOOD) != hashed  # Each has a salt of its own.


@pytest.mark.parametrize(
    "typed", ["", "Tangerine lantern 9", _GOOD + " ", _GOOD[:-1], "\0", "\ud800" * 12, "x" * 9_999]
)
async def test_another_password_is_wrong(pool: Passwords, typed: str) -> None:
    assert (await pool.verify(_CHEAP.hash(_GOOD), typed)).is_right is False


async def test_the_same_letters_typed_in_two_ways_are_one_password(pool: Passwords) -> None:
    assert (await pool.verify(await pool.hash("cafe\u0301 au lait 12"), "caf\u00e9 au lait 12")).is_right


async def test_nobodys_hash_fits_no_password(pool: Passwords) -> None:
    for typed in ("", _GOOD):
        assert await pool.verify(None, typed) == (False, None)


async def test_a_hash_with_other_parameters_is_renewed(pool: Passwords) -> None:
    verdict = await pool.verify(_CHEAP.hash(_GOOD), _GOOD)
    assert verdict.is_right
    assert verdict.new_hash is not None
    assert "m=47104,t=1,p=1" in verdict.new_hash


@pytest.mark.parametrize("asked", ["m=4194304,t=1,p=1", "m=1024,t=99,p=1", "m=1024,t=1,p=64"])
async def test_a_stored_hash_cannot_ask_for_more_than_the_ceiling(pool: Passwords, asked: str) -> None:
    costly = _CHEAP.hash(_GOOD).replace("m=1024,t=1,p=1", asked)
    async with asyncio.timeout(2):
        assert await pool.verify(costly, _GOOD) == (False, None)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("short", "too-short"),
        ("\U0001f34a" * 300, "too-long"),
        ("aaaaaaaaaaaaaaaa", "too-common"),
        ("abababababababab", "too-common"),
        ("1234567890123", "too-common"),
        ("123456789012345", "too-common"),
        ("9876543210987", "too-common"),
        ("Password1234!", "too-common"),
        ("P@ssw0rd2026!", "too-common"),
        ("passwordpassword", "too-common"),
        ("qwertyuiop123", "too-common"),
        ("letmein-letmein", "too-common"),
        ("CorrectHorseBatteryStaple", "too-common"),
        ("nocontent2026!", "too-common"),
        ("Owner@example.com", "like-the-address"),
        ("i-am-acme-inc-99", "like-the-address"),
        (_GOOD, None),
        ("correct mandarin 88", None),
        ("\u0448\u0435\u0441\u0442\u043e\u0439 \u043f\u043e\u0435\u0437\u0434 7", None),
    ],
)
def test_a_new_password_is_not_one_that_is_guessed(typed: str, why: str | None) -> None:
    assert weakness(typed, "owner@example.com", "acme-inc") == why


async def _works_again(pool: Passwords) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(Overloaded):
                assert await pool.verify(None, _GOOD) == (False, None)
                return
            await asyncio.sleep(0.01)


async def test_a_flood_uses_two_threads_and_is_refused() -> None:
    pool = Passwords(wait_s=0.15)
    try:
        tasks = [asyncio.create_task(pool.verify(None, _GOOD)) for _ in range(40)]
        await asyncio.sleep(0.1)
        assert sum(thread.name.startswith("passwords") for thread in threading.enumerate()) <= passwords.THREADS
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) >= 20
        assert any(outcome == (False, None) for outcome in outcomes)
        await _works_again(pool)
    finally:
        pool.close()


async def test_no_more_than_so_many_wait() -> None:
    pool = Passwords(wait_s=60)
    tasks = [asyncio.create_task(pool.verify(None, _GOOD)) for _ in range(passwords.THREADS + WAITING_MAX + 5)]
    try:
        done, _ = await asyncio.wait(tasks, timeout=0.02)
        assert sum(isinstance(task.exception(), Overloaded) for task in done) == 5
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pool.close()


async def test_an_abandoned_request_keeps_its_permit_until_its_thread_has_ended() -> None:
    pool = Passwords(wait_s=0.001)
    try:
        tasks = [asyncio.create_task(pool.hash(_GOOD)) for _ in range(passwords.THREADS)]
        await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(Overloaded):
            await pool.hash(_GOOD)
        await _works_again(pool)
    finally:
        pool.close()


async def test_a_closed_pool_refuses() -> None:
    pool = Passwords()
    pool.close()
    with pytest.raises(Overloaded):
        await pool.hash(_GOOD)
