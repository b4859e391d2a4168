"""FastAPI and pydantic, with asyncpg's binary COPY a request; INSERT … ON CONFLICT where COPY met a duplicate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import pydantic_core
from fastapi import FastAPI, Header, HTTPException, Request
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bench.peers.contract import DSN, TOKENS, Batch, occurred_at, table

EVENTS = table("fastapi_copy")
COLUMNS = [column.name for column in EVENTS.columns]
OWN = COLUMNS[3:]
CREATE = str(CreateTable(EVENTS, if_not_exists=True).compile(dialect=postgresql.dialect()))
PLACES = ", ".join(f"${place}" for place in range(1, len(COLUMNS) + 1))
INSERT = f"INSERT INTO fastapi_copy ({', '.join(COLUMNS)}) VALUES ({PLACES}) ON CONFLICT DO NOTHING"


async def prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + pydantic_core.to_json(value),
        decoder=lambda stored: pydantic_core.from_json(stored[1:]),
        format="binary",
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(DSN, min_size=8, max_size=8, init=prepare) as pool:
        await pool.execute(CREATE)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/events")
async def post_events(request: Request, batch: Batch, authorization: Annotated[str, Header()]) -> dict[str, int]:
    tenant_id = TOKENS.get(authorization)
    if tenant_id is None:
        raise HTTPException(401)
    rows = [
        (event.event_id, tenant_id, occurred_at(event.event_id), *(getattr(event, name) for name in OWN))
        for event in batch.events
    ]
    async with request.app.state.pool.acquire() as connection:
        try:
            await connection.copy_records_to_table("fastapi_copy", records=rows, columns=COLUMNS)
        except asyncpg.UniqueViolationError:
            await connection.executemany(INSERT, rows)
    return {"accepted": len(rows), "duplicates": 0}


@app.get("/readyz")
async def get_readyz() -> None:
    pass
