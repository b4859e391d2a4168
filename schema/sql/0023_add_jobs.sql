-- The jobs on rollups and invoices. Each has one leader at a time: its row says who leads, as that of `maintenance` does,
-- and for the same reason. An advisory lock would do, but any login may take one and keep it, so PUBLIC may take none.
CREATE TABLE nocontent.jobs (
    job text PRIMARY KEY CHECK (job IN ('rollup', 'compare', 'close', 'hand_over')),
    leader integer,
    led_at timestamptz,
    due_at timestamptz NOT NULL DEFAULT now(),
    -- When the last round began that left nothing to do: whatever was committed before it is done.
    complete_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO nocontent.jobs (job) VALUES ('rollup'), ('compare'), ('close'), ('hand_over');

-- What the jobs did, for whoever watches: a total grows, the others are as the last round found them.
CREATE TABLE nocontent.job_figures (
    figure text PRIMARY KEY CHECK (figure IN (
        'rows_summed', 'hours_recomputed', 'marks_pending', 'events_pending', 'hours_compared', 'hours_differing',
        'compared_tenant', 'compared_hour', 'mismatch_ppm', 'events_unpriced',
        'documents_issued', 'months_waiting', 'hand_overs_done', 'hand_overs_failing'
    )),
    is_total boolean NOT NULL,
    amount bigint NOT NULL DEFAULT 0
);

INSERT INTO nocontent.job_figures (figure, is_total) VALUES
    ('rows_summed', true), ('hours_recomputed', true), ('marks_pending', false), ('events_pending', false),
    ('hours_compared', true), ('hours_differing', false), ('compared_tenant', false),
    ('compared_hour', false), ('mismatch_ppm', false), ('events_unpriced', false),
    ('documents_issued', true), ('months_waiting', false), ('hand_overs_done', true), ('hand_overs_failing', false);

-- The leader's session ends with it, so a dead leader leads no more; one that hangs leads for five minutes. A round is
-- short, and every job is safe if two run it: this saves work. `early` is how long before it is due a round may begin.
CREATE FUNCTION nocontent.begin_job(wanted text, early interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.jobs SET leader = pg_backend_pid(), led_at = clock_timestamp()
    WHERE job = wanted AND due_at <= clock_timestamp() + early AND (
        leader IS NULL OR leader = pg_backend_pid() OR led_at < clock_timestamp() - interval '5 minutes'
        OR NOT EXISTS (SELECT FROM pg_stat_get_activity(leader))
    );
    RETURN FOUND;
END
$$;

-- A leader that was replaced meanwhile changes nothing.
CREATE FUNCTION nocontent.finish_job(
    led text, rest interval, is_complete boolean, figures text[], amounts bigint[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.jobs SET leader = NULL, due_at = clock_timestamp() + rest,
        complete_at = CASE WHEN is_complete THEN led_at ELSE complete_at END
    WHERE job = led AND leader = pg_backend_pid();
    IF FOUND THEN
        UPDATE nocontent.job_figures AS known
        SET amount = new.amount + CASE WHEN known.is_total THEN known.amount ELSE 0 END
        FROM unnest(figures, amounts) AS new (figure, amount)
        WHERE known.figure = new.figure;
    END IF;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.begin_job(text, interval),
    nocontent.finish_job(text, interval, boolean, text[], bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.begin_job(text, interval),
    nocontent.finish_job(text, interval, boolean, text[], bigint[]) TO nocontent_biller;

GRANT SELECT ON nocontent.jobs, nocontent.job_figures TO nocontent_biller, nocontent_writer;
