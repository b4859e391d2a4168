"""The closed list of what an audit row may say was done; `migrate` ships it, with the rules, to tables of their own."""

from ingest.store.connections import Connection
from schema.rules import RULES

ACTS = (
    "tenant.add",
    "tenant.set-task-category-mode",
    "tenant.set-provider-mode",
    "tenant.set-model-mode",
    "tenant.set-tag-value-mode",
    "tenant.set-events-per-minute-max",
    "tenant.set-disabled",
    "token.issue",
    "token.rotate",
    "token.revoke",
    "reader.add",
    "reader.remove",
    "retention.set",
    "retention.catch-up",
    "vocabulary.add",
    "vocabulary.learn",
    "vocabulary.refuse",
    "vocabulary.remove",
    "retention.set",
    "retention.catch-up",
)
# Of the writer, which may name no token.
NOTE = "INSERT INTO audit (tenant_id, act, kind, term_id, rule) VALUES ($1, $2, $3, $4, $5)"
_SHIP = (
    ("INSERT INTO nocontent.acts (act) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", ACTS),
    ("INSERT INTO nocontent.rules (rule) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", tuple(RULES)),
)
_LACKS = """
SELECT EXISTS (SELECT unnest($1::text[]) EXCEPT SELECT act FROM nocontent.acts)
    OR EXISTS (SELECT unnest($2::text[]) EXCEPT SELECT rule FROM nocontent.rules)
"""


async def ship(connection: Connection) -> None:
    """Add the acts and rules of this release that the database lacks."""
    for statement, words in _SHIP:
        await connection.execute(statement, words)


async def is_behind(connection: Connection) -> bool:
    """Whether the database lacks an act or rule of this release, so that a row of it would be refused."""
    return bool(await connection.fetchval(_LACKS, ACTS, tuple(RULES)))
