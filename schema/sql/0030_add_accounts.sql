-- Accounts: the people of a tenant, their sessions and links; and the role of the console, which sees rows of one tenant
-- alone, that of the session which its transaction names. Decision 0032.
--
-- Roles are made by the login itself, since the owner may not. One without CREATEROLE needs them made before.
DO $$
DECLARE
    was text := current_setting('role');
BEGIN
    PERFORM set_config('role', 'none', true);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nocontent_console') THEN
        CREATE ROLE nocontent_console NOLOGIN;
        IF NOT pg_has_role('nocontent_console',
            CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT nocontent_console TO %I', current_user);
        END IF;
    END IF;
    PERFORM set_config('role', was, true);
END
$$;

GRANT USAGE ON SCHEMA nocontent TO nocontent_console;

-- A person belongs to one tenant; the same address may be in several. `places` are digests of networks from which the
-- person signed in before, which nobody else's failures can lock out. A name has no digit and six words at most.
CREATE TABLE nocontent.people (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    person_id uuid NOT NULL DEFAULT gen_random_uuid(),
    email text NOT NULL CHECK (
        octet_length(email) <= 254
        AND email ~ '^[a-z0-9.!#$%&''*+/=?^_{|}~-]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$'
    ),
    name text NOT NULL CHECK (
        char_length(name) <= 64 AND name ~ '^[^[:cntrl:][:space:]0-9<>&"\\@/:;=?!%*#$`^|~(){}_+-][^[:cntrl:]0-9<>&"\\@/:;=?!%*#$`^|~(){}_+]*$'
        AND name !~ '( [^ ]*){6}|  | $'
    ),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'analyst', 'auditor', 'billing')),
    password_hash text CHECK (
        password_hash ~ '^[$]argon2id[$]v=19[$]m=[0-9]{1,7},t=[0-9]{1,2},p=[0-9][$][A-Za-z0-9+/]{22}[$][A-Za-z0-9+/]{43}$'
    ),
    password_changed_at timestamptz,
    totp_secret bytea CHECK (octet_length(totp_secret) = 20),
    totp_since timestamptz,
    totp_step bigint NOT NULL DEFAULT 0,
    time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone ~ '^[A-Z][A-Za-z]{1,19}([/_+-][A-Za-z0-9]{1,19}){0,6}$'),
    places bytea[] NOT NULL DEFAULT '{}' CHECK (
        cardinality(places) <= 10 AND octet_length(array_to_string(places, '')) <= 660
    ),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    disabled_at timestamptz,
    PRIMARY KEY (tenant_id, person_id),
    UNIQUE (tenant_id, email),
    CHECK ((password_hash IS NULL) = (password_changed_at IS NULL)),
    CHECK (totp_since IS NULL OR totp_secret IS NOT NULL)
);

-- `digest` is the SHA-256 of the id in the cookie. A session that awaits a TOTP code is nobody's yet.
CREATE TABLE nocontent.sessions (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    session_id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    awaits_totp boolean NOT NULL,
    browser text NOT NULL CHECK (browser IN ('chrome', 'edge', 'firefox', 'safari', 'other')),
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, session_id)
);

CREATE INDEX sessions_by_digest ON nocontent.sessions (digest);

CREATE INDEX sessions_by_end ON nocontent.sessions (expires_at);

CREATE TABLE nocontent.account_links (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    person_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invitation', 'reset', 'sign-in')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (tenant_id, digest)
);

CREATE INDEX account_links_by_digest ON nocontent.account_links (digest);

CREATE INDEX account_links_by_end ON nocontent.account_links (expires_at);

CREATE TABLE nocontent.recovery_codes (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    person_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    PRIMARY KEY (tenant_id, person_id, digest)
);

-- Attempts to sign in, by keyed digests of an account or an address; neither is stored, and the key is not in the
-- database. Rows go once their time is over.
CREATE TABLE nocontent.sign_in_attempts (
    bucket bytea PRIMARY KEY CHECK (octet_length(bucket) = 32),
    attempts integer NOT NULL CHECK (attempts > 0),
    until timestamptz NOT NULL
);

CREATE INDEX sign_in_attempts_until ON nocontent.sign_in_attempts (until);

-- How often each page of the console was looked at, by day: of no tenant and no person.
CREATE TABLE nocontent.page_counts (
    day date NOT NULL,
    page text NOT NULL CHECK (page ~ '^[a-z]{1,20}(-[a-z]{1,20}){0,3}$'),
    views bigint NOT NULL CHECK (views > 0),
    PRIMARY KEY (day, page)
);

