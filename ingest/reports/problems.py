"""The faces of every error of a process that accepts events and reports usage."""

from http import HTTPStatus

from ingest.intake import problems
from ingest.reports import errors
from ingest.rights.exporting.errors import FormatMissing
from ingest.serving.problems import Face, Faces
from ingest.store.errors import ReadTooLarge, RoleMissing
from ingest.store.rights.exporting import InvalidPlace
from ingest.store.rights.moments import InvalidMoment
from ingest.usage.processor import webhook

_BAD = HTTPStatus.BAD_REQUEST
REPORTS: Faces = {
    errors.QueryTooLong: Face(_BAD, "query-too-long", "The query string has more bytes than any good one"),
    errors.ParameterUnknown: Face(_BAD, "parameter-unknown", "The path has no such parameter: see /openapi.json"),
    errors.ParameterRepeated: Face(_BAD, "parameter-repeated", "Send each parameter once"),
    errors.ParameterInvalid: Face(_BAD, "parameter-invalid", "The parameter's value is not of its form"),
    errors.ParameterMissing: Face(_BAD, "parameter-missing", "The path needs this parameter: see /openapi.json"),
    errors.TimeMisaligned: Face(
        _BAD, "time-misaligned", "Send the start of an hour in UTC, or of a day unless the granularity is hour or total"
    ),
    errors.RangeReversed: Face(_BAD, "range-reversed", "The range must begin before it ends"),
    errors.RangeTooLong: Face(
        _BAD, "range-too-long", "Ask for 35 days of hours, 800 days of days or 10 years of months at most"
    ),
    errors.GroupingTooFine: Face(_BAD, "grouping-too-fine", "Group by three different dimensions at most"),
    errors.TagUndeclared: Face(_BAD, "tag-undeclared", "This tenant has not declared that tag key"),
    errors.CursorInvalid: Face(_BAD, "cursor-invalid", "Send a cursor as an answer to the same question returned it"),
    errors.NotAcceptable: Face(
        HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", "Accept application/json, text/html or application/pdf"
    ),
    errors.RendererMissing: Face(
        HTTPStatus.NOT_IMPLEMENTED, "renderer-missing", "This service makes no pages: accept application/json"
    ),
    errors.InvoiceNotFound: Face(HTTPStatus.NOT_FOUND, "invoice-not-found", "This tenant has no such invoice"),
    errors.ExportNotFound: Face(
        HTTPStatus.NOT_FOUND, "export-not-found", "There is no such part of an export: see its manifest"
    ),
    errors.ExportUnavailable: Face(
        HTTPStatus.NOT_IMPLEMENTED, "export-unavailable", "This service's database has no moments that last"
    ),
    InvalidMoment: Face(
        _BAD, "snapshot-invalid", "Send the snapshot of a manifest of this service, or get a new manifest"
    ),
    InvalidPlace: Face(_BAD, "after-invalid", "Send the key of a row of this part, as the part has it"),
    FormatMissing: Face(
        HTTPStatus.NOT_ACCEPTABLE,
        "format-missing",
        "This service writes no Parquet (extra export): ask for jsonl or csv",
    ),
    RoleMissing: Face(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "role-missing",
        "The service's login may not read usage, invoices or exports",
        60,
    ),
    ReadTooLarge: Face(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "read-too-large",
        "Ask for a shorter range, fewer groups or no percentiles, or later",
        10,
    ),
    **webhook.FACES,
}
FACES: Faces = {**problems.FACES, **REPORTS}
