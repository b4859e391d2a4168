-- A reader of single tenants calls functions and has no right on any table. PostgreSQL runs a leakproof condition of the
-- reader's before or beside that of a policy or view, and EXPLAIN shows what either removed: with a policy, any term of
-- any tenant could be asked for. A function returns the rows of the login's tenants, and nothing of the reader's own
-- statement runs before that. Its planner sees a constant.
--
-- client_min_messages: a reader who sets debug_print_plan would be sent the plans inside, with their estimates.
-- One tenant at a time: `tenant_id` is what every index begins with.
CREATE FUNCTION nocontent.read_events(since timestamptz, until timestamptz) RETURNS SETOF nocontent.readable_events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT event.* FROM nocontent.readable_events event
            WHERE event.tenant_id = tenant AND event.occurred_at >= since AND event.occurred_at < until;
    END LOOP;
END
$$;

CREATE FUNCTION nocontent.read_streams() RETURNS SETOF nocontent.streams
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT stream.* FROM nocontent.streams stream WHERE stream.tenant_id = tenant;
    END LOOP;
END
$$;

CREATE FUNCTION nocontent.read_stream_gaps() RETURNS SETOF nocontent.stream_gaps
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT gap.* FROM nocontent.stream_gaps gap WHERE gap.tenant_id = tenant;
    END LOOP;
END
$$;

CREATE FUNCTION nocontent.read_reconciliation() RETURNS SETOF nocontent.reconciliation
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT kept.* FROM nocontent.reconciliation kept WHERE kept.tenant_id = tenant;
    END LOOP;
END
$$;

-- Without `revision`, which counts the acts on every tenant.
CREATE FUNCTION nocontent.read_tenants()
RETURNS TABLE (tenant_id integer, name text, disabled boolean, created_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT known.tenant_id, known.name, known.disabled, known.created_at
            FROM nocontent.tenants known WHERE known.tenant_id = tenant;
    END LOOP;
END
$$;

-- Tenant 0 is the shipped catalogue, the same for everybody.
CREATE FUNCTION nocontent.read_vocabulary()
RETURNS TABLE (tenant_id integer, kind smallint, term_id smallint, parent_id smallint, term text, learned boolean,
    created_at timestamptz, retired_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
DECLARE
    tenant integer;
BEGIN
    FOREACH tenant IN ARRAY 0 || nocontent.readable_tenants() LOOP
        RETURN QUERY SELECT known.tenant_id, known.kind, known.term_id, known.parent_id, known.term, known.learned,
                known.created_at, known.retired_at
            FROM nocontent.vocabulary known WHERE known.tenant_id = tenant;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.read_events(timestamptz, timestamptz), nocontent.read_streams(),
    nocontent.read_stream_gaps(), nocontent.read_reconciliation(), nocontent.read_tenants(),
    nocontent.read_vocabulary() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.read_events(timestamptz, timestamptz), nocontent.read_streams(),
    nocontent.read_stream_gaps(), nocontent.read_reconciliation(), nocontent.read_tenants(),
    nocontent.read_vocabulary() TO nocontent_reader;

REVOKE EXECUTE ON FUNCTION nocontent.readable_tenants() FROM nocontent_reader;

REVOKE SELECT ON nocontent.events, nocontent.batches, nocontent.tenants, nocontent.vocabulary, nocontent.tag_names,
    nocontent.readable_events, nocontent.streams, nocontent.stream_gaps, nocontent.reconciliation FROM nocontent_reader;

-- Where rows were protected by policies, nobody is left whom they bind.
DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['events', 'batches', 'tenants', 'vocabulary'] LOOP
        IF (SELECT relrowsecurity FROM pg_class WHERE oid = format('nocontent.%I', relation)::regclass) THEN
            EXECUTE format('ALTER TABLE nocontent.%I DISABLE ROW LEVEL SECURITY', relation);
            EXECUTE format('DROP POLICY IF EXISTS reader ON nocontent.%I', relation);
            EXECUTE format('DROP POLICY IF EXISTS analyst ON nocontent.%I', relation);
            EXECUTE format('DROP POLICY IF EXISTS control ON nocontent.%I', relation);
        END IF;
    END LOOP;
END
$$;
