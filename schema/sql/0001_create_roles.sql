-- Roles belong to the cluster, so another database of it may have made them. None can log in: an operator grants
-- them to logins, and every connection of ours takes just one of them on (SET ROLE).
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['nocontent_owner', 'nocontent_writer', 'nocontent_control', 'nocontent_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        -- Whoever creates a role may administer it, and from PostgreSQL 16 on not yet take it on.
        IF NOT pg_has_role(
            role, CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT %I TO %I', role, current_user);
        END IF;
    END LOOP;
END
$$;

ALTER SCHEMA nocontent OWNER TO nocontent_owner;

GRANT USAGE ON SCHEMA nocontent TO nocontent_writer, nocontent_control, nocontent_reader;
