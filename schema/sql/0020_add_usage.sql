-- Sums of events by time and dimension, which outlive the events, and the marks by which they are kept exact. A writer
-- inserts marks in the transaction of its rows: one for each tenant and 10-second slice of `occurred_at`, with the number
-- of rows that it really inserted. The biller deletes marks, and adds to the sums just the rows that have the marks'
-- transaction ids; a snapshot has both a transaction's rows and its marks, or neither. Decision 0023.
--
-- Roles are made by the login itself, since the owner may not. One without CREATEROLE needs them made before.
DO $$
DECLARE
    was text := current_setting('role');
    role text;
BEGIN
    PERFORM set_config('role', 'none', true);
    FOREACH role IN ARRAY ARRAY['nocontent_biller', 'nocontent_usage_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            IF NOT pg_has_role(
                role, CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
            ) THEN
                EXECUTE format('GRANT %I TO %I', role, current_user);
            END IF;
        END IF;
    END LOOP;
    PERFORM set_config('role', was, true);
END
$$;

GRANT USAGE ON SCHEMA nocontent TO nocontent_biller, nocontent_usage_reader;

-- No key and no index: nothing can refuse a mark or make one writer wait for another. A mark with no events asks for
-- the sums of every hour from `first` to `last` to be made again from the rows.
CREATE TABLE nocontent.usage_marks (
    first timestamptz NOT NULL,
    last timestamptz NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    xid xid8 DEFAULT pg_current_xact_id(),
    tenant_id integer NOT NULL,
    events integer NOT NULL CHECK (events >= 0),
    CHECK (first <= last),
    CHECK (events = 0 OR xid IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- In the place of a primary key, so that Citus can move shards.
ALTER TABLE nocontent.usage_marks REPLICA IDENTITY FULL;

-- Grains: 1 quarter of an hour, 2 hour by model, 3 day by model, 4 hour, 5 day; hours and days of UTC. -1 stands for a
-- dimension that a grain does not have. A histogram counts by ceil(ln(ms) / ln(1.1)), bins ascending, unknown left out.
-- The nano-USD of `computed` are the price book's for events without a reported cost; `checked` compares it with the
-- cost of those that have one.
CREATE TABLE nocontent.usage (
    tenant_id integer NOT NULL,
    grain smallint NOT NULL CHECK (grain BETWEEN 1 AND 5),
    at timestamptz NOT NULL,
    provider smallint NOT NULL,
    requested_model smallint NOT NULL,
    routed_model smallint NOT NULL,
    status smallint NOT NULL,
    task_category smallint NOT NULL,
    tag_1 smallint NOT NULL,
    tag_2 smallint NOT NULL,
    tag_3 smallint NOT NULL,
    tag_4 smallint NOT NULL,
    events bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_5m_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    reported_cost_nanousd bigint NOT NULL,
    reported_cost_events bigint NOT NULL,
    computed_cost_nanousd bigint NOT NULL,
    computed_cost_events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    checked_events bigint NOT NULL,
    checked_list_cost_nanousd bigint NOT NULL,
    mismatched_events bigint NOT NULL,
    mismatch_nanousd bigint NOT NULL,
    unchecked_events bigint NOT NULL,
    baseline_cost_nanousd bigint NOT NULL,
    baseline_events bigint NOT NULL,
    savings_reported_nanousd bigint NOT NULL,
    savings_priced_events bigint NOT NULL,
    savings_priced_nanousd bigint NOT NULL,
    streamed bigint NOT NULL,
    cached bigint NOT NULL,
    fallback bigint NOT NULL,
    retried bigint NOT NULL,
    escalated bigint NOT NULL,
    latency_bins smallint[] NOT NULL,
    latency_counts bigint[] NOT NULL,
    ttft_bins smallint[] NOT NULL,
    ttft_counts bigint[] NOT NULL,
    PRIMARY KEY (
        tenant_id, grain, at, provider, requested_model, routed_model, status, task_category, tag_1, tag_2, tag_3, tag_4
    ),
    CHECK (cardinality(latency_bins) = cardinality(latency_counts)),
    CHECK (cardinality(ttft_bins) = cardinality(ttft_counts))
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- As sum(bigint), which returns numeric: an integer that does not fit is an error, never a wrong sum.
CREATE AGGREGATE nocontent.total(bigint) (
    SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE
);

-- The sums of days that were dropped are all that is left of them. If retention is lengthened, such a day is made again,
-- empty: its sums may grow by late events, but are never made again from the rows.
ALTER TABLE nocontent.retention ADD COLUMN usage_frozen_before date;

-- Both sides as of one moment: the difference is 0, always, from the first day on that is not frozen. The costs are
-- compared once nothing is pending. Name a tenant: the whole view reads every row there is.
CREATE VIEW nocontent.usage_reconciliation WITH (security_invoker = true) AS
SELECT
    tenant_id,
    hour,
    sum(stored)::bigint AS stored,
    sum(rolled_up)::bigint AS rolled_up,
    sum(pending)::bigint AS pending,
    (sum(stored) - sum(rolled_up) - sum(pending))::bigint AS difference,
    sum(stored_cost)::bigint AS stored_cost_nanousd,
    sum(rolled_up_cost)::bigint AS rolled_up_cost_nanousd,
    CASE WHEN sum(pending) = 0 THEN (sum(stored_cost) - sum(rolled_up_cost))::bigint END AS cost_difference_nanousd
FROM (
    SELECT tenant_id, date_bin('1 hour', occurred_at, '2000-01-01T00:00:00Z') AS hour, 1 AS stored, 0 AS rolled_up,
        0 AS pending, greatest(cost_nanousd, 0) AS stored_cost, 0 AS rolled_up_cost
    FROM nocontent.events
    UNION ALL
    SELECT tenant_id, at, 0, events, 0, 0, reported_cost_nanousd FROM nocontent.usage WHERE grain = 2
    UNION ALL
    SELECT tenant_id, date_bin('1 hour', first, '2000-01-01T00:00:00Z'), 0, 0, events, 0, 0
    FROM nocontent.usage_marks WHERE events > 0
) AS counted
WHERE hour >= (
    SELECT coalesce(greatest(horizon, usage_frozen_before)::timestamp AT TIME ZONE 'UTC', '-infinity')
    FROM nocontent.retention WHERE retention_id = 1
)
GROUP BY tenant_id, hour;

-- The readable form: terms for ids, NULL for a dimension that the grain does not have.
CREATE VIEW nocontent.readable_usage WITH (security_invoker = true) AS
SELECT
    usage.tenant_id,
    (ARRAY['quarter', 'hour_model', 'day_model', 'hour', 'day'])[usage.grain] AS grain,
    usage.at,
    category.term AS task_category,
    provider.term AS provider,
    requested.term AS requested_model,
    routed.term AS routed_model,
    (ARRAY['ok', 'error', 'timeout', 'rate_limited', 'cancelled', 'refused'])[usage.status + 1] AS status,
    CASE WHEN usage.tag_1 >= 0 THEN (
        SELECT coalesce(jsonb_object_agg(tag.tag_key, tag.tag_value), '{}')
        FROM nocontent.tag_names tag
        WHERE tag.tenant_id = usage.tenant_id
            AND tag.term_id IN (usage.tag_1, usage.tag_2, usage.tag_3, usage.tag_4)
    ) END AS tags,
    usage.events,
    usage.input_tokens,
    usage.output_tokens,
    usage.cache_read_tokens,
    usage.cache_write_5m_tokens,
    usage.cache_write_1h_tokens,
    usage.reasoning_tokens,
    usage.reported_cost_nanousd + usage.computed_cost_nanousd AS cost_nanousd,
    usage.reported_cost_nanousd,
    usage.reported_cost_events,
    usage.computed_cost_nanousd,
    usage.computed_cost_events,
    usage.unpriced_events,
    usage.checked_events,
    usage.checked_list_cost_nanousd,
    usage.mismatched_events,
    usage.mismatch_nanousd,
    usage.unchecked_events,
    usage.baseline_cost_nanousd,
    usage.baseline_events,
    usage.savings_reported_nanousd + usage.savings_priced_nanousd AS savings_nanousd,
    usage.savings_reported_nanousd,
    usage.savings_priced_nanousd,
    usage.savings_priced_events,
    usage.streamed,
    usage.cached,
    usage.fallback,
    usage.retried,
    usage.escalated,
    usage.latency_bins,
    usage.latency_counts,
    usage.ttft_bins,
    usage.ttft_counts
FROM nocontent.usage
LEFT JOIN nocontent.vocabulary category
    ON category.tenant_id = CASE WHEN usage.task_category < 128 THEN 0 ELSE usage.tenant_id END
    AND category.kind = 1 AND category.term_id = usage.task_category
LEFT JOIN nocontent.vocabulary provider
    ON provider.tenant_id = CASE WHEN usage.provider BETWEEN 128 AND 511 THEN usage.tenant_id ELSE 0 END
    AND provider.kind = 2 AND provider.term_id = usage.provider
LEFT JOIN nocontent.vocabulary requested
    ON requested.tenant_id = CASE WHEN usage.requested_model < 16384 THEN 0 ELSE usage.tenant_id END
    AND requested.kind = 3 AND requested.term_id = usage.requested_model
LEFT JOIN nocontent.vocabulary routed
    ON routed.tenant_id = CASE WHEN usage.routed_model < 16384 THEN 0 ELSE usage.tenant_id END
    AND routed.kind = 3 AND routed.term_id = usage.routed_model;

-- How long sums are kept; NULL is as long as the tenant exists. What is older than that by the horizon, which no clock
-- can move by more than a day in a day, may be deleted; sums of days that still have their rows may not.
ALTER TABLE nocontent.retention ADD COLUMN usage_days integer CHECK (usage_days BETWEEN 1 AND 36500);

CREATE FUNCTION nocontent.next_tenant_of_usage(after integer) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    RETURN (SELECT min(tenant_id) FROM nocontent.usage WHERE tenant_id > after);
END
$$;

CREATE FUNCTION nocontent.trim_usage(tenant integer, count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    before date := (
        SELECT horizon - greatest(usage_days - retention_days, 0) FROM nocontent.retention
        WHERE retention_id = 1 AND usage_days IS NOT NULL
    );
    deleted integer;
BEGIN
    DELETE FROM nocontent.usage summed
    USING (
        SELECT grain, at, provider, requested_model, routed_model, status, task_category, tag_1, tag_2, tag_3, tag_4
        FROM nocontent.usage
        WHERE tenant_id = tenant AND at < before::timestamp AT TIME ZONE 'UTC' LIMIT count_max
    ) AS old
    WHERE summed.tenant_id = tenant AND summed.grain = old.grain AND summed.at = old.at
        AND summed.provider = old.provider AND summed.requested_model = old.requested_model
        AND summed.routed_model = old.routed_model AND summed.status = old.status
        AND summed.task_category = old.task_category AND summed.tag_1 = old.tag_1 AND summed.tag_2 = old.tag_2
        AND summed.tag_3 = old.tag_3 AND summed.tag_4 = old.tag_4;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- Of days that were dropped although nobody had summed them for a day: without a biller marks would pile up for ever.
CREATE FUNCTION nocontent.trim_usage_marks() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM nocontent.usage_marks WHERE last < (
        SELECT (horizon - 1)::timestamp AT TIME ZONE 'UTC' FROM nocontent.retention WHERE retention_id = 1
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- As before (0012), and a day whose rows are not all in the sums waits for one more; it notes what is frozen.
CREATE OR REPLACE FUNCTION nocontent.drop_day(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '150ms'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    before date := (SELECT horizon FROM nocontent.retention WHERE retention_id = 1);
    day date;
BEGIN
    IF name !~ '^events_[0-9]{8}$' OR name >= coalesce('events_' || to_char(before, 'YYYYMMDD'), '') THEN
        RAISE EXCEPTION 'not a day to drop';
    END IF;
    day := make_date(substr(name, 8, 4)::integer, substr(name, 12, 2)::integer, substr(name, 14, 2)::integer);
    IF day = before - 1 AND EXISTS (
        SELECT FROM nocontent.usage_marks WHERE last >= day::timestamptz AND first < (day + 1)::timestamptz
    ) THEN
        RAISE EXCEPTION 'its usage is not summed yet' USING ERRCODE = 'object_in_use';
    END IF;
    UPDATE nocontent.retention SET usage_frozen_before = day + 1
    WHERE retention_id = 1 AND coalesce(usage_frozen_before, '-infinity') <= day;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('nocontent.' || name) AND inhdetachpending) THEN
        EXECUTE format('ALTER TABLE nocontent.events DETACH PARTITION nocontent.%I FINALIZE', name);
    END IF;
    EXECUTE format('DROP TABLE nocontent.%I', name);
END
$$;

GRANT INSERT (tenant_id, first, last, events) ON nocontent.usage_marks TO nocontent_writer;

GRANT SELECT, DELETE, INSERT ON nocontent.usage_marks TO nocontent_biller;

GRANT SELECT, INSERT, UPDATE, DELETE ON nocontent.usage TO nocontent_biller;

GRANT SELECT ON nocontent.events, nocontent.batches, nocontent.vocabulary, nocontent.tag_names, nocontent.tenants,
    nocontent.prices, nocontent.retention, nocontent.usage_reconciliation, nocontent.readable_usage TO nocontent_biller;

GRANT SELECT ON nocontent.usage, nocontent.vocabulary, nocontent.tag_names, nocontent.tenants, nocontent.prices,
    nocontent.retention, nocontent.readable_usage TO nocontent_usage_reader;

GRANT SELECT ON nocontent.usage, nocontent.usage_marks, nocontent.retention, nocontent.usage_reconciliation,
    nocontent.readable_usage TO nocontent_analyst;

GRANT UPDATE (usage_days) ON nocontent.retention TO nocontent_control;

REVOKE EXECUTE ON FUNCTION nocontent.total(bigint), nocontent.next_tenant_of_usage(integer),
    nocontent.trim_usage(integer, integer), nocontent.trim_usage_marks() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.total(bigint) TO nocontent_biller, nocontent_usage_reader, nocontent_analyst;

GRANT EXECUTE ON FUNCTION nocontent.next_tenant_of_usage(integer), nocontent.trim_usage(integer, integer),
    nocontent.trim_usage_marks() TO nocontent_maintainer;

-- What was stored before there were marks; an event may be some minutes ahead.
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
SELECT tenant_id, now() - interval '401 days', now() + interval '1 hour', 0, NULL FROM nocontent.tenants;
