-- Two kinds of counts that are about no tenant. Of the site: views of public pages, and the hosts that led to them, by day and
-- closed lists of numbers (`ingest/console/site/`). Across tenants: releases of how requests were routed in a month, with
-- noise, each month once. Decision 0039.
CREATE TABLE nocontent.site_pages (
    views bigint NOT NULL CHECK (views > 0),
    day date NOT NULL,
    page smallint NOT NULL CHECK (page BETWEEN 0 AND 999),
    PRIMARY KEY (day, page)
);

CREATE TABLE nocontent.site_referrers (
    views bigint NOT NULL CHECK (views > 0),
    day date NOT NULL,
    referrer smallint NOT NULL CHECK (referrer BETWEEN 0 AND 999),
    PRIMARY KEY (day, referrer)
);

-- Adds to counts of the last week, in the order of the key, so that no two workers wait for each other.
CREATE FUNCTION nocontent.count_site_pages(days date[], pages smallint[], more_views bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    IF cardinality(days) > 10000 THEN
        RAISE EXCEPTION 'not up to 10,000 counts' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.site_pages AS known (day, page, views)
    SELECT own.day, own.page, sum(own.more)::bigint FROM unnest(days, pages, more_views) AS own (day, page, more)
    WHERE own.day BETWEEN today - 7 AND today + 1
    GROUP BY own.day, own.page ORDER BY own.day, own.page
    ON CONFLICT (day, page) DO UPDATE SET views = known.views + excluded.views;
END
$$;

CREATE FUNCTION nocontent.count_site_referrers(days date[], referrers smallint[], more_views bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    IF cardinality(days) > 10000 THEN
        RAISE EXCEPTION 'not up to 10,000 counts' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.site_referrers AS known (day, referrer, views)
    SELECT own.day, own.referrer, sum(own.more)::bigint
    FROM unnest(days, referrers, more_views) AS own (day, referrer, more)
    WHERE own.day BETWEEN today - 7 AND today + 1
    GROUP BY own.day, own.referrer ORDER BY own.day, own.referrer
    ON CONFLICT (day, referrer) DO UPDATE SET views = known.views + excluded.views;
END
$$;

-- Whether a tenant takes part in releases from now on.
ALTER TABLE nocontent.tenants ADD COLUMN insights boolean NOT NULL DEFAULT true;

-- The ledger: what each month's release has spent of the privacy of every tenant that took part. The key makes a second one
-- impossible. `scheme` names the parameters (`ingest/insights/scheme.py`).
CREATE TABLE nocontent.insight_releases (
    released_at timestamptz NOT NULL DEFAULT now(),
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    epsilon_millionths integer NOT NULL CHECK (epsilon_millionths BETWEEN 1 AND 1000000),
    delta_billionths integer NOT NULL CHECK (delta_billionths BETWEEN 0 AND 1000),
    scheme smallint NOT NULL CHECK (scheme BETWEEN 1 AND 999),
    PRIMARY KEY (month)
);

-- What was released: sums of clamped parts of tenants, with noise. A term is of the shared catalogue, whatever a caller sends;
-- -1 is all routes that are not released by themselves, of which there is the weight alone.
CREATE TABLE nocontent.insight_routes (
    weight bigint NOT NULL,
    covered bigint,
    saved bigint,
    latency bigint,
    month date NOT NULL REFERENCES nocontent.insight_releases,
    task_category smallint NOT NULL CHECK (task_category BETWEEN -1 AND 127),
    requested_model smallint NOT NULL CHECK (requested_model BETWEEN -1 AND 16383),
    routed_model smallint NOT NULL CHECK (routed_model BETWEEN -1 AND 16383),
    PRIMARY KEY (month, task_category, requested_model, routed_model),
    CHECK ((task_category = -1) = (requested_model = -1) AND (task_category = -1) = (routed_model = -1)),
    CHECK (num_nulls(covered, saved, latency) = CASE task_category WHEN -1 THEN 3 ELSE 0 END)
);

-- Writes a release of a month that has ended by PostgreSQL's clock, and its line of the audit. Of two at once the second waits,
-- and is refused (unique_violation).
CREATE FUNCTION nocontent.add_insight_release(
    its_month date, its_scheme smallint, its_epsilon_millionths integer, its_delta_billionths integer,
    categories smallint[], requested smallint[], routed smallint[],
    weights bigint[], covered bigint[], saved bigint[], latencies bigint[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
BEGIN
    IF its_month + interval '1 month' > clock_timestamp() AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION 'the month has not ended' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF cardinality(categories) > 100000 THEN
        RAISE EXCEPTION 'not up to 100,000 routes' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.insight_releases (month, scheme, epsilon_millionths, delta_billionths)
    VALUES (its_month, its_scheme, its_epsilon_millionths, its_delta_billionths);
    INSERT INTO nocontent.insight_routes (
        month, task_category, requested_model, routed_model, weight, covered, saved, latency
    )
    SELECT its_month, own.* FROM unnest(categories, requested, routed, weights, covered, saved, latencies) AS own;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (0, 'insights.release');
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.count_site_pages(date[], smallint[], bigint[]),
    nocontent.count_site_referrers(date[], smallint[], bigint[]),
    nocontent.add_insight_release(
        date, smallint, integer, integer, smallint[], smallint[], smallint[], bigint[], bigint[], bigint[], bigint[]
    ) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.count_site_pages(date[], smallint[], bigint[]),
    nocontent.count_site_referrers(date[], smallint[], bigint[]) TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.add_insight_release(
    date, smallint, integer, integer, smallint[], smallint[], smallint[], bigint[], bigint[], bigint[], bigint[]
) TO nocontent_biller;

GRANT SELECT ON nocontent.site_pages, nocontent.site_referrers TO nocontent_control, nocontent_analyst;

GRANT SELECT ON nocontent.insight_releases, nocontent.insight_routes
    TO nocontent_biller, nocontent_control, nocontent_analyst, nocontent_console;

-- A tenant that is being erased takes no part.
GRANT SELECT (scope) ON nocontent.erasures TO nocontent_biller;

GRANT UPDATE (insights) ON nocontent.tenants TO nocontent_control, nocontent_console;
