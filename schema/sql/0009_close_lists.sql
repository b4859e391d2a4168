-- What an audit row may say: the acts and rules of the release that migrated last, and nothing of a pattern's making.
-- They are shipped at each `migrate`, like terms; one that a release no longer has stays.
CREATE TABLE nocontent.acts (act text PRIMARY KEY CHECK (act ~ '^[a-z]+([.-][a-z]+)*$' AND length(act) <= 64));

CREATE TABLE nocontent.rules (rule text PRIMARY KEY CHECK (rule ~ '^[a-z]+[.][a-z0-9-]+$' AND length(rule) <= 64));

-- Rows from before are as they are: the audit is never changed.
ALTER TABLE nocontent.audit ADD CONSTRAINT audit_act_fkey FOREIGN KEY (act) REFERENCES nocontent.acts NOT VALID;

ALTER TABLE nocontent.audit ADD CONSTRAINT audit_rule_fkey FOREIGN KEY (rule) REFERENCES nocontent.rules NOT VALID;

GRANT SELECT ON nocontent.acts, nocontent.rules TO nocontent_writer;

-- The writer says what it learned or refused: never when, and never a token's id.
REVOKE INSERT ON nocontent.audit FROM nocontent_writer;

GRANT INSERT (tenant_id, act, kind, term_id, rule) ON nocontent.audit TO nocontent_writer;

-- A term of the writer's is learned, since it may not say otherwise; and nothing learned is the catalogue's (tenant 0)
-- or a tag key.
ALTER TABLE nocontent.vocabulary ALTER COLUMN learned SET DEFAULT true;

ALTER TABLE nocontent.vocabulary ADD CONSTRAINT vocabulary_learned_check
    CHECK (NOT learned OR (tenant_id > 0 AND kind <> 4));

REVOKE INSERT ON nocontent.vocabulary FROM nocontent_writer;

GRANT INSERT (tenant_id, kind, term_id, parent_id, term, revision) ON nocontent.vocabulary TO nocontent_writer;

-- Patterns bound each element, and nothing bounded their number.
ALTER TABLE nocontent.ingest_tokens ADD CONSTRAINT ingest_tokens_scopes_count_check CHECK (cardinality(scopes) <= 4);

ALTER TABLE nocontent.migrations ADD CONSTRAINT migrations_text_check
    CHECK (name ~ '^[0-9]{4}_[a-z0-9_]{1,60}$' AND sha256 ~ '^[0-9a-f]{64}$');
