"""Rules on the database catalog that let the same tables run on PostgreSQL and on Citus.

Each rule is a query that returns offenders in the schema `nocontent`, and statements that create some. Decision 0013
has the reasons; Citus refuses most offenders only when a table is distributed, which is too late.
"""

from typing import NamedTuple

from ingest.store import migrate
from ingest.store.connections import Connection
from ingest.store.other_tables import OTHER_TABLES

DISTRIBUTED = ("events", "batches", "usage", "usage_marks", "annotations")  # By tenant_id.
# On every node. All others stay on the coordinator.
REFERENCE = ("vocabulary", "prices", "erasures", "erasure_events", "erased_words")


class Rule(NamedTuple):
    id: str
    says: str
    query: str  # Returns one column: the offenders.
    plants: dict[str, str]  # The offender that must be found, by the statements that create it.
    since: int = 0  # The first migration after which it holds.


def _names(tables: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in tables)


# A detached day is still a day.
_TABLES = """
SELECT oid, relname, relkind, relispartition, relpersistence, relname ~ '^events_[0-9]{8}$' OR relispartition AS is_day
FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p')
"""
_TENANTS = f"""
SELECT known.oid, known.relname, known.is_day, attnum AS tenant_column
FROM ({_TABLES}) AS known
LEFT JOIN pg_attribute ON attrelid = known.oid AND attname = 'tenant_id'
WHERE known.relname NOT IN ({_names(tuple(OTHER_TABLES))})
"""
_FIXED_WIDTH = "'timestamptz', 'uuid', 'int8', 'int4', 'int2', 'bool'"


