-- A server of the version before goes on while this one migrates, and makes its days as the owner.
DO $$
DECLARE
    relation regclass;
BEGIN
    PERFORM set_config('role', 'nocontent_owner', true);
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'nocontent'::regnamespace AND relkind = 'r' AND relname ~ '^events_[0-9]{8}$'
            AND relowner <> 'nocontent_maintainer'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO nocontent_maintainer', relation);
    END LOOP;
END
$$;
