"""Refusals of what a reader asks for; none has a value of the request, and `parameter` is a name of ours."""

from ingest.errors import IngestError


class _OfQuery:
    """A refusal of a query string; `parameter` is empty if no parameter of ours is at fault."""

    def __init__(self, parameter: str = "") -> None:
        super().__init__()
        self.parameter = parameter


class QueryTooLong(_OfQuery, IngestError):
    """The query string has more bytes than any good one."""


class ParameterUnknown(_OfQuery, IngestError):
    """The path has no such parameter, whose name is not repeated."""


class ParameterRepeated(_OfQuery, IngestError):
    """A parameter is there twice."""


class ParameterInvalid(_OfQuery, IngestError):
    """A parameter's value is not of its form."""


class ParameterMissing(_OfQuery, IngestError):
    """A parameter that the path needs is not there."""


class TimeMisaligned(_OfQuery, IngestError):
    """A time is not the start of an hour, or of the day that the granularity needs."""


class RangeReversed(_OfQuery, IngestError):
    """The range ends before it begins, or is empty."""


class RangeTooLong(_OfQuery, IngestError):
    """The range is longer than the granularity allows."""


class GroupingTooFine(_OfQuery, IngestError):
    """There are more groupings than one answer may have, or one of them twice."""


class TagUndeclared(_OfQuery, IngestError):
    """The tenant has not declared the tag key."""


class CursorInvalid(_OfQuery, IngestError):
    """The cursor is not one that an answer to the same question returned."""


class NotAcceptable(IngestError):
    """The path has no representation that `Accept` allows."""


class RendererMissing(IngestError):
    """The libraries that make a page are not installed."""


class InvoiceNotFound(IngestError):
    """The tenant has no such invoice."""


class ExportNotFound(IngestError):
    """There is no such data set, format or day."""


class ExportUnavailable(IngestError):
    """The database cannot tell which rows a moment had."""
