"""Reads the report of the last proof, which `nocontent prove --report-dir` wrote, from the file of a setting."""

import os
import stat
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

REPORT_BYTES_MAX = 4 * 1024 * 1024
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # A pipe must not make a page wait.


class FamilySum(Struct, frozen=True):
    """The outcomes of one family of cases."""

    family: str
    cases: int
    refused: int
    ignored: int
    accepted: int
    unanswered: int
    faults: int


class PlaceSum(Struct, frozen=True):
    """A place that was searched for what the cases contained."""

    place: str
    bytes: int
    finds: Sequence[str]
    unread: Sequence[str]
    is_gated: bool


class Report(Struct, frozen=True):
    """What the page shows of `ingest.prove.summary.Summary`."""

    verdict: Literal["pass", "fail"]
    url_host: str
    started_at: datetime
    version: str
    policy_digest: str
    cases_planned: int
    cases_sent: int
    families: Sequence[FamilySum]
    totals: FamilySum
    places: Sequence[PlaceSum]


class Unreadable(Exception):
    """The file is not there, not a file, too large, or not a report."""


_report = msgspec.json.Decoder(Report)


def read(path: str) -> Report:
    """Return the report in a file; raises Unreadable."""
    try:
        file = os.open(path, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Unreadable
            with open(file, "rb", closefd=False) as opened:
                content = opened.read(REPORT_BYTES_MAX + 1)
        finally:
            os.close(file)
        if len(content) > REPORT_BYTES_MAX:
            raise Unreadable
        return _report.decode(content)
    except (OSError, msgspec.MsgspecError):  # Whose messages quote the path or the file.
        raise Unreadable from None
