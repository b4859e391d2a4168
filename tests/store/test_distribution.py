"""The last step on Citus, on a PostgreSQL that looks like it: it asks for each distribution, and only once.

test_engines.py checks what a real Citus does with it.
"""

from collections.abc import AsyncIterator

import pytest

from ingest.errors import CannotStart
from ingest.store import migrate
from ingest.store.connections import Connection
from tests.support.cluster import operator

# Functions with Citus's names, which record their arguments and the role that called them.
_CITUS = (
    "CREATE SCHEMA looks",
    "GRANT ALL ON SCHEMA looks TO PUBLIC",
    "SET search_path = looks, nocontent",
    """
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99999, 'citus', 10, 'pg_catalog'::regnamespace, false, '14.0')
    """,
    "CREATE TABLE pg_dist_node (groupid integer)",
    "CREATE TABLE pg_dist_partition (logicalrelid regclass)",
    "CREATE TABLE asked (place integer GENERATED ALWAYS AS IDENTITY, what text, of regclass, by text)",
    "GRANT ALL ON pg_dist_partition, asked TO PUBLIC",
    """
    CREATE FUNCTION create_distributed_table(relation regclass, by text, colocate_with text) RETURNS void LANGUAGE sql
    AS 'INSERT INTO pg_dist_partition VALUES (relation);
        INSERT INTO asked (what, of, by) VALUES (by || '' beside '' || colocate_with, relation, current_user)'
    """,
    """
    CREATE FUNCTION create_reference_table(relation regclass) RETURNS void LANGUAGE sql
    AS 'INSERT INTO pg_dist_partition VALUES (relation);
        INSERT INTO asked (what, of, by) VALUES (''everywhere'', relation, current_user)'
    """,
    """
    CREATE FUNCTION truncate_local_data_after_distributing_table(relation regclass) RETURNS void LANGUAGE sql
    AS 'INSERT INTO asked (what, of, by) VALUES (''nothing left behind'', relation, current_user)'
    """,
)
_ASKED = "SELECT what, relname AS of FROM asked JOIN pg_class ON pg_class.oid = of ORDER BY place"
_WRONG_OWNER = "SELECT count(*) FROM asked JOIN pg_class ON pg_class.oid = of WHERE by::regrole <> relowner"
_GRANTED_TO_READERS = """
SELECT table_name FROM information_schema.role_table_grants WHERE grantee = 'nocontent_reader'
UNION ALL
SELECT routine_name FROM information_schema.role_routine_grants WHERE grantee = 'nocontent_reader'
"""
_LOGINS = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'nocontent\\_%' AND rolcanlogin"


@pytest.fixture
async def citus(database: str) -> AsyncIterator[Connection]:
    """Yield a connection to what looks like a Citus with two nodes."""
    async with operator(database) as connection:
        before = {row["rolname"] for row in await connection.fetch(_LOGINS)}
        for statement in _CITUS:
            await connection.execute(statement)
        await connection.execute("INSERT INTO pg_dist_node VALUES (0), (1)")
        try:
            yield connection
        finally:
            for row in await connection.fetch(_LOGINS):
                if row["rolname"] not in before:  # Roles belong to the whole cluster.
                    await connection.execute(f"ALTER ROLE {row['rolname']} NOLOGIN")


async def test_each_table_is_distributed_once_and_as_its_owner(citus: Connection) -> None:
    await migrate.migrate(citus)
    names = ("batches", "usage", "usage_marks", "annotations")
    beside = [("tenant_id beside nocontent.events", name) for name in names]
    distributed = [("tenant_id beside none", "events"), *beside]
    asked = [tuple(row.values()) for row in await citus.fetch(_ASKED)]
    reference = ("vocabulary", "prices", "erasures", "erasure_events", "erased_words")
    everywhere = [("everywhere", name) for name in reference]
    assert asked[:10] == [*distributed, *everywhere]
    left = sorted(asked[10:])  # Shipped before they were distributed.
    assert left == [("nothing left behind", "prices"), ("nothing left behind", "vocabulary")]
    assert await citus.fetchval(_WRONG_OWNER) == 0
    await migrate.migrate(citus)
    again = [tuple(row.values()) for row in await citus.fetch(_ASKED)]
    assert sorted(again[len(asked) :]) == left  # The data left behind is still there.


async def test_rows_from_before_are_not_left_on_the_coordinator(citus: Connection) -> None:
    await citus.execute("INSERT INTO events SELECT now(), gen_random_uuid(), " + ", ".join(["0"] * 21))
    await migrate.migrate(citus)
    assert ("nothing left behind", "events") in [tuple(row.values()) for row in await citus.fetch(_ASKED)]


async def test_other_nodes_are_reached_as_each_role(citus: Connection) -> None:
    await migrate.migrate(citus)
    assert await citus.fetchval("SELECT bool_and(rolcanlogin) FROM pg_roles WHERE rolname LIKE 'nocontent\\_%'")


async def test_readers_of_single_tenants_read_nothing(citus: Connection) -> None:
    assert await citus.fetch(_GRANTED_TO_READERS) != []
    await migrate.migrate(citus)
    assert await citus.fetch(_GRANTED_TO_READERS) == []


async def test_a_coordinator_outside_its_own_cluster_is_refused(citus: Connection) -> None:
    await citus.execute("DELETE FROM pg_dist_node WHERE groupid = 0")
    with pytest.raises(CannotStart, match="citus_set_coordinator_host"):
        await migrate.migrate(citus)
    assert await citus.fetch(_ASKED) == []


async def test_nothing_is_asked_of_a_plain_server(database: str) -> None:
    async with operator(database) as connection:
        for statement in _CITUS:
            if "pg_extension" not in statement:
                await connection.execute(statement)
        await migrate.migrate(connection)
        assert await connection.fetch(_ASKED) == []
