"""Every error of the gateway has one face; docs/gateway.md lists them all, and the answers say what the table says."""

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from ingest.gateway.admission.errors import Misplaced, NotAdmitted, TokenRefused
from ingest.gateway.faults import FACES, refusal
from ingest.gateway.reading.errors import Malformed
from ingest.gateway.upstream.errors import CircuitOpen, UpstreamFailure
from ingest.serving.errors import MethodNotAllowed
from tests.support.service import ROOT

ABSTRACT = {Misplaced, TokenRefused}  # Nobody raises them.


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def test_every_error_of_admission_and_upstream_has_a_face() -> None:
    assert {*below(NotAdmitted), *below(UpstreamFailure)} - ABSTRACT <= FACES.keys()


def test_admission_and_faults_agree_on_ids() -> None:
    for kind in {*below(NotAdmitted)} - ABSTRACT:
        assert issubclass(kind, NotAdmitted)
        assert FACES[kind].fault == kind.fault


def test_every_fault_has_an_id_of_its_own() -> None:
    assert len({face.fault for face in FACES.values()}) == len(FACES)


def test_the_page_lists_them_all() -> None:
    rows = (ROOT / "docs/gateway.md").read_text("utf-8").splitlines()
    faces = FACES.values()
    listed = {f"| `{face.fault}` | {int(face.status)} | `{face.kind}` | {face.says} |" for face in faces}
    assert listed <= {*rows}


def test_a_fault_of_the_gateway_tells_sdks_whether_to_try_again() -> None:
    made_with = {
        MethodNotAllowed: MethodNotAllowed("POST"), CircuitOpen: CircuitOpen(7), Malformed: Malformed("not-json")
    }  # fmt: skip
    for kind, face in FACES.items():
        made = made_with[kind] if kind in made_with else kind()
        fields = dict(refusal("messages", made, "id").fields)
        may_retry = b"retry-after" in fields
        assert may_retry is (face.retry_after_s is not None)
        assert (fields.get(b"x-should-retry") == b"false") is (
            not may_retry and face.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )


def test_an_open_circuit_says_for_how_long() -> None:
    assert (b"retry-after", b"7") in refusal("messages", CircuitOpen(7), "id").fields


@pytest.mark.parametrize("shape", ["messages", "chat"])
def test_both_shapes_have_type_and_message(shape: str) -> None:
    body = json.loads(refusal("chat" if shape == "chat" else "messages", CircuitOpen(7), "id").body)
    assert body["error"]["type"] == "overloaded_error"
    assert body["error"]["message"].endswith("(nocontent: circuit-open)")
