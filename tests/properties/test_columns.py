"""Properties of columns: gates and oracle agree on any change of a good body, and rows of the same events are equal."""

import copy
import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.intake.explain import explain
from ingest.store import rows
from schema import limits
from schema.decode import decode
from schema.event import NAMES as FIELDS
from schema.event import STRINGS
from schema.vocabulary import Mode
from tests.support import columns, sample
from tests.support.events import random_event
from tests.support.gauge import VOCABULARIES, vocabulary, window
from tests.support.judge import is_accepted
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
    if isinstance(inner, list) and path[-1] == len(inner):
        inner.append(value)
    else:
        inner[path[-1]] = value  # type: ignore[index]  # The same.
    return text(made)


PLACES = st.integers(-2, 9) | st.sampled_from([limits.LISTED_MAX - 1, limits.LISTED_MAX, 2**31, 2**63, 10**30])
FIELD = st.sampled_from(FIELDS)


def test_a_good_batch_is_good() -> None:
    assert is_accepted(text(batch()))
    assert is_accepted(columns.from_rows(sample.body()))


@many
@given(name=FIELD, place=st.integers(0, 3), value=VALUES | PLACES)
def test_any_item_of_any_column(name: str, place: int, value: object) -> None:
    is_accepted(changed(("columns", name, place), value))


@many
@given(name=FIELD, value=VALUES | st.lists(PLACES, max_size=4))
def test_any_value_for_any_column(name: str, value: object) -> None:
    is_accepted(changed(("columns", name), value))


@few
@given(name=FIELD)
def test_a_batch_without_any_one_column_is_refused(name: str) -> None:
    made = batch()
    del made["columns"][name]  # type: ignore[attr-defined]  # An object of JSON.
    assert not is_accepted(text(made))


@many
@given(name=NAMES, value=VALUES)
def test_any_name_with_any_value_among_the_columns(name: str, value: object) -> None:
    is_accepted(changed(("columns", name), value))


@many
@given(name=NAMES | st.sampled_from([*_LISTS, "events"]), value=VALUES)
def test_any_name_with_any_value_beside_the_columns(name: str, value: object) -> None:
    is_accepted(changed((name,), value))


@many
@given(place=st.integers(0, 8), value=VALUES)
def test_any_listed_term(place: int, value: object) -> None:
    is_accepted(changed(("terms", min(place, 7)), value))


@many
@given(
    place=st.integers(0, 2),
    value=VALUES | st.dictionaries(st.sampled_from(["team", "region"]) | st.text(max_size=9), VALUES, max_size=6),
)
def test_any_listed_tag_set(place: int, value: object) -> None:
    is_accepted(changed(("tag_sets", place), value))


@few
@given(missing=st.sets(st.sampled_from(_LISTS), min_size=1), value=VALUES)
def test_a_batch_without_one_of_the_lists_is_refused(missing: set[str], value: object) -> None:
    made = {name: kept for name, kept in batch().items() if name not in missing}
    assert is_accepted(text(made)) is (len(missing) == len(_LISTS))
    is_accepted(text({**made, "events": value}))
    assert is_accepted(text({**made, "events": [sample.event()]})) is (len(missing) == len(_LISTS))


_BODY = text(batch(2)).replace(b" ", b"")


@many
@given(place=st.integers(0, len(_BODY) - 1), byte=st.integers(0, 255))
def test_any_byte_of_a_good_body_changed(place: int, byte: int) -> None:
    is_accepted(_BODY[:place] + bytes([byte]) + _BODY[place + 1 :])


@many
@given(place=st.integers(0, len(_BODY)), put=st.binary(min_size=1, max_size=3))
def test_any_bytes_put_into_a_good_body(place: int, put: bytes) -> None:
    is_accepted(_BODY[:place] + put + _BODY[place:])


@few
@given(place=st.integers(0, len(_BODY) - 1), length=st.integers(1, 40))
def test_any_bytes_taken_out_of_a_good_body(place: int, length: int) -> None:
    is_accepted(_BODY[:place] + _BODY[place + length :])


@many
@given(
    name=st.sampled_from([*_LISTS, *FIELDS, "team"]),
    value=SCALARS | st.lists(PLACES, max_size=2),
    is_first=st.booleans(),
)
def test_any_name_twice_with_any_value_is_refused(name: str, value: object, *, is_first: bool) -> None:
    start = _BODY.index(b'"%s":' % name.encode())
    other = b'"%s":%s' % (name.encode(), json.dumps(value).encode())
    if is_first:
        assert not is_accepted(_BODY[:start] + other + b"," + _BODY[start:])
    else:
        end = start + len(name) + 3 + _length(_BODY[start + len(name) + 3 :])
        assert not is_accepted(_BODY[:end] + b"," + other + _BODY[end:])


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
    assert in_rows == in_columns
    assert rows.encode(in_rows, 7) == rows.encode(in_columns, 7)
    assert rows.digest(in_rows) == rows.digest(in_columns)


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
    batch = json.loads(columns.from_rows(body))
    order = list(range(len(batch["terms"])))
    random.Random(1).shuffle(order)
    batch["terms"] = [batch["terms"][place] for place in order]
    for name in STRINGS:
        batch["columns"][name] = [order.index(place) for place in batch["columns"][name]]
    in_rows = decode(body, vocabulary(Mode.COARSEN), window())
    assert in_rows.coarsened > 0
    assert in_rows == decode(text(batch), vocabulary(Mode.COARSEN), window())
