"""The pages of errors: what happened and what to do, and nothing of the request."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Scope

from ingest.console import render
from ingest.console.errors import BadForm, BadQuery, CrossOrigin, StaleForm
from ingest.errors import Bug, IngestError, NotReady, Overloaded, Stopping, Unavailable
from ingest.serving import problems
from ingest.serving.errors import (
    BadRequest,
    HeadTooLarge,
    MediaTypeUnsupported,
    MethodNotAllowed,
    NotFound,
    SlowBody,
    SlowHead,
    VersionUnsupported,
    WireTooLarge,
)
from ingest.serving.problems import Face, Faces, Renderer
from ingest.store.errors import ReadTooLarge, RoleMissing
from ingest.store.rights.moments import InvalidMoment

_AWAY = Face(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The database is away", 5)
_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
FACES: Faces = {
    BadRequest: Face(HTTPStatus.BAD_REQUEST, "bad-request", "The request could not be read"),
    HeadTooLarge: Face(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The request is too large"),
    SlowHead: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-head", "The request took too long"),
    VersionUnsupported: Face(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version-unsupported", "The request could not be read"
    ),
    NotFound: Face(HTTPStatus.NOT_FOUND, "not-found", "There is no such page"),
    MethodNotAllowed: Face(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "This address is not a page"),
    BadQuery: Face(HTTPStatus.BAD_REQUEST, "bad-query", "The link is not one of this console"),
    BadForm: Face(HTTPStatus.BAD_REQUEST, "bad-form", "The form could not be read"),
    MediaTypeUnsupported: Face(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type-unsupported", "The form could not be read"
    ),
    WireTooLarge: Face(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "wire-too-large", "The form is too large"),
    SlowBody: Face(HTTPStatus.REQUEST_TIMEOUT, "slow-body", "The form took too long to arrive"),
    CrossOrigin: Face(HTTPStatus.FORBIDDEN, "cross-origin", "The form came from another site"),
    StaleForm: Face(HTTPStatus.FORBIDDEN, "stale-form", "This form is out of date"),
    InvalidMoment: Face(HTTPStatus.BAD_REQUEST, "snapshot-invalid", "The moment of this export is too long ago"),
    ReadTooLarge: Face(_BUSY, "read-too-large", "This took too long to add up", 60),
    Overloaded: Face(_BUSY, "overloaded", "The console is busy", 2),
    Unavailable: _AWAY,
    RoleMissing: _AWAY,
    Stopping: Face(_BUSY, "stopping", "The console is restarting", 2),
    NotReady: Face(_BUSY, "not-ready", "Not ready for traffic", 2),
    Bug: Face(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "Something is broken on our side"),
}
# By problem, since several errors share one.
_SAYS = {
    "not-found": "The address may be mistyped, belong to another organisation, or be outside of your role.",
    "method-not-allowed": "A form of another page is sent to it. Nothing was saved. Go back to that page.",
    "bad-query": "Go back and follow the link again.",
    "snapshot-invalid": "Ask for the parts again: they will be as of a new moment.",
    "media-type-unsupported": "Go back, reload the page and try again.",
    "wire-too-large": "A form may have 64 KiB. Nothing was saved.",
    "slow-body": "Nothing was saved. Try again on a better connection.",
    "cross-origin": "The console accepts forms from its own pages alone. Nothing was saved.",
    "stale-form": "You have signed in again since it was opened. Nothing was saved. Go back, reload and try again.",
    "bad-form": "Nothing was saved. Go back, reload the page and try again.",
    "read-too-large": "Choose a shorter time range, or group by fewer columns.",
    "overloaded": "Many people are asking at once. Nothing was saved. Wait a moment and reload.",
    "unavailable": "You stay signed in, and senders keep their events until it is back. Nothing was saved. "
    "Try again in a minute.",
    "bug": "It was written to the operator's log. Nothing was saved, unless a page says so.",
}
PROBES: Mapping[str, Renderer] = {"/livez": problems.render, "/readyz": problems.render}  # Read by programs.


def error_page(_scope: Scope, error: IngestError, face: Face, request_id: str) -> Response:
    """Return the page of an error, which is the same for whoever causes it."""
    context: dict[str, object] = {
        "title": face.title,
        "says": _SAYS.get(face.problem, "Go back and try again."),
        "status": face.status.value,
        "request_id": request_id,
    }
    made = render.page("error.html", face.status, context)
    made.headers.update(problems.headers_of(error, face))
    return made