-- No query needs samples of these.
ALTER TABLE nocontent.people ALTER COLUMN email SET STATISTICS 0, ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN password_hash SET STATISTICS 0, ALTER COLUMN totp_secret SET STATISTICS 0,
    ALTER COLUMN places SET STATISTICS 0;

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES
    ('people', 'delete'), ('sessions', 'delete'), ('account_links', 'delete'), ('recovery_codes', 'delete');

-- The session that this transaction names, by `set_config('nocontent.session', hex of the digest, true)`. Nothing if it
-- is over, revoked, of somebody who is disabled, or awaits a code. 12 hours and 14 days are in ingest/accounts/sessions.py.
CREATE FUNCTION nocontent.current_session(
    OUT session_tenant integer, OUT session_person uuid, OUT session_role text, OUT session_digest bytea
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named text := current_setting('nocontent.session', true);
BEGIN
    IF named IS NULL OR named !~ '^[0-9a-f]{64}$' THEN
        RETURN;
    END IF;
    SELECT known.tenant_id, known.person_id, person.role, known.digest
    INTO session_tenant, session_person, session_role, session_digest
    FROM nocontent.sessions known
    JOIN nocontent.people person ON person.tenant_id = known.tenant_id AND person.person_id = known.person_id
    WHERE known.digest = decode(named, 'hex') AND NOT known.awaits_totp AND known.expires_at > now()
        AND known.seen_at > now() - interval '12 hours' AND person.disabled_at IS NULL;
END
$$;

CREATE FUNCTION nocontent.session_tenant() RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT session_tenant FROM nocontent.current_session());
END
$$;

CREATE FUNCTION nocontent.session_person() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(current_setting('nocontent.session', true), '') = '' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT session_person FROM nocontent.current_session());
END
$$;

CREATE FUNCTION nocontent.session_role() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT session_role FROM nocontent.current_session());
END
$$;

-- Who did it, and to whom; none for an operator and the service.
ALTER TABLE nocontent.audit ADD COLUMN person_id uuid, ADD COLUMN subject_id uuid;

ALTER TABLE nocontent.audit ALTER COLUMN person_id SET DEFAULT nocontent.session_person();

