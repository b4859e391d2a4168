"""Bodies to fuzz with: good ones and mutated ones, each with a canary in inserted text."""

import json
import random
from collections.abc import Callable
from typing import NamedTuple

from ingest.prove.canaries import Canaries
from schema.ids import uuid7
from tests.support import columns, sample

CANARIES = Canaries(b"fuzz")
CANARY = CANARIES.make()  # In every text that is planted, so that one search finds any of them.
_NAMES = (
    "prompt", "messages", "content", "system", "completion", "output", "text", "tool_calls", "error", "metadata",
    "api_key", "Prompt", "PROMPT", "userPrompt", "pr0mpt", "input-text", "event_id ", "tags.team", "__proto__", "id",
)  # fmt: skip
_TEXTS = (
    "{c} please summarize the attached contract", "{c}-gpt-4o", "gpt-4o-{c}", "ft:gpt-4o:acme:{c}:x1", "{c}",
    "sk-ant-api03-{c}-aaaaaaaaaaaaaaaaaaaa", "sk-proj-{c}aaaaaaaaaaaaaaaaaaaaaaaa", "AKIA{c}", "https://u:{c}@host/",
    "Bearer {c}{c}", "{c}\u0435", "{c}\u200b", "\uff50{c}", "{c}\n", "{c}\t", "{c}\\u0041", "%7B{c}%7D",
)  # fmt: skip
_TERMS = ("task_category", "provider", "requested_model", "routed_model", "status", "stop_reason", "event_id")
_NUMBERS: tuple[object, ...] = (
    -1, 1.5, 1e3, 2**31, 2**53, 2**63, 10**29, 0, -0.0, True, None, "1", [], {}, 599, 10_000_001
)  # fmt: skip
_MODELS = ("claude-opus-4-5", "claude-haiku-4-5", "gpt-4o", "gpt-4o-mini", "unknown")


class Made(NamedTuple):
    """A body, and its mutations."""

    body: bytes
    did: str


def make(chance: random.Random) -> Made:
    """Make one body; about one in eight is good."""
    batch = _batch(chance)
    is_in_columns = chance.random() < 0.4
    if is_in_columns:
        events = batch.pop("events")
        assert isinstance(events, list)
        batch |= columns.columns(events)
    if chance.random() < 1 / 8:
        return Made(_written(batch, chance), "nothing")
    change = chance.choice(_CHANGES_OF_COLUMNS if is_in_columns else _CHANGES)
    return Made(change(batch, chance), change.__name__.strip("_"))


def _batch(chance: random.Random) -> dict[str, object]:
    batch: dict[str, object] = {"events": [_event(chance) for _ in range(chance.choice((1, 1, 1, 2, 5)))]}
    if chance.random() < 0.3:
        batch["stream"] = {"id": _uuid7(chance), "sequence": chance.randrange(2**53)}
    if chance.random() < 0.2:
        batch["dropped"] = {chance.choice(("queue_full", "shutdown")): chance.randrange(2**31)}
    return batch


def _uuid7(chance: random.Random) -> str:
    at_ms = sample.now_ms() - chance.randrange(sample.DAY_MS)
    return str(uuid7(at_ms, chance.getrandbits(80)))


def _event(chance: random.Random) -> dict[str, object]:
    output, latency = chance.randrange(2_000_001), chance.randrange(3_600_001)
    return {
        "event_id": _uuid7(chance),
        "task_category": chance.choice(("chat", "summarization", "unknown")),
        "provider": chance.choice(("anthropic", "openai")),
        "requested_model": chance.choice(_MODELS),
        "routed_model": chance.choice(_MODELS),
        "input_tokens": chance.randrange(10_000_001),
        "output_tokens": output,
        "cache_read_tokens": chance.choice((0, 10_000_000)),
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": chance.randrange(output + 1),
        "cost_nanousd": chance.randrange(10**12 + 1),
        "baseline_cost_nanousd": chance.choice((None, 0, 10**12)),
        "latency_ms": latency,
        "ttft_ms": chance.choice((None, chance.randrange(latency + 1))),
        "status": chance.choice(("ok", "error", "timeout")),
        "http_status": chance.choice((None, 200, 429, 529)),
        "stop_reason": chance.choice((None, "end_turn", "max_tokens")),
        **{flag: chance.random() < 0.5 for flag in ("streamed", "cached", "fallback", "retried", "escalated")},
        "tags": chance.choice(({}, {"team": "search"}, {"team": "editor", "region": "eu"})),
    }


def _written(batch: object, chance: random.Random) -> bytes:
    """Write JSON in one of its equivalent forms."""
    indent = chance.choice((None, None, None, 1))
    return json.dumps(
        batch, indent=indent, ensure_ascii=chance.random() < 0.5, sort_keys=chance.random() < 0.2
    ).encode()


def _place(batch: dict[str, object], chance: random.Random) -> dict[str, object]:
    """Return one of the objects of a batch."""
    objects: list[object] = [batch, batch.get("stream"), batch.get("dropped")]
    objects += [batch.get("columns")] * 3 + [tags for tags in _listed(batch, "tag_sets") for _ in range(2)]
    for event in _listed(batch, "events"):
        assert isinstance(event, dict)
        objects += [event, event, event, event["tags"]]
    return chance.choice([found for found in objects if isinstance(found, dict)])


def _listed(batch: dict[str, object], name: str) -> list[object]:
    found = batch.get(name, [])
    return found if isinstance(found, list) else []


