-- A server of an earlier version goes on while this one migrates, and its maintainer owned the days that it made.
DO $$
DECLARE
    relation regclass;
BEGIN
    PERFORM set_config('role', 'nocontent_owner', true);
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'nocontent'::regnamespace AND relkind = 'r' AND relname ~ '^events_[0-9]{8}$'
            AND relowner = 'nocontent_maintainer'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO nocontent_owner', relation);
    END LOOP;
END
$$;
