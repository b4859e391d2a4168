-- One role a duty. Nobody logs in as any of them. The owner owns what operators say and the promise rests on; the
-- maintainer owns the two tables whose partitions come and go, and nothing else; a migrator is nobody until it takes
-- the owner on (NOINHERIT); an analyst reads every tenant, a reader those that its login was given.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['nocontent_migrator', 'nocontent_maintainer', 'nocontent_analyst'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN %s', role, CASE role WHEN 'nocontent_migrator' THEN 'NOINHERIT' ELSE '' END
            );
        END IF;
        IF NOT pg_has_role(
            role, CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT %I TO %I', role, current_user);
        END IF;
    END LOOP;
    IF NOT pg_has_role('nocontent_owner', 'nocontent_maintainer', 'MEMBER') THEN
        GRANT nocontent_maintainer TO nocontent_owner;
    END IF;
    IF NOT pg_has_role('nocontent_migrator', 'nocontent_owner', 'MEMBER') THEN
        GRANT nocontent_owner TO nocontent_migrator;
    END IF;
END
$$;

-- Which logins read which tenants. A view of each is not enough: a reader reads the tables.
CREATE TABLE nocontent.readers (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    login text NOT NULL CHECK (login ~ '^[a-z_][a-z0-9_$-]{0,62}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, login)
);

-- Of the login, whichever role it has taken on. It runs as the owner, since a reader may not read who else may read.
CREATE FUNCTION nocontent.readable_tenants() RETURNS integer[]
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = ''
AS 'SELECT coalesce(array_agg(tenant_id), ''{}'') FROM nocontent.readers WHERE login = session_user';

REVOKE EXECUTE ON FUNCTION nocontent.readable_tenants() FROM PUBLIC;

-- A view that runs as its owner would read past row security.
ALTER VIEW nocontent.tag_names SET (security_invoker = true);

ALTER VIEW nocontent.readable_events SET (security_invoker = true);

ALTER VIEW nocontent.streams SET (security_invoker = true);

ALTER VIEW nocontent.stream_gaps SET (security_invoker = true);

ALTER VIEW nocontent.reconciliation SET (security_invoker = true);

GRANT SELECT ON nocontent.events, nocontent.batches, nocontent.tenants, nocontent.vocabulary, nocontent.tag_names,
    nocontent.readable_events, nocontent.streams, nocontent.stream_gaps, nocontent.reconciliation TO nocontent_analyst;

-- A reader has nothing until rows are protected: see conditional/.
REVOKE SELECT ON nocontent.events, nocontent.batches, nocontent.tenants, nocontent.vocabulary, nocontent.tag_names,
    nocontent.readable_events, nocontent.streams, nocontent.stream_gaps, nocontent.reconciliation FROM nocontent_reader;

GRANT SELECT, INSERT, DELETE ON nocontent.readers TO nocontent_control;

GRANT EXECUTE ON FUNCTION nocontent.readable_tenants() TO nocontent_reader;

GRANT USAGE ON SCHEMA nocontent TO nocontent_analyst;

GRANT USAGE, CREATE ON SCHEMA nocontent TO nocontent_maintainer;

-- Last, because whoever migrates the first time owned these until now.
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'v')
            AND relname NOT IN ('events', 'batches') AND relname !~ '^events_[0-9]{8}$'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO nocontent_owner', relation);
    END LOOP;
    ALTER TABLE nocontent.events OWNER TO nocontent_maintainer;
    ALTER TABLE nocontent.batches OWNER TO nocontent_maintainer;
    ALTER FUNCTION nocontent.readable_tenants() OWNER TO nocontent_owner;
END
$$;
