"""The table of problems is whole, and each keeps RFC 9457."""

from http import HTTPStatus
from typing import Literal, get_type_hints

import msgspec
import pytest

from ingest import errors
from ingest.serving import problems
from ingest.serving.problems import FACES, Problem
from schema.event import Status, StopReason
from schema.rules import Violation
from tests.support.wire import Sender


def test_every_error_has_a_face() -> None:
    assert set(FACES) == set(errors.IngestError.__subclasses__())


def test_no_two_problems_share_a_name() -> None:
    assert len({face.problem for face in FACES.values()}) == len(FACES)


@pytest.mark.parametrize(("path", "allow"), [("/v1/events", {"POST"}), ("/livez", {"GET", "HEAD"})])
def test_a_wrong_method_hears_which_are_right(sender: Sender, path: str, allow: set[str]) -> None:
    answer = sender.request("DELETE", path, None)
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, allow)


def test_an_unsupported_coding_hears_which_are_right(sender: Sender) -> None:
    answer = sender.post(b"", {"Content-Encoding": "br"})
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, zstd")


@pytest.mark.parametrize("error", [errors.Overloaded, errors.Unavailable, errors.OutcomeUnknown, errors.Stopping])
def test_what_is_ours_asks_for_a_retry(error: type[errors.IngestError]) -> None:
    answer = problems.response(error(), "00000000-0000-4000-8000-000000000000")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(answer.headers["retry-after"]) > 0


def test_a_bug_is_a_problem_without_a_word_of_its_cause() -> None:
    answer = problems.response(errors.Bug(), "00000000-0000-4000-8000-000000000000")
    assert msgspec.json.decode(answer.body, type=Problem) == Problem(
        type="urn:nocontent:problem:bug",
        title="A mistake of ours; the operator's log has the place",
        status=500,
        instance="urn:uuid:00000000-0000-4000-8000-000000000000",
    )


def test_a_violation_has_no_room_for_a_value() -> None:
    """`use` is typed as one of the contract's own words."""
    assert Violation._fields == ("rule", "pointer", "use")
    assert get_type_hints(Violation)["use"] == Status | StopReason | Literal["unknown", "null"] | None
