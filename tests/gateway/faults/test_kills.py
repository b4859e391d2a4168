"""A short run of the kills of a gateway, and of what its checker notices."""

import re
import sys

import pytest

from tests.gateway.faults import __main__ as faults
from tests.gateway.faults.checker import Verdict

GOOD = Verdict(finished=10, stored=9, missing=2, lost=2, doubled=0, refused=0, halves=0)


# Slow because processes are started again after each kill.
@pytest.mark.skipif(sys.platform != "linux", reason="a gateway runs on Linux")
@pytest.mark.timeout(300)
def test_every_finished_request_is_stored_once_or_counted(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["companion-killed", "provider-killed", "worker-killed"]
    status = faults.main(["--kills", "3", "--workers", "1", "--clients", "4", "--seed", "1", "--kinds", *kinds])
    printed = capsys.readouterr().out
    assert status == 0, printed
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?= )", printed.splitlines()[-1])]
    kills, finished, stored, missing, lost, *bad = numbers
    assert (kills, bad) == (3, [0, 0, 0, 0]), printed
    assert finished >= 4 * faults.CALM
    assert stored + lost >= finished
    assert missing <= lost


def test_the_checker_accepts_what_is_counted() -> None:
    assert GOOD.is_good
    assert GOOD._replace(lost=3).is_good  # May be counted twice.


@pytest.mark.parametrize("bad", [{"lost": 1}, {"doubled": 1}, {"refused": 1}, {"halves": 1}])
def test_the_checker_sees(bad: dict[str, int]) -> None:
    assert not GOOD._replace(**bad).is_good
