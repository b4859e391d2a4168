"""The audit of one tenant as its people read it: the last act first, page by page."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.store.connections import Connection
from schema.event import Kind

PAGE_LINES_MAX = 50
FILE_LINES_MAX = 10_000
_NEWEST = 2**63 - 1
# A person or term that is gone has left its id alone. People choose their names, so the address tells who it was:
# somebody could have taken the name of another, or of the service.
_LINES = """
SELECT line.audit_id, line.at, line.act, line.kind, line.token_id, line.rule, line.days, line.person_id,
    line.subject_id, actor.name || ' (' || actor.email || ')' AS person,
    subject.name || ' (' || subject.email || ')' AS subject, word.term
FROM nocontent.audit line
LEFT JOIN nocontent.people actor ON actor.tenant_id = line.tenant_id AND actor.person_id = line.person_id
LEFT JOIN nocontent.people subject ON subject.tenant_id = line.tenant_id AND subject.person_id = line.subject_id
LEFT JOIN nocontent.vocabulary word
    ON word.tenant_id = line.tenant_id AND word.kind = line.kind AND word.term_id = line.term_id
WHERE line.tenant_id = $1 AND line.audit_id < $2
"""
_ORDER = "ORDER BY line.audit_id DESC LIMIT $3"
OF_ALL = f"{_LINES} {_ORDER}"
OF_ACT = f"{_LINES} AND line.act = $4 {_ORDER}"  # Apart, because a plan for any $4 would not use the index of acts.


class Line(NamedTuple):
    """Who did what to what, people by name and address; `person` is None for an operator or the service."""

    audit_id: int
    at: datetime
    act: str
    person_id: UUID | None
    person: str | None
    subject_id: UUID | None
    subject: str | None
    kind: Kind | None
    term: str | None
    token_id: str | None
    rule: str | None
    days: int | None


class AuditPage(NamedTuple):
    """Lines, and the id of the last if older ones follow."""

    lines: list[Line]
    next_before: int | None


async def page(
    connection: Connection, tenant_id: int, before: int | None, act: str | None, lines_max: int = PAGE_LINES_MAX
) -> AuditPage:
    """Return the lines before one, or the newest: of one act, or of all."""
    query, of = (OF_ALL, ()) if act is None else (OF_ACT, (act,))
    rows = await connection.fetch(query, tenant_id, _NEWEST if before is None else before, lines_max + 1, *of)
    lines = [
        Line(
            row["audit_id"], row["at"], row["act"], row["person_id"], row["person"], row["subject_id"], row["subject"],
            None if row["kind"] is None else Kind(row["kind"]), row["term"], row["token_id"], row["rule"], row["days"],
        )
        for row in rows[:lines_max]
    ]  # fmt: skip
    return AuditPage(lines, lines[-1].audit_id if len(rows) > lines_max else None)
