-- Closes gaps between what a function asks and what it does, and between one function and the next (decision 0032).
--
-- As in 0030, but what is full is asked of every bucket before any is counted: attempts that one address or account has no
-- more of do not use up those of all others, or of the day.
CREATE OR REPLACE FUNCTION nocontent.note_attempts(buckets bytea[], spans_s integer[], mosts integer[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    place integer;
    known record;
BEGIN
    IF cardinality(buckets) > 8 THEN
        RAISE EXCEPTION 'too many buckets' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT noted.until INTO known
    FROM unnest(buckets, mosts) AS asked (bucket, most)
    JOIN nocontent.sign_in_attempts noted ON noted.bucket = asked.bucket
    WHERE noted.attempts >= asked.most AND noted.until >= clock_timestamp()
    ORDER BY noted.until DESC LIMIT 1;
    IF FOUND THEN
        RETURN greatest(1, ceil(extract(epoch FROM known.until - clock_timestamp())));
    END IF;
    FOR place IN 1 .. cardinality(buckets) LOOP
        INSERT INTO nocontent.sign_in_attempts AS noted (bucket, attempts, until)
        VALUES (buckets[place], 1, clock_timestamp() + spans_s[place] * interval '1 second')
        ON CONFLICT (bucket) DO UPDATE SET
            attempts = CASE WHEN noted.until < clock_timestamp() THEN 1 ELSE least(noted.attempts, mosts[place]) + 1 END,
            until = CASE WHEN noted.until < clock_timestamp() THEN excluded.until ELSE noted.until END
        RETURNING noted.attempts, noted.until INTO known;
        IF known.attempts > mosts[place] THEN
            RETURN greatest(1, ceil(extract(epoch FROM known.until - clock_timestamp())));
        END IF;
    END LOOP;
    DELETE FROM nocontent.sign_in_attempts WHERE bucket IN (
        SELECT bucket FROM nocontent.sign_in_attempts WHERE until < clock_timestamp() LIMIT 16 FOR UPDATE SKIP LOCKED
    );
    RETURN 0;
END
$$;

-- As in 0030, but somebody with an authenticator gets no session by a password alone, and none in the place of one that
-- awaited a code and has ended meanwhile, as by a new password. An operator's link, which has no place, needs no code.
CREATE OR REPLACE FUNCTION nocontent.open_session(
    tenant integer, person uuid, its_digest bytea, its_browser text, awaits boolean, place bytea, instead bytea
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    known record;
BEGIN
    SELECT totp_since IS NOT NULL AS has_totp INTO known FROM nocontent.people
    WHERE tenant_id = tenant AND person_id = person AND disabled_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND OR known.has_totp AND NOT awaits AND place IS NOT NULL AND NOT EXISTS (
        SELECT FROM nocontent.sessions
        WHERE tenant_id = tenant AND person_id = person AND digest = instead AND awaits_totp AND expires_at > now()
    ) THEN
        RETURN false;
    END IF;
    UPDATE nocontent.people SET last_sign_in_at = CASE WHEN awaits THEN last_sign_in_at ELSE now() END,
        places = CASE WHEN awaits OR place IS NULL THEN places ELSE (array_remove(places, place) || place)[
            greatest(1, cardinality(array_remove(places, place)) + 2 - 10) :
        ] END
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
        now() + CASE WHEN awaits THEN interval '10 minutes' ELSE interval '14 days' END);
    IF NOT awaits THEN
        INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (tenant, 'account.sign-in', person);
    END IF;
    RETURN true;
END
$$;

-- As in 0030, and the links end: whoever made one for somebody, as an admin may, does not hold the key to what the person
-- becomes.
CREATE OR REPLACE FUNCTION nocontent.set_person_role(tenant integer, person uuid, its_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    was_owner boolean;
BEGIN
    PERFORM nocontent.lock_people(tenant);
    was_owner := nocontent.is_owner(tenant, person);
    UPDATE nocontent.people SET role = its_role WHERE tenant_id = tenant AND person_id = person;
    IF was_owner THEN
        PERFORM nocontent.require_owner(tenant);
    END IF;
    -- A session has the rights of the person who opened it, so a change of them asks to sign in again.
    DELETE FROM nocontent.sessions WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.account_links WHERE tenant_id = tenant AND person_id = person;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.set-role', person);
END
$$;

-- As in 0030, but in the order of changes of people: a role that is being given counts, and so does one that is being taken.
CREATE OR REPLACE FUNCTION nocontent.managed_tenant(person uuid, new_role text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record;
BEGIN
    SELECT * INTO own FROM nocontent.current_session();
    IF own.session_role IN ('owner', 'admin') THEN
        PERFORM nocontent.lock_people(own.session_tenant);
        SELECT * INTO own FROM nocontent.current_session();
    END IF;
    IF own.session_role = 'owner' OR own.session_role = 'admin' AND new_role IS DISTINCT FROM 'owner' AND NOT EXISTS (
        SELECT FROM nocontent.people
        WHERE tenant_id = own.session_tenant AND person_id = person AND role = 'owner'
    ) THEN
        RETURN own.session_tenant;
    END IF;
    RAISE EXCEPTION 'not for this role' USING ERRCODE = 'insufficient_privilege';
END
$$;
