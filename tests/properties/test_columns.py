"""Properties of columns: gates and oracle agree on any change of a good body, and rows of the same events are equal."""

import copy
import json
import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.intake.explain import explain
from ingest.store import rows
from schema import limits
from schema.decode import Refused, decode
from schema.event import NAMES as FIELDS
from schema.event import STRINGS, Kind
from schema.vocabulary import Mode
from tests.support import columns, sample
from tests.support.events import random_event
from tests.support.gauge import VOCABULARIES, vocabulary, window
from tests.support.judge import is_accepted, spelled_out
from tests.support.values import NAMES, SCALARS, VALUES, few, many, text

_LISTS = ("terms", "tag_sets", "columns")
_CANARY = "zq7canary"
Batch = dict[str, object]


def batch(count: int = 3) -> Batch:
    """Return a good batch in columns, with an envelope."""
    events = [sample.event(provider=("anthropic", "openai")[place % 2], tags={}) for place in range(count - 1)]
    made = columns.columns([*events, sample.event(stop_reason=None, cost_nanousd=None)])
    return {"stream": sample.stream(1), "dropped": {"shutdown": 1}, **made}


def changed(path: Sequence[str | int], value: object) -> bytes:
    """Return a good body with one value replaced or added."""
    made = copy.deepcopy(batch())
    inner: object = made
    for step in path[:-1]:
        inner = inner[step]  # type: ignore[index]  # Lists and objects of JSON.
    if isinstance(inner, list) and path[-1] not in range(len(inner)):
        inner.append(value)
    else:
        inner[path[-1]] = value  # type: ignore[index]  # The same.
    return text(made)


FIELD = st.sampled_from(FIELDS)
PLACES = st.integers(-2, 9) | st.sampled_from([limits.LISTED_MAX - 1, limits.LISTED_MAX, 2**31, 2**63, 10**30])
TAGS = st.dictionaries(st.sampled_from(["team", "region"]) | st.text(max_size=9), VALUES, max_size=6)
# The places where a body may differ from a good one, and the values that are tried there.
CHANGES = st.one_of(
    st.tuples(st.tuples(st.just("columns"), FIELD, st.integers(0, 3)), VALUES | PLACES),
    st.tuples(st.tuples(st.just("columns"), FIELD | NAMES), VALUES | st.lists(PLACES, max_size=4)),
    st.tuples(st.tuples(st.just("terms"), st.integers(0, 8)), VALUES),
    st.tuples(st.tuples(st.just("tag_sets"), st.integers(0, 2)), VALUES | TAGS),
    st.tuples(st.tuples(st.sampled_from([*_LISTS, "events"]) | NAMES), VALUES),
)


def test_a_good_batch_is_good() -> None:
    assert is_accepted(text(batch()))
    assert is_accepted(columns.from_rows(sample.body()))


@many
@given(change=CHANGES)
def test_any_value_in_any_place(change: tuple[tuple[str | int, ...], object]) -> None:
    is_accepted(changed(*change))


@pytest.mark.parametrize("name", FIELDS)
def test_a_batch_without_any_one_column_is_refused(name: str) -> None:
    made = batch()
    del made["columns"][name]  # type: ignore[attr-defined]  # An object of JSON.
    assert not is_accepted(text(made))


@pytest.mark.parametrize("kept", [kept for count in range(4) for kept in combinations(_LISTS, count)])
def test_a_batch_has_all_three_lists_or_events(kept: tuple[str, ...]) -> None:
    made = {name: value for name, value in batch().items() if name not in _LISTS or name in kept}
    assert is_accepted(text(made)) is (len(kept) in {0, 3})  # With none it reports losses alone.
    assert is_accepted(text({**made, "events": [sample.event()]})) is (kept == ())
    assert is_accepted(text({**made, "events": []})) is (kept == ())


_BODY = text(batch(2)).replace(b" ", b"")


@few
@given(place=st.integers(0, len(_BODY)), cut=st.sampled_from([0, 1, 2, 9, 40]), put=st.binary(max_size=3))
def test_any_bytes_in_place_of_any_others(place: int, cut: int, put: bytes) -> None:
    is_accepted(_BODY[:place] + put + _BODY[place + cut :])


@few
@given(
    name=st.sampled_from([*_LISTS, "team"]) | FIELD,
    value=SCALARS | st.lists(PLACES, max_size=2),
    is_first=st.booleans(),
)
def test_any_name_twice_with_any_value_is_refused(name: str, value: object, *, is_first: bool) -> None:
    start = _BODY.index(b'"%s":' % name.encode())
    other = b'"%s":%s' % (name.encode(), json.dumps(value).encode())
    end = start + len(name) + 3
    end += _length(_BODY[end:])
    twice = other + b"," + _BODY[start:end] if is_first else _BODY[start:end] + b"," + other
    assert not is_accepted(_BODY[:start] + twice + _BODY[end:])


def _length(after: bytes) -> int:
    return json.JSONDecoder().raw_decode(after.decode())[1]


@few
@given(field=st.sampled_from([*FIELDS, *_LISTS, "prompt"]), before=st.text(max_size=30), after=st.text(max_size=30))
def test_no_violation_carries_a_value_or_a_name(field: str, before: str, after: str) -> None:
    said = f"{before}{_CANARY}{after}"
    made = json.loads(changed(("columns", field), [said, {said: said}]))
    made |= {"terms": [*made["terms"], said], "tag_sets": [*made["tag_sets"], {said: said}], said: said}
    refusal = explain(text(made), VOCABULARIES[Mode.LEARN], window())
    assert _CANARY not in repr(refusal.violations)
    assert _CANARY not in repr(refusal) + repr(refusal.args)


