-- When a token was last used, to the hour of PostgreSQL's clock: whoever decides what to revoke has to know. Workers note
-- tokens in memory, and call this at most once an hour for each. It takes no time from them, so the writer can write none
-- but the present one; `revision` stays, so no worker reads the token again. A row that an act has locked is left out, and
-- is not among those returned: its worker tries again.
ALTER TABLE nocontent.ingest_tokens ADD COLUMN last_used_at timestamptz;

CREATE FUNCTION nocontent.note_token_uses(tenants integer[], tokens text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    hour timestamptz := date_trunc('hour', now(), 'UTC');
BEGIN
    IF cardinality(tokens) > 10000 THEN
        RAISE EXCEPTION 'not up to 10,000 tokens' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    WITH used AS (
        SELECT tenant_id, token_id FROM nocontent.ingest_tokens
        JOIN unnest(tenants, tokens) AS given (tenant_id, token_id) USING (tenant_id, token_id)
        WHERE last_used_at IS NULL OR last_used_at < hour
        ORDER BY tenant_id, token_id FOR NO KEY UPDATE OF ingest_tokens SKIP LOCKED
    )
    UPDATE nocontent.ingest_tokens known SET last_used_at = hour FROM used
    WHERE known.tenant_id = used.tenant_id AND known.token_id = used.token_id;
    RETURN QUERY SELECT known.token_id FROM nocontent.ingest_tokens known
    JOIN unnest(tenants, tokens) AS given (tenant_id, token_id) USING (tenant_id, token_id)
    WHERE known.last_used_at >= hour;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.note_token_uses(integer[], text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.note_token_uses(integer[], text[]) TO nocontent_writer;

GRANT SELECT (last_used_at) ON nocontent.ingest_tokens TO nocontent_console, nocontent_exporter;
