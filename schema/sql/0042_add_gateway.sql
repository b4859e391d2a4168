-- Which model a tenant's gateway sends requests of a task category to (docs/gateway-tables.md). All words are ids of terms.
--
-- mode: 0 off, 1 dry-run, 2 on. `confidence_min` is in permille. `concurrency_max` 0 leaves the gateway's own bound.
CREATE TABLE nocontent.gateway_settings (
    changed_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL,
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    concurrency_max integer NOT NULL DEFAULT 0 CHECK (concurrency_max BETWEEN 0 AND 100000),
    confidence_min smallint NOT NULL CHECK (confidence_min BETWEEN 0 AND 1000),
    mode smallint NOT NULL DEFAULT 0 CHECK (mode BETWEEN 0 AND 2),
    PRIMARY KEY (tenant_id)
);

-- place: 0 the model of a category, 1 to 3 those that are asked if it fails, in this order.
CREATE TABLE nocontent.gateway_routes (
    changed_at timestamptz NOT NULL DEFAULT now(),
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    category_id smallint NOT NULL CHECK (category_id > 0),
    place smallint NOT NULL CHECK (place BETWEEN 0 AND 3),
    model_id smallint NOT NULL CHECK (model_id > 0),
    PRIMARY KEY (tenant_id, category_id, place),
    UNIQUE (tenant_id, category_id, model_id)
);

-- The models that a route may name. A tenant with none allows those of its routes.
CREATE TABLE nocontent.gateway_models (
    changed_at timestamptz NOT NULL DEFAULT now(),
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    model_id smallint NOT NULL CHECK (model_id > 0),
    PRIMARY KEY (tenant_id, model_id)
);

INSERT INTO nocontent.tenant_tables (table_name, erased)
VALUES ('gateway_settings', 'delete'), ('gateway_routes', 'delete'), ('gateway_models', 'delete');

-- The rates of their own that tenants which route have now: one a model, that of the smallest requests. Whoever answers
-- gateways sees no other price.
CREATE FUNCTION nocontent.gateway_rates() RETURNS TABLE (
    its_tenant integer, its_provider smallint, its_model smallint, its_input bigint, its_cache_read bigint,
    its_cache_write_5m bigint, its_cache_write_1h bigint, its_output bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
SELECT DISTINCT ON (own.tenant_id, own.provider, own.model) own.tenant_id, own.provider, own.model, own.input_picousd,
    own.cache_read_picousd, own.cache_write_5m_picousd, own.cache_write_1h_picousd, own.output_picousd
FROM nocontent.gateway_settings known
JOIN nocontent.prices own ON own.tenant_id = known.tenant_id
WHERE known.mode > 0 AND own.since <= now() AND own.until > now()
    AND extract(hour FROM now() AT TIME ZONE 'UTC') * 60 + extract(minute FROM now() AT TIME ZONE 'UTC')
        BETWEEN own.from_minute AND own.before_minute - 1
ORDER BY own.tenant_id, own.provider, own.model, own.input_tokens_above, own.since DESC
$$;

REVOKE EXECUTE ON FUNCTION nocontent.gateway_rates() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.gateway_rates() TO nocontent_writer;

GRANT SELECT ON nocontent.gateway_settings, nocontent.gateway_routes, nocontent.gateway_models
    TO nocontent_writer, nocontent_control, nocontent_usage_reader, nocontent_exporter, nocontent_console;

GRANT SELECT (tenant_id) ON nocontent.gateway_settings, nocontent.gateway_routes, nocontent.gateway_models
    TO nocontent_eraser;

GRANT INSERT (tenant_id, concurrency_max, confidence_min, mode, revision),
    UPDATE (concurrency_max, confidence_min, mode, changed_at, revision) ON nocontent.gateway_settings
    TO nocontent_control, nocontent_console;

GRANT INSERT (tenant_id, category_id, place, model_id), DELETE ON nocontent.gateway_routes
    TO nocontent_control, nocontent_console;

GRANT INSERT (tenant_id, model_id), DELETE ON nocontent.gateway_models TO nocontent_control, nocontent_console;

-- A token that a gateway accepts. The new constraint comes first, so a token is never without one.
ALTER TABLE nocontent.ingest_tokens ADD CONSTRAINT ingest_tokens_scopes_named_check CHECK (
    scopes <@ ARRAY['events:write', 'policy:read', 'streams:read', 'vocabulary:write', 'usage:read', 'invoices:read',
        'exports:read', 'gateway:use']
    AND cardinality(scopes) <= 8
);

ALTER TABLE nocontent.ingest_tokens DROP CONSTRAINT ingest_tokens_scopes_listed_check;

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('gateway_settings', 'gateway_routes', 'gateway_models');
