"""Figures from rounds: ratios are within a round, and a step that grew by more than a tenth fails."""

import pytest

from bench import instructions
from bench.instructions import Counts
from bench.results import Machine, Provenance, Spread, Trial
from bench.scenario import HEADLINE, MATRIX, PEERS
from bench.summary import ratio

PROVENANCE = Provenance(
    taken_at="2026-01-01T00:00:00+00:00",
    commit="0" * 12,
    machine=Machine(
        processor="", cores=2, memory_gb=8.0, kernel="", python="", packages={}, fdatasync_us=1.0, load_before=0.0
    ),
    postgres={"server_version": "18.0"},
)


def _trial(events_s: float) -> Trial:
    return Trial(**dict.fromkeys(Trial.__struct_fields__, 0.0) | {"events_s": events_s})


def test_a_ratio_is_of_figures_of_the_same_round() -> None:
    # The second round was disturbed: both were at a tenth of their speed, and the ratio does not know.
    rounds = {"ours": [_trial(600), _trial(60), _trial(630)], "raw": [_trial(1_000), _trial(100), _trial(900)]}
    assert ratio(rounds, "ours", "raw") == Spread(0.6, 0.6, 0.7)


def test_what_was_not_measured_has_no_ratio() -> None:
    assert ratio({"ours": [_trial(1)]}, "ours", "raw") is None


def test_the_headline_has_every_peer_and_is_part_of_the_matrix() -> None:
    assert set(PEERS) <= {scenario.system for scenario in HEADLINE}
    assert set(HEADLINE) < set(MATRIX)


def _counts(build: str, count: float) -> Counts:
    return Counts(build=build, packages={}, instructions_an_event={"digest": count})


@pytest.mark.parametrize(
    ("build", "now", "status"), [("a", 109.0, 0), ("a", 111.0, 1), ("a", 50.0, 0), ("other", 500.0, 0)]
)
def test_more_than_a_tenth_more_instructions_fail_on_the_same_build(build: str, now: float, status: int) -> None:
    assert instructions.compare(_counts(build, now), _counts("a", 100.0)) == status
