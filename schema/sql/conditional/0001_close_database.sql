-- A temporary table could hold text as long as its connection lasts. The privilege is the database's: a copy of the
-- database does not have what was revoked here, and only who owns the database can revoke.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;

-- What PostgreSQL gives PUBLIC in every database and lets any login keep text for good: large objects, and messages in
-- WAL and its archives. NOTIFY and locks of an agreed number are for applications, of which there is none here but ours.
-- Only who owns the functions, a superuser as a rule, can revoke; `migrate` and `serve` say what is left.
DO $$
DECLARE
    open_to_all regprocedure;
BEGIN
    FOR open_to_all IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND pg_has_role(proowner, 'MEMBER')
            AND proname ~ '^(lo_creat|lo_create|lo_from_bytea|lo_import|lo_open|lo_put|lo_truncate|lo_truncate64|lowrite|pg_logical_emit_message|pg_notify|pg_(try_)?advisory_(xact_)?lock(_shared)?)$'
            AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', open_to_all);
    END LOOP;
END
$$;

-- Until PostgreSQL 15 everybody could make tables in `public`, and a database that was upgraded keeps that.
DO $$
BEGIN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
    NULL;
END
$$;
