"""The decisions about thresholds, as tables and as properties over histories of spend."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.budgets import crossing
from ingest.alerts.budgets.crossing import Changes

_LIMIT = 1_000
_THRESHOLDS = st.sets(st.integers(1, 1_000), min_size=1, max_size=5).map(lambda found: tuple(sorted(found)))
_HISTORIES = st.lists(st.integers(0, 12_000), max_size=40)


def test_several_at_once_announce_the_highest_alone() -> None:
    changed = crossing.changes(_LIMIT, (50, 80, 100), 999, {})
    assert changed == Changes(fresh=(50, 80))
    assert changed.announced == 80


def test_a_threshold_is_crossed_at_exactly_its_part() -> None:
    assert crossing.changes(3, (100,), 3, {}).fresh == (100,)
    assert crossing.changes(3, (67,), 2, {}).fresh == ()
    assert crossing.changes(10**18, (1,), 10**16, {}).fresh == (1,)
    assert crossing.changes(10**18, (1,), 10**16 - 1, {}).fresh == ()


def test_a_correction_takes_back_and_the_next_crossing_is_not_new() -> None:
    taken_back = crossing.changes(_LIMIT, (50, 80), 600, {50: True, 80: True})
    assert taken_back == Changes(no_longer=(80,))
    again = crossing.changes(_LIMIT, (50, 80), 800, {50: True, 80: False})
    assert again == Changes(again=(80,))
    assert again.announced is None


@given(_THRESHOLDS, _HISTORIES)
def test_at_most_one_alert_a_threshold_and_the_record_is_the_truth(
    thresholds: tuple[int, ...], history: list[int]
) -> None:
    known: dict[int, bool] = {}
    announced: list[int] = []
    for spent in history:
        changed = crossing.changes(_LIMIT, thresholds, spent, known)
        assert not known.keys() & set(changed.fresh)
        known |= dict.fromkeys(changed.fresh + changed.again, True) | dict.fromkeys(changed.no_longer, False)
        announced += [] if changed.announced is None else [changed.announced]
        assert {each for each, is_crossed in known.items() if is_crossed} == {
            each for each in thresholds if spent / _LIMIT >= each / 100
        }
    assert len(announced) == len(set(announced))
    assert announced == sorted(announced)  # After a higher one no lower one is news.
    highest = max(history, default=0)
    assert max(announced, default=None) == max(
        (each for each in thresholds if highest / _LIMIT >= each / 100), default=None
    )


@given(st.lists(st.one_of(st.none(), st.integers(0, 2_000)), max_size=40))
def test_a_forecast_fires_once_after_two_reviews_in_a_row(history: list[int | None]) -> None:
    was_over, known, fired = False, None, 0
    for place, expected in enumerate(history):
        changed = crossing.forecast(_LIMIT, expected, was_over=was_over, known=known)
        if changed.fires or changed.again:
            assert all(each is not None and each >= _LIMIT for each in history[place - 1 : place + 1])
            assert place > 0
        if changed.no_longer:
            assert expected is not None
            assert expected < _LIMIT * 0.9
        fired += changed.fires
        known = True if changed.fires or changed.again else False if changed.no_longer else known
        was_over = changed.is_over
    assert fired <= 1
    over = [expected is not None and expected >= _LIMIT for expected in history]
    assert fired == any(one and other for one, other in pairwise(over))
