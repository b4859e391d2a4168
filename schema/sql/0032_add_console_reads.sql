-- What the console counts and shows of its session's tenant beyond the tables (0030): functions that answer about no
-- other. Their names are those of functions for operators, with a prefix, so that one query serves both.
CREATE FUNCTION nocontent.require_own(tenant integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenant IS NULL OR tenant IS DISTINCT FROM nocontent.session_tenant() THEN
        RAISE EXCEPTION 'not the tenant of the session' USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

CREATE FUNCTION nocontent.own_kept_since(tenant integer) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.require_own(tenant);
    RETURN nocontent.kept_since(tenant);
END
$$;

CREATE FUNCTION nocontent.own_frozen_before(tenant integer) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.require_own(tenant);
    RETURN nocontent.frozen_before(tenant);
END
$$;

CREATE FUNCTION nocontent.own_count_expiring(
    tenant integer, days integer, OUT events bigint, OUT first date, OUT last date
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.require_own(tenant);
    SELECT found.events, found.first, found.last INTO events, first, last
    FROM nocontent.count_expiring(tenant, days) AS found;
END
$$;

-- The rows of a table of the list: also of those that show the console nothing.
CREATE FUNCTION nocontent.own_count(tenant integer, its_table text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    found bigint;
BEGIN
    PERFORM nocontent.require_own(tenant);
    IF NOT EXISTS (SELECT FROM nocontent.tenant_tables WHERE table_name = its_table) THEN
        RAISE EXCEPTION 'not a table of the list';
    END IF;
    EXECUTE format('SELECT count(*) FROM nocontent.%I WHERE tenant_id = $1', its_table) INTO found USING tenant;
    RETURN found;
END
$$;

CREATE FUNCTION nocontent.own_oldest_row(its_table text, its_column text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
SET timezone = 'UTC'
AS $$
DECLARE
    tenant integer := nocontent.session_tenant();
    oldest timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM nocontent.tenant_tables WHERE table_name = its_table) OR NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass(format('nocontent.%I', its_table)) AND attname = its_column
            AND atttypid IN ('timestamptz'::regtype, 'date'::regtype)
    ) THEN
        RAISE EXCEPTION 'not a time of a table';
    END IF;
    EXECUTE format(
        'SELECT min(%I)::timestamptz FROM nocontent.%I WHERE tenant_id = $1 AND isfinite(%1$I)', its_column, its_table
    ) INTO oldest USING tenant;
    RETURN oldest;
END
$$;

-- Blocks of rows in the order of the key, as an export reads them: a view that is a barrier hides that order, so that each
-- block would sort all rows that are left of its day.
CREATE FUNCTION nocontent.own_events_after(
    tenant integer, first timestamptz, before timestamptz, after_at timestamptz, after_id uuid, term smallint,
    rows_max bigint
) RETURNS SETOF nocontent.own_events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.require_own(tenant);
    RETURN QUERY
    SELECT occurred_at, event_id, cost_nanousd, baseline_cost_nanousd, tenant_id, input_tokens, output_tokens,
        cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, latency_ms, ttft_ms,
        task_category, provider, requested_model, routed_model, http_status, outcome, tag_1, tag_2, tag_3, tag_4,
        event.xmin
    FROM nocontent.events event
    WHERE tenant_id = tenant AND occurred_at >= first AND occurred_at < before
        AND (occurred_at, event_id) > (after_at, after_id)
        AND (term IS NULL OR term IN (tag_1, tag_2, tag_3, tag_4))
    ORDER BY occurred_at, event_id LIMIT least(rows_max, 65536);
END
$$;

CREATE FUNCTION nocontent.own_batches_after(
    tenant integer, first timestamptz, before timestamptz, after_stream uuid, after_sequence bigint, rows_max bigint
) RETURNS SETOF nocontent.own_batches
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.require_own(tenant);
    RETURN QUERY
    SELECT received_at, stream_id, sequence, digest, tenant_id, accepted, duplicates, coarsened, dropped_queue_full,
        dropped_retries_exhausted, dropped_refused, dropped_shutdown, line.xmin
    FROM nocontent.batches line
    WHERE tenant_id = tenant AND received_at >= first AND received_at < before
        AND (stream_id, sequence) > (after_stream, after_sequence)
    ORDER BY stream_id, sequence LIMIT least(rows_max, 65536);
END
$$;

-- Those of some orders that the database does not know, as after a restore to before them. Whoever serves, runs jobs or
-- hands data out compares, and need not read the erasures of others for it.
CREATE FUNCTION nocontent.unknown_orders(ordered uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT unnest(ordered)
    EXCEPT (SELECT erasure_id FROM nocontent.erasures UNION ALL SELECT erasure_id FROM nocontent.absent_orders)
$$;

REVOKE EXECUTE ON FUNCTION nocontent.require_own(integer), nocontent.own_kept_since(integer),
    nocontent.own_frozen_before(integer), nocontent.own_count_expiring(integer, integer),
    nocontent.own_count(integer, text), nocontent.own_oldest_row(text, text), nocontent.unknown_orders(uuid[]),
    nocontent.own_events_after(integer, timestamptz, timestamptz, timestamptz, uuid, smallint, bigint),
    nocontent.own_batches_after(integer, timestamptz, timestamptz, uuid, bigint, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.own_kept_since(integer), nocontent.own_frozen_before(integer),
    nocontent.own_count_expiring(integer, integer), nocontent.own_count(integer, text),
    nocontent.own_oldest_row(text, text),
    nocontent.own_events_after(integer, timestamptz, timestamptz, timestamptz, uuid, smallint, bigint),
    nocontent.own_batches_after(integer, timestamptz, timestamptz, uuid, bigint, bigint) TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.unknown_orders(uuid[]) TO nocontent_writer, nocontent_biller, nocontent_eraser,
    nocontent_maintainer, nocontent_exporter, nocontent_control, nocontent_console;

-- For counts and exports.
GRANT EXECUTE ON FUNCTION nocontent.time_of_event(uuid) TO nocontent_console;

GRANT SELECT ON nocontent.tenant_tables, nocontent.processor_customers, nocontent.processor_events
    TO nocontent_console;
