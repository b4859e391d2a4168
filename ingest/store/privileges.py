"""What a login may do that the service does not need, and the one thing that its role must have."""

from ingest.store.pool import Connection

# Of the login that the session began as, whichever role it has taken on. A superuser is a member of every role.
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
ORDER BY privilege
"""
_HINDERED = "SELECT row_security_active('nocontent.events')"


async def excess(connection: Connection) -> list[str]:
    """Name the attributes and roles of this login that no server needs."""
    return [row["privilege"] for row in await connection.fetch(_EXCESS)]


async def is_hindered(connection: Connection) -> bool:
    """Tell whether the writer is under row security, which refuses every COPY."""
    return bool(await connection.fetchval(_HINDERED))


_MAKE_LOGIN = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nocontent_service') THEN
        CREATE ROLE nocontent_service LOGIN;
    END IF;
    GRANT nocontent_writer, nocontent_maintainer TO nocontent_service;
END
$$
"""
SERVICE_LOGIN = "nocontent_service"


async def make_service_login(connection: Connection) -> None:
    """Make the login of a server, without a password, in a PostgreSQL that only we can reach."""
    await connection.execute(_MAKE_LOGIN)
