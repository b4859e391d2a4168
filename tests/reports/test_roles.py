"""Without the role that reads usage, those paths say so, and ingestion goes on."""

import json
from pathlib import Path

from ingest.store import connections
from tests.support import customers, logins, sample, service
from tests.support.customers import CustomerSpec

_EXPORTS = (
    "/v1/exports?from=2026-03-01&before=2026-04-01",
    "/v1/exports/focus.csv?from=2026-03-01&before=2026-04-01",
    "/v1/exports/vocabulary.csv",
    "/v1/exports/events/2026-03-01.jsonl?snapshot=10:20:",
)


async def test_without_the_role_events_are_stored_and_usage_is_unavailable(database: str, tmp_path: Path) -> None:
    login = await logins.made(database, "nocontent_writer", "nocontent_maintainer")
    scopes = ("events:write", "usage:read", "invoices:read", "exports:read")
    async with connections.connected(database, "nocontent_control") as connection:
        token = (await customers.add(connection, "main", CustomerSpec(scopes=scopes))).token
    with service.serving(logins.dsn_of(database, login), tmp_path / "serve.log", workers=1) as server:
        sender = server.sender(token)
        assert sender.post(sample.body()).status == 200
        for path in ("/v1/usage", "/v1/invoices", "/v1/invoices/draft", *_EXPORTS):
            answer = sender.get(path)
            assert (answer.status, answer.problem) == (503, "role-missing")
            assert int(answer.headers["retry-after"]) > 0
        assert sender.post(sample.body()).status == 200
        sender.close()
    lines = [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
    first = next(line for line in lines if line["event"] == "role-missing")
    assert (first["level"], first["privilege"]) == ("warning", "nocontent_usage_reader")
