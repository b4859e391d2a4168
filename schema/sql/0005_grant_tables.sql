-- The writer can add rows to `events` and read just the key that ON CONFLICT answers with.
ALTER TABLE nocontent.events OWNER TO nocontent_owner;

ALTER TABLE nocontent.batches OWNER TO nocontent_owner;

GRANT INSERT, SELECT (tenant_id, event_id) ON nocontent.events TO nocontent_writer;

GRANT SELECT, INSERT, UPDATE (accepted, duplicates) ON nocontent.batches TO nocontent_writer;

GRANT SELECT, UPDATE (revision) ON nocontent.control TO nocontent_writer, nocontent_control;

GRANT SELECT ON nocontent.tenants, nocontent.ingest_tokens, nocontent.migrations TO nocontent_writer;

GRANT SELECT, INSERT ON nocontent.vocabulary TO nocontent_writer;

GRANT INSERT ON nocontent.audit TO nocontent_writer;

GRANT SELECT, INSERT, UPDATE ON nocontent.tenants, nocontent.ingest_tokens, nocontent.vocabulary TO nocontent_control;

GRANT SELECT, INSERT ON nocontent.audit TO nocontent_control;

GRANT SELECT ON nocontent.events, nocontent.batches, nocontent.tenants, nocontent.vocabulary, nocontent.tag_names,
    nocontent.readable_events TO nocontent_reader;
