-- What was refused of a tenant's requests and why, and what came by which token: counts by closed lists. No value, and no
-- name but the contract's. Workers count in memory and add every 10 s, so one that is killed loses what it had counted.
-- Decision 0034. `cause` is a rule, or the problem of a request whose body was not examined; `door` and `field` are
-- numbers of ingest/store/traffic.py. Days are UTC's.
CREATE TABLE nocontent.refusals (
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    requests bigint NOT NULL CHECK (requests >= 0),
    records bigint NOT NULL CHECK (records >= 0),
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    day date NOT NULL,
    door smallint NOT NULL CHECK (door BETWEEN 1 AND 5),
    field smallint NOT NULL CHECK (field BETWEEN 0 AND 28),
    cause text NOT NULL CHECK (cause ~ '^[a-z]+[.]?[a-z0-9-]+$' AND length(cause) <= 64),
    PRIMARY KEY (tenant_id, day, door, cause, field)
);

CREATE INDEX refusals_by_day ON nocontent.refusals (day);

-- `reporter_version` is that of our own reporter, 1002003 for 1.2.3; 0 is any other client, or one that does not say.
-- `lag_ms` is the least time of the day from a batch's last event to its arrival: below 0 the sender's clock is ahead.
CREATE TABLE nocontent.arrivals (
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    requests bigint NOT NULL CHECK (requests >= 0),
    refused bigint NOT NULL CHECK (refused >= 0),
    events bigint NOT NULL CHECK (events >= 0),
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    day date NOT NULL,
    reporter_version integer NOT NULL CHECK (reporter_version BETWEEN 0 AND 999999999),
    lag_ms integer,
    door smallint NOT NULL CHECK (door BETWEEN 1 AND 5),
    token_id text NOT NULL CHECK (token_id ~ '^[0-9a-f]{12}$'),
    PRIMARY KEY (tenant_id, day, token_id, door, reporter_version)
);

CREATE INDEX arrivals_by_day ON nocontent.arrivals (day);

