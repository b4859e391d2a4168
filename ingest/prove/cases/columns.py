"""Batches in columns: content in every list and under every name, and lists that do not fit together."""

import gzip
from collections.abc import Callable, Iterator, Mapping

from ingest.prove.case import Case, Expected, Request, refused, refused_beside
from ingest.prove.cases import duplicates, insertions
from ingest.prove.kit import Json, Kit, text
from ingest.prove.places import TERMS
from ingest.prove.words import CONTENT, CREDENTIALS, SENTENCES

_Put = Callable[[Json, object], object]
_Change = Callable[[Json], object]


def _batch(kit: Kit, events: int = 3) -> Json:
    return kit.columns([kit.event() for _ in range(events)])


def _list(batch: Json, name: str) -> list[object]:
    """Return a list of a batch: `terms`, `tag_sets` or a column."""
    columns = batch["columns"]
    assert isinstance(columns, dict)
    found = batch.get(name, columns.get(name))
    assert isinstance(found, list)
    return found


def _in_columns(batch: Json, name: str, value: object) -> None:
    columns = batch["columns"]
    assert isinstance(columns, dict)
    columns[name] = value


def _string(batch: Json, field: str, value: object) -> None:
    """Change a field of the last event to a string that no other event uses."""
    terms = _list(batch, "terms")
    _list(batch, field)[-1] = len(terms)
    terms.append(value)


def _tags(batch: Json, value: object) -> None:
    """Change the tags of the last event to a set that no other event uses."""
    tag_sets = _list(batch, "tag_sets")
    _list(batch, "tags")[-1] = len(tag_sets)
    tag_sets.append(value)


def _items(field: str) -> _Put:
    return lambda batch, value: _list(batch, field).__setitem__(-1, value)


def _strings(field: str) -> _Put:
    return lambda batch, value: _string(batch, field, value)


def _values(kit: Kit) -> Mapping[str, _Put]:
    """Return each place in which a value can stand, with a function that puts it there."""
    key = next(iter(kit.tags), "team")
    return {
        **{f"as a string for {field}": _strings(field) for field in (*TERMS, "status", "stop_reason")},
        **{f"as an item of {field}": _items(field) for field in kit.policy.fields},
        "as a term that no event has": lambda batch, value: _list(batch, "terms").append(value),
        "as a tag": lambda batch, value: _tags(batch, {key: value}),
        "as a tag key": lambda batch, value: _tags(batch, {str(value): "x"}),
        "as a tag set": _tags,
        "as a tag set that no event has": lambda batch, value: _list(batch, "tag_sets").append({key: value}),
        "for the terms": lambda batch, value: batch.update(terms=value),
        "for the tag sets": lambda batch, value: batch.update(tag_sets=value),
        "for the columns": lambda batch, value: batch.update(columns=value),
        "for a column": lambda batch, value: _in_columns(batch, "input_tokens", value),
    }


_FORMS: Mapping[str, Callable[[str], object]] = {
    "a sentence": SENTENCES[0].format,
    "a canary": str,
    "an object": lambda canary: {"value": canary},
    "a list": lambda canary: [{"role": "user", "content": canary}],
}


def columns_places(kit: Kit) -> Iterator[Case]:
    """Yield content in every place of a batch in columns, and under its usual names."""
    for where, put in _values(kit).items():
        for what, form in _FORMS.items():
            canary, batch = kit.canary(), _batch(kit)
            put(batch, form(canary))
            yield refused(f"{what} {where}", canary, text(batch))
    for name in (*CONTENT, *CREDENTIALS):
        for where, more in {"among the columns": _in_columns, "beside the columns": Json.__setitem__}.items():
            canary, batch = kit.canary(), _batch(kit)
            more(batch, name, [SENTENCES[1].format(canary)] * 3)
            yield refused(f"{name} {where}", canary, text(batch))


def columns_duplicates(kit: Kit) -> Iterator[Case]:
    """Yield batches in which a name is repeated, so that a reader drops one value."""
    for name in ("terms", "tag_sets", "columns", *kit.policy.fields):
        body = text(_batch(kit))
        for value in ("a string", "an object", "a list"):
            for order in ("first", "second"):
                canary = kit.canary()
                yield refused(f"{name}, {value}, {order}", canary, duplicates.twice(body, name, value, canary, order))


def columns_insertions(kit: Kit) -> Iterator[Case]:
    """Yield text inserted between any two tokens of a good batch."""
    yield from insertions.between_tokens(kit, lambda: text(_batch(kit, 1)))