-- As before (0025), and without the ids of people.
CREATE OR REPLACE FUNCTION nocontent.reduce_audit(tenant integer, erasure uuid, rows_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error
AS $$
DECLARE
    known nocontent.erasures := nocontent.erasure_in_progress(tenant, erasure);
    changed integer;
BEGIN
    UPDATE nocontent.audit SET kind = NULL, term_id = NULL, token_id = NULL,
        person_id = CASE known.scope WHEN 'tenant' THEN NULL ELSE person_id END,
        subject_id = CASE known.scope WHEN 'tenant' THEN NULL ELSE subject_id END
    WHERE tenant_id = tenant AND audit_id IN (
        SELECT audit_id FROM nocontent.audit
        WHERE tenant_id = tenant AND (
            known.scope = 'tenant' AND num_nonnulls(kind, term_id, token_id, person_id, subject_id) > 0
            OR known.scope = 'tag' AND known.first IS NULL AND kind = 5 AND term_id = known.term_id
        )
        LIMIT rows_max
    );
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed > 0 THEN
        PERFORM nocontent.count_erased(tenant, erasure, 'audit', '-infinity', 0, changed, 0);
    END IF;
    RETURN changed;
END
$$;

-- What to compare a password with; no row if there is nobody, or nobody who may sign in.
CREATE FUNCTION nocontent.find_sign_in(
    organisation text, address text,
    OUT its_tenant integer, OUT its_person uuid, OUT its_hash text, OUT has_totp boolean, OUT its_places bytea[]
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT person.tenant_id, person.person_id, person.password_hash, person.totp_since IS NOT NULL, person.places
    FROM nocontent.tenants own
    JOIN nocontent.people person ON person.tenant_id = own.tenant_id
    WHERE own.name = organisation AND person.email = address AND person.disabled_at IS NULL
        AND person.password_hash IS NOT NULL
$$;

-- Counts an attempt in each bucket, in their order. Returns the seconds until one that is full is empty, or 0. What is full
-- is asked of every bucket before any is counted: attempts that one address or account has no more of do not use up those
-- of all others, or of the day. Rows whose time is over go, a few at a time, so the table has no more than attempts were
-- let pass lately.
CREATE FUNCTION nocontent.note_attempts(buckets bytea[], spans_s integer[], mosts integer[]) RETURNS integer
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

CREATE FUNCTION nocontent.forget_attempts(buckets bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
    DELETE FROM nocontent.sign_in_attempts WHERE bucket = ANY(buckets)
$$;

-- Of somebody whose password was right, or whose link. The session `instead`, which the browser had until now, ends. The
-- place is remembered once nothing is awaited, and the oldest of more than ten goes. A person has 20 sessions at most.
-- Whoever signs in also removes what is over of others, a few rows at a time. Somebody with an authenticator gets no session
-- by a password alone, and none in the place of one that awaited a code and has ended meanwhile, as by a new password. An
-- operator's link, which has no place, needs no code.
CREATE FUNCTION nocontent.open_session(
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

CREATE FUNCTION nocontent.pending_sign_in(
    its_digest bytea, OUT its_tenant integer, OUT its_person uuid, OUT its_secret bytea, OUT its_places bytea[]
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT person.tenant_id, person.person_id, person.totp_secret, person.places
    FROM nocontent.sessions known
    JOIN nocontent.people person ON person.tenant_id = known.tenant_id AND person.person_id = known.person_id
    WHERE known.digest = its_digest AND known.awaits_totp AND known.expires_at > now()
        AND person.disabled_at IS NULL AND person.totp_since IS NOT NULL
$$;

-- A step is taken once, and none before it afterwards, so a code that was seen is of no use.
CREATE FUNCTION nocontent.take_totp_step(tenant integer, person uuid, its_step bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.people SET totp_step = its_step
    WHERE tenant_id = tenant AND person_id = person AND totp_secret IS NOT NULL AND totp_step < its_step;
    RETURN FOUND;
END
$$;

CREATE FUNCTION nocontent.use_recovery_code(tenant integer, person uuid, its_digest bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.recovery_codes SET used_at = now()
    WHERE tenant_id = tenant AND person_id = person AND digest = its_digest AND used_at IS NULL;
    IF FOUND THEN
        INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (tenant, 'account.use-recovery-code', person);
        RETURN true;
    END IF;
    RETURN false;
END
$$;

-- For every request: whose session it is. `is_stale` asks for `touch_session`, so that most requests write nothing.
CREATE FUNCTION nocontent.read_session(
    its_digest bytea, OUT its_tenant integer, OUT tenant_name text, OUT its_person uuid, OUT its_email text,
    OUT its_name text, OUT its_role text, OUT its_zone text, OUT its_session uuid, OUT its_confirmed_at timestamptz,
    OUT has_totp boolean, OUT is_stale boolean
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT person.tenant_id, own.name, person.person_id, person.email, person.name, person.role, person.time_zone,
        known.session_id, known.confirmed_at, person.totp_since IS NOT NULL,
        known.seen_at < now() - interval '5 minutes'
    FROM nocontent.sessions known
    JOIN nocontent.people person ON person.tenant_id = known.tenant_id AND person.person_id = known.person_id
    JOIN nocontent.tenants own ON own.tenant_id = known.tenant_id
    WHERE known.digest = its_digest AND NOT known.awaits_totp AND known.expires_at > now()
        AND known.seen_at > now() - interval '12 hours' AND person.disabled_at IS NULL
$$;

CREATE FUNCTION nocontent.touch_session(its_digest bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
    UPDATE nocontent.sessions SET seen_at = now()
    WHERE digest = its_digest AND expires_at > now() AND seen_at BETWEEN now() - interval '12 hours' AND now()
$$;

CREATE FUNCTION nocontent.close_session(its_digest bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    known record;
BEGIN
    DELETE FROM nocontent.sessions WHERE digest = its_digest RETURNING tenant_id, person_id INTO known;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (known.tenant_id, 'account.sign-out', known.person_id);
    RETURN true;
END
$$;

-- A link that still works, and whose it is; looking at it uses nothing up.
CREATE FUNCTION nocontent.find_link(
    its_digest bytea, OUT its_kind text, OUT its_tenant integer, OUT tenant_name text, OUT its_person uuid,
    OUT its_email text, OUT its_name text, OUT its_role text, OUT its_zone text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT link.kind, link.tenant_id, own.name, person.person_id, person.email, person.name, person.role,
        person.time_zone
    FROM nocontent.account_links link
    JOIN nocontent.people person ON person.tenant_id = link.tenant_id AND person.person_id = link.person_id
    JOIN nocontent.tenants own ON own.tenant_id = link.tenant_id
    WHERE link.digest = its_digest AND link.used_at IS NULL AND link.expires_at > now() AND person.disabled_at IS NULL
$$;

-- Uses a link up. With one that sets a password, all sessions and other links of the person end.
CREATE FUNCTION nocontent.use_link(its_digest bytea, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    used record;
BEGIN
    UPDATE nocontent.account_links link SET used_at = now()
    FROM nocontent.people person
    WHERE link.digest = its_digest AND link.used_at IS NULL AND link.expires_at > now()
        AND person.tenant_id = link.tenant_id AND person.person_id = link.person_id AND person.disabled_at IS NULL
        AND (link.kind = 'sign-in') = (new_hash IS NULL)
    RETURNING link.tenant_id, link.person_id, link.kind INTO used;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF new_hash IS NOT NULL THEN
        UPDATE nocontent.people SET password_hash = new_hash, password_changed_at = now()
        WHERE tenant_id = used.tenant_id AND person_id = used.person_id;
        DELETE FROM nocontent.sessions WHERE tenant_id = used.tenant_id AND person_id = used.person_id;
        DELETE FROM nocontent.account_links
        WHERE tenant_id = used.tenant_id AND person_id = used.person_id AND used_at IS NULL;
        INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (
            used.tenant_id, CASE used.kind WHEN 'reset' THEN 'account.reset' ELSE 'account.accept' END, used.person_id
        );
    END IF;
    RETURN true;
END
$$;

-- Puts changes of a tenant's people in order.
CREATE FUNCTION nocontent.lock_people(tenant integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM nocontent.tenants WHERE tenant_id = tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'no_data_found';
    END IF;
END
$$;

-- After a change of people: a tenant that had an owner who can sign in still has one.
CREATE FUNCTION nocontent.require_owner(tenant integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM nocontent.people
        WHERE tenant_id = tenant AND role = 'owner' AND disabled_at IS NULL AND password_hash IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'the last owner' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

CREATE FUNCTION nocontent.is_owner(tenant integer, person uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known record;
BEGIN
    SELECT role = 'owner' AND disabled_at IS NULL AND password_hash IS NOT NULL AS is_owner INTO known
    FROM nocontent.people WHERE tenant_id = tenant AND person_id = person;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such person' USING ERRCODE = 'no_data_found';
    END IF;
    RETURN known.is_owner;
END
$$;

-- A broken CHECK of `people` would put the whole row into PostgreSQL's log, as "Failing row contains": address and name, the
-- start of the password's hash and the secret of the authenticator; a duplicate its address. What is caught is not logged,
-- so functions that write what somebody typed raise the same SQLSTATE without a row.
CREATE FUNCTION nocontent.add_person(
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

-- A new link takes the place of those of its kind that were not used. An invitation is for somebody without a password,
-- a reset for somebody with one. Returns when it ends.
CREATE FUNCTION nocontent.add_link(tenant integer, person uuid, its_kind text, its_digest bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    ends timestamptz := now() + CASE its_kind
        WHEN 'invitation' THEN interval '7 days' WHEN 'reset' THEN interval '30 minutes' ELSE interval '10 minutes' END;
BEGIN
    PERFORM FROM nocontent.people
    WHERE tenant_id = tenant AND person_id = person AND disabled_at IS NULL
        AND (its_kind = 'sign-in' OR (its_kind = 'invitation') = (password_hash IS NULL))
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody for such a link' USING ERRCODE = 'no_data_found';
    END IF;
    DELETE FROM nocontent.account_links
    WHERE tenant_id = tenant AND person_id = person AND (kind = its_kind OR expires_at < now());
    INSERT INTO nocontent.account_links (tenant_id, person_id, kind, digest, expires_at)
    VALUES (tenant, person, its_kind, its_digest, ends);
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.make-link', person);
    RETURN ends;
END
$$;

CREATE FUNCTION nocontent.set_person_role(tenant integer, person uuid, its_role text) RETURNS void
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
    -- Whoever made a link for somebody, as an admin may, does not hold the key to what the person becomes.
    DELETE FROM nocontent.account_links WHERE tenant_id = tenant AND person_id = person;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.set-role', person);
END
$$;

CREATE FUNCTION nocontent.set_person_disabled(tenant integer, person uuid, is_disabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    was_owner boolean;
BEGIN
    PERFORM nocontent.lock_people(tenant);
    was_owner := nocontent.is_owner(tenant, person);
    UPDATE nocontent.people SET disabled_at = CASE WHEN is_disabled THEN coalesce(disabled_at, now()) END
    WHERE tenant_id = tenant AND person_id = person;
    IF is_disabled THEN
        IF was_owner THEN
            PERFORM nocontent.require_owner(tenant);
        END IF;
        DELETE FROM nocontent.sessions WHERE tenant_id = tenant AND person_id = person;
        DELETE FROM nocontent.account_links WHERE tenant_id = tenant AND person_id = person;
    END IF;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id)
    VALUES (tenant, CASE WHEN is_disabled THEN 'account.disable' ELSE 'account.enable' END, person);
END
$$;

-- Everything about a person; lines of the audit keep an id that nothing explains any more.
CREATE FUNCTION nocontent.remove_person(tenant integer, person uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    was_owner boolean;
BEGIN
    PERFORM nocontent.lock_people(tenant);
    was_owner := nocontent.is_owner(tenant, person);
    DELETE FROM nocontent.sessions WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.account_links WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.recovery_codes WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.people WHERE tenant_id = tenant AND person_id = person;
    IF was_owner THEN
        PERFORM nocontent.require_owner(tenant);
    END IF;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.remove', person);
END
$$;

-- All sessions of a person but one; returns how many.
CREATE FUNCTION nocontent.end_sessions(tenant integer, person uuid, kept bytea) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    ended integer;
BEGIN
    PERFORM nocontent.is_owner(tenant, person);
    DELETE FROM nocontent.sessions
    WHERE tenant_id = tenant AND person_id = person AND digest IS DISTINCT FROM kept;
    GET DIAGNOSTICS ended = ROW_COUNT;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.sign-out-everywhere', person);
    RETURN ended;
END
$$;

CREATE FUNCTION nocontent.clear_totp(tenant integer, person uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM nocontent.is_owner(tenant, person);
    UPDATE nocontent.people SET totp_secret = NULL, totp_since = NULL, totp_step = 0
    WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.recovery_codes WHERE tenant_id = tenant AND person_id = person;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.end-totp', person);
END
$$;

-- What follows is for the session of the transaction. The guard of all that concerns others: an owner may do it, and an
-- admin to whoever is not an owner, and makes no owner. It is asked in the order of changes of people: a role that is being
-- given counts, and so does one that is being taken. Returns the tenant.
CREATE FUNCTION nocontent.managed_tenant(person uuid, new_role text) RETURNS integer
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

CREATE FUNCTION nocontent.invite_person(address text, its_name text, its_role text, its_zone text, its_digest bytea)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    tenant integer := nocontent.managed_tenant(NULL, its_role);
    made uuid := nocontent.add_person(tenant, address, its_name, its_role, its_zone);
BEGIN
    PERFORM nocontent.add_link(tenant, made, 'invitation', its_digest);
    RETURN made;
END
$$;

CREATE FUNCTION nocontent.link_managed(person uuid, its_kind text, its_digest bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    tenant integer := nocontent.managed_tenant(person, NULL);
BEGIN
    IF its_kind NOT IN ('invitation', 'reset') THEN
        RAISE EXCEPTION 'not for this role' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN nocontent.add_link(tenant, person, its_kind, its_digest);
END
$$;

-- One of: role (with the new one), disable, enable, remove, sign-out, end-totp.
CREATE FUNCTION nocontent.manage_person(person uuid, act text, its_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    tenant integer := nocontent.managed_tenant(person, its_role);
BEGIN
    CASE act
        WHEN 'role' THEN PERFORM nocontent.set_person_role(tenant, person, its_role);
        WHEN 'disable' THEN PERFORM nocontent.set_person_disabled(tenant, person, true);
        WHEN 'enable' THEN PERFORM nocontent.set_person_disabled(tenant, person, false);
        WHEN 'remove' THEN PERFORM nocontent.remove_person(tenant, person);
        WHEN 'sign-out' THEN PERFORM nocontent.end_sessions(tenant, person, NULL);
        WHEN 'end-totp' THEN PERFORM nocontent.clear_totp(tenant, person);
    END CASE;
END
$$;

CREATE FUNCTION nocontent.own_person(OUT its_tenant integer, OUT its_person uuid, OUT its_session bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT session_tenant, session_person, session_digest INTO its_tenant, its_person, its_session
    FROM nocontent.current_session();
    IF its_tenant IS NULL THEN
        RAISE EXCEPTION 'no session' USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

CREATE FUNCTION nocontent.own_secrets(
    OUT its_hash text, OUT its_secret bytea, OUT has_totp boolean, OUT codes_left integer
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    SELECT password_hash, totp_secret, totp_since IS NOT NULL, (
        SELECT count(*) FROM nocontent.recovery_codes
        WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND used_at IS NULL
    )
    INTO its_hash, its_secret, has_totp, codes_left
    FROM nocontent.people WHERE tenant_id = own.its_tenant AND person_id = own.its_person;
END
$$;

-- All other sessions and all links end; the own one goes on under a new id.
CREATE FUNCTION nocontent.set_own_password(new_hash text, new_digest bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    UPDATE nocontent.people SET password_hash = new_hash, password_changed_at = now()
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person;
    DELETE FROM nocontent.sessions
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND digest <> own.its_session;
    DELETE FROM nocontent.account_links WHERE tenant_id = own.its_tenant AND person_id = own.its_person;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (own.its_tenant, 'account.change-password');
    UPDATE nocontent.sessions SET digest = new_digest, confirmed_at = now(), seen_at = now()
    WHERE tenant_id = own.its_tenant AND digest = own.its_session;
END
$$;

-- The same password under newer parameters.
CREATE FUNCTION nocontent.rehash(tenant integer, person uuid, old_hash text, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.people SET password_hash = new_hash
    WHERE tenant_id = tenant AND person_id = person AND password_hash = old_hash;
    RETURN FOUND;
END
$$;

CREATE FUNCTION nocontent.set_own_details(its_name text, its_zone text) RETURNS void
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

-- A secret that is not in force until a code of it was entered; one in force has to be ended first.
CREATE FUNCTION nocontent.begin_totp(secret bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    UPDATE nocontent.people SET totp_secret = secret, totp_step = 0
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND totp_since IS NULL;
    RETURN FOUND;
END
$$;

CREATE FUNCTION nocontent.confirm_totp(its_step bigint, codes bytea[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    UPDATE nocontent.people SET totp_since = now(), totp_step = its_step
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND totp_since IS NULL AND totp_secret IS NOT NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM nocontent.sessions
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND digest <> own.its_session;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (own.its_tenant, 'account.set-totp');
    PERFORM nocontent.set_recovery_codes(codes);
    RETURN true;
END
$$;

CREATE FUNCTION nocontent.set_recovery_codes(codes bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    IF cardinality(codes) > 20 THEN
        RAISE EXCEPTION 'too many codes' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    DELETE FROM nocontent.recovery_codes WHERE tenant_id = own.its_tenant AND person_id = own.its_person;
    INSERT INTO nocontent.recovery_codes (tenant_id, person_id, digest)
    SELECT own.its_tenant, own.its_person, unnest(codes);
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (own.its_tenant, 'account.make-recovery-codes');
END
$$;

CREATE FUNCTION nocontent.end_own_totp() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    PERFORM nocontent.clear_totp(own.its_tenant, own.its_person);
END
$$;

-- One of the own sessions, or all of them, or all but this one.
CREATE FUNCTION nocontent.end_own_session(its_session_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    DELETE FROM nocontent.sessions
    WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND session_id = its_session_id;
    IF FOUND THEN
        INSERT INTO nocontent.audit (tenant_id, act, person_id) VALUES (own.its_tenant, 'account.sign-out', own.its_person);
        RETURN true;
    END IF;
    RETURN false;
END
$$;

CREATE FUNCTION nocontent.end_own_sessions(keeps_this_one boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
    ended integer;
BEGIN
    DELETE FROM nocontent.sessions WHERE tenant_id = own.its_tenant AND person_id = own.its_person
        AND NOT (keeps_this_one AND digest = own.its_session);
    GET DIAGNOSTICS ended = ROW_COUNT;
    INSERT INTO nocontent.audit (tenant_id, act, person_id, subject_id)
    VALUES (own.its_tenant, 'account.sign-out-everywhere', own.its_person, own.its_person);
    RETURN ended;
END
$$;

-- COPY FROM does not work with row security, so `events` and `batches` have none, and the console has no grant on them:
-- these views have the rights of their owner, and the rows of the session's tenant alone. `xmin` is for exports.
CREATE VIEW nocontent.own_events WITH (security_barrier = true) AS
SELECT occurred_at, event_id, cost_nanousd, baseline_cost_nanousd, tenant_id, input_tokens, output_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, latency_ms, ttft_ms,
    task_category, provider, requested_model, routed_model, http_status, outcome, tag_1, tag_2, tag_3, tag_4, xmin
FROM nocontent.events
WHERE tenant_id = (SELECT nocontent.session_tenant());

CREATE VIEW nocontent.own_batches WITH (security_barrier = true) AS
SELECT received_at, stream_id, sequence, digest, tenant_id, accepted, duplicates, coarsened, dropped_queue_full,
    dropped_retries_exhausted, dropped_refused, dropped_shutdown, xmin
FROM nocontent.batches
WHERE tenant_id = (SELECT nocontent.session_tenant());

-- Row security: everybody sees what they saw, and the console what is of its session's tenant. The policies of the console
-- are restrictive, so no other policy can widen them. On Citus a policy cannot ask, and there is no console yet
-- (docs/citus.md). Migrations call this for the tables that they add; it is the owner's, and granted to nobody.
CREATE FUNCTION nocontent.secure_rows(VARIADIC protected text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    each_table text;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOREACH each_table IN ARRAY protected LOOP
        EXECUTE format('ALTER TABLE nocontent.%I ENABLE ROW LEVEL SECURITY', each_table);
        EXECUTE format('CREATE POLICY everybody ON nocontent.%I USING (true) WITH CHECK (true)', each_table);
        EXECUTE format(
            'CREATE POLICY own ON nocontent.%I AS RESTRICTIVE TO nocontent_console
            USING (tenant_id = (SELECT nocontent.session_tenant()))', each_table
        );
    END LOOP;
END
$$;

SELECT nocontent.secure_rows(
    'tenants', 'ingest_tokens', 'readers', 'audit', 'usage', 'usage_marks', 'annotations', 'subscriptions', 'invoices',
    'invoice_lines', 'handovers', 'payments', 'processor_customers', 'processor_events', 'erasures', 'erasure_counts',
    'erasure_events', 'erased_words', 'people', 'sessions', 'account_links', 'recovery_codes'
);

-- Tenant 0's words and prices are the shipped ones; of the plans, a tenant sees those that it is or was on.
DO $$
DECLARE
    protected text;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    FOREACH protected IN ARRAY ARRAY['vocabulary', 'prices', 'plans', 'plan_versions'] LOOP
        EXECUTE format('ALTER TABLE nocontent.%I ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY everybody ON nocontent.%I USING (true) WITH CHECK (true)', protected);
    END LOOP;
    FOREACH protected IN ARRAY ARRAY['vocabulary', 'prices'] LOOP
        EXECUTE format(
            'CREATE POLICY shipped_or_own ON nocontent.%I AS RESTRICTIVE FOR SELECT TO nocontent_console
            USING (tenant_id IN (0, (SELECT nocontent.session_tenant())))', protected
        );
        EXECUTE format(
            'CREATE POLICY own_inserts ON nocontent.%I AS RESTRICTIVE FOR INSERT TO nocontent_console
            WITH CHECK (tenant_id = (SELECT nocontent.session_tenant()))', protected
        );
        EXECUTE format(
            'CREATE POLICY own_updates ON nocontent.%I AS RESTRICTIVE FOR UPDATE TO nocontent_console
            USING (tenant_id = (SELECT nocontent.session_tenant()))', protected
        );
        EXECUTE format(
            'CREATE POLICY own_deletes ON nocontent.%I AS RESTRICTIVE FOR DELETE TO nocontent_console
            USING (tenant_id = (SELECT nocontent.session_tenant()))', protected
        );
    END LOOP;
    FOREACH protected IN ARRAY ARRAY['plans', 'plan_versions'] LOOP
        EXECUTE format(
            'CREATE POLICY own ON nocontent.%1$I AS RESTRICTIVE TO nocontent_console USING (
                EXISTS (SELECT FROM nocontent.subscriptions known WHERE known.plan_id = %1$I.plan_id)
                OR EXISTS (SELECT FROM nocontent.invoice_lines billed WHERE billed.plan_id = %1$I.plan_id)
            )', protected
        );
    END LOOP;
END
$$;

-- A function is for whoever it is granted to, and none for everybody.
DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'nocontent'::regnamespace
            AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', made);
    END LOOP;
END
$$;

-- Whoever may write to the audit makes its default.
GRANT EXECUTE ON FUNCTION nocontent.session_person() TO nocontent_writer, nocontent_control, nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.session_tenant(), nocontent.session_role(), nocontent.total(bigint),
    nocontent.find_sign_in, nocontent.note_attempts, nocontent.forget_attempts, nocontent.open_session,
    nocontent.pending_sign_in, nocontent.take_totp_step, nocontent.use_recovery_code, nocontent.read_session,
    nocontent.touch_session, nocontent.close_session, nocontent.find_link, nocontent.use_link,
    nocontent.invite_person, nocontent.link_managed, nocontent.manage_person, nocontent.own_secrets,
    nocontent.set_own_password, nocontent.rehash, nocontent.set_own_details,
    nocontent.begin_totp, nocontent.confirm_totp, nocontent.set_recovery_codes, nocontent.end_own_totp,
    nocontent.end_own_session, nocontent.end_own_sessions TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.add_person, nocontent.add_link, nocontent.set_person_role,
    nocontent.set_person_disabled, nocontent.remove_person, nocontent.end_sessions, nocontent.clear_totp
    TO nocontent_control;

-- No hash and no secret of a person; only functions read and write those.
GRANT SELECT (tenant_id, person_id, email, name, role, password_changed_at, totp_since, time_zone, created_at,
    last_sign_in_at, disabled_at) ON nocontent.people TO nocontent_console, nocontent_control, nocontent_exporter;

GRANT SELECT (tenant_id, session_id, person_id, awaits_totp, browser, created_at, seen_at, confirmed_at, expires_at)
    ON nocontent.sessions TO nocontent_console, nocontent_exporter;

GRANT SELECT (tenant_id, person_id, kind, created_at, expires_at, used_at) ON nocontent.account_links
    TO nocontent_console, nocontent_exporter;

GRANT SELECT (tenant_id, person_id, created_at, used_at) ON nocontent.recovery_codes
    TO nocontent_console, nocontent_exporter;

GRANT SELECT (tenant_id) ON nocontent.people, nocontent.sessions, nocontent.account_links, nocontent.recovery_codes
    TO nocontent_eraser;

GRANT SELECT (person_id, subject_id) ON nocontent.audit TO nocontent_eraser;

GRANT SELECT ON nocontent.tenants, nocontent.readers, nocontent.vocabulary, nocontent.audit, nocontent.usage,
    nocontent.usage_marks, nocontent.annotations, nocontent.subscriptions, nocontent.plans, nocontent.plan_versions,
    nocontent.invoices, nocontent.invoice_lines, nocontent.handovers, nocontent.payments, nocontent.prices,
    nocontent.erasures, nocontent.erasure_counts, nocontent.erasure_events, nocontent.retention, nocontent.control,
    nocontent.migrations, nocontent.acts, nocontent.rules, nocontent.tag_names, nocontent.readable_usage,
    nocontent.own_events, nocontent.own_batches, nocontent.page_counts TO nocontent_console;

GRANT SELECT (tenant_id, token_id, scopes, created_at, expires_at, revoked_at) ON nocontent.ingest_tokens
    TO nocontent_console;

GRANT SELECT (tenant_id, erasure_id, kind, parent_id, until) ON nocontent.erased_words TO nocontent_console;

-- What a person may change from the console. An audit line has the session's person, since no role may write another.
GRANT UPDATE (revision) ON nocontent.control TO nocontent_console;

GRANT UPDATE (task_category_mode, provider_mode, model_mode, tag_value_mode, diagnostics, retention_days,
    retention_changed, disabled, revision) ON nocontent.tenants TO nocontent_console;

GRANT INSERT (tenant_id, token_id, secret_sha256, scopes, expires_at, revision), UPDATE (expires_at, revoked_at, revision)
    ON nocontent.ingest_tokens TO nocontent_console;

GRANT INSERT (tenant_id, kind, term_id, parent_id, term, learned, revision), UPDATE (retired_at, revision)
    ON nocontent.vocabulary TO nocontent_console;

GRANT INSERT (tenant_id, act, kind, term_id, token_id, rule, days) ON nocontent.audit TO nocontent_console;

GRANT INSERT (tenant_id, erasure_id, scope, first, last, stream_id, sequence, term_id, revision) ON nocontent.erasures
    TO nocontent_console;

GRANT INSERT ON nocontent.erasure_events, nocontent.erased_words TO nocontent_console;

GRANT INSERT, UPDATE (views) ON nocontent.page_counts TO nocontent_console;
