"""Counts attempts to sign in, in buckets that are keyed digests: no account and no address is stored."""

from collections.abc import Sequence
from typing import NamedTuple

from ingest.store.connections import Connection


class Bucket(NamedTuple):
    """A bucket, and how many attempts it takes in a span of time."""

    digest: bytes
    span_s: int
    attempts_max: int


_NOTE = "SELECT nocontent.note_attempts($1, $2, $3)"
_FORGET = "SELECT nocontent.forget_attempts($1)"


async def note(connection: Connection, buckets: Sequence[Bucket]) -> int:
    """Count an attempt in each bucket up to a full one; return the seconds until that one is empty, or 0."""
    digests, spans, counts = zip(*buckets, strict=True)
    return int(await connection.fetchval(_NOTE, list(digests), list(spans), list(counts)))


async def forget(connection: Connection, digests: Sequence[bytes]) -> None:
    """Empty buckets, after an attempt that was right."""
    await connection.execute(_FORGET, list(digests))