def columns_splitting(kit: Kit) -> Iterator[Case]:
    """Yield content in pieces: a word a term, a few letters a tag set, or beside good strings."""
    for number, sentence in enumerate(SENTENCES):
        for field in TERMS:
            canary = kit.canary()
            words = sentence.format(canary).split()
            yield refused(f"sentence {number}, a word an event, in {field}", canary, _spread(kit, field, words))
    for step in (1, 2, 3, 7):
        for field in (*TERMS, "tags"):
            canary = kit.canary()
            parts = [canary[start : start + step] for start in range(0, len(canary), step)]
            yield refused_beside(f"{step} letters an event, in {field}", canary, _spread(kit, field, parts))
    for size in (2, 10, 500):
        for field in TERMS:
            canary, batch = kit.canary(), _batch(kit, size)
            _string(batch, field, canary)
            yield refused(f"{field} of the last event of {size}", canary, text(batch))


def _spread(kit: Kit, field: str, parts: list[str]) -> bytes:
    events = [kit.event(kit.tag(part) if field == "tags" else {field: part}) for part in parts]
    return text(kit.columns(events))


def columns_lists(kit: Kit) -> Iterator[Case]:
    """Yield lists that do not fit together; the canary is in a header, because it is not what is wrong."""
    for what, change in _changes(kit):
        batch = _batch(kit)
        change(batch)
        yield refused_beside(what, kit.canary(), text(batch))


def _changes(kit: Kit) -> Iterator[tuple[str, _Change]]:
    yield "a term twice", lambda batch: _string(batch, "provider", _list(batch, "terms")[1])
    yield "a term that no event has", lambda batch: _list(batch, "terms").append("unknown")
    yield "a tag set twice", lambda batch: _tags(batch, kit.tags)
    yield "a tag set that no event has", lambda batch: _list(batch, "tag_sets").append({})
    yield "events beside columns", lambda batch: batch.update(events=[kit.event()])
    yield "no events beside columns", lambda batch: batch.update(events=[])
    for name in ("terms", "tag_sets", "columns"):
        yield f"no {name}", _without(name)
    for field in kit.policy.fields:
        yield f"a shorter {field}", _shorter(field)
        yield f"a longer {field}", _longer(field)
    for field in (*TERMS, "status", "stop_reason", "tags"):
        for place in (-1, 7, 29_999, 2**31, 2**64):
            yield f"place {place} in {field}", _pointing(field, place)


def _without(name: str) -> _Change:
    return lambda batch: batch.pop(name)


def _shorter(field: str) -> _Change:
    return lambda batch: _list(batch, field).pop()


def _longer(field: str) -> _Change:
    return lambda batch: _list(batch, field).append(_list(batch, field)[0])


def _pointing(field: str, place: int) -> _Change:
    return lambda batch: _items(field)(batch, place)


def accepted_columns(kit: Kit) -> Iterator[Case]:
    """Yield good batches in columns."""
    for events in (1, 2, 20, 1_000):
        for what, envelope in {"alone": {}, "of a stream": {"stream": kit.stream(), "dropped": {}}}.items():
            body = text(kit.columns([kit.event({"event_id": kit.uuid7()}) for _ in range(events)], envelope))
            yield _good(kit, f"{events} events {what}", body, events)
    nullable = ("cost_nanousd", "baseline_cost_nanousd", "ttft_ms", "http_status", "stop_reason")
    for field in nullable:
        yield _good(kit, f"null for {field}", text(kit.columns([kit.event(), kit.event({field: None})])), 2)
    models = kit.policy.terms["model"]
    for model in models[:: max(1, len(models) // 50)]:
        yield _good(kit, f"model {model}", text(kit.columns([kit.event({"routed_model": model})])), 1)
    others: Mapping[str, Json] = {
        "no tags": {"tags": {}},
        "terms unknown": dict.fromkeys(TERMS, "unknown"),
        "flags": {"cached": True, "escalated": True},
    }
    for what, changed in others.items():
        yield _good(kit, f"{what} beside another event", text(kit.columns([kit.event(changed), kit.event()])), 2)
    packed = gzip.compress(text(_batch(kit)), mtime=0)
    yield Case("gzip", kit.canary(), Request(packed, ((b"Content-Encoding", b"gzip"),)), Expected.ACCEPTED, 3)


def _good(kit: Kit, name: str, body: bytes, events: int) -> Case:
    return Case(name, kit.canary(), Request(body), Expected.ACCEPTED, events)