-- Adds to a day's counts, in the order of the key, so that no two workers wait for each other. A cause that is neither a
-- rule nor a problem of the list, and a new one of a tenant with 1,000 rows that day, is `other`. No row is for a tenant
-- that is gone or is being erased: counts that come too late for that are deleted when the erasure is verified.
CREATE FUNCTION nocontent.count_refusals(
    tenants integer[], doors smallint[], causes text[], fields smallint[], more_requests bigint[], more_records bigint[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    problems text[] := ARRAY[
        'scope-missing', 'revoked-token', 'expired-token', 'tenant-disabled', 'media-type-unsupported',
        'encoding-unsupported', 'bad-encoding', 'wire-too-large', 'body-too-large', 'slow-body', 'batch-over-quota',
        'quota-exceeded', 'quota-spent', 'sequence-reused', 'unstorable'
    ];
    added integer;
BEGIN
    IF cardinality(tenants) > 10000 THEN
        RAISE EXCEPTION 'not up to 10,000 counts' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.refusals AS known (
        tenant_id, day, door, cause, field, requests, records, first_at, last_at
    )
    WITH filled AS MATERIALIZED (
        SELECT own.tenant_id FROM nocontent.refusals own
        WHERE own.tenant_id = ANY(tenants) AND own.day = today GROUP BY own.tenant_id HAVING count(*) >= 1000
    ), present AS MATERIALIZED (
        SELECT its.tenant_id FROM nocontent.tenants its
        WHERE its.tenant_id = ANY(tenants) AND NOT EXISTS (
            SELECT FROM nocontent.erasures asked WHERE asked.tenant_id = its.tenant_id AND asked.scope = 'tenant'
        )
    )
    SELECT tenant_id, today, door, cause, field, sum(requests), sum(records), now(), now()
    FROM (
        SELECT given.tenant_id, given.door, given.requests, given.records,
            CASE WHEN kept.it THEN given.cause ELSE 'other' END AS cause,
            CASE WHEN kept.it THEN given.field ELSE 0 END::smallint AS field
        FROM unnest(tenants, doors, causes, fields, more_requests, more_records)
            AS given (tenant_id, door, cause, field, requests, records)
        JOIN present USING (tenant_id)
        LEFT JOIN nocontent.rules listed ON listed.rule = given.cause
        LEFT JOIN filled ON filled.tenant_id = given.tenant_id
        CROSS JOIN LATERAL (
            SELECT (listed.rule IS NOT NULL OR given.cause = ANY(problems)) AND (
                filled.tenant_id IS NULL OR EXISTS (
                    SELECT FROM nocontent.refusals own WHERE own.tenant_id = given.tenant_id AND own.day = today
                        AND own.door = given.door AND own.cause = given.cause AND own.field = given.field
                )
            ) AS it
        ) AS kept
    ) AS closed
    GROUP BY tenant_id, door, cause, field
    ORDER BY tenant_id, door, cause, field
    ON CONFLICT (tenant_id, day, door, cause, field) DO UPDATE SET
        requests = known.requests + excluded.requests, records = known.records + excluded.records, last_at = now();
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;

-- Likewise. A version that is new for a tenant with 1,000 rows that day is 0; a token has to be the tenant's.
CREATE FUNCTION nocontent.count_arrivals(
    tenants integer[], tokens text[], doors smallint[], versions integer[], more_requests bigint[],
    more_refused bigint[], more_events bigint[], lags_ms integer[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    added integer;
BEGIN
    IF cardinality(tenants) > 10000 THEN
        RAISE EXCEPTION 'not up to 10,000 counts' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.arrivals AS known (
        tenant_id, day, token_id, door, reporter_version, requests, refused, events, lag_ms, first_at, last_at
    )
    WITH filled AS MATERIALIZED (
        SELECT own.tenant_id FROM nocontent.arrivals own
        WHERE own.tenant_id = ANY(tenants) AND own.day = today GROUP BY own.tenant_id HAVING count(*) >= 1000
    ), present AS MATERIALIZED (
        SELECT its.tenant_id FROM nocontent.tenants its
        WHERE its.tenant_id = ANY(tenants) AND NOT EXISTS (
            SELECT FROM nocontent.erasures asked WHERE asked.tenant_id = its.tenant_id AND asked.scope = 'tenant'
        )
    )
    SELECT tenant_id, today, token_id, door, version, sum(requests), sum(refused), sum(events), min(lag_ms), now(), now()
    FROM (
        SELECT given.tenant_id, given.token_id, given.door, given.requests, given.refused, given.events, given.lag_ms,
            CASE WHEN filled.tenant_id IS NULL OR EXISTS (
                SELECT FROM nocontent.arrivals own WHERE own.tenant_id = given.tenant_id AND own.day = today
                    AND own.token_id = given.token_id AND own.door = given.door
                    AND own.reporter_version = given.version
            ) THEN given.version ELSE 0 END AS version
        FROM unnest(tenants, tokens, doors, versions, more_requests, more_refused, more_events, lags_ms)
            AS given (tenant_id, token_id, door, version, requests, refused, events, lag_ms)
        JOIN present USING (tenant_id)
        JOIN nocontent.ingest_tokens issued USING (tenant_id, token_id)
        LEFT JOIN filled ON filled.tenant_id = given.tenant_id
    ) AS closed
    GROUP BY tenant_id, token_id, door, version
    ORDER BY tenant_id, token_id, door, version
    ON CONFLICT (tenant_id, day, token_id, door, reporter_version) DO UPDATE SET
        requests = known.requests + excluded.requests, refused = known.refused + excluded.refused,
        events = known.events + excluded.events, lag_ms = least(known.lag_ms, excluded.lag_ms), last_at = now();
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;

-- Of days that are over for 90 days, by the horizon.
CREATE FUNCTION nocontent.trim_traffic(count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    before date := (SELECT horizon + retention_days - 90 FROM nocontent.retention WHERE retention_id = 1);
    of_refusals integer;
    of_arrivals integer;
BEGIN
    DELETE FROM nocontent.refusals WHERE day < before AND ctid = ANY(ARRAY(
        SELECT ctid FROM nocontent.refusals WHERE day < before LIMIT count_max
    ));
    GET DIAGNOSTICS of_refusals = ROW_COUNT;
    DELETE FROM nocontent.arrivals WHERE day < before AND ctid = ANY(ARRAY(
        SELECT ctid FROM nocontent.arrivals WHERE day < before LIMIT count_max
    ));
    GET DIAGNOSTICS of_arrivals = ROW_COUNT;
    RETURN greatest(of_refusals, of_arrivals);
END
$$;

-- The streams of the tenant of the session, by its newest lines of the ledger: a view that is a barrier hides its order, so
-- a query on `own_batches` would read all lines. Lines without a stream are the one whose id is null. A sequence that
-- came before the first line that was read is not missing, so the key is asked where some are.
CREATE FUNCTION nocontent.own_streams(since timestamptz, lines_max integer, streams_max integer)
RETURNS TABLE (
    stream_id uuid, batches bigint, accepted bigint, duplicates bigint, coarsened bigint, missing bigint,
    queue_full bigint, retries_exhausted bigint, refused bigint, shutdown bigint,
    first_at timestamptz, last_at timestamptz, cut_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
    WITH lately AS MATERIALIZED (
        SELECT received_at, CASE WHEN sequence >= 0 THEN line.stream_id END AS stream, sequence, line.accepted,
            line.duplicates, line.coarsened, dropped_queue_full, dropped_retries_exhausted, dropped_refused,
            dropped_shutdown
        FROM nocontent.batches line
        WHERE line.tenant_id = (SELECT nocontent.session_tenant()) AND received_at >= since
        ORDER BY received_at DESC LIMIT least(lines_max, 100000)
    ), summed AS (
        SELECT stream, count(*) AS batches, sum(lately.accepted)::bigint AS accepted,
            sum(lately.duplicates)::bigint AS duplicates, sum(lately.coarsened)::bigint AS coarsened,
            min(sequence) AS first, max(sequence) AS last, sum(dropped_queue_full)::bigint AS queue_full,
            sum(dropped_retries_exhausted)::bigint AS retries_exhausted, sum(dropped_refused)::bigint AS refused,
            sum(dropped_shutdown)::bigint AS shutdown, min(received_at) AS first_at, max(received_at) AS last_at
        FROM lately GROUP BY stream ORDER BY last_at DESC LIMIT least(streams_max, 1000)
    )
    SELECT stream, summed.batches, summed.accepted, summed.duplicates, summed.coarsened,
        CASE WHEN stream IS NULL OR last - first + 1 = summed.batches THEN 0 ELSE last - first + 1 - (
            SELECT count(*) FROM nocontent.batches own
            WHERE own.tenant_id = (SELECT nocontent.session_tenant()) AND own.stream_id = stream
                AND own.sequence BETWEEN first AND last
        ) END,
        summed.queue_full, summed.retries_exhausted, summed.refused, summed.shutdown, summed.first_at, summed.last_at,
        (SELECT CASE WHEN count(*) = least(lines_max, 100000) THEN min(received_at) END FROM lately)
    FROM summed ORDER BY summed.last_at DESC
$$;

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('refusals', 'delete'), ('arrivals', 'delete');

REVOKE EXECUTE ON FUNCTION nocontent.count_refusals(integer[], smallint[], text[], smallint[], bigint[], bigint[]),
    nocontent.count_arrivals(integer[], text[], smallint[], integer[], bigint[], bigint[], bigint[], integer[]),
    nocontent.trim_traffic(integer), nocontent.own_streams(timestamptz, integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.count_refusals(integer[], smallint[], text[], smallint[], bigint[], bigint[]),
    nocontent.count_arrivals(integer[], text[], smallint[], integer[], bigint[], bigint[], bigint[], integer[])
    TO nocontent_writer;

GRANT EXECUTE ON FUNCTION nocontent.trim_traffic(integer) TO nocontent_maintainer;

GRANT EXECUTE ON FUNCTION nocontent.own_streams(timestamptz, integer, integer) TO nocontent_console;

GRANT SELECT (tenant_id) ON nocontent.refusals, nocontent.arrivals TO nocontent_eraser;

GRANT SELECT ON nocontent.refusals, nocontent.arrivals TO nocontent_analyst, nocontent_exporter, nocontent_console;

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('refusals', 'arrivals');
