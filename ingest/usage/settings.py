"""Settings of the jobs on rollups and invoices."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.store.database import DatabaseSettings


@dataclass(frozen=True, kw_only=True)
class JobsSettings(DatabaseSettings):
    """Settings of a process that may run the jobs."""

    jobs: Annotated[
        bool, Meta(description="run the jobs from inside the service, if the login may be nocontent_biller")
    ] = True