_ALL = (
    Rule(
        "tenant-column",
        "every table has tenant_id integer NOT NULL, so that all co-locate by one type",
        f"""
        SELECT tenant.relname FROM ({_TENANTS}) AS tenant
        LEFT JOIN pg_attribute ON attrelid = tenant.oid AND attnum = tenant.tenant_column
            AND atttypid = 'int4'::regtype AND attnotnull
        WHERE attnum IS NULL
        """,
        {
            "lost": "CREATE TABLE lost (n integer PRIMARY KEY)",
            "wide": "CREATE TABLE wide (tenant_id bigint PRIMARY KEY)",
            "batches": "ALTER TABLE batches DROP CONSTRAINT batches_pkey, ALTER tenant_id DROP NOT NULL",
        },
    ),
    Rule(
        "key-without-tenant",
        "every primary key, unique or exclusion constraint contains tenant_id: a node sees its own rows only",
        f"""
        SELECT index.relname FROM ({_TENANTS}) AS tenant
        JOIN pg_index ON indrelid = tenant.oid AND (indisunique OR indisexclusion)
        JOIN pg_class index ON index.oid = indexrelid
        WHERE NOT coalesce(tenant_column = ANY ((indkey::smallint[])[0:indnkeyatts - 1]), false)
        """,
        {
            "batches_digest_key": "ALTER TABLE batches ADD UNIQUE (digest)",
            "audit_by_term": "CREATE UNIQUE INDEX audit_by_term ON audit (audit_id) INCLUDE (tenant_id)",
            "audit_at_excl": "ALTER TABLE audit ADD EXCLUDE USING btree (at WITH =)",
        },
    ),
    Rule(
        "no-primary-key",
        "every table has a primary key or REPLICA IDENTITY FULL: moving a shard copies its changes by that",
        f"""
        SELECT known.relname FROM ({_TABLES}) AS known JOIN pg_class USING (oid)
        WHERE relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = known.oid AND indisprimary)
        """,
        {
            "audit": "ALTER TABLE audit DROP CONSTRAINT audit_pkey",
            "keyless": "CREATE TABLE keyless (tenant_id integer NOT NULL UNIQUE)",
        },
    ),
    Rule(
        "partition-levels",
        "one level of partitions: Citus distributes no second",
        f"SELECT relname FROM ({_TABLES}) AS known WHERE relkind = 'p' AND relispartition",
        {
            "events_past": """
            CREATE TABLE events_past PARTITION OF events FOR VALUES FROM ('2001-01-01Z') TO ('2002-01-01Z')
            PARTITION BY RANGE (occurred_at)
            """
        },
    ),
    Rule(
        "partition-strategy",
        "partitions are ranges",
        f"""
        SELECT relname FROM ({_TABLES}) AS known JOIN pg_partitioned_table ON partrelid = known.oid
        WHERE partstrat <> 'r'
        """,
        {
            "hashed": "CREATE TABLE hashed (tenant_id integer PRIMARY KEY) PARTITION BY HASH (tenant_id)",
            "listed": "CREATE TABLE listed (tenant_id integer PRIMARY KEY) PARTITION BY LIST (tenant_id)",
        },
    ),
    Rule(
        "default-partition",
        "no DEFAULT partition: it fills unseen, and then the day it took cannot be made",
        "SELECT partdefid::regclass::text FROM pg_partitioned_table WHERE partdefid <> 0",
        {"events_rest": "CREATE TABLE events_rest PARTITION OF events DEFAULT"},
    ),
    Rule(
        "inheritance",
        "no inheritance but partitions",
        f"""
        SELECT relname FROM ({_TABLES}) AS known JOIN pg_inherits ON inhrelid = known.oid WHERE NOT relispartition
        """,
        {"heir": "CREATE TABLE heir (PRIMARY KEY (tenant_id)) INHERITS (tenants)"},
    ),
    Rule(
        "relation-kind",
        "tables, partitions, views, indexes and sequences, and nothing else",
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'nocontent'::regnamespace AND relkind NOT IN ('r', 'p', 'v', 'i', 'I', 'S')
        """,
        {
            "kept": "CREATE MATERIALIZED VIEW kept AS SELECT tenant_id FROM batches",
            "shape": "CREATE TYPE shape AS (note text)",
        },
    ),
    Rule(
        "trigger",
        "no trigger: on Citus it would run in each shard, or not at all",
        f"""
        SELECT tgname::text FROM ({_TABLES}) AS known JOIN pg_trigger ON tgrelid = known.oid AND NOT tgisinternal
        """,
        {
            "notice": """
            CREATE TRIGGER notice BEFORE UPDATE ON batches FOR EACH ROW
            EXECUTE FUNCTION suppress_redundant_updates_trigger()
            """
        },
    ),
    Rule(
        "rewrite-rule",
        "no rule on a table",
        f"SELECT rulename::text FROM ({_TABLES}) AS known JOIN pg_rewrite ON ev_class = known.oid",
        {"silence": "CREATE RULE silence AS ON DELETE TO audit DO INSTEAD NOTHING"},
    ),
    Rule(
        "virtual-column",
        "generated columns are STORED (PostgreSQL 18 makes them VIRTUAL unless told)",
        f"""
        SELECT relname || '.' || attname FROM ({_TABLES}) AS known
        JOIN pg_attribute ON attrelid = known.oid AND attgenerated NOT IN ('', 's')
        """,
        {"batches.gone": "ALTER TABLE batches ADD gone integer GENERATED ALWAYS AS (dropped_shutdown) VIRTUAL"},
    ),
    Rule(
        "unlogged",
        "nothing is UNLOGGED: a crash empties it, and a standby has none of it",
        f"SELECT relname FROM ({_TABLES}) AS known WHERE relpersistence <> 'p'",
        {"audit": "ALTER TABLE audit SET UNLOGGED"},
    ),
    Rule(
        "foreign-key",
        "a foreign key leads to a table beside it by tenant_id, or to one that is everywhere",
        f"""
        SELECT conname::text
        FROM pg_constraint JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
        WHERE contype = 'f' AND child.relnamespace = 'nocontent'::regnamespace AND conparentid = 0 AND NOT CASE
            WHEN parent.relname IN ({_names(DISTRIBUTED)}) THEN child.relname IN ({_names(DISTRIBUTED)}) AND EXISTS (
                SELECT FROM unnest(conkey, confkey) AS pair (here, there)
                JOIN pg_attribute own ON own.attrelid = conrelid AND own.attnum = here AND own.attname = 'tenant_id'
                JOIN pg_attribute its ON its.attrelid = confrelid AND its.attnum = there AND its.attname = 'tenant_id'
            )
            WHEN parent.relname IN ({_names(REFERENCE)}) THEN child.relname IN ({_names((*DISTRIBUTED, *REFERENCE))})
            ELSE child.relname NOT IN ({_names((*DISTRIBUTED, *REFERENCE))})
        END
        """,
        {
            "batches_tenant_id_fkey": "ALTER TABLE batches ADD FOREIGN KEY (tenant_id) REFERENCES tenants NOT VALID",
            "audit_tenant_id_kind_term_id_fkey": """
            ALTER TABLE audit ADD FOREIGN KEY (tenant_id, kind, term_id) REFERENCES vocabulary NOT VALID
            """,
            "crossed": """
            ALTER TABLE batches ADD CONSTRAINT crossed FOREIGN KEY (accepted, stream_id, sequence) REFERENCES batches
            NOT VALID
            """,
        },
    ),
    Rule(
        "small-identity",
        "what counts by itself is a bigint: Citus gives each node a range of its own",
        f"""
        SELECT relname || '.' || attname FROM ({_TABLES}) AS known
        JOIN pg_attribute ON attrelid = known.oid AND atttypid <> 'int8'::regtype
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE 'nextval(%'
        """,
        {
            "audit.place": "ALTER TABLE audit ADD place integer GENERATED ALWAYS AS IDENTITY",
            "tenants.place": "ALTER TABLE tenants ADD place serial",
        },
    ),
    Rule(
        "volatile-default",
        "no default of a distributed table is volatile: Citus takes none in INSERT … SELECT",
        f"""
        SELECT relname || '.' || attname FROM ({_TABLES}) AS known
        JOIN pg_attrdef ON adrelid = known.oid
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE (is_day OR relname IN ({_names((*DISTRIBUTED, *REFERENCE))})) AND EXISTS (
            SELECT FROM pg_proc
            WHERE provolatile = 'v' AND strpos(pg_get_expr(adbin, adrelid), proname || '(') > 0
        )
        """,
        {
            "batches.digest": "ALTER TABLE batches ALTER digest SET DEFAULT gen_random_uuid()",
            "vocabulary.created_at": "ALTER TABLE vocabulary ALTER created_at SET DEFAULT clock_timestamp()",
        },
    ),
    Rule(
        "text-column",
        "no column of `events` or of a day of it can hold text",
        f"""
        SELECT relname || '.' || attname FROM ({_TABLES}) AS known
        JOIN pg_attribute ON attrelid = known.oid AND attnum > 0 AND NOT attisdropped
        JOIN pg_type ON pg_type.oid = atttypid
        WHERE (is_day OR relname = 'events') AND typname NOT IN ({_FIXED_WIDTH})
        """,
        {
            f"events.{kind}": f"ALTER TABLE events ADD COLUMN {kind} {kind}"
            for kind in ("text", "json", "jsonb", "bytea", "xml", "name", "numeric")
        }
        | {"events_19990101.note": "CREATE TABLE events_19990101 (tenant_id integer PRIMARY KEY, note varchar(9))"},
    ),
    Rule(
        "view-of-the-owner",
        "a view asks with the rights of whoever reads it (security_invoker), or row security does not reach it; or"
        " it is a barrier, and has the rows of the session's tenant",
        """
        SELECT relname FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relkind = 'v'
            AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false)
            AND NOT (
                coalesce(reloptions && ARRAY['security_barrier=true', 'security_barrier=on'], false)
                AND pg_get_viewdef(oid)
                    ~ 'WHERE [(]([a-z]+[.])?tenant_id = [(] SELECT ([a-z_]+[.])?session_tenant[(][)] AS [a-z_]+[)]{2};$'
            )
        """,
        {
            "open": "CREATE VIEW open AS SELECT tenant_id FROM batches",
            "ajar": "CREATE VIEW ajar WITH (security_barrier = true) AS SELECT tenant_id FROM batches",
            "own_batches": "ALTER VIEW own_batches RESET (security_barrier)",
            "streams": "ALTER VIEW streams RESET (security_invoker)",
        },
        since=7,
    ),
    Rule(
        "definer-path",
        "a function with its owner's rights looks in the catalog first, and among temporary tables last",
        """
        SELECT proname::text FROM pg_proc WHERE pronamespace = 'nocontent'::regnamespace AND prosecdef
            AND NOT EXISTS (SELECT FROM unnest(proconfig) AS own WHERE own = 'search_path=pg_catalog, pg_temp')
        """,
        {
            "borrowed": "CREATE FUNCTION borrowed() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "read_tenants": "ALTER FUNCTION read_tenants() SET search_path = ''",
        },
        since=13,
    ),
)

RULES = [rule for rule in _ALL if rule.since <= max(migration.number for migration in migrate.migrations())]


async def offenders(connection: Connection, rule: Rule) -> set[str]:
    """Return the offenders of a rule."""
    return {str(row[0]) for row in await connection.fetch(rule.query)}
