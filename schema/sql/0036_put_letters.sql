-- Letters whose cause is an act of a function, so that both are one transaction: links that managers make, a sign-in from a
-- new place, a reset that somebody asks for without a session, and an export that is complete. Others call put_mail.
INSERT INTO nocontent.jobs (job) VALUES ('weekly'), ('notices');

-- As before (0030), and with a letter. Its link is made when it is sent, and ends this one; without a mail server this one is
-- shown. A hundred an hour: whoever is invited, removed and invited again gets a letter each time.
CREATE OR REPLACE FUNCTION nocontent.invite_person(
    address text, its_name text, its_role text, its_zone text, its_digest bytea
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    tenant integer := nocontent.managed_tenant(NULL, its_role);
    made uuid;
BEGIN
    IF (
        SELECT at FROM nocontent.audit WHERE tenant_id = tenant AND act = 'account.invite'
        ORDER BY audit_id DESC LIMIT 1 OFFSET 99
    ) > now() - interval '1 hour' THEN
        RAISE EXCEPTION 'too many invitations' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    made := nocontent.add_person(tenant, address, its_name, its_role, its_zone);
    PERFORM nocontent.add_link(tenant, made, 'invitation', its_digest);
    PERFORM nocontent.put_mail(tenant, 'invitation', made, '{}', '{}', gen_random_uuid(), NULL);
    RETURN made;
END
$$;

CREATE OR REPLACE FUNCTION nocontent.link_managed(person uuid, its_kind text, its_digest bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    tenant integer := nocontent.managed_tenant(person, NULL);
    ends timestamptz;
BEGIN
    IF its_kind NOT IN ('invitation', 'reset') THEN
        RAISE EXCEPTION 'not for this role' USING ERRCODE = 'insufficient_privilege';
    END IF;
    ends := nocontent.add_link(tenant, person, its_kind, its_digest);
    PERFORM nocontent.put_mail(tenant, its_kind, person, '{}', '{}', gen_random_uuid(), NULL);
    RETURN ends;
END
$$;

-- As `open_session` (0030), which knows one place. Here `its_places` are the digests of one network by each key in force,
-- the one that signs first: after a rotation a place is known by the older. Somebody who has signed in before, and never
-- from that place, gets a letter; it has the id of the session, and neither the address nor the place.
CREATE FUNCTION nocontent.begin_session(
    tenant integer, person uuid, its_digest bytea, its_browser text, awaits boolean, its_places bytea[], instead bytea
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    known record;
    made uuid;
BEGIN
    SELECT totp_since IS NOT NULL AS has_totp, places INTO known FROM nocontent.people
    WHERE tenant_id = tenant AND person_id = person AND disabled_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND OR known.has_totp AND NOT awaits AND cardinality(its_places) > 0 AND NOT EXISTS (
        SELECT FROM nocontent.sessions
        WHERE tenant_id = tenant AND person_id = person AND digest = instead AND awaits_totp AND expires_at > now()
    ) THEN
        RETURN false;
    END IF;
    UPDATE nocontent.people SET last_sign_in_at = CASE WHEN awaits THEN last_sign_in_at ELSE now() END,
        places = CASE WHEN awaits OR cardinality(its_places) = 0 THEN places ELSE ARRAY(
            SELECT place FROM (
                SELECT place, number FROM unnest(places) WITH ORDINALITY AS old (place, number)
                WHERE place <> ALL(its_places) ORDER BY number DESC LIMIT 9
            ) AS kept ORDER BY number
        ) || its_places[1] END
    WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.sessions WHERE digest = instead OR session_id IN (
        SELECT session_id FROM nocontent.sessions WHERE expires_at < now() LIMIT 16 FOR UPDATE SKIP LOCKED
    );
    DELETE FROM nocontent.account_links WHERE digest IN (
        SELECT digest FROM nocontent.account_links WHERE expires_at < now() LIMIT 16 FOR UPDATE SKIP LOCKED
    );
    DELETE FROM nocontent.sessions WHERE tenant_id = tenant AND person_id = person AND (
        expires_at < now() OR seen_at < now() - interval '12 hours' OR session_id IN (
            SELECT session_id FROM nocontent.sessions
            WHERE tenant_id = tenant AND person_id = person AND awaits_totp = awaits
            ORDER BY seen_at DESC OFFSET 19
        )
    );
    INSERT INTO nocontent.sessions (tenant_id, person_id, digest, awaits_totp, browser, expires_at)
    VALUES (tenant, person, its_digest, awaits, its_browser,
        now() + CASE WHEN awaits THEN interval '10 minutes' ELSE interval '14 days' END)
    RETURNING session_id INTO made;
    IF NOT awaits THEN
        INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (tenant, 'account.sign-in', person);
    END IF;
    IF NOT awaits AND cardinality(its_places) > 0 AND cardinality(known.places) > 0 AND NOT known.places && its_places THEN
        INSERT INTO nocontent.outbox (tenant_id, kind, person_id, ids, numbers, cause)
        VALUES (tenant, 'new-place', person, ARRAY[made], '{}', made);
    END IF;
    RETURN true;
END
$$;

-- For servers of the release before.
CREATE OR REPLACE FUNCTION nocontent.open_session(
    tenant integer, person uuid, its_digest bytea, its_browser text, awaits boolean, place bytea, instead bytea
) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
    SELECT nocontent.begin_session(
        tenant, person, its_digest, its_browser, awaits, array_remove(ARRAY[place], NULL), instead
    )
$$;

-- Somebody who is not signed in asks for a link to set another password. Whoever has the address, and may sign in, gets a
-- letter. For an address of nobody the same rows are written, and taken back: neither the answer nor its time says which.
CREATE FUNCTION nocontent.ask_reset(organisation text, address text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    known record;
    its_tenant integer;
    its_person uuid;
BEGIN
    SELECT person.tenant_id, person.person_id INTO known
    FROM nocontent.tenants own
    JOIN nocontent.people person ON person.tenant_id = own.tenant_id
    WHERE own.name = organisation AND person.email = address AND person.disabled_at IS NULL
        AND person.password_hash IS NOT NULL
    FOR KEY SHARE OF person;
    its_tenant := coalesce(known.tenant_id, 1);
    its_person := coalesce(known.person_id, gen_random_uuid());
    BEGIN
        INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (its_tenant, 'account.ask-reset', its_person);
        INSERT INTO nocontent.outbox (tenant_id, kind, person_id, ids, numbers, cause)
        VALUES (its_tenant, 'reset', its_person, '{}', '{}', gen_random_uuid());
        IF known.person_id IS NULL THEN
            RAISE no_data_found;
        END IF;
    EXCEPTION WHEN no_data_found THEN
        RETURN;
    END;
END
$$;

-- An exporter writes nothing of a tenant's but this letter, to those who may export.
CREATE FUNCTION nocontent.put_export_ready(tenant integer, its_cause uuid, its_numbers bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    RETURN nocontent.put_mail_unchecked(
        tenant, 'export-ready', ARRAY['owner', 'admin'], '{}', its_numbers, its_cause, NULL
    );
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.begin_session(integer, uuid, bytea, text, boolean, bytea[], bytea),
    nocontent.ask_reset(text, text), nocontent.put_export_ready(integer, uuid, bigint[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.begin_session(integer, uuid, bytea, text, boolean, bytea[], bytea),
    nocontent.ask_reset(text, text) TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.put_export_ready(integer, uuid, bigint[]) TO nocontent_exporter;
