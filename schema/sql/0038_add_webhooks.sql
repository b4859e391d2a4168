-- Webhooks: addresses of a tenant's own, to which a worker posts what happened as ids and numbers; and the deliveries. A
-- delivery is written in the transaction of its cause and repeated until it is answered, so it comes at least once, each
-- time with the same id. No secret is stored: a key file and the webhook's id make it. Decision 0037.
--
-- The host is a name: what the grammar lets pass is no address in any notation. `localhost` is for development, and
-- ingest/alerts/webhooks/addresses.py refuses it otherwise. Numbers of words are those of ingest/store/webhooks/kinds.py.
CREATE TABLE nocontent.webhooks (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    webhook_id uuid NOT NULL DEFAULT gen_random_uuid(),
    url text NOT NULL CHECK (
        octet_length(url) <= 256
        AND url ~ '^https://(localhost|([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?)(:[1-9][0-9]{0,4})?/([A-Za-z0-9._~!$&()*+,;=:@/-]|%[0-9A-F]{2})*$'
    ),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Since when no delivery was taken; null if the last one was.
    failing_since timestamptz,
    ended_at timestamptz,
    ended_because smallint CHECK (ended_because BETWEEN 1 AND 3),
    PRIMARY KEY (tenant_id, webhook_id),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);

-- `cause` makes a delivery once per webhook and event. `ids` and `numbers` are the event's, in the order of its kind.
CREATE TABLE nocontent.webhook_deliveries (
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 100),
    event smallint NOT NULL CHECK (event BETWEEN 1 AND 5),
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 5),
    answer smallint CHECK (answer BETWEEN 1 AND 12),
    delivery_id uuid NOT NULL DEFAULT gen_random_uuid(),
    webhook_id uuid NOT NULL,
    cause uuid NOT NULL,
    ids uuid[] NOT NULL CHECK (cardinality(ids) <= 8 AND array_position(ids, NULL) IS NULL),
    numbers bigint[] NOT NULL CHECK (cardinality(numbers) <= 16 AND array_position(numbers, NULL) IS NULL),
    PRIMARY KEY (tenant_id, delivery_id),
    UNIQUE (tenant_id, webhook_id, event, cause)
);

CREATE INDEX webhook_deliveries_due ON nocontent.webhook_deliveries (tenant_id, webhook_id, not_before)
    WHERE state IN (1, 2);

CREATE INDEX webhook_deliveries_by_end ON nocontent.webhook_deliveries (changed_at) WHERE state NOT IN (1, 2);

ALTER TABLE nocontent.webhooks ALTER COLUMN url SET STATISTICS 0;

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('webhooks', 'delete'), ('webhook_deliveries', 'delete');

INSERT INTO nocontent.jobs (job) VALUES ('webhooks');

INSERT INTO nocontent.job_figures (figure, is_total) VALUES
    ('webhooks_delivered', true), ('webhooks_failed', true), ('webhooks_given_up', true), ('webhooks_ended', true),
    ('webhooks_waiting', false), ('webhooks_failing', false), ('webhook_oldest_s', false);

-- A broken CHECK would put the row, and so the address, into PostgreSQL's log; what is caught is not logged.
CREATE FUNCTION nocontent.add_webhook(tenant integer, its_url text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    made uuid;
BEGIN
    PERFORM FROM nocontent.tenants WHERE tenant_id = tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'no_data_found';
    END IF;
    IF (SELECT count(*) FROM nocontent.webhooks WHERE tenant_id = tenant AND ended_at IS NULL) >= 5 THEN
        RAISE EXCEPTION 'too many webhooks' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    BEGIN
        INSERT INTO nocontent.webhooks (tenant_id, url) VALUES (tenant, its_url) RETURNING webhook_id INTO made;
    EXCEPTION WHEN integrity_constraint_violation THEN
        RAISE EXCEPTION 'not an address for a webhook' USING ERRCODE = SQLSTATE;
    END;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'webhook.add');
    RETURN made;
END
$$;

