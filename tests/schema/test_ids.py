"""Ids are version 7, and carry their time and their random bits."""

from uuid import RFC_4122

import pytest

from schema.ids import uuid7

AT_MS = 1_764_000_000_123


@pytest.mark.parametrize("random", [0, 2**80 - 1, 0x5A5A5_5A5A5_5A5A5_5A5A5])
def test_an_id_has_its_time_version_variant_and_random_bits(random: int) -> None:
    made = uuid7(AT_MS, random)
    assert made.int >> 80 == AT_MS
    assert made.version == 7
    assert made.variant == RFC_4122
    fixed = 0xF << 76 | 0x3 << 62
    assert made.int & (2**80 - 1) & ~fixed == random & ~fixed
