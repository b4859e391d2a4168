-- Budgets of a tenant, and which of their thresholds were crossed in which period. Decision 0036.
--
-- scope: 1 the whole tenant, 2 a tag value, 3 a task category, 4 a routed model; `term_id` names it, but for a tenant.
-- period: 1 a day, 2 a week from Monday on, 3 a month, in a time zone that stays: the key of an alert has its first day.
-- Thresholds are percents of the limit. A budget never changes but for its end and what the job notes: when it last
-- compared the forecast and past periods, and whether the forecast was over the limit then.
CREATE TABLE nocontent.budgets (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    budget_id uuid NOT NULL DEFAULT gen_random_uuid(),
    webhook_id uuid,
    limit_nanousd bigint NOT NULL CHECK (limit_nanousd BETWEEN 1 AND 1000000000000000000),
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    reviewed_at timestamptz,
    scope smallint NOT NULL CHECK (scope BETWEEN 1 AND 4),
    term_id smallint,
    period smallint NOT NULL CHECK (period BETWEEN 1 AND 3),
    thresholds smallint[] NOT NULL CHECK (
        cardinality(thresholds) BETWEEN 1 AND 5 AND array_ndims(thresholds) = 1
        AND 1 <= ALL (thresholds) AND 1000 >= ALL (thresholds)
    ),
    forecast boolean NOT NULL,
    is_forecast_over boolean NOT NULL DEFAULT false,
    time_zone text NOT NULL CHECK (time_zone ~ '^[A-Z][A-Za-z]{1,19}([/_+-][A-Za-z0-9]{1,19}){0,6}$'),
    PRIMARY KEY (tenant_id, budget_id),
    CHECK ((scope = 1) = (term_id IS NULL))
);

-- One row for a budget, period and threshold, for ever: that is why an alert is sent once. Threshold 0 is the forecast,
-- whose `spend_nanousd` is what was expected. A lower threshold that was crossed together with a higher one, and one that
-- was crossed long after the period, is shown and not announced. What a late correction took back has `uncrossed_at`.
CREATE TABLE nocontent.budget_alerts (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    budget_id uuid NOT NULL,
    spend_nanousd bigint NOT NULL CHECK (spend_nanousd >= 0),
    crossed_at timestamptz NOT NULL,
    uncrossed_at timestamptz,
    period_start date NOT NULL,
    threshold smallint NOT NULL CHECK (threshold BETWEEN 0 AND 1000),
    is_announced boolean NOT NULL,
    PRIMARY KEY (tenant_id, budget_id, period_start, threshold)
);

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('budgets', 'delete'), ('budget_alerts', 'delete');

GRANT SELECT ON nocontent.budgets, nocontent.budget_alerts
    TO nocontent_control, nocontent_usage_reader, nocontent_exporter, nocontent_console, nocontent_mailer;

GRANT SELECT (tenant_id) ON nocontent.budgets, nocontent.budget_alerts TO nocontent_eraser;

GRANT INSERT (
    tenant_id, budget_id, webhook_id, limit_nanousd, scope, term_id, period, thresholds, forecast, time_zone
), UPDATE (ended_at) ON nocontent.budgets TO nocontent_control, nocontent_console;

-- Whoever evaluates. Its rows are ids, numbers and times.
GRANT UPDATE (reviewed_at, is_forecast_over) ON nocontent.budgets TO nocontent_mailer;

GRANT INSERT, UPDATE (uncrossed_at) ON nocontent.budget_alerts TO nocontent_mailer;

INSERT INTO nocontent.jobs (job) VALUES ('budgets');

INSERT INTO nocontent.job_figures (figure, is_total) VALUES
    ('budget_threshold_alerts', true), ('budget_forecast_alerts', true), ('budgets_open', false);

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('budgets', 'budget_alerts');