-- What waits for it is not sent any more; what is being put meanwhile comes first, or is not put. Ended webhooks stay as long
-- as deliveries of theirs.
CREATE FUNCTION nocontent.end_webhook(tenant integer, webhook uuid, because smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM FROM nocontent.webhooks WHERE tenant_id = tenant AND webhook_id = webhook FOR UPDATE;
    UPDATE nocontent.webhooks SET ended_at = now(), ended_because = because
    WHERE tenant_id = tenant AND webhook_id = webhook AND ended_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE nocontent.webhook_deliveries SET state = 5, changed_at = now()
    WHERE tenant_id = tenant AND webhook_id = webhook AND state IN (1, 2);
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'webhook.end');
    RETURN true;
END
$$;

-- In the transaction of the cause: a delivery to a webhook, or to each of the tenant's if `webhook` is null. Returns how
-- many are new. None is for a webhook that has ended, nor for a tenant that is being erased.
CREATE FUNCTION nocontent.put_webhook(
    tenant integer, webhook uuid, its_event smallint, its_ids uuid[], its_numbers bigint[], its_cause uuid
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    added integer;
BEGIN
    INSERT INTO nocontent.webhook_deliveries (tenant_id, webhook_id, event, ids, numbers, cause)
    SELECT tenant, known.webhook_id, its_event, its_ids, its_numbers, its_cause
    FROM nocontent.webhooks known
    WHERE known.tenant_id = tenant AND known.ended_at IS NULL AND (webhook IS NULL OR known.webhook_id = webhook)
        AND NOT EXISTS (SELECT FROM nocontent.erasures asked WHERE asked.tenant_id = tenant AND asked.scope = 'tenant')
    FOR KEY SHARE OF known
    ON CONFLICT (tenant_id, webhook_id, event, cause) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;

-- A test: 10 an hour for each webhook, so that nobody uses this service to knock at others. Returns its delivery, or null.
CREATE FUNCTION nocontent.test_webhook(tenant integer, webhook uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    made uuid := gen_random_uuid();
BEGIN
    PERFORM FROM nocontent.webhooks
    WHERE tenant_id = tenant AND webhook_id = webhook AND ended_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF (
        SELECT count(*) FROM nocontent.webhook_deliveries
        WHERE tenant_id = tenant AND webhook_id = webhook AND event = 3 AND created_at > now() - interval '1 hour'
    ) >= 10 THEN
        RAISE EXCEPTION 'too many tests' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.webhook_deliveries (tenant_id, webhook_id, event, ids, numbers, cause, delivery_id)
    VALUES (tenant, webhook, 3, '{}', '{}', made, made);
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'webhook.test');
    RETURN made;
END
$$;

-- Takes what is due: of each webhook four at once, or one if it fails, so that slow receivers hold up none of the others.
-- Whoever takes a delivery has a minute to settle it; after that it is due again.
CREATE FUNCTION nocontent.claim_webhooks(most integer) RETURNS TABLE (
    its_tenant integer, its_delivery uuid, its_webhook uuid, its_url text, its_event smallint, its_ids uuid[],
    its_numbers bigint[], its_attempt smallint, its_created_at timestamptz
)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
    WITH busy AS MATERIALIZED (
        SELECT tenant_id, webhook_id, count(*) AS sending FROM nocontent.webhook_deliveries
        WHERE state = 2 AND not_before > clock_timestamp() GROUP BY tenant_id, webhook_id
    ), due AS MATERIALIZED (
        SELECT waiting.tenant_id, waiting.delivery_id
        FROM nocontent.webhooks known
        LEFT JOIN busy ON busy.tenant_id = known.tenant_id AND busy.webhook_id = known.webhook_id
        CROSS JOIN LATERAL (
            SELECT own.tenant_id, own.delivery_id, own.not_before, row_number() OVER (ORDER BY own.not_before) AS place
            FROM nocontent.webhook_deliveries own
            WHERE own.tenant_id = known.tenant_id AND own.webhook_id = known.webhook_id AND own.state IN (1, 2)
                AND own.not_before <= clock_timestamp()
            ORDER BY own.not_before
            LIMIT greatest(0, CASE WHEN known.failing_since IS NULL THEN 4 ELSE 1 END - coalesce(busy.sending, 0))
        ) AS waiting
        WHERE known.ended_at IS NULL
        ORDER BY waiting.place, waiting.not_before LIMIT least(most, 1000)
    ), taken AS (
        SELECT own.tenant_id, own.delivery_id FROM nocontent.webhook_deliveries own
        JOIN due ON due.tenant_id = own.tenant_id AND due.delivery_id = own.delivery_id
        WHERE own.state IN (1, 2) AND own.not_before <= clock_timestamp()
        FOR UPDATE OF own SKIP LOCKED
    )
    UPDATE nocontent.webhook_deliveries claimed SET state = 2, attempts = least(claimed.attempts + 1, 100),
        not_before = clock_timestamp() + interval '1 minute', changed_at = clock_timestamp()
    FROM taken, nocontent.webhooks known
    WHERE claimed.tenant_id = taken.tenant_id AND claimed.delivery_id = taken.delivery_id
        AND known.tenant_id = claimed.tenant_id AND known.webhook_id = claimed.webhook_id
    RETURNING claimed.tenant_id, claimed.delivery_id, claimed.webhook_id, known.url, claimed.event, claimed.ids,
        claimed.numbers, claimed.attempts, claimed.created_at
$$;

-- What became of an attempt: 3 delivered, 1 to be repeated after some seconds, 4 given up. Nothing changes if it was settled
-- or taken again meanwhile, unless it is known to be delivered. The webhook is locked first, as by its end. Returns why the
-- webhook ended with it: 2 as its address is gone, 3 after three days without a delivery that was taken; or 0.
CREATE FUNCTION nocontent.settle_webhook(
    tenant integer, delivery uuid, attempt smallint, outcome smallint, its_answer smallint, rest_s integer
) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    its_webhook uuid;
    since timestamptz;
    because smallint := 0;
BEGIN
    IF outcome NOT IN (1, 3, 4) THEN
        RAISE EXCEPTION 'not an outcome' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM FROM nocontent.webhooks WHERE tenant_id = tenant AND webhook_id = (
        SELECT webhook_id FROM nocontent.webhook_deliveries WHERE tenant_id = tenant AND delivery_id = delivery
    ) FOR NO KEY UPDATE;
    UPDATE nocontent.webhook_deliveries SET state = outcome, answer = its_answer, changed_at = clock_timestamp(),
        not_before = CASE outcome WHEN 1 THEN clock_timestamp() + rest_s * interval '1 second' ELSE not_before END
    WHERE tenant_id = tenant AND delivery_id = delivery AND (
        state = 2 AND attempts = attempt OR state IN (1, 2, 4) AND outcome = 3
    )
    RETURNING webhook_id INTO its_webhook;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    UPDATE nocontent.webhooks
    SET failing_since = CASE outcome WHEN 3 THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END
    WHERE tenant_id = tenant AND webhook_id = its_webhook AND ended_at IS NULL AND (outcome <> 3 OR failing_since IS NOT NULL)
    RETURNING failing_since INTO since;
    IF outcome = 4 AND its_answer = 6 THEN
        because := 2;
    ELSIF since < clock_timestamp() - interval '3 days' THEN
        because := 3;
    END IF;
    IF because > 0 AND NOT nocontent.end_webhook(tenant, its_webhook, because) THEN
        RETURN 0;
    END IF;
    RETURN because;
END
$$;

-- What waits, over all tenants, for whoever watches; the oldest is of webhooks that do not fail.
CREATE FUNCTION nocontent.webhooks_standing(OUT waiting bigint, OUT failing bigint, OUT oldest_s bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*), (SELECT count(*) FROM nocontent.webhooks WHERE ended_at IS NULL AND failing_since IS NOT NULL),
        coalesce(max(extract(epoch FROM clock_timestamp() - own.not_before)) FILTER (
            WHERE own.not_before <= clock_timestamp() AND known.failing_since IS NULL
        ), 0)::bigint
    FROM nocontent.webhook_deliveries own
    JOIN nocontent.webhooks known ON known.tenant_id = own.tenant_id AND known.webhook_id = own.webhook_id
    WHERE own.state IN (1, 2)
$$;

-- Deliveries that ended 90 days ago, by the horizon, and webhooks that ended as long ago and have none left.
CREATE FUNCTION nocontent.trim_webhooks(count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    before timestamptz := (SELECT (horizon + retention_days - 90)::timestamptz FROM nocontent.retention WHERE retention_id = 1);
    trimmed integer;
BEGIN
    DELETE FROM nocontent.webhook_deliveries WHERE changed_at < before AND state NOT IN (1, 2) AND ctid = ANY(ARRAY(
        SELECT ctid FROM nocontent.webhook_deliveries WHERE changed_at < before AND state NOT IN (1, 2) LIMIT count_max
    ));
    GET DIAGNOSTICS trimmed = ROW_COUNT;
    DELETE FROM nocontent.webhooks known WHERE known.ended_at < before AND NOT EXISTS (
        SELECT FROM nocontent.webhook_deliveries own
        WHERE own.tenant_id = known.tenant_id AND own.webhook_id = known.webhook_id
    );
    RETURN trimmed;
END
$$;

-- From the console: of the session's tenant, by an owner or an admin.
CREATE FUNCTION nocontent.own_managed() RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record := nocontent.current_session();
BEGIN
    IF own.session_tenant IS NULL OR own.session_role NOT IN ('owner', 'admin') THEN
        RAISE EXCEPTION 'not an owner or admin' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN own.session_tenant;
END
$$;

-- Twenty an hour: so many that end by 410 each make a letter for every owner and admin, and each may be tested.
CREATE FUNCTION nocontent.own_add_webhook(its_url text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant integer := nocontent.own_managed();
BEGIN
    IF (
        SELECT at FROM nocontent.audit WHERE tenant_id = tenant AND act = 'webhook.add'
        ORDER BY audit_id DESC LIMIT 1 OFFSET 19
    ) > now() - interval '1 hour' THEN
        RAISE EXCEPTION 'too many webhooks' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    RETURN nocontent.add_webhook(tenant, its_url);
END
$$;

CREATE FUNCTION nocontent.own_end_webhook(webhook uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nocontent.end_webhook(nocontent.own_managed(), webhook, 1::smallint);
END
$$;

CREATE FUNCTION nocontent.own_test_webhook(webhook uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nocontent.test_webhook(nocontent.own_managed(), webhook);
END
$$;

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('webhooks', 'webhook_deliveries');

REVOKE EXECUTE ON FUNCTION nocontent.add_webhook, nocontent.end_webhook, nocontent.put_webhook, nocontent.test_webhook,
    nocontent.claim_webhooks, nocontent.settle_webhook, nocontent.webhooks_standing, nocontent.trim_webhooks,
    nocontent.own_managed, nocontent.own_add_webhook, nocontent.own_end_webhook, nocontent.own_test_webhook FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.add_webhook, nocontent.end_webhook, nocontent.test_webhook TO nocontent_control;

GRANT EXECUTE ON FUNCTION nocontent.own_add_webhook, nocontent.own_end_webhook, nocontent.own_test_webhook
    TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.put_webhook TO nocontent_mailer, nocontent_biller, nocontent_eraser;

GRANT EXECUTE ON FUNCTION nocontent.claim_webhooks, nocontent.settle_webhook, nocontent.webhooks_standing
    TO nocontent_mailer;

GRANT EXECUTE ON FUNCTION nocontent.trim_webhooks TO nocontent_maintainer;

GRANT SELECT ON nocontent.webhooks, nocontent.webhook_deliveries TO nocontent_console, nocontent_control,
    nocontent_exporter;

GRANT SELECT (tenant_id) ON nocontent.webhooks, nocontent.webhook_deliveries TO nocontent_eraser;
