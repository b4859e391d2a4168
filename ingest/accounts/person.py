"""Somebody who uses the console."""

from dataclasses import dataclass, field
from uuid import UUID

from ingest.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class Person:
    """A person of an organisation, which is a tenant; neither address nor name is in the representation."""

    tenant_id: int
    tenant_name: str = field(repr=False)
    person_id: UUID
    email: str = field(repr=False)
    name: str = field(repr=False)
    role: Role
    time_zone: str
