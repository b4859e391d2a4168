-- The console shows the lines of one act, a page at a time. A tenant whose traffic was refused for a year has millions of
-- others.
CREATE INDEX audit_by_act ON nocontent.audit (tenant_id, act, audit_id);
