"""Bodies in columns, made from the same events in rows, plainly."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from schema.event import STRINGS

FLAGS = frozenset({"streamed", "cached", "fallback", "retried", "escalated"})


def columns(events: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the members `terms`, `tag_sets` and `columns` of a batch, each string and object listed once.

    The most frequent come first, because their places have the fewest digits.
    """
    terms = _places(event[name] for event in events for name in STRINGS if event.get(name) is not None)
    tag_sets = _places(json.dumps(event["tags"], sort_keys=True) for event in events if "tags" in event)

    def item(name: str, value: object) -> object:
        if name == "tags":
            return tag_sets[json.dumps(value, sort_keys=True)]
        if name in STRINGS:
            return None if value is None else terms[value]
        return int(value) if isinstance(value, bool) else value

    names = dict.fromkeys(name for event in events for name in event)
    made = {name: [item(name, event[name]) for event in events] for name in names}
    return {"terms": list(terms), "tag_sets": [json.loads(str(tags)) for tags in tag_sets], "columns": made}


def _places(strings: Iterable[object]) -> dict[object, int]:
    return {string: place for place, (string, _) in enumerate(Counter(strings).most_common())}


def events(batch: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the events in rows of a good batch in columns, as `json.loads` reads it."""
    terms, tag_sets, lists = batch["terms"], batch["tag_sets"], batch["columns"]
    assert isinstance(terms, list)
    assert isinstance(tag_sets, list)
    assert isinstance(lists, dict)

    def value(name: str, item: int | str | None) -> object:
        if item is None or isinstance(item, str):
            return item
        if name in STRINGS or name == "tags":
            return (tag_sets if name == "tags" else terms)[item]
        return bool(item) if name in FLAGS else item

    return [
        {name: value(name, item) for name, item in zip(lists, row, strict=True)}
        for row in zip(*lists.values(), strict=True)
    ]


def body(*events: Mapping[str, object], **envelope: object) -> bytes:
    """Return a body with these events in columns."""
    return json.dumps({**envelope, **columns(events)}, separators=(",", ":")).encode("ascii")


def from_rows(sent: bytes) -> bytes:
    """Return a body with the same contents as one in rows."""
    batch = json.loads(sent)
    events = batch.pop("events")
    return body(*events, **batch)
