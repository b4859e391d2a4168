"""Each gate alone, with bodies that only it can refuse; the corpus has the breadth."""

import struct
from collections.abc import Callable

import pytest

from schema import decode as gates
from schema import limits
from schema.decode import Refused, Window, decode
from schema.event import KINDS
from schema.vocabulary import Mode, Vocabulary
from tests.support import sample
from tests.support.gauge import SHIPPED, VOCABULARIES, vocabulary, window

NOW_MS = 1_790_000_000_000
WINDOW = Window.at(NOW_MS, 1)


def is_refused(body: bytes, known: Vocabulary = VOCABULARIES[Mode.REFUSE], at: Window | None = None) -> bool:
    try:
        decode(body, known, at or window())
    except Refused:
        return True
    return False


@pytest.mark.parametrize(
    ("offset_ms", "refused"),
    [
        (-sample.DAY_MS, False),
        (-sample.DAY_MS - 1, True),
        (limits.AHEAD_MS_MAX, False),
        (limits.AHEAD_MS_MAX + 1, True),
        (0, False),
    ],
)
def test_both_ends_of_the_window_are_in_it(offset_ms: int, *, refused: bool) -> None:
    body = sample.body(sample.event(event_id=sample.uuid7(NOW_MS + offset_ms)))
    assert is_refused(body, at=WINDOW) is refused


@pytest.mark.parametrize(("field", "most"), [
    ("input_tokens", limits.INPUT_TOKENS_MAX),
    ("output_tokens", limits.OUTPUT_TOKENS_MAX),
    ("cache_read_tokens", limits.INPUT_TOKENS_MAX),
    ("cache_write_5m_tokens", limits.INPUT_TOKENS_MAX),
    ("cache_write_1h_tokens", limits.INPUT_TOKENS_MAX),
    ("cost_nanousd", limits.COST_NANOUSD_MAX),
    ("baseline_cost_nanousd", limits.COST_NANOUSD_MAX),
    ("latency_ms", limits.LATENCY_MS_MAX),
])  # fmt: skip
def test_a_number_ends_where_its_bound_says(field: str, most: int) -> None:
    assert not is_refused(sample.body(sample.event(**{field: most})))
    assert is_refused(sample.body(sample.event(**{field: most + 1})))
    assert is_refused(sample.body(sample.event(**{field: -1})))


def test_a_batch_ends_where_its_bound_says() -> None:
    event = sample.event()
    assert not is_refused(sample.body(*[event] * limits.EVENTS_MAX))
    assert is_refused(sample.body(*[event] * (limits.EVENTS_MAX + 1)))


def test_the_ids_come_back_in_the_order_of_the_events() -> None:
    sent = [sample.event() for _ in range(3)]
    decoded = decode(sample.body(*sent), VOCABULARIES[Mode.REFUSE], window())
    assert decoded.event_ids.hex() == "".join(str(event["event_id"]).replace("-", "") for event in sent)


def test_term_ids_are_the_vocabularys() -> None:
    decoded = decode(sample.body(), VOCABULARIES[Mode.REFUSE], window())
    for name, kind in KINDS.items():
        assert decoded.numbers[name] == [SHIPPED[kind][str(sample.GOOD[name])]]


def test_tags_are_ids_in_ascending_order() -> None:
    known = vocabulary(Mode.REFUSE)
    for tags in ({"team": "assistant", "region": "us"}, {"region": "us", "team": "assistant"}):
        (found,) = decode(sample.body(sample.event(tags=tags)), known, window()).tag_sets
        assert struct.unpack(">4h", found.packed) == (102, 202, 0, 0)


def test_coarsening_counts_what_it_replaced_and_not_what_was_unknown() -> None:
    body = sample.body(
        sample.event(routed_model="acme-1", requested_model="unknown", tags={"team": "acme"}), sample.event()
    )
    decoded = decode(body, VOCABULARIES[Mode.COARSEN], window())
    assert decoded.coarsened == 2
    assert decoded.numbers["routed_model"][0] == 0


def test_a_hostile_flood_of_tag_objects_does_not_grow_the_cache_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_TAGS_CACHED_MAX", 10)
    known = vocabulary(Mode.REFUSE)
    for spaces in range(50):
        body = sample.body().replace(b'{"team":', b'{"team":' + b" " * spaces)
        assert not is_refused(body, known)
        assert len(known.tags) <= 12


def test_tags_that_are_long_with_spaces_are_read_and_not_kept() -> None:
    known = vocabulary(Mode.REFUSE)
    for spaces in range(2_000, 2_050):
        assert not is_refused(sample.body().replace(b'{"team":', b'{"team":' + b" " * spaces), known)
    assert not known.tags


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b" ",
        lambda body: b"\n" + body,
        lambda body: body.replace(b",", b" ,\r\n\t"),
        lambda body: body.replace(b'"stop_reason":"end_turn"', b'"stop_reason":null'),
    ],
)
def test_what_means_the_same_passes(change: Callable[[bytes], bytes]) -> None:
    assert not is_refused(change(sample.body()))


def test_a_refusal_says_nothing() -> None:
    with pytest.raises(Refused) as refused:
        decode(sample.body(sample.event(prompt="Marjolein")), VOCABULARIES[Mode.REFUSE], window())
    assert (refused.value.args, refused.value.__cause__, refused.value.__suppress_context__) == ((), None, True)
