"""Every error in OTLP's shape: a client sends again after 429, 502, 503 and 504 alone, and never after a 500."""

from http import HTTPStatus

import pytest

from ingest.errors import Bug, IngestError
from ingest.intake.otlp import replies
from ingest.intake.problems import FACES
from schema.rules import Violation


@pytest.mark.parametrize("kind", FACES)
def test_an_answer_has_a_status_of_otlps(kind: type[IngestError]) -> None:
    face = FACES[kind]
    error: IngestError = kind.__new__(kind)
    error.violations = (Violation("content.prompt", "/spans/0"),)
    if kind.__name__ == "MethodNotAllowed":
        error.__dict__["allow"] = "POST"
    for media_type in (b"application/x-protobuf", b"application/json"):
        answer = replies.error({"type": "http", "headers": [(b"content-type", media_type)]}, error, face, "id")
        assert answer.media_type == media_type.decode()
        assert answer.status_code not in {408, 409, 422}
        assert (answer.status_code in {429, 503}) == ("retry-after" in answer.headers)
        assert answer.status_code != 500 or kind is Bug


def test_a_slow_sender_may_send_again() -> None:
    face = next(face for face in FACES.values() if face.status is HTTPStatus.REQUEST_TIMEOUT)
    answer = replies.error({"type": "http", "headers": []}, Bug(), face, "id")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
