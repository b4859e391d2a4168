"""The kit that families make cases from: the policy in force, canaries, good events, and one seeded random source."""

import json
import re
from collections.abc import Mapping, Sequence
from random import Random

import msgspec
from msgspec import Struct

from ingest.prove.canaries import Canaries
from schema import ids

Json = dict[str, object]


class Policy(Struct, frozen=True):
    """The fields that the kit reads of `GET /v1/policy`."""

    digest: str
    retention_days: int
    fields: list[str]
    drop_reasons: list[str]
    bounds: dict[str, int]
    rules: dict[str, str]
    modes: dict[str, str]
    terms: dict[str, list[str]]
    tags: dict[str, list[str]]
    spellings: dict[str, list[str]] = {}  # Older services have none.


class Kit:
    """The material for every family, determined by secret, seed and time."""

    def __init__(self, policy: Policy, secret: bytes, seed: int, now_ms: int) -> None:
        self.policy = policy
        self.canaries = Canaries(secret)
        self.seed = seed
        self.random = Random(seed)  # noqa: S311 (choices must be repeatable)
        self.now_ms = now_ms
        self.learner: Kit | None = None  # For the tenant in mode `learn`, if there is one.
        self._known: dict[str, frozenset[str]] = {}
        self.tags: Json = {key: values[0] for key, values in list(policy.tags.items())[:1]}
        self._good: Json = {
            "task_category": _pick(policy.terms["task_category"], "chat"),
            "provider": _pick(policy.terms["provider"], "anthropic"),
            "requested_model": _pick(policy.terms["model"], "claude-opus-4-5"),
            "routed_model": _pick(policy.terms["model"], "claude-haiku-4-5"),
            "input_tokens": 812, "output_tokens": 96, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0, "reasoning_tokens": 0, "cost_nanousd": 1_292_000,
            "baseline_cost_nanousd": 6_460_000, "latency_ms": 840, "ttft_ms": 210, "status": "ok", "http_status": 200,
            "stop_reason": "end_turn", "streamed": True, "cached": False, "fallback": False, "retried": False,
            "escalated": False, "tags": self.tags,
        }  # fmt: skip

    def add_learner(self, policy: Policy) -> None:
        """Make the kit of the tenant in mode `learn`, which shares the canaries and the random source."""
        self.learner = Kit(policy, b"", self.seed, self.now_ms)
        self.learner.canaries, self.learner.random = self.canaries, self.random

    def canary(self) -> str:
        return self.canaries.make()

    def uuid7(self, at_ms: int | None = None) -> str:
        """Return a UUIDv7 for now or another time."""
        return str(ids.uuid7(self.now_ms if at_ms is None else at_ms, self.random.getrandbits(80)))

    def event(self, changed: Mapping[str, object] = {}) -> Json:
        """Return a good event with a new id, with fields changed or added."""
        return {"event_id": self.uuid7(), **self._good, **changed}

    def body(self, changed: Mapping[str, object] = {}, envelope: Mapping[str, object] = {}) -> bytes:
        """Return a body with one event."""
        return self.batch([self.event(changed)], envelope)

    def batch(self, events: Sequence[object], envelope: Mapping[str, object] = {}) -> bytes:
        return text({**envelope, "events": events})

    def columns(self, events: Sequence[Json], envelope: Mapping[str, object] = {}) -> Json:
        """Return a batch in columns: each string and tag set once, in the order of the events."""
        terms: dict[object, int] = {}
        tag_sets: dict[bytes, int] = {}
        columns: dict[str, list[object]] = {name: [] for name in events[0]}
        for event in events:
            for name, value in event.items():
                if name == "tags":
                    item: object = tag_sets.setdefault(text(value), len(tag_sets))
                elif isinstance(value, str) and name != "event_id":
                    item = terms.setdefault(value, len(terms))
                else:
                    item = int(value) if isinstance(value, bool) else value
                columns[name].append(item)
        listed = {"terms": list(terms), "tag_sets": [json.loads(tags) for tags in tag_sets]}
        return {**envelope, **listed, "columns": columns}

    def tag(self, value: object) -> Json:
        """Return tags with a value under a declared key, or under any if there is none."""
        return {"tags": {next(iter(self.tags), "team"): value}}

    def is_known(self, field: str, string: str) -> bool:
        """Return whether the policy makes a string a term of a field: in other case and marks, or as an alias."""
        kind = "model" if field.endswith("model") else field
        if not self.policy.spellings or string in self.policy.terms[kind]:
            return string in self.policy.terms[kind]
        return bool(string) and _form(string) in self._forms(kind)

    def _forms(self, kind: str) -> frozenset[str]:
        if kind not in self._known:
            names = (line.split(" ")[0] for line in self.policy.spellings.get(f"{kind}_names", []))
            self._known[kind] = frozenset([*map(_form, self.policy.terms[kind]), *names])
        return self._known[kind]

    def stream(self, sequence: int = 0) -> Json:
        return {"id": self.uuid7(), "sequence": sequence}


def _form(string: str) -> str:
    return re.sub("[._:/@+~-]{1,2}", "-", re.sub("^~?@?", "", string.lower())) if string.isascii() else ""


def text(value: object) -> bytes:
    """Encode JSON compactly, with non-ASCII letters as UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def read_policy(body: bytes) -> Policy:
    """Decode a policy; raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=Policy)


def _pick(terms: Sequence[str], wanted: str) -> str:
    return wanted if wanted in terms else terms[0]
