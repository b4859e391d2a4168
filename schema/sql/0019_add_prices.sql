-- Rates by provider, model, time and size of the request: tenant 0 has the price book that is shipped at each `migrate`,
-- a tenant its overrides. Picousd (1 USD = 10^12) a token, so that a published rate is an integer; -1 where that part
-- has no known rate. A row applies from `since`, before `until`, in the minutes of the UTC day from `from_minute`, before
-- `before_minute` (all day but for a model with off-peak rates), to requests whose whole input (with all cache tokens) is
-- above its first bound and up to its second one. So at most one row of a tenant applies to an event: the commands see
-- to it that periods of one model do not overlap.
-- The bound on a rate, USD 10,000 a million tokens, keeps the cost of the largest request within a bigint.
CREATE TABLE nocontent.prices (
    tenant_id integer NOT NULL CHECK (tenant_id >= 0),
    provider smallint NOT NULL CHECK (provider >= 0),
    model smallint NOT NULL CHECK (model >= 0),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    from_minute smallint NOT NULL DEFAULT 0 CHECK (from_minute >= 0),
    before_minute smallint NOT NULL DEFAULT 1440 CHECK (before_minute <= 1440),
    input_tokens_above integer NOT NULL CHECK (input_tokens_above >= -1),
    input_tokens_up_to integer NOT NULL,
    input_picousd bigint NOT NULL CHECK (input_picousd BETWEEN -1 AND 10000000000),
    cache_read_picousd bigint NOT NULL CHECK (cache_read_picousd BETWEEN -1 AND 10000000000),
    cache_write_5m_picousd bigint NOT NULL CHECK (cache_write_5m_picousd BETWEEN -1 AND 10000000000),
    cache_write_1h_picousd bigint NOT NULL CHECK (cache_write_1h_picousd BETWEEN -1 AND 10000000000),
    output_picousd bigint NOT NULL CHECK (output_picousd BETWEEN -1 AND 10000000000),
    revision bigint NOT NULL,
    PRIMARY KEY (tenant_id, provider, model, since, from_minute, input_tokens_above),
    CHECK (since < until),
    CHECK (from_minute < before_minute),
    CHECK (input_tokens_above < input_tokens_up_to)
);

-- Asks for the sums of the hours that a changed price may be part of, once there are sums (migration 0020): those of
-- the tenant, or of every tenant if the book has changed. The caller holds the lock of `prices` that no roll-up shares,
-- so every hour that was summed at the old price is found here. A mark spans the hours of a day.
CREATE FUNCTION nocontent.mark_repriced(
    tenant integer, of_provider smallint, of_model smallint, first timestamptz, before timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error
SET timezone = 'UTC'
AS $$
BEGIN
    IF to_regclass('nocontent.usage_marks') IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
    SELECT summed.tenant_id, min(summed.at), max(summed.at) + interval '1 hour' - interval '1 microsecond', 0, NULL
    FROM nocontent.usage summed
    WHERE summed.grain = 2 AND summed.at > first - interval '1 hour' AND summed.at < before
        AND (tenant = 0 OR summed.tenant_id = tenant) AND summed.provider = of_provider
        AND (summed.requested_model = of_model OR summed.routed_model = of_model)
    GROUP BY summed.tenant_id, date_trunc('day', summed.at);
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.mark_repriced(integer, smallint, smallint, timestamptz, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.mark_repriced(integer, smallint, smallint, timestamptz, timestamptz)
    TO nocontent_control;

GRANT SELECT, INSERT, UPDATE, DELETE ON nocontent.prices TO nocontent_control;

GRANT SELECT ON nocontent.prices TO nocontent_analyst;

ALTER TABLE nocontent.prices OWNER TO nocontent_owner;

ALTER FUNCTION nocontent.mark_repriced(integer, smallint, smallint, timestamptz, timestamptz) OWNER TO nocontent_owner;
