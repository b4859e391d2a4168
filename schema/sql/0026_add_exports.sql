-- For exports: a role that reads everything of tenants but secrets' hashes and writes nothing, and a scope of tokens.
--
-- Roles are made by the login itself, since the owner may not. One without CREATEROLE needs them made before.
DO $$
DECLARE
    was text := current_setting('role');
BEGIN
    PERFORM set_config('role', 'none', true);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nocontent_exporter') THEN
        CREATE ROLE nocontent_exporter NOLOGIN;
        IF NOT pg_has_role('nocontent_exporter',
            CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT nocontent_exporter TO %I', current_user);
        END IF;
    END IF;
    PERFORM set_config('role', was, true);
END
$$;

GRANT USAGE ON SCHEMA nocontent TO nocontent_exporter;

GRANT SELECT ON nocontent.tenants, nocontent.readers, nocontent.vocabulary, nocontent.events, nocontent.batches,
    nocontent.usage, nocontent.usage_marks, nocontent.subscriptions, nocontent.plans, nocontent.plan_versions,
    nocontent.invoices, nocontent.invoice_lines, nocontent.processor_customers, nocontent.handovers,
    nocontent.payments, nocontent.processor_events, nocontent.audit, nocontent.prices, nocontent.erasures,
    nocontent.erasure_counts, nocontent.erasure_events, nocontent.retention, nocontent.migrations,
    nocontent.tag_names, nocontent.readable_usage TO nocontent_exporter;

-- Without the hash of the secret, and without the digest of an erased word and its salt.
GRANT SELECT (tenant_id, token_id, scopes, created_at, expires_at, revoked_at) ON nocontent.ingest_tokens
    TO nocontent_exporter;

GRANT SELECT (tenant_id, erasure_id, kind, parent_id, until) ON nocontent.erased_words TO nocontent_exporter;

-- The new constraint comes first, so a token is never without one.
ALTER TABLE nocontent.ingest_tokens ADD CONSTRAINT ingest_tokens_scopes_listed_check CHECK (
    scopes <@ ARRAY['events:write', 'policy:read', 'streams:read', 'vocabulary:write', 'usage:read', 'invoices:read',
        'exports:read']
    AND cardinality(scopes) <= 7
);

ALTER TABLE nocontent.ingest_tokens DROP CONSTRAINT ingest_tokens_scopes_known_check;
