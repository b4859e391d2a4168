"""A person who is signed in."""

from typing import NamedTuple
from uuid import UUID

from ingest.accounts.roles import Role


class Person(NamedTuple):
    """A person of one organisation."""

    tenant_id: int
    tenant_name: str
    person_id: UUID
    email: str
    name: str
    role: Role
    time_zone: str
