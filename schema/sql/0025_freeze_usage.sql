-- The sums of days that were dropped are all that is left of them. If retention is lengthened, such a day is made again,
-- empty: its sums may grow by late events, but are never made again from the rows.
ALTER TABLE nocontent.retention ADD COLUMN usage_frozen_before date;

-- As before (0020), and it notes what is frozen.
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

-- As before (0020), from the first day on that is not frozen.
CREATE OR REPLACE VIEW nocontent.usage_reconciliation WITH (security_invoker = true) AS
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