def _strange(event: dict[str, object], chance: random.Random) -> dict[str, object]:
    """Return an event with other spellings and strings that nobody registered."""
    for name in STRINGS[:4]:
        if chance.random() < 0.5:
            event[name] = chance.choice(["OpenRouter/GPT-4o:free", "Code-Generation", "acme-1", "acme-2", "unknown"])
    if chance.random() < 0.5:
        event["tags"] = {"team": chance.choice(["acme", "unknown", "search"])}
    return event


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.COARSEN])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_rows_and_columns_of_the_same_events_are_the_same(mode: Mode, count: int) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        events = [random_event(seed * 100 + place) for place in range(count)]
        if mode is Mode.COARSEN:
            events = [_strange(event, chance) for event in events]
        envelope = {"stream": sample.stream(seed), "dropped": {"refused": seed}} if seed % 2 else {}
        assert_same(sample.body(*events, **envelope), mode)


def assert_same(body: bytes, mode: Mode) -> None:
    in_rows = decode(body, vocabulary(mode), window())
    in_columns = decode(columns.from_rows(body), vocabulary(mode), window())
    assert in_rows == spelled_out(in_columns)
    assert rows.encode(in_rows, 7) == rows.encode(in_columns, 7)
    assert rows.digest(in_rows) == rows.digest(in_columns)


def test_the_order_of_lists_and_names_holds_no_bits() -> None:
    """So columns add none to what `ingest.knowledge.capacity` computes of an event."""
    for seed in range(20):
        chance = random.Random(seed)
        body = columns.body(*(random_event(seed * 100 + place) for place in range(9)))
        shuffled = text(_shuffled(json.loads(body), chance))
        one, other = (decode(each, vocabulary(Mode.REFUSE), window()) for each in (body, shuffled))
        assert spelled_out(one) == spelled_out(other)
        assert rows.encode(one, 7) == rows.encode(other, 7)


def _shuffled(batch: dict[str, object], chance: random.Random) -> dict[str, object]:
    """Return the same batch with its lists and members in another order."""
    columns = batch["columns"]
    assert isinstance(columns, dict)
    for name, fields in (("terms", STRINGS), ("tag_sets", ("tags",))):
        listed = batch[name]
        assert isinstance(listed, list)
        order = chance.sample(range(len(listed)), len(listed))
        batch[name] = [listed[place] for place in order]
        for field in fields:
            columns[field] = [None if place is None else order.index(place) for place in columns[field]]
    batch["columns"] = dict(chance.sample(list(columns.items()), len(columns)))
    return dict(chance.sample(list(batch.items()), len(batch)))


def test_the_budget_for_spellings_runs_out_at_the_same_string() -> None:
    """With more unregistered strings than are looked up, the order of the events decides which are."""
    spelled = [f"openrouter/gpt-4o{'-latest' * (place % 2)}:{place}" for place in range(2 * limits.SPELLINGS_MAX)]
    spelled[::7] = [f"{cloud}/gpt-4o" for cloud in ("azure", "openai", "openrouter")] * 47 + ["aws/gpt-4o"] * 2
    random.Random(0).shuffle(spelled)
    events = [
        sample.event(requested_model=spelled[place], routed_model=spelled[-place], tags={})
        for place in range(len(spelled))
    ]
    body = sample.body(*events)
    shuffled = _shuffled(json.loads(columns.from_rows(body)), random.Random(1))
    in_rows = decode(body, vocabulary(Mode.COARSEN), window())
    assert in_rows.coarsened > 0
    assert in_rows == spelled_out(decode(text(shuffled), vocabulary(Mode.COARSEN), window()))


@pytest.mark.parametrize("listed", [254, 255, 256, 257, 600])
def test_any_number_of_terms_and_tag_sets_means_the_same_as_in_rows(listed: int) -> None:
    """Places below 256 are handled as bytes."""
    known = vocabulary(Mode.REFUSE)
    known.update(Kind.MODEL, 0, {f"acme-{place}": 20_000 + place for place in range(listed)})
    known.update(Kind.TAG_VALUE, 1, {f"of-{place}": 9_000 + place for place in range(listed)})
    key = next(key for key, key_id in known.tag_keys.items() if key_id == 1)
    others = len({sample.GOOD[name] for name in STRINGS[:2]} | {"error", "end_turn"})
    events = [
        sample.event(
            requested_model=f"acme-{place}",
            routed_model=f"acme-{listed - others - 1 - place}",
            status="error",
            stop_reason="end_turn" if place % 2 else None,
            tags={key: f"of-{place}"},
        )
        for place in range(listed - others)
    ]
    body = sample.body(*events)
    made = columns.from_rows(body)
    assert len(json.loads(made)["terms"]) == listed
    in_rows, in_columns = decode(body, known, window()), decode(made, known, window())
    assert in_rows == spelled_out(in_columns)
    assert rows.encode(in_rows, 7) == rows.encode(in_columns, 7)


@pytest.mark.parametrize("listed", [7, 255, 256])
@pytest.mark.parametrize("name", STRINGS)
def test_a_place_after_the_last_term_is_refused(name: str, listed: int) -> None:
    """As bytes such a place stands for null."""
    known = vocabulary(Mode.REFUSE)
    known.update(Kind.MODEL, 0, {f"acme-{place}": 20_000 + place for place in range(listed)})
    own = [sample.event(requested_model=f"acme-{place}", tags={}) for place in range(listed - 6)]
    made = json.loads(columns.from_rows(sample.body(*own, sample.event(tags={}))))
    assert len(made["terms"]) == listed
    decode(text(made), known, window())
    made["columns"][name].append(listed)
    for other, column in made["columns"].items():
        if other != name:
            column.append(column[-1] if other != "event_id" else sample.uuid7())
    with pytest.raises(Refused):
        decode(text(made), known, window())
