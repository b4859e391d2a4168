-- Fewer days of events for single tenants, and clocks for the rest. Whatever is deleted here is before a day that is
-- reckoned from the horizon, which no clock moves by more than a day in a day (0016). Decision 0030.
--
-- `retention_changed` is the day when the retention last changed, as the horizon counts days. The sums of days before
-- `usage_frozen_before` are all that is left of them, as in `retention`: no event of theirs is accepted again.
ALTER TABLE nocontent.tenants
    ADD COLUMN retention_days smallint CHECK (retention_days BETWEEN 1 AND 400),
    ADD COLUMN retention_changed date,
    ADD COLUMN usage_frozen_before date;

-- Null is for ever. Corrections go back 15 months, so an invoice stays for two years at least. No month that ended
-- before `invoices_deleted_before` is invoiced: its invoice may be one that was deleted.
ALTER TABLE nocontent.retention
    ADD COLUMN invoice_years smallint DEFAULT 10 CHECK (invoice_years BETWEEN 2 AND 100),
    ADD COLUMN invoices_deleted_before date;

-- The first day of a tenant's events that is kept. A tenant can have fewer days than the deployment, never more.
CREATE FUNCTION nocontent.kept_since(tenant integer) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    own smallint := (SELECT retention_days FROM nocontent.tenants WHERE tenant_id = tenant);
BEGIN
    RETURN (
        SELECT horizon + greatest(retention_days - own, 0) FROM nocontent.retention WHERE retention_id = 1
    );
END
$$;

-- The day before which nothing is left of a tenant's events but sums.
CREATE FUNCTION nocontent.frozen_before(tenant integer) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    RETURN greatest(
        (SELECT usage_frozen_before FROM nocontent.retention WHERE retention_id = 1),
        (SELECT usage_frozen_before FROM nocontent.tenants WHERE tenant_id = tenant)
    );
END
$$;

CREATE FUNCTION nocontent.next_tenant_of_retention(after integer) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
BEGIN
    RETURN (SELECT min(tenant_id) FROM nocontent.tenants WHERE tenant_id > after AND retention_days IS NOT NULL);
END
$$;

