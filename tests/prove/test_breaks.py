"""The kit fails a real service that lacks a gate; `python -m tests.prove.breaks` shows it for every gate."""

import pytest

from tests.prove.breaks import FAILED, PASSED, Bench, examine, main
from tests.prove.gates import BY_NAME, GATES, Gate
from tests.support import cluster
from tests.support.cluster import Cluster
from tests.support.service import ROOT

_FAST = ("vocabulary: tag values", "id: version and variant")


@pytest.mark.timeout(90)  # Serves three copies, one after the other.
def test_the_kit_fails_a_service_without_a_gate_and_passes_the_intact_one(postgres: Cluster) -> None:
    with cluster.open_folder() as folder:
        bench = Bench(postgres, folder)
        families: list[str] = []
        for name in _FAST:
            gate = BY_NAME[name]
            row = examine(bench, gate)
            assert row.alone.status == FAILED
            assert row.is_as_expected
            assert set(row.how) == {"status 200"}
            families += gate.families
        assert bench.judge((), families) == (PASSED, {}, {})


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_gate_can_be_taken_out(gate: Gate) -> None:
    """The whole run is long, so an edit that no longer matches the code is found here."""
    assert {edit.old for edit in gate.edits if (ROOT / edit.file).read_text("utf-8").count(edit.old) != 1} == set()


def test_every_gate_behind_another_is_noticed_when_it_is_out_itself() -> None:
    """Or it is one of a pair, of which either holds alone; then one run removes both."""
    alone = {gate.name for gate in GATES if not gate.behind}
    mutual = {gate.name for gate in GATES if gate.behind and BY_NAME[gate.behind].behind == gate.name}
    assert {gate.behind for gate in GATES} - {""} <= alone | mutual


def test_the_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(gate.name in said for gate in GATES)
