"""The board: memory of no file, in which the companion leaves the newest snapshot for the workers of a gateway.

Two places take turns: the companion fills the one that nobody reads, and then names it by the board's generation. So a
companion that is killed while it writes has changed nothing. A digest finds the rest, such as a reader that was
overtaken.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from multiprocessing.reduction import DupFd
from typing import NamedTuple, Protocol, Self

import msgspec

from ingest.knowledge.gateway import SNAPSHOT_BYTES_MAX, GatewaySnapshot, GatewayTenant, GatewayToken

HEAD_BYTES = mmap.PAGESIZE
_SIZE = HEAD_BYTES + 2 * SNAPSHOT_BYTES_MAX
# Places in the head, in units of 8 bytes: each is written at once.
_GENERATION, _CONFIRMED_MS, _OFFSET_MS = 0, 1, 2
_SLOT = struct.Struct("<qq32s")  # Generation, length and digest of what is in a place.
SLOTS_AT = 64
_TRIES = 3
_NEVER_MS = 1 << 62
_decoder = msgspec.json.Decoder(GatewaySnapshot)


def now_ms() -> int:
    """Return a clock that all processes of this machine share, that no operator sets, and that counts its sleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class BoardFile:
    """An open file of the board; multiprocessing can pass it to a worker."""

    def __init__(self, file: int) -> None:
        self.file = file

    @classmethod
    def make(cls) -> Self:
        """Make a board, open for writing."""
        file = os.memfd_create("nocontent-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(file, _SIZE)  # Memory is taken as it is written.
        # Workers have it too, and Landlock would let them open it again: none may write it, or end all others with it.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        os.fchmod(file, 0o400)
        return cls(file)

    def readable(self) -> "BoardFile":
        """Return the same board, open for reading alone."""
        return BoardFile(os.open(f"/proc/self/fd/{self.file}", os.O_RDONLY | os.O_CLOEXEC))

    def __reduce__(self) -> "tuple[object, tuple[_Passed]]":
        return _received, (DupFd(self.file),)


class _Passed(Protocol):
    def detach(self) -> int: ...


def _received(passed: _Passed) -> BoardFile:
    return BoardFile(passed.detach())


class Grants(NamedTuple):
    """A snapshot with what is looked up in it."""

    snapshot: GatewaySnapshot
    tokens: dict[str, GatewayToken]
    tenants: dict[int, GatewayTenant]

    @classmethod
    def of(cls, snapshot: GatewaySnapshot) -> Self:
        return cls(
            snapshot,
            {token.token_id: token for token in snapshot.tokens},
            {tenant.tenant_id: tenant for tenant in snapshot.tenants},
        )


class Board:
    """A worker's view of the board: a look costs as much as reading a number, unless it has changed."""

    def __init__(self, file: BoardFile) -> None:
        self._memory = mmap.mmap(file.file, _SIZE, access=mmap.ACCESS_READ)
        self._head = memoryview(self._memory)[:HEAD_BYTES].cast("q")
        self._generation = 0
        self._grants: Grants | None = None

    def read(self) -> GatewaySnapshot | None:
        """Return the newest snapshot, or None before the first and if the memory is damaged."""
        grants = self.grants()
        return grants and grants.snapshot

    def grants(self) -> Grants | None:
        """Return the newest snapshot with its look-ups, likewise."""
        if self._head[_GENERATION] != self._generation:
            self._follow()
        return self._grants

    def age_ms(self) -> int:
        """Return how long ago the service was asked for the answer that confirmed the snapshot."""
        confirmed_ms = self._head[_CONFIRMED_MS]
        return now_ms() - confirmed_ms if confirmed_ms else _NEVER_MS

    def service_now_ms(self) -> int:
        """Return the service's clock; it may be ahead by as long as a request takes, and never behind."""
        return now_ms() + self._head[_OFFSET_MS]

    def _follow(self) -> None:
        """Take over the newest generation. Without a whole one nobody is admitted: an older one has revoked tokens."""
        for _ in range(_TRIES):
            generation = self._head[_GENERATION]
            payload = self._payload(generation)
            if payload is not None:
                self._generation, self._grants = generation, Grants.of(_decoder.decode(payload))
                return
        self._generation, self._grants = 0, None

    def _payload(self, generation: int) -> bytes | None:
        place = generation % 2
        owner, length, digest = _SLOT.unpack_from(self._memory, SLOTS_AT + place * _SLOT.size)
        if owner != generation or not 0 < length <= SNAPSHOT_BYTES_MAX:
            return None
        start = HEAD_BYTES + place * SNAPSHOT_BYTES_MAX
        payload = self._memory[start : start + length]
        return payload if _digest(generation, payload) == digest else None


class BoardWriter:
    """The companion's side of the board; only one process may have it at a time."""

    def __init__(self, file: BoardFile) -> None:
        self._memory = mmap.mmap(file.file, _SIZE)
        self._head = memoryview(self._memory)[:HEAD_BYTES].cast("q")

    def write(self, payload: bytes) -> None:
        """Put up an encoded snapshot in place of the one before; the caller has decoded it, and confirms it next."""
        generation = self._head[_GENERATION] + 1
        place = generation % 2
        start = HEAD_BYTES + place * SNAPSHOT_BYTES_MAX
        self._memory[start : start + len(payload)] = payload
        slot = generation, len(payload), _digest(generation, payload)
        _SLOT.pack_into(self._memory, SLOTS_AT + place * _SLOT.size, *slot)
        self._head[_GENERATION] = generation

    def confirm(self, asked_at_ms: int, service_ms: int) -> None:
        """Note that the service, asked at a moment of `now_ms`, said what is on the board, and what its clock was."""
        self._head[_OFFSET_MS] = service_ms - asked_at_ms
        self._head[_CONFIRMED_MS] = asked_at_ms


def _digest(generation: int, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=32, salt=generation.to_bytes(8, "little")).digest()
