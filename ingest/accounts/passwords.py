"""Hashes passwords with argon2id, in few threads of their own: a flood waits, and is then refused.

A permit belongs to the thread that hashes, not to the request: one that is abandoned does not make room for another
before its 46 MiB are free again.
"""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple, TypeVar

import argon2
from argon2 import Type
from argon2.exceptions import Argon2Error, InvalidHashError

from ingest.accounts.errors import Weakness
from ingest.errors import Overloaded

BYTES_MAX = 1_024
CHARS_MIN = 12
MEMORY_KIB = 47_104  # With one pass and one lane: OWASP's parameters for argon2id.
_MEMORY_KIB_MAX = 262_144  # Of a stored hash; a larger one is not computed.
_PASSES_MAX = 10
THREADS = 2
WAIT_S = 2.0
WAITING_MAX = 64
_hasher = argon2.PasswordHasher(time_cost=1, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
_Result = TypeVar("_Result")

# Parts of what people choose most, without digits and marks; a password of nothing else is guessed first.
_COMMON = frozenset(
    """
    a abc abcd abcdef abcdefgh abcdefghij abcdefghijkl abcdefghijklmnopqrstuvwxyz access admin administrator angel asdf
    asdfgh asdfghjkl asdfghjklzxcvbnm azerty azertyuiop baseball batman changeme charlie chocolate computer correct
    correcthorsebatterystaple default dragon enter flower football freedom gfhjkm guest hello horse hunter iloveyou
    internet jesus jordan killer letmein liverpool login love lovely manager master michael monkey mustang mypassword
    mysecret nocontent nothing oracle p pass passphrase password passwords passwordpassword passw passwort princess
    qazwsx qazwsxedc qazwsxedcrfv qwer qwert qwerty qwertyu qwertyui qwertyuiop qwertyuiopasdfghjkl root samsung secret
    secretsecret shadow soccer starwars summer sunshine super superman temp temporary test testing testtest thepassword
    thisisapassword trustno user welcome whatever winter autumn spring x xx xxx zaq zxcvbn zxcvbnm zaqxsw
    """.split()
)
_LETTERS_OF = str.maketrans("@4830!1$57", "aabeoiisst")
_AROUND = re.compile(r"\A[\W\d_]+|[\W\d_]+\Z")  # What people add to a word to make it longer.
_DIFFERENT_CHARS_MIN = 5
_REPEATED_CHARS_MAX = 4


class Verdict(NamedTuple):
    """Whether a password is right, and its hash by today's parameters if the stored one has others."""

    is_right: bool
    new_hash: str | None = None


class Passwords:
    """A bounded pool of threads that hash; made in the event loop that uses it."""

    def __init__(self, threads: int = THREADS, wait_s: float = WAIT_S) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._permits = asyncio.Semaphore(threads)
        self._wait_s = wait_s
        self._waiting = 0
        self._nobodys = _hasher.hash(secrets.token_bytes(16))

    async def hash(self, password: str) -> str:
        """Return the hash of a new password; raises Overloaded."""
        return await self._run(lambda: _hasher.hash(_bytes(password)))

    async def verify(self, password_hash: str | None, password: str) -> Verdict:
        """Compare a password with a hash, or with nobody's, which takes as long; raises Overloaded."""
        return await self._run(lambda: _verify(password_hash, self._nobodys, _bytes(password)))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        await self._acquire()
        loop = asyncio.get_running_loop()
        try:
            running = self._pool.submit(work)
        except RuntimeError:  # The pool is closed.
            self._permits.release()
            raise Overloaded from None
        running.add_done_callback(lambda _: self._release(loop))
        return await asyncio.wrap_future(running)

    async def _acquire(self) -> None:
        if self._waiting >= WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._permits.acquire()
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._waiting -= 1

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        """Free the permit, from the thread that has ended."""
        with suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(self._permits.release)


def _verify(password_hash: str | None, nobodys: str, password: bytes) -> Verdict:
    stored = password_hash if password_hash is not None and _is_bounded(password_hash) else nobodys
    try:
        _hasher.verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return Verdict(is_right=False)
    if stored != password_hash or len(password) > BYTES_MAX:
        return Verdict(is_right=False)
    return Verdict(is_right=True, new_hash=_hasher.hash(password) if _hasher.check_needs_rehash(stored) else None)


def _is_bounded(password_hash: str) -> bool:
    """Return whether a hash asks for no more memory and time than we are willing to spend."""
    try:
        asked = argon2.extract_parameters(password_hash)
    except InvalidHashError:
        return False
    return asked.memory_cost <= _MEMORY_KIB_MAX and asked.time_cost <= _PASSES_MAX and asked.parallelism <= THREADS


def _bytes(password: str) -> bytes:
    """Return the bytes that are hashed: the same password typed on another keyboard gives the same."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")[: BYTES_MAX + 1]


def weakness(password: str, email: str, organisation: str) -> Weakness | None:
    """Return why a new password is too weak, or None."""
    if len(_bytes(password)) > BYTES_MAX:
        return "too-long"
    if len(password) < CHARS_MIN:
        return "too-short"
    folded = password.casefold()
    if any(len(own) >= CHARS_MIN // 2 and own in folded for own in (email, email.partition("@")[0], organisation)):
        return "like-the-address"
    return "too-common" if _is_common(folded) else None


def _is_common(folded: str) -> bool:
    if len(set(folded)) < _DIFFERENT_CHARS_MIN or _is_run(folded):
        return True
    core = _AROUND.sub("", folded).translate(_LETTERS_OF)
    plain = {"".join(filter(str.isalpha, text)) for text in (folded, core)}
    return bool(plain & _COMMON) or any(_is_repeated(text) for text in (*plain, folded))


def _is_run(text: str) -> bool:
    """Return whether each character is the next one of the last, as in 123456789."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(steps) == 1 or steps <= {1, -9} or steps <= {-1, 9}


def _is_repeated(text: str) -> bool:
    """Return whether a text is a common word, or up to four characters, again and again."""
    return any(
        len(text) % size == 0
        and text == text[:size] * (len(text) // size)
        and (size <= _REPEATED_CHARS_MAX or text[:size] in _COMMON)
        for size in range(1, len(text) // 2 + 1)
    )
