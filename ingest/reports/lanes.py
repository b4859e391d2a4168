"""The lanes of all jobs that the service runs, and `nocontent jobs`."""

from ingest.knowledge import contract
from ingest.rights.erasing import round as erasing
from ingest.rights.erasing.steps import Release
from ingest.store import migrate
from ingest.usage import rounds


def _release() -> Release:
    return Release(contract.digest(), migrate.migrations()[-1].number)


LANES = (*rounds.LANES, erasing.lane(_release))
