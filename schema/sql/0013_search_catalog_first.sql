-- With an empty search_path PostgreSQL still looks for tables and types among a session's temporary ones first: a login
-- that may make some (in a restored copy, until it is migrated) could put its own `pg_class` before a function that
-- runs as the owner. Named last, they come last.
DO $$
DECLARE
    definer regprocedure;
BEGIN
    FOR definer IN SELECT oid FROM pg_proc WHERE pronamespace = 'nocontent'::regnamespace AND prosecdef LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', definer);
    END LOOP;
END
$$;
