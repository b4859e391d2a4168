"""Acceptances of legal documents: added for the entered session's tenant, and read; nobody changes or deletes one."""

from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from ingest.store.accounts.errors import explained
from ingest.store.connections import Connection

DocumentId = Literal["terms", "privacy", "dpa"]
DOCUMENTS: tuple[DocumentId, ...] = get_args(DocumentId)  # Numbered from 1 on, for ever.
_ACCEPT = "SELECT nocontent.accept_document($1, $2, $3, $4)"
_LIST = """
SELECT accepted.document, accepted.version, accepted.person_id, person.name, accepted.digest, accepted.shown,
    accepted.at
FROM nocontent.acceptances accepted
LEFT JOIN nocontent.people person
    ON person.tenant_id = accepted.tenant_id AND person.person_id = accepted.person_id
WHERE accepted.tenant_id = $1 ORDER BY accepted.at DESC, accepted.document
"""


class Accepted(NamedTuple):
    """A published version, and what it was as it was shown, with the operator's details."""

    document: DocumentId
    version: int
    digest: bytes
    shown: bytes


class Acceptance(NamedTuple):
    """A row; `person` is None once the person is removed."""

    accepted: Accepted
    person_id: UUID
    person: str | None
    at: datetime


async def accept(connection: Connection, wanted: Accepted) -> bool:
    """Accept a version for the tenant of the entered session; return False if its person did before.

    Raises NotAllowed unless the person is an owner or admin, and TooManyPeople beyond 10,000 acceptances.
    """
    number = DOCUMENTS.index(wanted.document) + 1
    with explained():
        return bool(await connection.fetchval(_ACCEPT, number, wanted.version, wanted.digest, wanted.shown))


async def of_tenant(connection: Connection, tenant_id: int) -> list[Acceptance]:
    """Return the acceptances of a tenant, the newest first."""
    return [
        Acceptance(
            Accepted(DOCUMENTS[row["document"] - 1], row["version"], row["digest"], row["shown"]),
            row["person_id"], row["name"], row["at"],
        )
        for row in await connection.fetch(_LIST, tenant_id)
        if row["document"] <= len(DOCUMENTS)  # A later release may have more.
    ]  # fmt: skip
