-- Which version of which legal document somebody accepted for a tenant: numbers and digests, no text and no address.
-- Decision 0038. `document` is a number of ingest/store/acceptances.py. `digest` is the SHA-256 of the published version,
-- `shown` that of its text with the operator's details, as it was shown. The same acceptance is one row, whenever it is
-- repeated. Rows are added by a function, and no role changes or deletes one but by an erasure of the tenant; who accepted
-- stays an id after the person is removed, as in the audit.
CREATE TABLE nocontent.acceptances (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    document smallint NOT NULL CHECK (document > 0),
    version smallint NOT NULL CHECK (version > 0),
    person_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    shown bytea NOT NULL CHECK (octet_length(shown) = 32),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, document, version, person_id, digest, shown)
);

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('acceptances', 'delete');

-- Of the person of the session, for the tenant: an owner or admin speaks for it.
CREATE FUNCTION nocontent.accept_document(its_document smallint, its_version smallint, its_digest bytea, its_shown bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    IF nocontent.session_role() NOT IN ('owner', 'admin') THEN
        RAISE EXCEPTION 'not for this role' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT count(*) FROM nocontent.acceptances WHERE tenant_id = own.its_tenant) >= 10000 THEN
        RAISE EXCEPTION 'too many acceptances' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO nocontent.acceptances (tenant_id, document, version, person_id, digest, shown)
    VALUES (own.its_tenant, its_document, its_version, own.its_person, its_digest, its_shown)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (own.its_tenant, 'legal.accept');
    RETURN true;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.accept_document(smallint, smallint, bytea, bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.accept_document(smallint, smallint, bytea, bytea) TO nocontent_console;

GRANT SELECT ON nocontent.acceptances TO nocontent_console, nocontent_control, nocontent_exporter;

GRANT SELECT (tenant_id) ON nocontent.acceptances TO nocontent_eraser;

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('acceptances');
