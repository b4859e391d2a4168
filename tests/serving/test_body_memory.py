"""The bounds on memory held by request bodies (`overloaded`)."""

import pytest

from ingest.errors import Overloaded
from ingest.serving.body_memory import BYTES_MAX, TENANT_BYTES_MAX, BodyMemory


def test_a_tenant_has_half_of_the_room_and_others_the_rest() -> None:
    room = BodyMemory()
    with room.share(1) as hold, room.share(1) as hold_more, room.share(2) as other:
        hold(TENANT_BYTES_MAX - 1)
        hold_more(1)
        with pytest.raises(Overloaded):
            hold_more(2)
        other(BYTES_MAX - TENANT_BYTES_MAX)
        assert room.bytes == BYTES_MAX


def test_all_tenants_together_have_the_whole_room() -> None:
    room = BodyMemory()
    with room.share(1) as first, room.share(2) as second, room.share(3) as third:
        first(TENANT_BYTES_MAX)
        second(TENANT_BYTES_MAX)
        with pytest.raises(Overloaded):
            third(1)


def test_everything_is_given_back_however_it_ends() -> None:
    room = BodyMemory()
    with room.share(1) as hold:
        hold(1_000)
    with pytest.raises(Overloaded), room.share(1) as hold:
        hold(TENANT_BYTES_MAX + 1)
    assert room.bytes == 0
    with room.share(1) as hold:
        hold(TENANT_BYTES_MAX)


def test_what_was_announced_is_not_counted_again_as_it_comes() -> None:
    room = BodyMemory()
    with room.share(1) as hold:
        hold(1_000)
        for size in (1, 500, 1_000):
            hold(size)
        assert room.bytes == 1_000
        hold(1_001)
        assert room.bytes == 1_001
