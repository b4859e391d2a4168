-- The maintainer owns nothing. It asks for its two acts, which run as the owner: a partition's owner could hang triggers,
-- defaults and comments on it, and what those hold or do is the writer's to run into.
CREATE TABLE nocontent.maintenance (
    maintenance_id smallint PRIMARY KEY CHECK (maintenance_id = 1),
    leader integer,
    led_at timestamptz,
    finished_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO nocontent.maintenance (maintenance_id) VALUES (1);

-- One at a time. An advisory lock would do, but any login may take one and keep it. A leader that is gone, or an hour
-- at it, leads no more.
CREATE FUNCTION nocontent.begin_round() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.maintenance SET leader = pg_backend_pid(), led_at = clock_timestamp()
    WHERE maintenance_id = 1 AND (
        leader IS NULL OR leader = pg_backend_pid() OR led_at < clock_timestamp() - interval '1 hour'
        OR NOT EXISTS (SELECT FROM pg_stat_get_activity(leader))
    );
    RETURN FOUND;
END
$$;

CREATE FUNCTION nocontent.finish_round() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.maintenance SET leader = NULL, finished_at = clock_timestamp()
    WHERE maintenance_id = 1 AND leader = pg_backend_pid();
END
$$;

-- CREATE and ATTACH: unlike PARTITION OF, this never takes a lock that stops writers. A table that is there already was
-- detached by hand, or before retention was lengthened: what it holds is within retention, so it stays.
CREATE FUNCTION nocontent.make_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '2s' SET client_min_messages = error
SET timezone = 'UTC'
AS $$
DECLARE
    name text := 'events_' || to_char(day, 'YYYYMMDD');
    has_rows boolean := false;
BEGIN
    IF name !~ '^events_[0-9]{8}$' OR day < '0001-01-01'
        OR (SELECT count(*) > 2000 FROM pg_class
            WHERE relnamespace = 'nocontent'::regnamespace AND relname ~ '^events_[0-9]{8}$') THEN
        RAISE EXCEPTION 'not a day to make';
    END IF;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('nocontent.' || name) AND inhdetachpending) THEN
        EXECUTE format('ALTER TABLE nocontent.events DETACH PARTITION nocontent.%I FINALIZE', name);
    END IF;
    IF to_regclass('nocontent.' || name) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM nocontent.%I)', name) INTO has_rows;
    END IF;
    IF NOT has_rows THEN
        EXECUTE format('DROP TABLE IF EXISTS nocontent.%I', name);
        EXECUTE format('CREATE TABLE nocontent.%I (LIKE nocontent.events INCLUDING DEFAULTS)', name);
    END IF;
    EXECUTE format('ALTER TABLE nocontent.events ATTACH PARTITION nocontent.%I FOR VALUES FROM (%L) TO (%L)',
        name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END
$$;

-- Only what is before the horizon. DETACH ... CONCURRENTLY cannot run in a function, so this asks for the lock that
-- stops writers, and gives up after 150 ms: they wait no longer than that, and a day that is being read is postponed.
-- The files go after the commit, when the lock is free.
CREATE FUNCTION nocontent.drop_day(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '150ms' SET client_min_messages = error
AS $$
BEGIN
    IF name !~ '^events_[0-9]{8}$' OR name >= coalesce(
        (SELECT 'events_' || to_char(horizon, 'YYYYMMDD') FROM nocontent.retention WHERE retention_id = 1), ''
    ) THEN
        RAISE EXCEPTION 'not a day to drop';
    END IF;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('nocontent.' || name) AND inhdetachpending) THEN
        EXECUTE format('ALTER TABLE nocontent.events DETACH PARTITION nocontent.%I FINALIZE', name);
    END IF;
    EXECUTE format('DROP TABLE nocontent.%I', name);
END
$$;

-- By tenant, because the index is by tenant and time: nothing else would find a few old rows among many.
CREATE FUNCTION nocontent.next_tenant_of_ledger(after integer) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET client_min_messages = error
AS $$
BEGIN
    RETURN (SELECT min(tenant_id) FROM nocontent.batches WHERE tenant_id > after);
END
$$;

CREATE FUNCTION nocontent.trim_ledger(tenant integer, before date, count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '2s' SET client_min_messages = error
AS $$
DECLARE
    deleted integer;
BEGIN
    IF before > (SELECT horizon FROM nocontent.retention WHERE retention_id = 1) THEN
        RAISE EXCEPTION 'not a day to forget';
    END IF;
    DELETE FROM nocontent.batches WHERE tenant_id = tenant AND (stream_id, sequence) IN (
        SELECT stream_id, sequence FROM nocontent.batches
        WHERE tenant_id = tenant AND received_at < before::timestamp AT TIME ZONE 'UTC' LIMIT count_max
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.begin_round(), nocontent.finish_round(), nocontent.make_day(date),
    nocontent.drop_day(text), nocontent.next_tenant_of_ledger(integer),
    nocontent.trim_ledger(integer, date, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.begin_round(), nocontent.finish_round(), nocontent.make_day(date),
    nocontent.drop_day(text), nocontent.next_tenant_of_ledger(integer),
    nocontent.trim_ledger(integer, date, integer) TO nocontent_maintainer;

GRANT SELECT ON nocontent.maintenance TO nocontent_writer;

REVOKE CREATE ON SCHEMA nocontent FROM nocontent_maintainer;

DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p')
            AND relowner = 'nocontent_maintainer'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO nocontent_owner', relation);
    END LOOP;
END
$$;
