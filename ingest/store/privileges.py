"""Finds privileges of a login or of PUBLIC that the service does not need."""

from collections.abc import Sequence

from ingest.store.connections import Connection, Role

# For the login that the session began as, whichever role is set now. A superuser is a member of every role.
_EXCESS = """
SELECT privilege
FROM pg_roles, LATERAL (
    VALUES ('superuser', rolsuper), ('createrole', rolcreaterole), ('createdb', rolcreatedb),
        ('replication', rolreplication), ('bypassrls', rolbypassrls)
) AS attribute (privilege, is_given)
WHERE rolname = session_user AND is_given AND (privilege = 'superuser' OR NOT rolsuper)
UNION ALL
SELECT role.rolname
FROM pg_roles AS login, pg_roles AS role
WHERE login.rolname = session_user AND NOT login.rolsuper AND pg_has_role(login.oid, role.oid, 'MEMBER')
    AND (
        role.rolname = ANY (ARRAY['nocontent_owner', 'nocontent_migrator', 'nocontent_control', 'nocontent_analyst',
            'nocontent_reader'])
        OR role.rolname = ANY (ARRAY['pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
            'pg_write_server_files', 'pg_execute_server_program'])
    )
UNION ALL
SELECT privilege
FROM pg_roles, LATERAL (
    VALUES ('create', has_database_privilege(oid, current_database(), 'CREATE') OR EXISTS (
            SELECT FROM pg_namespace
            WHERE has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'CREATE')
        )),
        ('ownership', EXISTS (
            SELECT FROM pg_shdepend
            WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid AND deptype = 'o'
                AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ))
) AS own (privilege, is_given)
WHERE rolname = session_user AND is_given AND NOT rolsuper
ORDER BY privilege
"""


async def excess(connection: Connection) -> list[str]:
    """Return the attributes and roles of this login that no server needs."""
    return [row["privilege"] for row in await connection.fetch(_EXCESS)]


_MISSING = """
SELECT wanted.role FROM unnest($1::text[]) AS wanted (role) LEFT JOIN pg_roles ON rolname = wanted.role
WHERE NOT coalesce(pg_has_role(session_user, pg_roles.oid, 'MEMBER'), false)
"""


async def missing(connection: Connection, roles: Sequence[Role]) -> list[str]:
    """Return the roles that this login may not assume."""
    return [row["role"] for row in await connection.fetch(_MISSING, list(roles))]


# Ways by which any login of this database can keep text outside our tables. A setting of a role is text unless it is
# one of PostgreSQL's numbers, switches or choices, or a search path of schemas that exist.
_OPEN = """
SELECT exposure
FROM (
    SELECT CASE WHEN proname LIKE 'lo%' THEN 'large-objects' WHEN proname LIKE '%message' THEN 'wal-messages'
        WHEN proname LIKE '%notify' THEN 'notify' ELSE 'advisory-locks' END AS exposure
    FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
    WHERE pronamespace = 'pg_catalog'::regnamespace AND grantee = 0
        AND proname ~ '^(lo_(creat|create|from_bytea|import|open|put|truncate|truncate64)|lowrite'
            '|pg_logical_emit_message|pg_notify|pg_(try_)?advisory_(xact_)?lock(_shared)?)$'
    UNION ALL
    SELECT 'temporary-tables' FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    WHERE datname = current_database() AND grantee = 0 AND privilege_type = 'TEMPORARY'
    UNION ALL
    SELECT 'create' FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    WHERE datname = current_database() AND grantee = 0 AND privilege_type = 'CREATE'
    UNION ALL
    SELECT 'create' FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
    WHERE grantee = 0 AND privilege_type = 'CREATE'
    UNION ALL
    SELECT 'prepared-transactions' WHERE current_setting('max_prepared_transactions')::integer > 0
        AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
    UNION ALL
    SELECT 'role-settings'
    FROM pg_db_role_setting, unnest(setconfig) AS setting,
        LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value) AS own
    WHERE EXISTS (
            SELECT FROM pg_roles AS ours
            WHERE ours.rolname LIKE 'nocontent\\_%' AND setrole <> 0 AND pg_has_role(setrole, ours.oid, 'MEMBER')
        )
        AND NOT EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = own.name AND vartype <> 'string')
        AND NOT (name = 'search_path' AND NOT EXISTS (
            SELECT FROM regexp_split_to_table(value, ', *') AS part
            WHERE btrim(part, '"') NOT IN (SELECT nspname FROM pg_namespace UNION ALL SELECT '$user')
        ))
) AS found
GROUP BY exposure
ORDER BY exposure
"""


async def exposures(connection: Connection) -> list[str]:
    """Return the ways in which any login of this database can keep text in it, or block others."""
    return [row["exposure"] for row in await connection.fetch(_OPEN)]


_UNGUARDED = """
SELECT relname FROM pg_class
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p') AND has_any_column_privilege(oid, 'SELECT')
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id')
    AND NOT row_security_active(oid)
ORDER BY relname
"""


async def unguarded(connection: Connection) -> list[str]:
    """Return the tables of tenants that this connection's role reads without row security: on Citus, all of them."""
    return [row["relname"] for row in await connection.fetch(_UNGUARDED)]


_MAKE_LOGIN = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{login}') THEN
        CREATE ROLE {login} LOGIN;
    END IF;
    GRANT {roles} TO {login};
END
$$
"""
SERVICE_LOGIN, CONSOLE_LOGIN = "nocontent_service", "nocontent_console_service"
_LOGINS = {
    SERVICE_LOGIN: "nocontent_writer, nocontent_maintainer, nocontent_biller, nocontent_mailer, nocontent_usage_reader",
    CONSOLE_LOGIN: "nocontent_console",
}


async def make_login(connection: Connection, login: str) -> None:
    """Create a login of a server or a console, without a password, in a PostgreSQL that only we can reach."""
    await connection.execute(_MAKE_LOGIN.format(login=login, roles=_LOGINS[login]))
