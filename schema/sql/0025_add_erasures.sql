-- Erasures: an operator records one, and a job carries it out step by step. Functions that run as the owner delete, and
-- only what a recorded erasure names; nobody has DELETE. No column holds free text. Decision 0026.
--
-- Roles are made by the login itself, since the owner may not. One without CREATEROLE needs them made before.
DO $$
DECLARE
    was text := current_setting('role');
BEGIN
    PERFORM set_config('role', 'none', true);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nocontent_eraser') THEN
        CREATE ROLE nocontent_eraser NOLOGIN;
        IF NOT pg_has_role('nocontent_eraser',
            CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT nocontent_eraser TO %I', current_user);
        END IF;
    END IF;
    PERFORM set_config('role', was, true);
END
$$;

GRANT USAGE ON SCHEMA nocontent TO nocontent_eraser;

-- An erasure outlives what it erased, since its number of a tenant is never given again. The range of times is `first`
-- to `last`, both included; a tag without `first` has it in all events until `last`, and its word goes as well. A
-- stream's lines of the ledger go up to `sequence`. `step` is the last one that is done.
CREATE TABLE nocontent.erasures (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    erasure_id uuid NOT NULL,
    scope text NOT NULL CHECK (scope IN ('tenant', 'range', 'stream', 'tag', 'events')),
    first timestamptz,
    last timestamptz,
    stream_id uuid,
    sequence bigint CHECK (sequence >= 0),
    term_id smallint CHECK (term_id > 0),
    revision bigint NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    step text NOT NULL DEFAULT 'requested' CHECK (step IN (
        'requested', 'ordered', 'barred', 'erased', 'cleared', 'summed', 'vacuumed', 'verified', 'finished'
    )),
    step_at timestamptz NOT NULL DEFAULT now(),
    ordered_at timestamptz,
    -- Null if the space was still taken when the job went on.
    vacuumed_at timestamptz,
    verified_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, erasure_id),
    CHECK ((scope IN ('range', 'tag', 'events')) = (last IS NOT NULL)),
    CHECK (scope = 'tag' OR (first IS NULL) = (last IS NULL)),
    CHECK (first <= last AND (scope = 'events' OR last <= requested_at)),
    CHECK ((scope = 'stream') = (stream_id IS NOT NULL) AND (stream_id IS NULL) = (sequence IS NULL)),
    CHECK ((scope = 'tag') = (term_id IS NOT NULL)),
    CHECK ((step = 'finished') = (finished_at IS NOT NULL))
);

-- For the greatest revision, which a writer compares in each of its transactions.
CREATE INDEX erasures_revision ON nocontent.erasures (revision);

CREATE TABLE nocontent.erasure_events (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    erasure_id uuid NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, erasure_id, event_id)
);

-- A digest of a word that is not to be learned again while a sender may still have it: HMAC-SHA256 with a salt of the
-- erasure's own. Deleted when that time is over.
CREATE TABLE nocontent.erased_words (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    erasure_id uuid NOT NULL,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 5),
    parent_id smallint NOT NULL CHECK (parent_id >= 0 AND (parent_id > 0) = (kind = 5)),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, erasure_id, kind, parent_id)
);

-- What an erasure of a tenant does with each table: the owner's own list, which guards the functions below. A test
-- compares it with ingest/store/tenant_tables.py. A migration that adds a table with rows of tenants adds it here.
CREATE TABLE nocontent.tenant_tables (
    table_name text PRIMARY KEY CHECK (table_name ~ '^[a-z][a-z_]{0,62}$'),
    erased text NOT NULL CHECK (erased IN ('delete', 'reduce', 'keep'))
);

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES
    ('events', 'delete'), ('batches', 'delete'), ('usage_marks', 'delete'), ('usage', 'delete'),
    ('vocabulary', 'delete'), ('prices', 'delete'), ('readers', 'delete'), ('ingest_tokens', 'delete'),
    ('subscriptions', 'delete'), ('processor_customers', 'delete'), ('processor_events', 'delete'),
    ('audit', 'reduce'), ('invoices', 'keep'), ('invoice_lines', 'keep'), ('handovers', 'keep'),
    ('payments', 'keep'), ('erasures', 'keep'), ('erasure_counts', 'keep'), ('erasure_events', 'delete'),
    ('erased_words', 'delete'), ('tenants', 'delete');

