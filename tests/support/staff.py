"""A tenant with people in every state: who can get a letter and who cannot; and the letters that were put."""

from typing import NamedTuple
from uuid import UUID

from ingest.accounts.roles import ROLES
from ingest.accounts.sessions import Cookie
from ingest.store import connections, tenants
from ingest.store.accounts import people
from ingest.store.accounts.people import NewPerson
from tests.support import accounts, cluster

HASH = "$argon2id$v=19$m=1024,t=1,p=1$" + "a" * 22 + "$" + "a" * 43
_ACCEPT = (
    "UPDATE people SET password_hash = $2, password_changed_at = now() WHERE tenant_id = $1 AND email !~ '^invited'"
)
_DISABLE = "UPDATE people SET disabled_at = now() WHERE tenant_id = $1 AND email ~ '^disabled'"
_LETTERS = """
SELECT kind, split_part(email, '@', 1) AS name FROM outbox JOIN people USING (tenant_id, person_id)
WHERE tenant_id = $1 AND state = 'pending' ORDER BY 1, 2
"""


class Staff(NamedTuple):
    """A tenant with one person of each role, two more who are disabled, and two who are invited."""

    dsn: str
    tenant: str
    tenant_id: int
    ids: dict[str, UUID]  # By role; `disabled-owner` and the like.
    owner: Cookie

    async def letters(self) -> list[tuple[str, str]]:
        """Return kind and recipient of each letter of the tenant."""
        async with cluster.operator(self.dsn) as connection:
            return [(row["kind"], row["name"]) for row in await connection.fetch(_LETTERS, self.tenant_id)]


async def hire(dsn: str, tenant: str) -> Staff:
    """Add the tenant and its people; the owner is signed in."""
    names = [*ROLES, *(f"{state}-{role}" for state in ("disabled", "invited") for role in ("owner", "billing"))]
    async with connections.connected(dsn, "nocontent_control") as control:
        tenant_id = await tenants.add(control, tenant)
        new = {name: NewPerson(f"{name}@example.com", f"The {name}", name.rpartition("-")[2]) for name in names}
        ids = {name: await people.add(control, tenant_id, each) for name, each in new.items()}
    async with cluster.operator(dsn) as connection:
        await connection.execute(_ACCEPT, tenant_id, HASH)
        await connection.execute(_DISABLE, tenant_id)
    return Staff(dsn, tenant, tenant_id, ids, await accounts.signed_in(dsn, tenant_id, ids["owner"]))
