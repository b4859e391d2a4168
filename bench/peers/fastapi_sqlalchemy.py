"""FastAPI, pydantic and SQLAlchemy 2 (asyncio, Core, one INSERT … ON CONFLICT DO NOTHING for many rows)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from bench.peers.contract import DSN, TOKENS, Batch, occurred_at, table

EVENTS = table("fastapi_sqlalchemy")
ENGINE = create_async_engine(DSN.replace("postgresql://", "postgresql+asyncpg://"), pool_size=8)
INSERT = insert(EVENTS).on_conflict_do_nothing()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ENGINE.begin() as connection:
        await connection.run_sync(EVENTS.metadata.create_all)
    yield
    await ENGINE.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/events")
async def post_events(batch: Batch, authorization: Annotated[str, Header()]) -> dict[str, int]:
    tenant_id = TOKENS.get(authorization)
    if tenant_id is None:
        raise HTTPException(401)
    rows = [
        event.model_dump() | {"tenant_id": tenant_id, "occurred_at": occurred_at(event.event_id)}
        for event in batch.events
    ]
    async with ENGINE.begin() as connection:
        await connection.execute(INSERT, rows)
    return {"accepted": len(rows), "duplicates": 0}


@app.get("/readyz")
async def get_readyz() -> None:
    pass
