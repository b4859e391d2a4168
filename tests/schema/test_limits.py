"""Bounds: all are in schema/limits.py, and the policy publishes each."""

from ingest.knowledge import contract
from schema import limits


def test_every_bound_is_a_whole_number_above_zero() -> None:
    for name, value in vars(limits).items():
        if name.isupper():
            assert type(value) is int, name
            assert value > 0, name


def test_every_bound_is_published() -> None:
    assert {name.lower() for name in vars(limits) if name.isupper()} == contract.BOUNDS.keys()


def test_a_body_of_the_most_events_fits() -> None:
    smallest = 600  # Bytes of an event as proxies write it.
    assert smallest * limits.EVENTS_MAX <= limits.BODY_BYTES_MAX
