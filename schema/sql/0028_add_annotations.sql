-- Events that are known to be wrong. An event is a fact, so its row stays as it was sent; its annotation says what is
-- wrong with it, by a closed list, and leaves it out of every sum. Decision 0031.
CREATE TABLE nocontent.annotations (
    occurred_at timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    event_id uuid NOT NULL,
    tenant_id integer NOT NULL,
    reason smallint NOT NULL CHECK (reason BETWEEN 1 AND 9),
    PRIMARY KEY (tenant_id, occurred_at, event_id)
);

CREATE INDEX annotations_by_time ON nocontent.annotations (occurred_at);

-- Annotates events of days whose sums can still be made again, and asks for these sums in the same transaction. Returns
-- how many of the events are stored, and of how many the annotation is new or another one. The rows stay locked until
-- COMMIT: whoever deletes one deletes its annotation afterwards.
CREATE FUNCTION nocontent.annotate_events(
    tenant integer, ids uuid[], times timestamptz[], given smallint, OUT stored integer, OUT changed integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    known uuid[];
    known_at timestamptz[];
BEGIN
    PERFORM nocontent.require_annotatable(tenant, ids, times);
    SELECT coalesce(array_agg(locked.event_id), '{}'), coalesce(array_agg(locked.occurred_at), '{}')
    INTO known, known_at
    FROM (
        SELECT event.event_id, event.occurred_at
        FROM unnest(times, ids) AS named (occurred_at, event_id)
        JOIN nocontent.events event ON event.tenant_id = tenant AND event.occurred_at = named.occurred_at
            AND event.event_id = named.event_id
        FOR KEY SHARE OF event
    ) AS locked;
    WITH written AS (
        INSERT INTO nocontent.annotations AS known (tenant_id, occurred_at, event_id, reason)
        SELECT DISTINCT tenant, named.occurred_at, named.event_id, given
        FROM unnest(known_at, known) AS named (occurred_at, event_id)
        ON CONFLICT (tenant_id, occurred_at, event_id) DO UPDATE SET reason = given, at = now()
            WHERE known.reason <> given
        RETURNING known.occurred_at
    )
    SELECT coalesce(array_agg(written.occurred_at), '{}') INTO known_at FROM written;
    PERFORM nocontent.mark_annotated(tenant, known_at);
    stored := (SELECT count(DISTINCT named.event_id) FROM unnest(known) AS named (event_id));
    changed := cardinality(known_at);
END
$$;

-- Returns of how many events the annotation is removed; they are part of the sums again.
CREATE FUNCTION nocontent.remove_annotations(tenant integer, ids uuid[], times timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    removed timestamptz[];
BEGIN
    PERFORM nocontent.require_annotatable(tenant, ids, times);
    WITH gone AS (
        DELETE FROM nocontent.annotations annotation
        USING unnest(times, ids) AS named (occurred_at, event_id)
        WHERE annotation.tenant_id = tenant AND annotation.occurred_at = named.occurred_at
            AND annotation.event_id = named.event_id
        RETURNING annotation.occurred_at
    )
    SELECT coalesce(array_agg(gone.occurred_at), '{}') INTO removed FROM gone;
    PERFORM nocontent.mark_annotated(tenant, removed);
    RETURN cardinality(removed);
END
$$;

-- What is left of a day that was dropped are its sums: nothing could take an event out of them, or put it back. The lock
-- keeps `trim_events` (0027) from freezing a day of the tenant until COMMIT.
CREATE FUNCTION nocontent.require_annotatable(tenant integer, ids uuid[], times timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first timestamptz;
BEGIN
    PERFORM FROM nocontent.tenants WHERE tenant_id = tenant FOR SHARE;
    first := (
        SELECT greatest(
            nocontent.kept_since(tenant), usage_frozen_before,
            (SELECT own.usage_frozen_before FROM nocontent.tenants own WHERE own.tenant_id = tenant)
        )::timestamp AT TIME ZONE 'UTC'
        FROM nocontent.retention WHERE retention_id = 1
    );
    IF cardinality(ids) > 10000 OR cardinality(ids) <> cardinality(times) THEN
        RAISE EXCEPTION 'not up to 10,000 events' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF EXISTS (SELECT FROM unnest(times) AS named (occurred_at) WHERE named.occurred_at < first) THEN
        RAISE EXCEPTION 'the sums of that day are frozen' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

CREATE FUNCTION nocontent.mark_annotated(tenant integer, times timestamptz[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
    SELECT DISTINCT tenant, hour, hour + interval '1 hour' - interval '1 microsecond', 0, NULL::xid8
    FROM (
        SELECT date_bin('1 hour', named.occurred_at, '2000-01-01T00:00:00Z')
        FROM unnest(times) AS named (occurred_at)
    ) AS touched (hour)
$$;

-- Of days that were dropped, or whose events of the tenant were.
CREATE FUNCTION nocontent.trim_annotations(count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM nocontent.annotations annotation
    USING (
        SELECT frozen.tenant_id, frozen.occurred_at, frozen.event_id
        FROM nocontent.annotations frozen
        CROSS JOIN nocontent.retention known
        LEFT JOIN nocontent.tenants own ON own.tenant_id = frozen.tenant_id
        WHERE known.retention_id = 1
            AND frozen.occurred_at < greatest(known.usage_frozen_before, own.usage_frozen_before)::timestamptz
            AND frozen.occurred_at < nocontent.kept_since(frozen.tenant_id)::timestamptz
        LIMIT count_max
    ) AS old
    WHERE annotation.tenant_id = old.tenant_id AND annotation.occurred_at = old.occurred_at
        AND annotation.event_id = old.event_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- Of a part of a tenant's events: annotations whose event is gone. A transaction that annotates an event holds its row until
-- COMMIT, so none is missed by the statement after the one that deleted the event.
CREATE FUNCTION nocontent.erase_annotations(tenant integer, erasure uuid, rows_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    deleted integer;
BEGIN
    PERFORM nocontent.erasure_in_progress(tenant, erasure);
    IF rows_max NOT BETWEEN 1 AND 5000 THEN
        RAISE EXCEPTION 'not a slice to erase';
    END IF;
    DELETE FROM nocontent.annotations annotation
    USING (
        SELECT occurred_at, event_id FROM nocontent.annotations own
        WHERE tenant_id = tenant AND NOT EXISTS (
            SELECT FROM nocontent.events event
            WHERE event.tenant_id = tenant AND event.occurred_at = own.occurred_at AND event.event_id = own.event_id
        ) LIMIT rows_max
    ) AS orphan
    WHERE annotation.tenant_id = tenant AND annotation.occurred_at = orphan.occurred_at
        AND annotation.event_id = orphan.event_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted > 0 THEN
        PERFORM nocontent.count_erased(tenant, erasure, 'annotations', '-infinity', deleted, 0, 0);
    END IF;
    RETURN deleted;
END
$$;

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('annotations', 'delete');

-- As before (0018), and what is wrong with an event.
CREATE OR REPLACE VIEW nocontent.readable_events WITH (security_invoker = true) AS
SELECT
    event.tenant_id,
    event.occurred_at,
    event.event_id,
    category.term AS task_category,
    provider.term AS provider,
    requested.term AS requested_model,
    routed.term AS routed_model,
    event.input_tokens,
    event.output_tokens,
    event.cache_read_tokens,
    event.cache_write_5m_tokens,
    event.cache_write_1h_tokens,
    event.reasoning_tokens,
    NULLIF(event.cost_nanousd, -1) AS cost_nanousd,
    NULLIF(event.baseline_cost_nanousd, -1) AS baseline_cost_nanousd,
    NULLIF(event.baseline_cost_nanousd, -1) - NULLIF(event.cost_nanousd, -1) AS savings_nanousd,
    event.latency_ms,
    NULLIF(event.ttft_ms, -1) AS ttft_ms,
    (ARRAY['ok', 'error', 'timeout', 'rate_limited', 'cancelled', 'refused'])[(event.outcome >> 5 & 7) + 1] AS status,
    NULLIF(event.http_status, 0) AS http_status,
    (ARRAY['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'content_filter', 'pause_turn', 'context_window',
        'other'])[event.outcome >> 8 & 15] AS stop_reason,
    event.outcome & 1 <> 0 AS streamed,
    event.outcome & 2 <> 0 AS cached,
    event.outcome & 4 <> 0 AS fallback,
    event.outcome & 8 <> 0 AS retried,
    event.outcome & 16 <> 0 AS escalated,
    (
        SELECT coalesce(jsonb_object_agg(tag.tag_key, tag.tag_value), '{}')
        FROM nocontent.tag_names tag
        WHERE tag.tenant_id = event.tenant_id
            AND tag.term_id IN (event.tag_1, event.tag_2, event.tag_3, event.tag_4)
    ) AS tags,
    (ARRAY['test-traffic', 'counted-twice', 'wrong-cost', 'wrong-tokens', 'wrong-model', 'wrong-category', 'wrong-tag',
        'wrong-time', 'other'])[annotation.reason] AS annotation
FROM nocontent.events event
LEFT JOIN nocontent.vocabulary category
    ON category.tenant_id = CASE WHEN event.task_category < 128 THEN 0 ELSE event.tenant_id END
    AND category.kind = 1 AND category.term_id = event.task_category
LEFT JOIN nocontent.vocabulary provider
    ON provider.tenant_id = CASE WHEN event.provider BETWEEN 128 AND 511 THEN event.tenant_id ELSE 0 END
    AND provider.kind = 2 AND provider.term_id = event.provider
LEFT JOIN nocontent.vocabulary requested
    ON requested.tenant_id = CASE WHEN event.requested_model < 16384 THEN 0 ELSE event.tenant_id END
    AND requested.kind = 3 AND requested.term_id = event.requested_model
LEFT JOIN nocontent.vocabulary routed
    ON routed.tenant_id = CASE WHEN event.routed_model < 16384 THEN 0 ELSE event.tenant_id END
    AND routed.kind = 3 AND routed.term_id = event.routed_model
LEFT JOIN nocontent.annotations annotation
    ON annotation.tenant_id = event.tenant_id AND annotation.occurred_at = event.occurred_at
    AND annotation.event_id = event.event_id;

-- As before (0027), without the events that are annotated, which it counts apart. While sums wait to be made again, their
-- difference is unknown.
CREATE OR REPLACE VIEW nocontent.usage_reconciliation WITH (security_invoker = true) AS
SELECT
    tenant_id,
    hour,
    stored,
    rolled_up,
    pending,
    CASE WHEN NOT is_awaiting THEN stored - rolled_up - pending END AS difference,
    stored_cost_nanousd,
    rolled_up_cost_nanousd,
    CASE WHEN NOT is_awaiting AND pending = 0 THEN stored_cost_nanousd - rolled_up_cost_nanousd END
        AS cost_difference_nanousd,
    annotated
FROM (
    SELECT
        counted.tenant_id,
        hour,
        sum(stored)::bigint AS stored,
        sum(rolled_up)::bigint AS rolled_up,
        sum(pending)::bigint AS pending,
        sum(stored_cost)::bigint AS stored_cost_nanousd,
        sum(rolled_up_cost)::bigint AS rolled_up_cost_nanousd,
        sum(annotated)::bigint AS annotated,
        EXISTS (
            SELECT FROM nocontent.usage_marks mark
            WHERE mark.tenant_id = counted.tenant_id AND mark.events = 0
                AND mark.last >= counted.hour AND mark.first < counted.hour + interval '1 hour'
        ) AS is_awaiting
    FROM (
        SELECT event.tenant_id, date_bin('1 hour', event.occurred_at, '2000-01-01T00:00:00Z') AS hour,
            (annotation.reason IS NULL)::integer AS stored, 0 AS rolled_up, 0 AS pending,
            CASE WHEN annotation.reason IS NULL THEN greatest(event.cost_nanousd, 0) ELSE 0 END AS stored_cost,
            0 AS rolled_up_cost, (annotation.reason IS NOT NULL)::integer AS annotated
        FROM nocontent.events event
        LEFT JOIN nocontent.annotations annotation
            ON annotation.tenant_id = event.tenant_id AND annotation.occurred_at = event.occurred_at
            AND annotation.event_id = event.event_id
        UNION ALL
        SELECT tenant_id, at, 0, events, 0, 0, reported_cost_nanousd, 0 FROM nocontent.usage WHERE grain = 2
        UNION ALL
        SELECT tenant_id, date_bin('1 hour', first, '2000-01-01T00:00:00Z'), 0, 0, events, 0, 0, 0
        FROM nocontent.usage_marks WHERE events > 0
    ) AS counted
    CROSS JOIN nocontent.retention known
    LEFT JOIN nocontent.tenants own ON own.tenant_id = counted.tenant_id
    WHERE known.retention_id = 1 AND hour >= coalesce(
        greatest(known.horizon, known.usage_frozen_before, own.usage_frozen_before)::timestamp AT TIME ZONE 'UTC',
        '-infinity'
    )
    GROUP BY counted.tenant_id, hour
) AS compared;

GRANT SELECT ON nocontent.annotations TO nocontent_control, nocontent_analyst, nocontent_biller;

REVOKE EXECUTE ON FUNCTION nocontent.annotate_events(integer, uuid[], timestamptz[], smallint),
    nocontent.remove_annotations(integer, uuid[], timestamptz[]), nocontent.require_annotatable(integer, uuid[], timestamptz[]),
    nocontent.mark_annotated(integer, timestamptz[]), nocontent.trim_annotations(integer),
    nocontent.erase_annotations(integer, uuid, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.annotate_events(integer, uuid[], timestamptz[], smallint),
    nocontent.remove_annotations(integer, uuid[], timestamptz[]) TO nocontent_control;

GRANT EXECUTE ON FUNCTION nocontent.trim_annotations(integer) TO nocontent_maintainer;

GRANT EXECUTE ON FUNCTION nocontent.erase_annotations(integer, uuid, integer) TO nocontent_eraser;

GRANT SELECT (tenant_id) ON nocontent.annotations TO nocontent_eraser;

GRANT SELECT ON nocontent.annotations, nocontent.readable_events TO nocontent_exporter;
