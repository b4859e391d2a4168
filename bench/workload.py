"""The workload: events with a real trace's token counts, terms of the catalogue, and fresh UUIDv7s."""

import os
import random
import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from bench.scenario import Order, Spelling
from ingest.cli import trace
from schema.event import Kind
from schema.vocabulary import shipped_terms
from tests.support.columns import columns

TAGS: Mapping[str, Sequence[str]] = {
    "team": ("assistant", "billing", "checkout", "editor", "growth", "search"),
    "environment": ("prod", "staging", "test"),
    "region": ("ap-south", "eu-west", "us-east"),
}
EVENTS_PER_MS = 300  # The rate of the senders' clocks: about as fast as we can store.
SENDERS = 16  # Each reports the events since its last batch, so batches overlap in time.
JITTER_MS = 60_000
LATE_MS_MAX = 86_400_000
LATE_SHARE = 0.01
_DIMENSIONS = (
    "task_category", "provider", "requested_model", "routed_model", "tags", "status", "http_status", "stop_reason",
)  # fmt: skip
_PLACEHOLDER = "00000000-0000-7000-8000-000000000000"
_ID_HEX = np.array([place for place, character in enumerate(_PLACEHOLDER) if character != "-"])

Ids = npt.NDArray[np.uint8]  # A row of 16 bytes for each event.


def events(count: int, seed: int, tags: Mapping[str, Sequence[str]] = TAGS) -> list[dict[str, object]]:
    """Return events with a placeholder for their id, determined by the seed."""
    dice = random.Random(seed)
    arrivals = trace.read()
    categories = shipped_terms(Kind.TASK_CATEGORY)
    models = sorted(term for term in shipped_terms(Kind.MODEL) if term.startswith(("claude-", "gpt-4", "gemini-2")))[
        :48
    ]
    providers = shipped_terms(Kind.PROVIDER)[:9]
    made = []
    for arrival in dice.choices(arrivals, k=count):
        event = trace.event(arrival, 0)
        is_ok = dice.random() < 0.96
        cached = dice.choice((0, 0, 0, arrival.context_tokens // 2))
        event |= {
            "event_id": _PLACEHOLDER,
            "task_category": dice.choice(categories),
            "provider": dice.choice(providers),
            "requested_model": dice.choice(models),
            "routed_model": dice.choice(models),
            "cache_read_tokens": cached,
            "status": "ok" if is_ok else dice.choice(("error", "timeout", "rate_limited")),
            "http_status": 200 if is_ok else dice.choice((400, 429, 500, 503)),
            "stop_reason": dice.choice(("end_turn", "end_turn", "max_tokens", "tool_use")) if is_ok else None,
            "cached": cached > 0,
            "fallback": dice.random() < 0.03,
            "retried": dice.random() < 0.05,
            "tags": {key: dice.choice(tags[key]) for key in dice.sample(sorted(tags), dice.randint(0, len(tags)))},
        }
        made.append(event)
    return made


def recurring(made: Sequence[Mapping[str, object]], cells: int) -> list[dict[str, object]]:
    """Return the events with the terms and statuses of the first ones, so that usage has so many cells; 0: as made."""
    first = made[: cells or len(made)]
    return [
        {**event, **{name: first[place % len(first)][name] for name in _DIMENSIONS}} for place, event in enumerate(made)
    ]


class Template:
    """The members that hold a batch's events, in which only the ids change."""

    def __init__(self, made: Sequence[Mapping[str, object]], spelling: Spelling = "rows") -> None:
        encoded = msgspec.json.encode({"events": made} if spelling == "rows" else columns(made))[1:-1]
        starts = np.array([match.start() for match in re.finditer(_PLACEHOLDER.encode(), encoded)])
        assert len(starts) == len(made)
        self.events = len(made)
        self._bytes = np.frombuffer(encoded, np.uint8)
        self._places = (starts[:, None] + _ID_HEX).ravel()

    def stamp(self, ids: Ids) -> bytes:
        """Return the members with these ids."""
        stamped = self._bytes.copy()
        stamped[self._places] = np.frombuffer(ids.tobytes().hex().encode(), np.uint8)
        return stamped.tobytes()


class Clock:
    """A source of fresh ids whose times advance with the senders' clocks and end at a given time."""

    def __init__(self, order: Order, events: int, ends_at_ms: int) -> None:
        self._order = order
        self._at_ms = ends_at_ms - events / EVENTS_PER_MS
        self._dice = np.random.default_rng()

    def take(self, count: int) -> Ids:
        """Return the ids of the next batch, in the order of their times."""
        self._at_ms += count / EVENTS_PER_MS
        return self._ids(self._at_ms - self._dice.random(count) * (SENDERS * count / EVENTS_PER_MS))

    def _ids(self, times_ms: npt.NDArray[np.float64]) -> Ids:
        if self._order == "jitter":
            times_ms = times_ms + self._dice.uniform(-JITTER_MS, JITTER_MS, len(times_ms))
        elif self._order == "late":
            late = self._dice.random(len(times_ms)) < LATE_SHARE
            times_ms = times_ms - late * self._dice.uniform(JITTER_MS, LATE_MS_MAX, len(times_ms))
        return ids_of(times_ms, os.urandom(16 * len(times_ms)))


def ids_of(times_ms: npt.NDArray[np.float64], luck: bytes) -> Ids:
    """Return UUIDv7s (RFC 9562, section 5.7) for these times in order, from 16 random bytes each."""
    heads = (np.sort(times_ms).astype(np.uint64) << np.uint64(16)).astype(">u8")
    ids = np.frombuffer(luck, np.uint8).reshape(-1, 16).copy()
    ids[:, :6] = heads.view(np.uint8).reshape(-1, 8)[:, :6]
    ids[:, 6] = ids[:, 6] & 0x0F | 0x70
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids
