-- On Citus, and nowhere else: which table lives where. docs/citus.md says what else a cluster needs, and decision
-- 0013 why it is so. Nothing is done twice: pg_dist_partition knows what is distributed already.
--
-- Reading a reference table on the coordinator has to see what the same transaction wrote to `control`, or a worker
-- would take a revision for known and miss its terms. The coordinator's own copy does that; another node's may not.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_dist_node) AND NOT EXISTS (SELECT FROM pg_dist_node WHERE groupid = 0) THEN
        RAISE EXCEPTION 'Citus: make the coordinator a node of its cluster first, by citus_set_coordinator_host.';
    END IF;
END
$$;

-- Citus opens its connections to other nodes as the role that a session has taken on (citus#7719). None has a
-- password; pg_hba.conf says who may come as them, and should name the other nodes alone.
DO $$
DECLARE
    role text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'nocontent\_%' AND NOT rolcanlogin LOOP
        EXECUTE format('ALTER ROLE %I LOGIN', role);
    END LOOP;
END
$$;

-- What readers of single tenants call has not been tried on Citus: there they read nothing, and analysts read as before.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    PERFORM set_config('role', 'nocontent_owner', true);
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA nocontent FROM nocontent_reader;
END
$$;

-- A policy cannot ask, by a subquery, whose session it is on a table that is distributed, so there is no row security and no
-- console. What a migration made before Citus was installed goes here.
DO $$
DECLARE
    known record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    PERFORM set_config('role', 'nocontent_owner', true);
    REVOKE ALL ON ALL TABLES IN SCHEMA nocontent FROM nocontent_console;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA nocontent FROM nocontent_console;
    FOR known IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'nocontent' LOOP
        EXECUTE format('DROP POLICY %I ON nocontent.%I', known.policyname, known.tablename);
    END LOOP;
    FOR known IN SELECT relname FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relrowsecurity LOOP
        EXECUTE format('ALTER TABLE nocontent.%I DISABLE ROW LEVEL SECURITY', known.relname);
    END LOOP;
END
$$;

-- A group of its own: no other table with an integer in this database moves along with it. Each table is distributed
-- as its owner, so that a node that does not let the owner in is found out now.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'nocontent.events'::regclass) THEN
        PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class
        WHERE oid = 'nocontent.events'::regclass;
        PERFORM create_distributed_table('nocontent.events', 'tenant_id', colocate_with => 'none');
    END IF;
END
$$;

-- The ledger beside its events: a batch is one tenant's, so one node stores it, without a two-phase commit.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'nocontent.batches'::regclass) THEN
        PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class
        WHERE oid = 'nocontent.batches'::regclass;
        PERFORM create_distributed_table('nocontent.batches', 'tenant_id', colocate_with => 'nocontent.events');
    END IF;
END
$$;

-- Marks, sums and annotations as well: they commit with the rows that they are of, or are made from rows of one tenant.
DO $$
DECLARE
    relation text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOREACH relation IN ARRAY ARRAY['nocontent.usage', 'nocontent.usage_marks', 'nocontent.annotations'] LOOP
        IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = relation::regclass) THEN
            PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class WHERE oid = relation::regclass;
            PERFORM create_distributed_table(relation, 'tenant_id', colocate_with => 'nocontent.events');
        END IF;
    END LOOP;
END
$$;

-- On every node, because views and sums join them with every event. What is not named here stays on the coordinator alone:
-- `control`, whose row lock orders the acts of operators, `tenants`, `ingest_tokens`, `readers`, `audit`, `migrations`.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'nocontent.vocabulary'::regclass) THEN
        PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class
        WHERE oid = 'nocontent.vocabulary'::regclass;
        PERFORM create_reference_table('nocontent.vocabulary');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'nocontent.prices'::regclass) THEN
        PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class
        WHERE oid = 'nocontent.prices'::regclass;
        PERFORM create_reference_table('nocontent.prices');
    END IF;
END
$$;

-- A writer reads these in the statement that writes to the ledger. What an erasure counted stays on the coordinator.
DO $$
DECLARE
    relation text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOREACH relation IN ARRAY ARRAY['nocontent.erasures', 'nocontent.erasure_events', 'nocontent.erased_words'] LOOP
        IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = relation::regclass) THEN
            PERFORM set_config('role', pg_get_userbyid(relowner), true) FROM pg_class WHERE oid = relation::regclass;
            PERFORM create_reference_table(relation);
        END IF;
    END LOOP;
END
$$;

-- What a table held before it was distributed stays on the coordinator's disk, where nobody sees it and neither
-- retention nor erasure reaches it. No foreign key leads here (a test looks), so TRUNCATE takes nothing else along.
DO $$
DECLARE
    known record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOR known IN
        SELECT logicalrelid AS relation, pg_get_userbyid(relowner) AS owner
        FROM pg_dist_partition JOIN pg_class ON oid = logicalrelid
        WHERE logicalrelid IN ('nocontent.events'::regclass, 'nocontent.batches'::regclass,
            'nocontent.usage'::regclass, 'nocontent.usage_marks'::regclass, 'nocontent.vocabulary'::regclass,
            'nocontent.prices'::regclass, 'nocontent.erasures'::regclass, 'nocontent.erasure_events'::regclass,
            'nocontent.erased_words'::regclass, 'nocontent.annotations'::regclass)
            AND pg_relation_size(logicalrelid)
                + (SELECT coalesce(sum(pg_relation_size(relid)), 0) FROM pg_partition_tree(logicalrelid)) > 0
    LOOP
        PERFORM set_config('role', known.owner, true);
        PERFORM truncate_local_data_after_distributing_table(known.relation);
        PERFORM set_config('role', 'none', true);
    END LOOP;
END
$$;
