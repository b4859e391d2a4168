"""Remembers which conversations a provider has cached, at which model, and which of them were switched.

A conversation is the keyed BLAKE2b of how it begins, under a key that this process made and that nobody else has.
Nothing is written, and nothing can be read back. Another worker, or another gateway, knows nothing of it.
"""

import secrets
from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

from ingest.gateway.reading.facts import Facts
from ingest.gateway.records import Prefixes, Usage

ENTRIES_MAX = 16_384  # Some 250 bytes each, three times.
TTL_S = 300  # A provider's, from the last use on,
TTL_1H_S = 3_600  # or what a client pays more for.
SHARED_TOKENS_MIN = 512  # No provider caches less.
_DIGEST_BYTES = 16


class Warmth(NamedTuple):
    """Tokens that a model has cached."""

    tokens: int
    ttl_s: int
    until_s: float


class WarmPrefixes:
    """What this worker saw in the answers of the last hour; the least recently used is forgotten first."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._key = secrets.token_bytes(32)
        self._entries_max = entries_max
        self._cached: OrderedDict[tuple[bytes, str], Warmth] = OrderedDict()
        self._switched: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._refused: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def __len__(self) -> int:
        return max(len(self._cached), len(self._switched), len(self._refused))

    def prefixes(self, tenant_id: int, facts: Facts) -> Prefixes:
        """Digest how a request begins. Tenants never share a digest, as providers share no cache between keys."""
        prefix = facts.prefix.expose()
        is_long = facts.shared_estimate >= SHARED_TOKENS_MIN
        shared = self._digest(tenant_id, b"shared", prefix[: facts.shared_bytes]) if is_long else b""
        return Prefixes(self._digest(tenant_id, b"conversation", prefix), shared, facts.shared_estimate)

    def cached(self, prefixes: Prefixes, model: str, now_s: float) -> int:
        """Return the tokens of a request that a model has cached."""
        found = [self._cached.get((digest, model)) for digest in (prefixes.conversation, prefixes.shared)]
        return max((each.tokens for each in found if each is not None and each.until_s > now_s), default=0)

    def switched_to(self, prefixes: Prefixes, now_s: float) -> str | None:
        """Return the model that the conversation was switched to, if it is still warm."""
        model, until_s = self._switched.get(prefixes.conversation, (None, 0.0))
        return model if until_s > now_s else None

    def note(self, prefixes: Prefixes, model: str, usage: Usage, now_s: float) -> int:
        """Remember what an answer says is cached at a model, and return for how many seconds."""
        tokens = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        known = self._cached.get((prefixes.conversation, model))
        is_1h = usage.cache_write_1h_tokens > 0 or (
            known is not None and known.until_s > now_s and known.ttl_s == TTL_1H_S  # A use refreshes it.
        )
        ttl_s = TTL_1H_S if is_1h else TTL_S
        for digest, size in ((prefixes.conversation, tokens), (prefixes.shared, min(tokens, prefixes.shared_estimate))):
            if digest and size:
                self._cached[digest, model] = Warmth(size, ttl_s, now_s + ttl_s)
                self._cached.move_to_end((digest, model))
        while len(self._cached) > self._entries_max:
            self._cached.popitem(last=False)
        return ttl_s

    def note_switch(self, prefixes: Prefixes, model: str | None, until_s: float) -> None:
        """Remember the model that a conversation was switched to, or that it has the requested one."""
        self._switched.pop(prefixes.conversation, None)
        if model is not None:
            self._switched[prefixes.conversation] = (model, until_s)
        while len(self._switched) > self._entries_max:
            self._switched.popitem(last=False)

    def note_refusal(self, prefixes: Prefixes, model: str, now_s: float) -> None:
        """Remember that a model refused a request of a conversation; what it lacks, later ones will need, too."""
        self._switched.pop(prefixes.conversation, None)
        self._refused[prefixes.conversation, model] = now_s + TTL_1H_S
        self._refused.move_to_end((prefixes.conversation, model))
        while len(self._refused) > self._entries_max:
            self._refused.popitem(last=False)

    def was_refused(self, prefixes: Prefixes, model: str, now_s: float) -> bool:
        """Return whether a model has refused a request of the conversation within an hour."""
        return self._refused.get((prefixes.conversation, model), 0.0) > now_s

    def forget(self, now_s: float) -> None:
        """Drop what was last used over an hour ago: each is in the order of its last use."""
        while self._cached and next(iter(self._cached.values())).until_s <= now_s:
            self._cached.popitem(last=False)
        while self._switched and next(iter(self._switched.values()))[1] <= now_s:
            self._switched.popitem(last=False)
        while self._refused and next(iter(self._refused.values())) <= now_s:
            self._refused.popitem(last=False)

    def _digest(self, tenant_id: int, kind: bytes, prefix: bytes) -> bytes:
        mac = blake2b(b"%d %b " % (tenant_id, kind), digest_size=_DIGEST_BYTES, key=self._key)
        mac.update(prefix)
        return mac.digest()
