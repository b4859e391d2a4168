"""Scenarios: one system under one load each. `HEADLINE` has README's figures, `MATRIX` has all."""

from typing import Literal, get_args

from msgspec import Struct

System = Literal[
    "ours", "raw_server_copy", "raw_asyncpg_copy", "fastapi_sqlalchemy", "fastapi_copy", "node_unnest", "phoenix"
]
Coding = Literal["identity", "gzip", "zstd"]
Spelling = Literal["rows", "columns"]
SPELLINGS: tuple[Spelling, ...] = get_args(Spelling)
Order = Literal["in-order", "jitter", "late"]

PEERS: tuple[System, ...] = ("fastapi_sqlalchemy", "fastapi_copy", "node_unnest", "phoenix")
CONNECTIONS = 16
OPEN_CONNECTIONS = 64  # Enough that a request that is due need not wait for another's response.


class Scenario(Struct, frozen=True, kw_only=True):
    """One cell of the table. Fractions are of batches."""

    name: str
    system: System = "ours"
    workers: int = 1
    writer_connections: int = 1
    batch_events: int = 1_000
    coding: Coding = "identity"
    spelling: Spelling = "rows"
    order: Order = "in-order"
    replayed: float = 0.0  # The same bytes again, after the response.
    repeated: float = 0.0  # Events that were already sent in another batch.
    refused: float = 0.0
    tenants: int = 1
    cells: int = 0  # Distinct combinations of terms and statuses; 0: nearly one an event, 8,000 in all.
    jobs: bool = False  # Whether the service also adds up the usage of what it stores.
    events_per_s: int = 0  # Open loop at this rate; 0: closed loop, as fast as responses come.
    sync_delay_ms: int = 0  # Added to every flush of a commit by PostgreSQL.
    seconds: float = 0.0  # Measured for this long, and in one round only; 0: as long as the others, in every round.
    expected_events_s: int = 700_000  # Determines how many bodies to prepare for the first round.

    @property
    def connections(self) -> int:
        return OPEN_CONNECTIONS if self.events_per_s else CONNECTIONS


OURS = Scenario(name="ours-1")
OURS_2 = Scenario(name="ours-2", workers=2)
COLUMNS = Scenario(name="columns-1", spelling="columns", expected_events_s=900_000)
COLUMNS_2 = Scenario(name="columns-2", spelling="columns", workers=2, expected_events_s=900_000)
LIMIT = Scenario(name="raw-asyncpg-copy", system="raw_asyncpg_copy")
CELLS = Scenario(name="cells-300", cells=300)
ROLLED = Scenario(name="rollups-1", cells=300, jobs=True)
REPLAYED = Scenario(name="replayed-50", replayed=0.5)
SOAK = Scenario(name="soak", seconds=300.0)  # Does memory grow?
_PEER_EVENTS_S = {"fastapi_sqlalchemy": 60_000, "fastapi_copy": 120_000, "node_unnest": 250_000, "phoenix": 500}


def _open(rate: int, workers: int = 1) -> Scenario:
    suffix = f"-workers{workers}" if workers > 1 else ""
    return Scenario(name=f"open-{rate // 1_000}k{suffix}", events_per_s=rate, workers=workers)


HEADLINE = (
    Scenario(name="raw-server-copy", system="raw_server_copy"),
    LIMIT,
    OURS,
    OURS_2,
    COLUMNS,
    COLUMNS_2,
    CELLS,
    ROLLED,
    REPLAYED,
    *(Scenario(name=name, system=name, expected_events_s=_PEER_EVENTS_S[name]) for name in PEERS),
    _open(100_000),
    _open(300_000),
    SOAK,
)
MATRIX = (
    *HEADLINE,
    *(
        Scenario(name=f"batch-{size}", batch_events=size, expected_events_s=guess)
        for size, guess in ((1, 12_000), (10, 100_000), (100, 500_000), (5_000, 800_000))
    ),
    Scenario(name="rollups-8000", jobs=True),
    Scenario(name="batch-100-workers2", batch_events=100, workers=2),
    Scenario(name="gzip", coding="gzip", expected_events_s=500_000),
    Scenario(name="zstd", coding="zstd"),
    Scenario(name="columns-zstd", spelling="columns", coding="zstd"),
    Scenario(name="gzip-workers2", coding="gzip", workers=2, expected_events_s=600_000),
    Scenario(name="jitter-60s", order="jitter"),
    Scenario(name="late-1", order="late"),
    Scenario(name="replayed-2", replayed=0.02),
    Scenario(name="replayed-10", replayed=0.1),
    Scenario(name="repeated-2", repeated=0.02),
    Scenario(name="tenants-100", tenants=100),
    Scenario(name="tenants-10000", tenants=10_000),
    Scenario(name="refused-1", refused=0.01),
    Scenario(name="refused-100", refused=1.0, expected_events_s=300_000),
    _open(50_000),
    _open(200_000),
    _open(100_000, workers=2),
    _open(300_000, workers=2),
    *(
        Scenario(name=f"sync-{delay}ms-writers{writers}", sync_delay_ms=delay, writer_connections=writers)
        for delay in (2, 10)
        for writers in (1, 2)
    ),
)
assert len({scenario.name for scenario in MATRIX}) == len(MATRIX)
NAMES = {  # In the tables and pictures of docs.
    "raw-server-copy": "PostgreSQL: `COPY` from a file",
    "raw-asyncpg-copy": "asyncpg: `COPY`, ledger, 8,000 rows a commit",
    "ours-1": "**nocontent, 1 worker**",
    "ours-2": "**nocontent, 2 workers**",
    "columns-1": "nocontent, 1 worker, columns",
    "columns-2": "nocontent, 2 workers, columns",
    "cells-300": "nocontent, 1 worker, 300 combinations of terms",
    "rollups-1": "the same with rollups",
    "replayed-50": "nocontent, half of the batches replayed",
    "fastapi_sqlalchemy": "FastAPI, pydantic, SQLAlchemy",
    "fastapi_copy": "FastAPI, pydantic, asyncpg `COPY`",
    "node_unnest": "Node: fastify, `INSERT … unnest`",
    "phoenix": "Arize Phoenix (spans)",
}
