-- For reading usage and invoices over HTTP. The new constraints come first, so a token is never without one.
ALTER TABLE nocontent.ingest_tokens ADD CONSTRAINT ingest_tokens_scopes_known_check CHECK (
    scopes <@ ARRAY['events:write', 'policy:read', 'streams:read', 'vocabulary:write', 'usage:read', 'invoices:read']
    AND cardinality(scopes) <= 6
);

ALTER TABLE nocontent.ingest_tokens DROP CONSTRAINT ingest_tokens_scopes_check;

ALTER TABLE nocontent.ingest_tokens DROP CONSTRAINT ingest_tokens_scopes_count_check;

-- How fresh an answer is: the events of the tenant that are stored and not yet summed up.
GRANT SELECT ON nocontent.usage_marks TO nocontent_usage_reader;