-- The numbers of a receipt, by table and day (of events and batches; else -infinity), each written in the transaction
-- of its rows. `events` are those that erased lines of the ledger had accepted.
CREATE TABLE nocontent.erasure_counts (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    erasure_id uuid NOT NULL,
    table_name text NOT NULL REFERENCES nocontent.tenant_tables,
    day date NOT NULL DEFAULT '-infinity',
    erased bigint NOT NULL DEFAULT 0 CHECK (erased >= 0),
    reduced bigint NOT NULL DEFAULT 0 CHECK (reduced >= 0),
    kept bigint NOT NULL DEFAULT 0 CHECK (kept >= 0),
    events bigint NOT NULL DEFAULT 0 CHECK (events >= 0),
    PRIMARY KEY (tenant_id, erasure_id, table_name, day)
);

-- The time of an event, which its id begins with.
CREATE FUNCTION nocontent.time_of_event(event_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '1970-01-01T00:00:00Z'::timestamptz
        + ('x' || left(replace(event_id::text, '-', ''), 12))::bit(48)::bigint * interval '1 millisecond'
$$;

-- The guard of every function that deletes: nothing goes before the order is written and writers are barred.
CREATE FUNCTION nocontent.erasure_in_progress(tenant integer, erasure uuid) RETURNS nocontent.erasures
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known nocontent.erasures;
BEGIN
    SELECT * INTO known FROM nocontent.erasures
    WHERE tenant_id = tenant AND erasure_id = erasure
        AND step IN ('barred', 'erased', 'cleared', 'summed', 'vacuumed');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no erasure in progress' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN known;
END
$$;

-- By what an order knows its tenant, and a tag's key and value, again. Only until the order is written.
CREATE FUNCTION nocontent.subject_of_erasure(
    tenant integer, erasure uuid, OUT created_at timestamptz, OUT tag_key text, OUT tag_value text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT known.created_at, tag.tag_key, tag.tag_value
    FROM nocontent.erasures asked
    JOIN nocontent.tenants known USING (tenant_id)
    LEFT JOIN nocontent.tag_names tag ON tag.tenant_id = asked.tenant_id AND tag.term_id = asked.term_id
    WHERE asked.tenant_id = tenant AND asked.erasure_id = erasure AND asked.step = 'requested'
$$;

CREATE FUNCTION nocontent.count_erased(
    tenant integer, erasure uuid, its_table text, its_day date, more_erased bigint, more_reduced bigint,
    more_events bigint
) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO nocontent.erasure_counts AS known (tenant_id, erasure_id, table_name, day, erased, reduced, events)
    VALUES (tenant, erasure, its_table, its_day, more_erased, more_reduced, more_events)
    ON CONFLICT (tenant_id, erasure_id, table_name, day) DO UPDATE SET erased = known.erased + excluded.erased,
        reduced = known.reduced + excluded.reduced, events = known.events + excluded.events
$$;

-- The next step, and no other. `barred` is for `bar_writers` alone.
CREATE FUNCTION nocontent.advance_erasure(tenant integer, erasure uuid, reached text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    steps text[] := ARRAY['requested', 'ordered', 'barred', 'erased', 'cleared', 'summed', 'vacuumed', 'verified',
        'finished'];
BEGIN
    UPDATE nocontent.erasures SET step = reached, step_at = clock_timestamp(),
        ordered_at = CASE reached WHEN 'ordered' THEN clock_timestamp() ELSE ordered_at END,
        verified_at = CASE reached WHEN 'verified' THEN clock_timestamp() ELSE verified_at END,
        finished_at = CASE reached WHEN 'finished' THEN clock_timestamp() ELSE finished_at END
    WHERE tenant_id = tenant AND erasure_id = erasure AND reached <> 'barred'
        AND array_position(steps, step) + 1 = array_position(steps, reached);
    IF FOUND AND reached = 'finished' THEN
        INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'erasure.finish');
    END IF;
    RETURN FOUND;
END
$$;

-- A writer's transaction writes to the ledger before it writes events. So whoever has this lock knows that each writer
-- that began to write before the erasure was committed has ended; each later one sees the erasure.
CREATE FUNCTION nocontent.bar_writers(tenant integer, erasure uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '150ms'
SET client_min_messages = error
AS $$
BEGIN
    PERFORM FROM nocontent.erasures WHERE tenant_id = tenant AND erasure_id = erasure AND step = 'ordered' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no erasure to begin' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    LOCK TABLE nocontent.batches IN SHARE MODE;
    UPDATE nocontent.erasures SET step = 'barred', step_at = clock_timestamp()
    WHERE tenant_id = tenant AND erasure_id = erasure;
END
$$;

-- Looks at the next rows of a day, in the order of the key after a place, and deletes those that the erasure names. The
-- hours of a day that has all its rows are marked to be summed again. A table of a day that is detached counts as well.
CREATE FUNCTION nocontent.erase_events(
    tenant integer, erasure uuid, of_day date, after_at timestamptz, after_id uuid, rows_max integer,
    OUT seen integer, OUT erased integer, OUT last_at timestamptz, OUT last_id uuid
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    day_table text := 'events_' || to_char(of_day, 'YYYYMMDD');
    first_erased timestamptz;
    last_erased timestamptz;
BEGIN
    seen := 0;
    erased := 0;
    IF rows_max NOT BETWEEN 1 AND 5000 OR day_table !~ '^events_[0-9]{8}$' THEN
        RAISE EXCEPTION 'not a slice to erase';
    END IF;
    IF known.scope = 'stream' OR to_regclass('nocontent.' || day_table) IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        $slice$
        WITH slice AS MATERIALIZED (%s),
        gone AS (
            DELETE FROM nocontent.%I AS event USING slice
            WHERE slice.is_named AND event.tenant_id = $1 AND event.occurred_at = slice.occurred_at
                AND event.event_id = slice.event_id
            RETURNING event.occurred_at
        ),
        place AS (SELECT occurred_at, event_id FROM slice ORDER BY occurred_at DESC, event_id DESC LIMIT 1)
        SELECT (SELECT count(*) FROM slice), (SELECT count(*) FROM gone), (SELECT occurred_at FROM place),
            (SELECT event_id FROM place), (SELECT min(occurred_at) FROM gone), (SELECT max(occurred_at) FROM gone)
        $slice$,
        CASE known.scope
            WHEN 'events' THEN $ids$
                SELECT nocontent.time_of_event(event_id) AS occurred_at, event_id, true AS is_named
                FROM nocontent.erasure_events
                WHERE tenant_id = $1 AND erasure_id = $2
                    AND nocontent.time_of_event(event_id) >= $7 AND nocontent.time_of_event(event_id) < $7 + interval '1 day'
                    AND (nocontent.time_of_event(event_id), event_id) > ($3, $4)
                ORDER BY 1, 2 LIMIT $5
            $ids$
            ELSE format(
                $rows$
                SELECT occurred_at, event_id, $6 IS NULL OR $6 IN (tag_1, tag_2, tag_3, tag_4) AS is_named
                FROM nocontent.%I
                WHERE tenant_id = $1 AND (occurred_at, event_id) > ($3, $4) AND occurred_at >= $8 AND occurred_at <= $9
                    AND $2 IS NOT NULL AND $7 IS NOT NULL
                ORDER BY occurred_at, event_id LIMIT $5
                $rows$, day_table
            )
        END,
        day_table
    )
    INTO seen, erased, last_at, last_id, first_erased, last_erased
    USING tenant, erasure, after_at, after_id, rows_max, known.term_id, of_day::timestamptz,
        coalesce(known.first, '-infinity'), coalesce(known.last, 'infinity');
    IF erased > 0 THEN
        PERFORM nocontent.count_erased(tenant, erasure, 'events', of_day, erased, 0, 0);
        IF known.scope <> 'tenant' THEN
            INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
            VALUES (tenant, first_erased, last_erased, 0, NULL);
        END IF;
    END IF;
END
$$;

-- Of a tenant: rows of a table on the list; the job comes to `tenants` last. Of a stream: its lines of the ledger. Of a
-- range: sums of frozen days (nothing is left of those but sums), of periods that lie within it.
CREATE FUNCTION nocontent.erase_rows(tenant integer, erasure uuid, its_table text, rows_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    deleted integer := 0;
    lines record;
BEGIN
    IF rows_max NOT BETWEEN 1 AND 5000 THEN
        RAISE EXCEPTION 'not a slice to erase';
    END IF;
    IF known.scope IN ('tenant', 'stream') AND its_table = 'batches' THEN
        FOR lines IN
            WITH gone AS (
                DELETE FROM nocontent.batches
                WHERE tenant_id = tenant AND (stream_id, sequence) IN (
                    SELECT stream_id, sequence FROM nocontent.batches
                    WHERE tenant_id = tenant AND (
                        known.scope = 'tenant'
                        OR stream_id = known.stream_id AND sequence BETWEEN 0 AND known.sequence
                    ) LIMIT rows_max
                )
                RETURNING received_at::date AS day, accepted
            )
            SELECT day, count(*) AS lines, sum(accepted)::bigint AS accepted FROM gone GROUP BY day
        LOOP
            PERFORM nocontent.count_erased(tenant, erasure, 'batches', lines.day, lines.lines, 0, lines.accepted);
            deleted := deleted + lines.lines;
        END LOOP;
        RETURN deleted;
    ELSIF known.scope = 'range' AND its_table = 'usage' THEN
        DELETE FROM nocontent.usage WHERE tenant_id = tenant AND ctid = ANY(ARRAY(
            SELECT ctid FROM nocontent.usage
            WHERE tenant_id = tenant AND at >= known.first
                AND at < nocontent.frozen_before(tenant)::timestamptz
                AND at + (ARRAY['15 minutes', '1 hour', '1 day', '1 hour', '1 day'])[grain]::interval
                    <= known.last + interval '1 microsecond'
            LIMIT rows_max
        ));
    ELSIF known.scope = 'tenant' AND its_table <> 'events'
        AND EXISTS (SELECT FROM nocontent.tenant_tables WHERE table_name = its_table AND erased = 'delete') THEN
        EXECUTE format(
            'DELETE FROM nocontent.%1$I WHERE tenant_id = $1 AND ctid = ANY(ARRAY('
            'SELECT ctid FROM nocontent.%1$I WHERE tenant_id = $1 LIMIT $2))', its_table
        ) USING tenant, rows_max;
    ELSE
        RAISE EXCEPTION 'not a table to erase';
    END IF;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted > 0 THEN
        PERFORM nocontent.count_erased(tenant, erasure, its_table, '-infinity', deleted, 0, 0);
    END IF;
    RETURN deleted;
END
$$;

-- Lines of the audit stay, without the ids of tokens and terms that are gone.
CREATE FUNCTION nocontent.reduce_audit(tenant integer, erasure uuid, rows_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    changed integer;
BEGIN
    UPDATE nocontent.audit SET kind = NULL, term_id = NULL, token_id = NULL
    WHERE tenant_id = tenant AND audit_id IN (
        SELECT audit_id FROM nocontent.audit
        WHERE tenant_id = tenant AND num_nonnulls(kind, term_id, token_id) > 0 AND (
            known.scope = 'tenant'
            OR known.scope = 'tag' AND known.first IS NULL AND kind = 5 AND term_id = known.term_id
        )
        LIMIT rows_max
    );
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed > 0 THEN
        PERFORM nocontent.count_erased(tenant, erasure, 'audit', '-infinity', 0, changed, 0);
    END IF;
    RETURN changed;
END
$$;

-- Of a tag in all events: its word is overwritten, so that sums which still have its id are nobody's. Workers read it
-- again by the revision.
CREATE FUNCTION nocontent.erase_word(tenant integer, erasure uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    taken bigint;
BEGIN
    IF known.scope <> 'tag' OR known.first IS NOT NULL OR EXISTS (
        SELECT FROM nocontent.erasure_counts
        WHERE tenant_id = tenant AND erasure_id = erasure AND table_name = 'vocabulary'
    ) THEN
        RETURN false;
    END IF;
    UPDATE nocontent.control SET revision = revision + 1 WHERE control_id = 1 RETURNING revision INTO STRICT taken;
    UPDATE nocontent.vocabulary AS named
    SET term = 'erased-' || term_id || CASE WHEN EXISTS (
            SELECT FROM nocontent.vocabulary other
            WHERE other.tenant_id = tenant AND other.kind = 5 AND other.parent_id = named.parent_id
                AND other.term = 'erased-' || named.term_id
        ) THEN '-' || left(erasure::text, 8) ELSE '' END,
        learned = false, retired_at = coalesce(retired_at, now()), revision = taken
    WHERE tenant_id = tenant AND kind = 5 AND term_id = known.term_id;
    IF FOUND THEN
        PERFORM nocontent.count_erased(tenant, erasure, 'vocabulary', '-infinity', 0, 1, 0);
    END IF;
    RETURN FOUND;
END
$$;

-- Of a tenant: what stays in a table that is reduced or kept.
CREATE FUNCTION nocontent.count_kept(tenant integer, erasure uuid, its_table text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    found bigint;
BEGIN
    IF known.scope <> 'tenant' OR NOT EXISTS (
        SELECT FROM nocontent.tenant_tables WHERE table_name = its_table AND erased IN ('reduce', 'keep')
    ) THEN
        RAISE EXCEPTION 'not a table that is kept';
    END IF;
    EXECUTE format('SELECT count(*) FROM nocontent.%I WHERE tenant_id = $1', its_table) INTO found USING tenant;
    PERFORM nocontent.count_erased(tenant, erasure, its_table, '-infinity', 0, 0, 0);
    UPDATE nocontent.erasure_counts SET kept = found - CASE erasure_counts.table_name WHEN 'audit' THEN reduced ELSE 0 END
    WHERE tenant_id = tenant AND erasure_id = erasure AND table_name = its_table AND day = '-infinity';
    RETURN found;
END
$$;

-- A dead row's bytes stay until VACUUM has been there. These settings make autovacuum come at its next turn, whatever
-- share of the table is dead; `vacuum_as_usual` puts them back. Neither stops a writer.
CREATE FUNCTION nocontent.vacuum_soon(tenant integer, erasure uuid, its_table text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.erasure_in_progress(tenant, erasure);
    IF its_table !~ '^events_[0-9]{8}$' AND its_table NOT IN ('batches', 'usage')
        OR (SELECT relkind IS DISTINCT FROM 'r' FROM pg_class WHERE oid = to_regclass('nocontent.' || its_table)) THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'ALTER TABLE nocontent.%I SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)', its_table
    );
    RETURN true;
END
$$;

CREATE FUNCTION nocontent.vacuum_as_usual(its_table text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
BEGIN
    IF its_table !~ '^events_[0-9]{8}$' AND its_table NOT IN ('batches', 'usage')
        OR to_regclass('nocontent.' || its_table) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'ALTER TABLE nocontent.%I RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)', its_table
    );
    RETURN true;
END
$$;

-- PostgreSQL keeps samples of a column's values for its planner, also of values that are gone, until it samples again.
-- No query needs samples of names. Those of terms are renewed.
ALTER TABLE nocontent.tenants ALTER COLUMN name SET STATISTICS 0;

ALTER TABLE nocontent.readers ALTER COLUMN login SET STATISTICS 0;

CREATE FUNCTION nocontent.sample_again(tenant integer, erasure uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.erasure_in_progress(tenant, erasure);
    ANALYZE nocontent.vocabulary;
END
$$;

CREATE FUNCTION nocontent.note_vacuumed(tenant integer, erasure uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
BEGIN
    PERFORM nocontent.erasure_in_progress(tenant, erasure);
    UPDATE nocontent.erasures SET vacuumed_at = clock_timestamp() WHERE tenant_id = tenant AND erasure_id = erasure;
END
$$;

-- Digests that nothing can need any more, and the ids of erasures that are done and out of the window of events. The
-- horizon decides, which no clock moves by more than a day in a day.
CREATE FUNCTION nocontent.trim_erasures() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    before timestamptz := (
        SELECT horizon::timestamp AT TIME ZONE 'UTC' FROM nocontent.retention WHERE retention_id = 1
    );
    words integer;
    ids integer;
BEGIN
    DELETE FROM nocontent.erased_words WHERE until < before;
    GET DIAGNOSTICS words = ROW_COUNT;
    DELETE FROM nocontent.erasure_events named USING nocontent.erasures known
    WHERE known.tenant_id = named.tenant_id AND known.erasure_id = named.erasure_id
        AND known.step = 'finished' AND known.last < before;
    GET DIAGNOSTICS ids = ROW_COUNT;
    RETURN words + ids;
END
$$;

-- The job, and its figures for whoever watches.
ALTER TABLE nocontent.jobs DROP CONSTRAINT jobs_job_check;

ALTER TABLE nocontent.jobs ADD CONSTRAINT jobs_job_check
    CHECK (job IN ('rollup', 'compare', 'close', 'hand_over', 'erase', 'retain'));

INSERT INTO nocontent.jobs (job) VALUES ('erase');

ALTER TABLE nocontent.job_figures DROP CONSTRAINT job_figures_figure_check;

ALTER TABLE nocontent.job_figures ADD CONSTRAINT job_figures_figure_check CHECK (figure ~ '^[a-z]+(_[a-z]+){0,7}$');

INSERT INTO nocontent.job_figures (figure, is_total) VALUES
    ('rows_erased', true), ('erasures_finished', true), ('erasures_open', false), ('erasure_oldest_s', false);

REVOKE EXECUTE ON FUNCTION nocontent.time_of_event, nocontent.erasure_in_progress, nocontent.subject_of_erasure,
    nocontent.count_erased,
    nocontent.advance_erasure, nocontent.bar_writers, nocontent.erase_events, nocontent.erase_rows,
    nocontent.reduce_audit, nocontent.erase_word, nocontent.count_kept, nocontent.vacuum_soon,
    nocontent.vacuum_as_usual, nocontent.sample_again, nocontent.note_vacuumed, nocontent.trim_erasures FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.time_of_event, nocontent.subject_of_erasure, nocontent.advance_erasure, nocontent.bar_writers,
    nocontent.erase_events, nocontent.erase_rows, nocontent.reduce_audit, nocontent.erase_word, nocontent.count_kept,
    nocontent.vacuum_soon, nocontent.vacuum_as_usual, nocontent.sample_again, nocontent.note_vacuumed,
    nocontent.trim_erasures,
    nocontent.begin_job(text, interval), nocontent.finish_job(text, interval, boolean, text[], bigint[])
    TO nocontent_eraser;

GRANT INSERT (tenant_id, erasure_id, scope, first, last, stream_id, sequence, term_id, revision), SELECT
    ON nocontent.erasures TO nocontent_control;

GRANT INSERT, SELECT ON nocontent.erasure_events, nocontent.erased_words TO nocontent_control;

GRANT SELECT ON nocontent.erasure_counts TO nocontent_control;

GRANT SELECT ON nocontent.erasures, nocontent.erasure_events, nocontent.erased_words TO nocontent_writer;

GRANT SELECT ON nocontent.erasures, nocontent.erasure_counts, nocontent.erasure_events, nocontent.erased_words,
    nocontent.tenant_tables, nocontent.jobs, nocontent.job_figures, nocontent.retention TO nocontent_eraser;

-- Ids, to count what there is to erase and what is left: no cost, no time but an event's own, no name, no hash.
GRANT SELECT (tenant_id, occurred_at, event_id, tag_1, tag_2, tag_3, tag_4) ON nocontent.events TO nocontent_eraser;

GRANT SELECT (tenant_id, stream_id, sequence, received_at, accepted) ON nocontent.batches TO nocontent_eraser;

GRANT SELECT (tenant_id, grain, at) ON nocontent.usage TO nocontent_eraser;

GRANT SELECT (tenant_id, first, last, events) ON nocontent.usage_marks TO nocontent_eraser;

GRANT SELECT (tenant_id, kind, term_id, parent_id, retired_at) ON nocontent.vocabulary TO nocontent_eraser;

GRANT SELECT (tenant_id, kind, term_id, token_id) ON nocontent.audit TO nocontent_eraser;

GRANT SELECT (tenant_id, processor, step) ON nocontent.handovers TO nocontent_eraser;

GRANT SELECT (tenant_id) ON nocontent.tenants, nocontent.ingest_tokens, nocontent.readers, nocontent.prices,
    nocontent.subscriptions, nocontent.invoices, nocontent.invoice_lines, nocontent.processor_customers,
    nocontent.payments, nocontent.processor_events TO nocontent_eraser;

GRANT SELECT ON nocontent.erasure_counts TO nocontent_analyst;

DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['erasures', 'erasure_events', 'erased_words', 'tenant_tables', 'erasure_counts'] LOOP
        EXECUTE format('ALTER TABLE nocontent.%I OWNER TO nocontent_owner', made);
    END LOOP;
    FOREACH made IN ARRAY ARRAY[
        'time_of_event', 'erasure_in_progress', 'subject_of_erasure', 'count_erased', 'advance_erasure', 'bar_writers', 'erase_events',
        'erase_rows', 'reduce_audit', 'erase_word', 'count_kept', 'vacuum_soon', 'vacuum_as_usual', 'sample_again',
        'note_vacuumed', 'trim_erasures'
    ] LOOP
        EXECUTE format('ALTER FUNCTION nocontent.%I OWNER TO nocontent_owner', made);
    END LOOP;
END
$$;
