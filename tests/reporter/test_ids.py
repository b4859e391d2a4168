"""Ids of events, whatever the clock does."""

from uuid import UUID

from nocontent_reporter import ids
from nocontent_reporter.ids import BACK_MS_MAX, Ids
from tests.reporter.processes import run_python


def test_an_id_is_a_uuidv7_of_the_moment() -> None:
    made = ids.uuid7()
    assert UUID(made).version == 7
    assert UUID(made).variant == "specified in RFC 4122"
    assert str(UUID(made)) == made
    assert ids.time_ms(ids.Ids().next(1_764_000_000_123)) == 1_764_000_000_123


def test_ids_ascend_while_the_clock_stands_or_steps_back() -> None:
    source = Ids()
    made = [source.next(now_ms) for now_ms in [5_000] * 9_000 + [4_999, 4_500, 5_000, 5_003, 6_000]]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert ids.time_ms(made[9_000]) - 5_000 < 10


def test_a_clock_set_back_far_is_followed() -> None:
    source = Ids()
    source.next(10_000_000)
    assert ids.time_ms(source.next(10_000_000 - BACK_MS_MAX - 1)) == 10_000_000 - BACK_MS_MAX - 1


def test_a_child_makes_ids_though_a_thread_of_its_parent_was_making_one() -> None:
    made = run_python(
        """
        from nocontent_reporter import ids
        busy = ids._ids._lock
        with busy:
            child = os.fork()
            if child == 0:
                say(ids.uuid7())
                os._exit(0)
        os.waitpid(child, 0)
        say(ids.uuid7())
        """
    )
    first, second = made.split()
    assert first != second
