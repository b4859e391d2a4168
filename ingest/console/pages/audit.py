"""The audit of the tenant: who did what to what, and when."""

from collections.abc import Iterator

from starlette.responses import Response

from ingest.accounts.roles import Role
from ingest.console.errors import BadQuery
from ingest.console.page import Page
from ingest.console.tables import Cell, Column, Table
from ingest.console.visit import CSV, Visit
from ingest.store import audit_reads
from ingest.store.audit import ACTS
from ingest.store.audit_reads import Line

_ROLES: frozenset[Role] = frozenset(("owner", "admin", "auditor"))
_COLUMNS = (
    Column("at", "When", "when"),
    Column("who", "Who"),
    Column("act", "Act", "code"),
    Column("on", "On what"),
    Column("rule", "Rule", "code"),
)
_NO_PERSON = "operator or service"
_DIGITS_MAX = 18


async def show(visit: Visit) -> Response:
    """Show a page of lines, the newest first; as CSV, up to 10,000 from there on."""
    act = visit.query.text("act") or None
    if act is not None and act not in ACTS:
        raise BadQuery
    lines_max = audit_reads.FILE_LINES_MAX if CSV in visit.query else audit_reads.PAGE_LINES_MAX
    async with visit.read() as connection:
        page = await audit_reads.page(connection, visit.person.tenant_id, _before(visit), act, lines_max)
    return visit.render(
        "audit.html",
        lines=Table("audit", "Acts", _COLUMNS, [_row(line) for line in page.lines], "No such act was recorded."),
        act=act or "",
        acts=[("", "all"), *((each, each) for each in sorted(ACTS))],
        next_before=page.next_before,
    )


def _before(visit: Visit) -> int | None:
    given = visit.query.text("before")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX):
        raise BadQuery
    return int(given)


def _row(line: Line) -> tuple[Cell, ...]:
    who = _NO_PERSON if line.person_id is None else line.person or f"removed ({line.person_id})"
    return line.at, who, line.act, ", ".join(_concerned(line)) or None, line.rule


def _concerned(line: Line) -> Iterator[str]:
    """Yield what an act was done to."""
    if line.kind is not None:
        kind = line.kind.name.lower().replace("_", " ")
        yield f"{kind} {line.term}" if line.term else kind
    if line.token_id is not None:
        yield f"token {line.token_id}"
    if line.subject_id is not None:
        yield line.subject or f"removed ({line.subject_id})"
    if line.days is not None:
        yield f"{line.days} days"


PAGES = (Page(path="/audit", name="audit", title="Audit", roles=_ROLES, handler=show, nav="Audit"),)
