"""Bands between models: as wide as their requests, within the drawing, none lost."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.console.charts import flow
from ingest.console.charts.flow import HEIGHT, NODES_MAX, OTHERS

MODELS = st.sampled_from([f"model-{number}" for number in range(20)])


@given(st.dictionaries(st.tuples(MODELS, MODELS), st.integers(1, 10**12), max_size=60))
def test_every_request_is_in_one_band_and_in_one_node_of_each_column(counted: dict[tuple[str, str], int]) -> None:
    found = flow.flow((*pair, count) for pair, count in counted.items())
    total = sum(counted.values())
    for column in (found.requested, found.routed):
        assert sum(node.requests for node in column) == total
        assert len(column) <= NODES_MAX
        assert all(node.y >= 0 and node.y + node.height <= HEIGHT + 0.1 for node in column)
    assert sum(band.requests for band in found.bands) == total


def test_what_is_kept_and_what_is_moved_differ() -> None:
    found = flow.flow([("large", "large", 3), ("large", "small", 7)])
    assert {(band.routed, band.is_kept) for band in found.bands} == {("large", True), ("small", False)}
    assert [node.name for node in found.routed] == ["small", "large"]


def test_the_rest_of_many_models_is_one() -> None:
    found = flow.flow([(f"asked-{number}", "served", 100 - number) for number in range(20)])
    assert [node.name for node in found.requested][-1] == OTHERS
    assert len(found.requested) == NODES_MAX
