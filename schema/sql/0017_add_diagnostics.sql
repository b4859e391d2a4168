-- What happens to free text about errors that clients of other formats send beside their numbers: 0 refuses the record
-- that carries it, 1 drops the text unread. ingest/knowledge/diagnostics.py has the same numbers.
ALTER TABLE nocontent.tenants ADD COLUMN diagnostics smallint NOT NULL DEFAULT 0 CHECK (diagnostics BETWEEN 0 AND 1);
