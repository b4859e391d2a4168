"""Many tenants with tokens and tags, made by COPY, because ten thousand operator's acts would take minutes."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from ingest.knowledge.tokens import Credential
from ingest.store import acts
from ingest.store.tokens import SCOPES_DEFAULT
from schema.event import OWN_IDS, Kind
from schema.vocabulary import UNKNOWN

QUOTA = 2_000_000_000  # Events per minute: counted, but never reached.
_TERM_COLUMNS = ("tenant_id", "kind", "term_id", "parent_id", "term", "learned", "revision")
_TOKEN_COLUMNS = ("tenant_id", "token_id", "secret_sha256", "scopes", "revision")
_TENANTS = """
INSERT INTO nocontent.tenants (tenant_id, name, events_per_minute_max, revision)
SELECT number, 'tenant-' || number, $3, $2 FROM generate_series(1, $1::integer) AS number
"""


def enroll(dsn: str, tenants: int, tags: Mapping[str, Sequence[str]]) -> list[str]:
    """Make tenants 1 to n with the same tags, and return a token for each."""
    return asyncio.run(_enroll(dsn, tenants, tags))


async def _enroll(dsn: str, tenants: int, tags: Mapping[str, Sequence[str]]) -> list[str]:
    credentials = {tenant: Credential.make() for tenant in range(1, tenants + 1)}
    connection = await asyncpg.connect(dsn)
    try:
        async with acts.act(connection) as act:
            await connection.execute(_TENANTS, tenants, act.revision, QUOTA)
            await connection.copy_records_to_table(
                "ingest_tokens",
                schema_name="nocontent",
                columns=_TOKEN_COLUMNS,
                records=[
                    (tenant, new.token_id, new.secret_sha256, list(SCOPES_DEFAULT), act.revision)
                    for tenant, new in credentials.items()
                ],
            )
            terms = list(_terms(tags))
            await connection.copy_records_to_table(
                "vocabulary",
                schema_name="nocontent",
                columns=_TERM_COLUMNS,
                records=[(tenant, *term, False, act.revision) for tenant in credentials for term in terms],
            )
            await connection.execute("ANALYZE nocontent.vocabulary")
    finally:
        await connection.close()
    return list(map(str, credentials.values()))


def _terms(tags: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, int, int, str]]:
    """Yield kind, id, parent and term of each; a tenant's ids are the upper half of their kind's."""
    value_id = OWN_IDS[Kind.TAG_VALUE].start
    for key_id, (key, values) in enumerate(tags.items(), OWN_IDS[Kind.TAG_KEY].start):
        yield Kind.TAG_KEY, key_id, 0, key
        for value in (UNKNOWN, *values):
            yield Kind.TAG_VALUE, value_id, key_id, value
            value_id += 1
    assert value_id <= OWN_IDS[Kind.TAG_VALUE].stop
