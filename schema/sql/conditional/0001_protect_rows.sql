-- A temporary table could hold text as long as its connection lasts. The privilege is the database's: a copy of the
-- database does not have what was revoked here, and only who owns the database can revoke.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END
$$;

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

-- A reader sees the tenants of its login, an analyst all. The writer passes row security by (BYPASSRLS), because COPY
-- refuses a table that is under it; what the writer reads of `events` is still no more than its grant. Only a superuser
-- can give that attribute, or from PostgreSQL 16 on a login that has it. Without it rows are not protected, and a
-- reader reads nothing. Citus refuses such policies (0002).
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF NOT (SELECT rolbypassrls FROM pg_roles WHERE rolname = 'nocontent_writer') THEN
        BEGIN
            ALTER ROLE nocontent_writer BYPASSRLS;
        EXCEPTION WHEN insufficient_privilege THEN
            RETURN;
        END;
    END IF;
    PERFORM set_config('role', 'nocontent_owner', true);
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'nocontent.events'::regclass) THEN
        RETURN;
    END IF;
    -- In a sub-select the function is called once a query and not once a row.
    CREATE POLICY reader ON nocontent.events FOR SELECT TO nocontent_reader
        USING (tenant_id = ANY ((SELECT nocontent.readable_tenants())::integer[]));
    CREATE POLICY reader ON nocontent.batches FOR SELECT TO nocontent_reader
        USING (tenant_id = ANY ((SELECT nocontent.readable_tenants())::integer[]));
    CREATE POLICY reader ON nocontent.tenants FOR SELECT TO nocontent_reader
        USING (tenant_id = ANY ((SELECT nocontent.readable_tenants())::integer[]));
    CREATE POLICY reader ON nocontent.vocabulary FOR SELECT TO nocontent_reader
        USING (tenant_id = 0 OR tenant_id = ANY ((SELECT nocontent.readable_tenants())::integer[]));
    CREATE POLICY analyst ON nocontent.events FOR SELECT TO nocontent_analyst USING (true);
    CREATE POLICY analyst ON nocontent.batches FOR SELECT TO nocontent_analyst USING (true);
    CREATE POLICY analyst ON nocontent.tenants FOR SELECT TO nocontent_analyst USING (true);
    CREATE POLICY analyst ON nocontent.vocabulary FOR SELECT TO nocontent_analyst USING (true);
    CREATE POLICY control ON nocontent.tenants TO nocontent_control USING (true);
    CREATE POLICY control ON nocontent.vocabulary TO nocontent_control USING (true);
    ALTER TABLE nocontent.events ENABLE ROW LEVEL SECURITY;
    ALTER TABLE nocontent.batches ENABLE ROW LEVEL SECURITY;
    ALTER TABLE nocontent.tenants ENABLE ROW LEVEL SECURITY;
    ALTER TABLE nocontent.vocabulary ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON nocontent.events, nocontent.batches, nocontent.tenants, nocontent.vocabulary,
        nocontent.tag_names, nocontent.readable_events, nocontent.streams, nocontent.stream_gaps,
        nocontent.reconciliation TO nocontent_reader;
END
$$;
