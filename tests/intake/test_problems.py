"""The table of problems is complete, and each follows RFC 9457."""

import importlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Literal, get_type_hints

import msgspec
import pytest

from ingest.console import faces as console
from ingest.errors import Bug, IngestError, Overloaded, Stopping, Unavailable
from ingest.reports.problems import FACES
from ingest.serving import problems
from ingest.serving.problems import Problem
from ingest.store.errors import OutcomeUnknown
from schema.event import Status, StopReason
from schema.rules import Violation
from tests.support.service import ROOT
from tests.support.wire import Sender


def test_every_error_has_a_face() -> None:
    for file in sorted((ROOT / "ingest").rglob("errors.py")):  # A type is in the tree once its module is imported.
        importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    assert {*FACES, *console.FACES} == set(_kinds_of(IngestError))


def _kinds_of(error: type[IngestError]) -> Iterator[type[IngestError]]:
    """Yield all types of an error that code of ours may raise."""
    for kind in error.__subclasses__():
        yield kind
        yield from _kinds_of(kind)


def test_no_two_problems_share_a_name() -> None:
    assert len({face.problem for face in FACES.values()}) == len(FACES)


@pytest.mark.parametrize(("path", "allow"), [("/v1/events", {"POST"}), ("/livez", {"GET", "HEAD"})])
def test_a_wrong_method_hears_which_are_right(sender: Sender, path: str, allow: set[str]) -> None:
    answer = sender.request("DELETE", path, None)
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, allow)


def test_an_unsupported_coding_hears_which_are_right(sender: Sender) -> None:
    answer = sender.post(b"", {"Content-Encoding": "br"})
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, zstd")


@pytest.mark.parametrize("error", [Overloaded, Unavailable, OutcomeUnknown, Stopping])
def test_what_is_ours_asks_for_a_retry(error: type[IngestError]) -> None:
    answer = problems.response(error(), FACES[error], "00000000-0000-4000-8000-000000000000")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(answer.headers["retry-after"]) > 0


def test_a_bug_is_a_problem_without_a_word_of_its_cause() -> None:
    answer = problems.response(Bug(), FACES[Bug], "00000000-0000-4000-8000-000000000000")
    assert msgspec.json.decode(answer.body, type=Problem) == Problem(
        type="urn:nocontent:problem:bug",
        title="A bug in the service; the operator's log shows where",
        status=500,
        instance="urn:uuid:00000000-0000-4000-8000-000000000000",
    )


def test_a_violation_has_no_room_for_a_value() -> None:
    """`use` is typed as one of the contract's own words."""
    assert Violation._fields == ("rule", "pointer", "use")
    assert get_type_hints(Violation)["use"] == Status | StopReason | Literal["unknown", "null"] | None
