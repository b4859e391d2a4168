"""Which versions of the legal documents an organisation has not accepted yet, for the notice on its pages."""

from collections.abc import Iterable

from ingest.accounts.roles import MANAGERS
from ingest.accounts.sessions import Session
from ingest.legal.documents import Version
from ingest.legal.library import Library
from ingest.store import acceptances
from ingest.store.acceptances import Acceptance
from ingest.store.visits import Visits

_SETTLED_MAX = 100_000  # Tenants that are remembered: some megabytes.


class Agreements:
    """Asks for a page of an owner or admin, until everything is accepted: that never changes while a process lives."""

    def __init__(self, library: Library, visits: Visits) -> None:
        self.library = library
        self._visits = visits
        self._settled: set[int] = set()

    async def due(self, session: Session) -> tuple[Version, ...]:
        """Return what the session's person should accept; raises as `Visits.read`."""
        tenant_id = session.person.tenant_id
        if session.person.role not in MANAGERS or tenant_id in self._settled or not self.library.to_accept:
            return ()
        async with self._visits.read(tenant_id, session.digest) as connection:
            found = due(self.library, await acceptances.of_tenant(connection, tenant_id))
        if not found and len(self._settled) < _SETTLED_MAX:
            self._settled.add(tenant_id)
        return found


def due(library: Library, accepted: Iterable[Acceptance]) -> tuple[Version, ...]:
    """Return the newest versions that nobody has accepted as they were published."""
    known = {(each.accepted.document, each.accepted.version, each.accepted.digest) for each in accepted}
    return tuple(each for each in library.to_accept if (each.head.id, each.head.version, each.digest) not in known)
