-- A broken CHECK of `people` put the whole row into PostgreSQL's log, as "Failing row contains": address and name, the
-- start of the password's hash and the secret of the authenticator; a duplicate its address. What is caught is not logged,
-- so these functions, as in 0030 and 0035 otherwise, raise the same SQLSTATE without a row.
CREATE OR REPLACE FUNCTION nocontent.add_person(
    tenant integer, address text, its_name text, its_role text, its_zone text
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    made uuid;
BEGIN
    PERFORM nocontent.lock_people(tenant);
    IF (SELECT count(*) FROM nocontent.people WHERE tenant_id = tenant) >= 1000 THEN
        RAISE EXCEPTION 'too many people' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    BEGIN
        INSERT INTO nocontent.people (tenant_id, email, name, role, time_zone)
        VALUES (tenant, address, its_name, its_role, its_zone) RETURNING person_id INTO made;
    EXCEPTION WHEN integrity_constraint_violation THEN
        RAISE EXCEPTION 'not such a person' USING ERRCODE = SQLSTATE;
    END;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.invite', made);
    RETURN made;
END
$$;

CREATE OR REPLACE FUNCTION nocontent.set_person_role(tenant integer, person uuid, its_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    was_owner boolean;
BEGIN
    PERFORM nocontent.lock_people(tenant);
    was_owner := nocontent.is_owner(tenant, person);
    BEGIN
        UPDATE nocontent.people SET role = its_role WHERE tenant_id = tenant AND person_id = person;
    EXCEPTION WHEN integrity_constraint_violation THEN
        RAISE EXCEPTION 'not such a role' USING ERRCODE = SQLSTATE;
    END;
    IF was_owner THEN
        PERFORM nocontent.require_owner(tenant);
    END IF;
    -- A session has the rights of the person who opened it, so a change of them asks to sign in again.
    DELETE FROM nocontent.sessions WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.account_links WHERE tenant_id = tenant AND person_id = person;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.set-role', person);
END
$$;

CREATE OR REPLACE FUNCTION nocontent.set_own_details(its_name text, its_zone text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    BEGIN
        UPDATE nocontent.people SET name = its_name, time_zone = its_zone
        WHERE tenant_id = own.its_tenant AND person_id = own.its_person;
    EXCEPTION WHEN integrity_constraint_violation THEN
        RAISE EXCEPTION 'not such details' USING ERRCODE = SQLSTATE;
    END;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (own.its_tenant, 'account.set-details');
END
$$;
