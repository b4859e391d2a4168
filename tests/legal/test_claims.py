"""Every sentence of /security has a test that is there, or says that only an operator can attest it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ingest.legal import claims
from ingest.legal.claims import Claim, Run
from tests.legal import __main__ as record
from tests.support import named
from tests.support.named import is_test
from tests.support.service import ROOT

CLAIMS_MIN = 25
CLAIMS = [claim for section in claims.page().sections for claim in section.claims]
_AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_there_are_as_many_claims_as_a_page_needs() -> None:
    assert len(CLAIMS) >= CLAIMS_MIN


def test_each_sentence_is_said_once() -> None:
    said = [claim.says for claim in CLAIMS] + [one.says for one in claims.page().attestations]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("test", claims.tests())
def test_a_test_that_a_claim_names_is_there(test: str) -> None:
    assert is_test(test)


@pytest.mark.parametrize(
    "absent",
    [
        "tests/legal/test_claims.py::test_never_was",
        "tests/legal/test_never.py::test_never_was",
        "tests/legal/test_claims.py",
        "ingest/legal/claims.py::tests",
        "tests/support/named.py::is_test",
    ],
)
def test_what_is_no_test_is_noticed(absent: str) -> None:
    assert not is_test(absent)


@pytest.mark.parametrize(
    "broken",
    [
        {"says": "A sentence without a test."},
        {"says": "A sentence without a test.", "tests": []},
        {"says": "A sentence with a file alone.", "tests": ["tests/legal/test_claims.py"]},
        {"says": "No full stop", "tests": ["tests/legal/test_claims.py::test_a"]},
        {"says": "A sentence with more.", "tests": ["tests/legal/test_claims.py::test_a"], "ran": "2026-11-28"},
    ],
)
def test_a_claim_without_a_test_is_no_claim(broken: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(broken, Claim)


def test_the_record_is_of_runs_of_named_tests() -> None:
    assert set(claims.runs()) <= set(claims.tests())
    latest = datetime.now(UTC) + timedelta(days=1)  # Another machine's clock recorded them.
    assert all(run.at < latest for run in claims.runs().values())


def test_the_run_of_a_claim_is_the_oldest_of_its_tests() -> None:
    claim = Claim("Two tests show this one.", ("tests/a.py::test_a", "tests/a.py::test_b"))
    older, newer = Run("a" * 40, _AT), Run("b" * 40, _AT + timedelta(days=1))
    assert claims.last_run(claim, {claim.tests[0]: newer, claim.tests[1]: older}) == older
    assert claims.last_run(claim, {claim.tests[0]: newer}) is None
    assert claims.last_run(claim, {}) is None


def test_a_record_keeps_the_last_green_run_of_what_did_not_pass(tmp_path: Path) -> None:
    path = tmp_path / claims.RUNS
    first, second, third = claims.tests()[:3]
    old, new = Run("a" * 40, _AT), Run("b" * 40, _AT + timedelta(days=1))
    path.write_bytes(msgspec.json.encode({first: old, second: old, "tests/a.py::test_gone": old}))
    assert record.recorded({first, third, "tests/b.py::test_other"}, new, path) == {first: new, second: old, third: new}
    assert msgspec.json.decode(path.read_bytes(), type=dict[str, Run]) == {first: new, second: old, third: new}


def test_only_a_test_that_passed_with_all_its_parameters_counts(tmp_path: Path) -> None:
    """It runs apart, with the plugin of the command, and prints the tests that count."""
    (tmp_path / "test_it.py").write_text(_SAMPLE, "utf-8")
    passed = tmp_path / "passed.json"
    plugin = ["-p", "tests.legal.outcomes", "-p", "no:cacheprovider", "--passed-to", str(passed)]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert msgspec.json.decode(passed.read_bytes()) == ["test_it.py::test_good"]


_SAMPLE = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_good(n): pass

@pytest.mark.parametrize("n", [1, 2])
def test_bad(n): assert n == 1

@pytest.mark.parametrize("n", [1, 2])
def test_half(n):
    if n == 2: pytest.skip("not here")

@pytest.fixture
def breaks():
    yield
    raise ValueError

def test_teardown(breaks): pass
"""


def test_tests_run_in_the_order_of_their_file() -> None:
    """Some of a browser depend on those before them."""
    here = Path(__file__).relative_to(ROOT).as_posix()
    first, last = (
        f"{here}::{name}" for name in (named.names_in(Path(__file__))[0], named.names_in(Path(__file__))[-1])
    )
    assert named.in_order([last, first]) == [first, last]