-- Deletes events of a tenant's oldest day from `since` on, if that day is no longer kept, and freezes its sums. Whoever
-- changes the retention waits for it, and then sees what is frozen. If the day's events are not all in the sums it
-- deletes none (-1): for a day by the horizon after the day expired, and for an hour after the last came. This clock
-- can only postpone.
CREATE FUNCTION nocontent.trim_events(
    tenant integer, since date, count_max integer, OUT expired date, OUT deleted integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    changed date;
    before date;
    is_new boolean;
BEGIN
    deleted := 0;
    SELECT retention_changed INTO changed FROM nocontent.tenants WHERE tenant_id = tenant FOR NO KEY UPDATE;
    before := nocontent.kept_since(tenant);
    expired := (
        SELECT min(occurred_at)::date FROM nocontent.events
        WHERE tenant_id = tenant AND occurred_at >= since::timestamptz AND occurred_at < before::timestamptz
    );
    IF expired IS NULL OR count_max NOT BETWEEN 1 AND 10000 THEN
        RETURN;
    END IF;
    is_new := expired >= before - 1
        OR (SELECT horizon + retention_days <= changed FROM nocontent.retention WHERE retention_id = 1);
    IF EXISTS (
        SELECT FROM nocontent.usage_marks
        WHERE tenant_id = tenant AND last >= expired::timestamptz AND first < (expired + 1)::timestamptz
            AND (is_new OR marked_at > clock_timestamp() - interval '1 hour')
    ) THEN
        deleted := -1;
        RETURN;
    END IF;
    UPDATE nocontent.tenants SET usage_frozen_before = expired + 1
    WHERE tenant_id = tenant AND coalesce(usage_frozen_before, '-infinity') <= expired;
    DELETE FROM nocontent.events
    WHERE tenant_id = tenant AND occurred_at >= expired::timestamptz AND occurred_at < (expired + 1)::timestamptz
        AND ctid = ANY(ARRAY(
            SELECT ctid FROM nocontent.events
            WHERE tenant_id = tenant AND occurred_at >= expired::timestamptz
                AND occurred_at < (expired + 1)::timestamptz
            LIMIT count_max
        ));
    GET DIAGNOSTICS deleted = ROW_COUNT;
END
$$;

-- As before (0012), by the tenant's own retention: the window refuses whatever a replay of a batch could bring.
CREATE OR REPLACE FUNCTION nocontent.trim_ledger(tenant integer, before date, count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    deleted integer;
BEGIN
    IF before > nocontent.kept_since(tenant) THEN
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

-- Documents whose time is over, with their payments: so many years after they were issued, credited and paid, whichever
-- came last. One that waits for money, either way, stays. An invoice goes together with its credit note.
CREATE FUNCTION nocontent.trim_invoices(count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    before date := (
        SELECT (horizon + retention_days - make_interval(years => invoice_years))::date
        FROM nocontent.retention WHERE retention_id = 1
    );
    due record;
    deleted integer := 0;
BEGIN
    FOR due IN
        SELECT document.tenant_id, document.issuer, array_remove(ARRAY[document.number, mirror.number], NULL) AS numbers
        FROM nocontent.invoices document LEFT JOIN nocontent.invoices mirror
            ON mirror.tenant_id = document.tenant_id AND mirror.issuer = document.issuer
            AND mirror.credits = document.number
        WHERE document.credits IS NULL
            AND greatest(document.finalized_at, document.paid_at, document.voided_at, mirror.finalized_at,
                mirror.paid_at) < before::timestamptz
            AND (document.total_cents = 0 OR document.state = 2
                OR document.state = 3 AND (document.paid_at IS NULL OR mirror.state = 2))
        LIMIT count_max
    LOOP
        DELETE FROM nocontent.processor_events
        WHERE tenant_id = due.tenant_id AND issuer = due.issuer AND number = ANY(due.numbers);
        DELETE FROM nocontent.payments
        WHERE tenant_id = due.tenant_id AND issuer = due.issuer AND number = ANY(due.numbers);
        DELETE FROM nocontent.handovers
        WHERE tenant_id = due.tenant_id AND issuer = due.issuer AND number = ANY(due.numbers);
        DELETE FROM nocontent.invoice_lines
        WHERE tenant_id = due.tenant_id AND issuer = due.issuer AND number = ANY(due.numbers);
        DELETE FROM nocontent.invoices
        WHERE tenant_id = due.tenant_id AND issuer = due.issuer AND number = ANY(due.numbers);
        deleted := deleted + cardinality(due.numbers);
    END LOOP;
    IF deleted > 0 THEN
        UPDATE nocontent.retention SET invoices_deleted_before = before
        WHERE retention_id = 1 AND coalesce(invoices_deleted_before, '-infinity') < before;
    END IF;
    RETURN deleted;
END
$$;

-- What an operator is shown: how many events so many days would leave out, and when the oldest row of a table is from.
-- Neither shows a row.
CREATE FUNCTION nocontent.count_expiring(tenant integer, days integer, OUT events bigint, OUT first date, OUT last date)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
SET timezone = 'UTC'
AS $$
BEGIN
    SELECT count(*), min(occurred_at)::date, max(occurred_at)::date INTO events, first, last
    FROM nocontent.events
    WHERE tenant_id = tenant AND occurred_at < (
        SELECT (horizon + greatest(retention_days - days, 0))::timestamptz FROM nocontent.retention
        WHERE retention_id = 1
    );
END
$$;

-- By tenant where every index begins with it.
CREATE FUNCTION nocontent.oldest_row(its_table text, its_column text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
SET timezone = 'UTC'
AS $$
DECLARE
    tenant integer;
    found timestamptz;
    oldest timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass(format('nocontent.%I', its_table)) AND attname = its_column
            AND atttypid IN ('timestamptz'::regtype, 'date'::regtype)
    ) THEN
        RAISE EXCEPTION 'not a time of a table';
    END IF;
    IF its_table NOT IN ('events', 'batches', 'usage') THEN
        EXECUTE format(
            'SELECT min(%I)::timestamptz FROM nocontent.%I WHERE isfinite(%1$I)', its_column, its_table
        ) INTO oldest;
        RETURN oldest;
    END IF;
    FOR tenant IN SELECT tenant_id FROM nocontent.tenants LOOP
        EXECUTE format('SELECT min(%I) FROM nocontent.%I WHERE tenant_id = $1', its_column, its_table)
        INTO found USING tenant;
        oldest := least(oldest, found);
    END LOOP;
    RETURN oldest;
END
$$;

-- As in 0006, and erased rows and lines count as if they were there, for as long as the tenant's own retention keeps
-- rows. `erased` is their balance.
CREATE OR REPLACE VIEW nocontent.reconciliation WITH (security_invoker = true) AS
SELECT
    tenant_id,
    coalesce(ledger.accepted, 0) AS accepted,
    coalesce(kept.stored, 0) AS stored,
    coalesce(kept.stored, 0) + coalesce(gone.erased, 0) - coalesce(ledger.accepted, 0) AS difference,
    ledger.first_received_at,
    coalesce(gone.erased, 0) AS erased
FROM (
    SELECT tenant_id, sum(accepted)::bigint AS accepted, min(received_at) AS first_received_at
    FROM nocontent.batches
    GROUP BY tenant_id
) AS ledger
FULL JOIN (
    SELECT tenant_id, count(*) AS stored
    FROM nocontent.events
    GROUP BY tenant_id
) AS kept USING (tenant_id)
LEFT JOIN (
    SELECT counted.tenant_id,
        sum(CASE table_name WHEN 'events' THEN counted.erased WHEN 'batches' THEN -counted.events END)::bigint AS erased
    FROM nocontent.erasure_counts counted
    CROSS JOIN nocontent.retention known
    LEFT JOIN nocontent.tenants own ON own.tenant_id = counted.tenant_id
    WHERE known.retention_id = 1 AND table_name IN ('events', 'batches')
        AND day >= coalesce(known.horizon + greatest(known.retention_days - own.retention_days, 0), '-infinity')
    GROUP BY counted.tenant_id
) AS gone USING (tenant_id);

-- As before (0020), without the days that are frozen for the tenant.
CREATE OR REPLACE VIEW nocontent.usage_reconciliation WITH (security_invoker = true) AS
SELECT
    counted.tenant_id,
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
CROSS JOIN nocontent.retention known
LEFT JOIN nocontent.tenants own ON own.tenant_id = counted.tenant_id
WHERE known.retention_id = 1 AND hour >= coalesce(
    greatest(known.horizon, known.usage_frozen_before, own.usage_frozen_before)::timestamp AT TIME ZONE 'UTC',
    '-infinity'
)
GROUP BY counted.tenant_id, hour;

-- An operator's acts change what they name, and not what is frozen.
REVOKE UPDATE ON nocontent.tenants FROM nocontent_control;

GRANT UPDATE (
    name, task_category_mode, provider_mode, model_mode, tag_value_mode, events_per_minute_max, disabled, diagnostics,
    retention_days, retention_changed, revision
) ON nocontent.tenants TO nocontent_control;

GRANT UPDATE (invoice_years) ON nocontent.retention TO nocontent_control;

REVOKE EXECUTE ON FUNCTION nocontent.kept_since(integer), nocontent.frozen_before(integer),
    nocontent.next_tenant_of_retention(integer), nocontent.trim_events(integer, date, integer),
    nocontent.trim_invoices(integer), nocontent.count_expiring(integer, integer), nocontent.oldest_row(text, text)
    FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.kept_since(integer), nocontent.next_tenant_of_retention(integer),
    nocontent.trim_events(integer, date, integer), nocontent.trim_invoices(integer) TO nocontent_maintainer;

GRANT EXECUTE ON FUNCTION nocontent.frozen_before(integer) TO nocontent_control, nocontent_eraser;

GRANT EXECUTE ON FUNCTION nocontent.kept_since(integer), nocontent.count_expiring(integer, integer),
    nocontent.oldest_row(text, text) TO nocontent_control;