def _value(chance: random.Random) -> object:
    text = chance.choice(_TEXTS).format(c=CANARY)
    return chance.choice((text, text, [text], {"role": "user", "content": text}, *_NUMBERS))


def _unknown_name(batch: dict[str, object], chance: random.Random) -> bytes:
    _place(batch, chance)[chance.choice((*_NAMES, CANARY))] = _value(chance)
    return _written(batch, chance)


def _other_value(batch: dict[str, object], chance: random.Random) -> bytes:
    place = _place(batch, chance)
    if place:
        place[chance.choice(list(place))] = _value(chance)
    return _written(batch, chance)


def _text_for_term(batch: dict[str, object], chance: random.Random) -> bytes:
    event = chance.choice(batch["events"] if isinstance(batch["events"], list) else [])
    event[chance.choice(_TERMS)] = chance.choice(_TEXTS).format(c=CANARY)
    return _written(batch, chance)


def _text_for_tag(batch: dict[str, object], chance: random.Random) -> bytes:
    event = chance.choice(batch["events"] if isinstance(batch["events"], list) else [])
    event["tags"] = {
        chance.choice(("team", "region", CANARY, "prompt")): _value(chance) for _ in range(chance.randrange(1, 6))
    }
    return _written(batch, chance)


def _item(batch: dict[str, object], chance: random.Random) -> bytes:
    """Change, add or take out an item of a list beside columns, or of a column."""
    lists = batch["columns"]
    assert isinstance(lists, dict)
    column = lists[chance.choice(list(lists))]
    items = chance.choice((_listed(batch, "terms"), _listed(batch, "tag_sets"), column, column, column))
    place = chance.randrange(len(items))
    match chance.randrange(4):
        case 0:
            items[place] = _value(chance)
        case 1:
            items[place] = chance.choice((-1, 0, 1, 2, 7, 30_000, 2**62))
        case 2:
            items.insert(place, chance.choice((items[place], _value(chance))))
        case _:
            del items[place]
    return _written(batch, chance)


def _string_of_its_own(batch: dict[str, object], chance: random.Random) -> bytes:
    """Change a field of the last event to a string or tag set that no other event uses."""
    lists = batch["columns"]
    assert isinstance(lists, dict)
    name = chance.choice((*_TERMS[:-1], "tags"))
    items = _listed(batch, "tag_sets" if name == "tags" else "terms")
    lists[name][-1] = len(items)
    text = chance.choice(_TEXTS).format(c=CANARY)
    items.append({chance.choice(("team", "region", CANARY)): text} if name == "tags" else text)
    return _written(batch, chance)


def _name_missing(batch: dict[str, object], chance: random.Random) -> bytes:
    place = _place(batch, chance)
    if place:
        del place[chance.choice(list(place))]
    return _written(batch, chance)


def _name_twice(batch: dict[str, object], chance: random.Random) -> bytes:
    """Repeat a name, with its own or another value, before or after it."""
    body = json.dumps(batch, separators=(",", ":"))
    starts = [place for place, sign in enumerate(body) if sign == "{"]
    start = chance.choice(starts) + 1
    name, _, rest = body[start:].partition(":")
    if not name.startswith('"'):
        return body.encode()
    other = json.dumps(_value(chance)) if chance.random() < 0.7 else "0"
    return (body[:start] + f"{name}:{other}," + name + ":" + rest).encode()


def _bytes_changed(batch: dict[str, object], chance: random.Random) -> bytes:
    body = bytearray(_written(batch, chance))
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        place = chance.randrange(len(body))
        match chance.randrange(4):
            case 0:
                body[place] = chance.randrange(256)
            case 1:
                del body[place]
            case 2:
                body.insert(place, chance.randrange(256))
            case _:
                body[place:place] = body[chance.randrange(len(body)) :][: chance.randrange(1, 40)]
    return bytes(body)


def _digits_changed(batch: dict[str, object], chance: random.Random) -> bytes:
    """Replace characters by others of the same kind, which often gives a good body."""
    body = bytearray(_written(batch, chance))
    digits = [place for place, byte in enumerate(body) if byte in b"0123456789abcdef"]
    for _ in range(chance.choice((1, 2, 5))):
        body[chance.choice(digits)] = chance.choice(b"0123456789abcdefABCDEF")
    return bytes(body)


def _wrapped(batch: dict[str, object], chance: random.Random) -> bytes:
    body = _written(batch, chance)
    return chance.choice(
        (
            b"[" + body + b"]", json.dumps(body.decode()).encode(), b"\xef\xbb\xbf" + body,
            body.decode().encode("utf-16"),
            body + body, body + b"\0", body[: len(body) // 2], b'{"batch":' + body + b"}", body[:-1] + b',"events":[]}',
            body.replace(b":", b"::", 1), body.replace(b"{", b'{"' + CANARY.encode() + b'":1,', 1), body + b" " * 999,
        )
    )  # fmt: skip


_Change = Callable[[dict[str, object], random.Random], bytes]
_CHANGES: tuple[_Change, ...] = (
    _unknown_name, _other_value, _text_for_term, _text_for_tag, _name_missing, _name_twice, _bytes_changed,
    _bytes_changed, _digits_changed, _wrapped,
)  # fmt: skip
_CHANGES_OF_COLUMNS: tuple[_Change, ...] = (
    _unknown_name, _other_value, _item, _item, _item, _string_of_its_own, _name_missing, _name_twice, _bytes_changed,
    _digits_changed, _wrapped,
)  # fmt: skip
