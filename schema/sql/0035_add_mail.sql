-- Mail: letters are rows of an outbox, written in the transaction of their cause and sent by a worker with a role of its own.
-- A letter holds ids and numbers, never text: names and addresses are read when it is sent. Decision 0035.
--
-- Roles are made by the login itself, since the owner may not. One without CREATEROLE needs them made before.
DO $$
DECLARE
    was text := current_setting('role');
BEGIN
    PERFORM set_config('role', 'none', true);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nocontent_mailer') THEN
        CREATE ROLE nocontent_mailer NOLOGIN;
        IF NOT pg_has_role('nocontent_mailer',
            CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
        ) THEN
            EXECUTE format('GRANT nocontent_mailer TO %I', current_user);
        END IF;
    END IF;
    PERFORM set_config('role', was, true);
END
$$;

GRANT USAGE ON SCHEMA nocontent TO nocontent_mailer;

-- `cause` is a function of what the letter is about, so one cause makes one letter for each person. `reply_class` is the
-- first digit of the server's last reply.
CREATE TABLE nocontent.outbox (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    letter_id uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN (
        'invitation', 'reset', 'new-place', 'budget-alert', 'weekly-review', 'invoice', 'export-ready',
        'erasure-receipt', 'subprocessor-notice', 'webhook-disabled'
    )),
    person_id uuid NOT NULL,
    ids uuid[] NOT NULL CHECK (cardinality(ids) <= 8 AND array_position(ids, NULL) IS NULL),
    numbers bigint[] NOT NULL CHECK (cardinality(numbers) <= 16 AND array_position(numbers, NULL) IS NULL),
    cause uuid NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN (
        'pending', 'sending', 'sent', 'bounced', 'refused', 'given-up', 'unsure', 'suppressed', 'over-limit'
    )),
    reply_class smallint CHECK (reply_class BETWEEN 2 AND 5),
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, letter_id),
    UNIQUE (tenant_id, kind, person_id, cause)
);

CREATE INDEX outbox_to_send ON nocontent.outbox (not_before) WHERE state = 'pending';

CREATE INDEX outbox_to_send_first ON nocontent.outbox (not_before)
    WHERE state = 'pending' AND kind IN ('invitation', 'reset', 'new-place');

CREATE INDEX outbox_in_progress ON nocontent.outbox (changed_at) WHERE state = 'sending';

CREATE INDEX outbox_by_person ON nocontent.outbox (tenant_id, person_id, changed_at);

-- A delivery report names the letter alone.
CREATE INDEX outbox_by_letter ON nocontent.outbox (letter_id);

CREATE INDEX outbox_by_end ON nocontent.outbox (changed_at) WHERE state NOT IN ('pending', 'sending');

-- The groups of letters that a person does not want. No row: all are wanted.
CREATE TABLE nocontent.mail_preferences (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    person_id uuid NOT NULL,
    mail_group text NOT NULL CHECK (mail_group IN ('alert', 'report')),
    unwanted_since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, person_id, mail_group)
);

INSERT INTO nocontent.tenant_tables (table_name, erased) VALUES ('outbox', 'delete'), ('mail_preferences', 'delete');

-- Rooms above add jobs; their names are in ingest/store/jobs.py.
ALTER TABLE nocontent.jobs DROP CONSTRAINT jobs_job_check;

ALTER TABLE nocontent.jobs ADD CONSTRAINT jobs_job_check CHECK (job ~ '^[a-z]{1,20}(_[a-z]{1,20}){0,2}$');

INSERT INTO nocontent.jobs (job) VALUES ('mail');

INSERT INTO nocontent.job_figures (figure, is_total) VALUES
    ('letters_sent', true), ('letters_bounced', true), ('letters_given_up', true), ('letters_suppressed', true),
    ('letters_waiting', false), ('letter_oldest_s', false), ('mail_server_failing', false), ('mail_without_tls', false),
    ('ambiguous_invitation', true), ('ambiguous_reset', true), ('ambiguous_new_place', true),
    ('ambiguous_budget_alert', true), ('ambiguous_weekly_review', true), ('ambiguous_invoice', true),
    ('ambiguous_export_ready', true), ('ambiguous_erasure_receipt', true), ('ambiguous_subprocessor_notice', true),
    ('ambiguous_webhook_disabled', true);

-- Who writes letters: a session's person about its own tenant, and logins that act for every tenant. The login decides, not
-- the role that it took on, so a login of the console can put no letter of another tenant, whatever it assumes.
CREATE FUNCTION nocontent.require_writer_of_mail(tenant integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('role') = 'nocontent_console' OR NOT (
        pg_has_role(session_user, 'nocontent_control', 'MEMBER') OR pg_has_role(session_user, 'nocontent_biller', 'MEMBER')
        OR pg_has_role(session_user, 'nocontent_eraser', 'MEMBER') OR pg_has_role(session_user, 'nocontent_mailer', 'MEMBER')
    ) THEN
        PERFORM nocontent.require_own(tenant);
    END IF;
END
$$;

-- One letter to a person who is there and not disabled; an invitation to somebody who has not accepted it, all others to
-- somebody who has. The row of the person is held, so an erasure sees the letter or the letter finds nobody.
CREATE FUNCTION nocontent.put_mail(
    tenant integer, its_kind text, person uuid, its_ids uuid[], its_numbers bigint[], its_cause uuid, at timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM nocontent.require_writer_of_mail(tenant);
    PERFORM FROM nocontent.people
    WHERE tenant_id = tenant AND person_id = person AND disabled_at IS NULL
        AND (password_hash IS NULL) = (its_kind = 'invitation')
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO nocontent.outbox (tenant_id, kind, person_id, ids, numbers, cause, not_before)
    VALUES (tenant, its_kind, person, its_ids, its_numbers, its_cause, coalesce(at, clock_timestamp()))
    ON CONFLICT (tenant_id, kind, person_id, cause) DO NOTHING;
    RETURN FOUND;
END
$$;

-- Likewise, to everybody who has one of the roles; returns how many were new. Only functions call it, which check who asks.
CREATE FUNCTION nocontent.put_mail_unchecked(
    tenant integer, its_kind text, its_roles text[], its_ids uuid[], its_numbers bigint[], its_cause uuid, at timestamptz
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    put integer;
BEGIN
    INSERT INTO nocontent.outbox (tenant_id, kind, person_id, ids, numbers, cause, not_before)
    SELECT tenant, its_kind, person_id, its_ids, its_numbers, its_cause, coalesce(at, clock_timestamp())
    FROM (
        SELECT person_id FROM nocontent.people
        WHERE tenant_id = tenant AND role = ANY(its_roles) AND disabled_at IS NULL AND password_hash IS NOT NULL
        ORDER BY person_id FOR KEY SHARE
    ) AS asked
    ON CONFLICT (tenant_id, kind, person_id, cause) DO NOTHING;
    GET DIAGNOSTICS put = ROW_COUNT;
    RETURN put;
END
$$;

CREATE FUNCTION nocontent.put_mail_to_roles(
    tenant integer, its_kind text, its_roles text[], its_ids uuid[], its_numbers bigint[], its_cause uuid, at timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM nocontent.require_writer_of_mail(tenant);
    RETURN nocontent.put_mail_unchecked(tenant, its_kind, its_roles, its_ids, its_numbers, its_cause, at);
END
$$;

-- The link of a letter that is being sent: no secret is in the outbox. If the letter was sent before, and may have arrived,
-- what is valid stays valid, since a mail program may show the first of two copies alone. Returns when the link ends, or null
-- if the person has no use for it any more.
CREATE FUNCTION nocontent.make_mail_link(tenant integer, letter uuid, its_digest bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    known record;
    before nocontent.account_links[];
    ends timestamptz;
BEGIN
    SELECT kind, person_id, attempts INTO known FROM nocontent.outbox
    WHERE tenant_id = tenant AND letter_id = letter AND state = 'sending' AND kind IN ('invitation', 'reset');
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM nocontent.people WHERE tenant_id = tenant AND person_id = known.person_id FOR UPDATE;
    before := ARRAY(
        SELECT link FROM nocontent.account_links link
        WHERE tenant_id = tenant AND person_id = known.person_id AND kind = known.kind AND known.attempts > 1
            AND used_at IS NULL AND expires_at > now()
    );
    ends := nocontent.add_link(tenant, known.person_id, known.kind, its_digest);
    INSERT INTO nocontent.account_links SELECT * FROM unnest(before);
    RETURN ends;
EXCEPTION WHEN no_data_found THEN
    RETURN NULL;
END
$$;

-- What a delivery report says of a letter, by its class; only of letters that went out.
CREATE FUNCTION nocontent.note_bounce(letter uuid, its_class smallint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    UPDATE nocontent.outbox SET state = 'bounced', reply_class = its_class, changed_at = clock_timestamp()
    WHERE letter_id = letter AND state IN ('sent', 'unsure');
    RETURN FOUND;
END
$$;

-- Of the session's person, whose row is held: a removal sees what is set, or this finds nobody.
CREATE FUNCTION nocontent.set_own_mail(its_group text, is_wanted boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    own record := nocontent.own_person();
BEGIN
    PERFORM FROM nocontent.people WHERE tenant_id = own.its_tenant AND person_id = own.its_person FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no session' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF is_wanted THEN
        DELETE FROM nocontent.mail_preferences
        WHERE tenant_id = own.its_tenant AND person_id = own.its_person AND mail_group = its_group;
    ELSE
        INSERT INTO nocontent.mail_preferences (tenant_id, person_id, mail_group)
        VALUES (own.its_tenant, own.its_person, its_group) ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- Of whoever holds the link of a letter, without a session: it can end mail, never begin it.
CREATE FUNCTION nocontent.unsubscribe_mail(tenant integer, person uuid, its_group text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
    PERFORM FROM nocontent.people WHERE tenant_id = tenant AND person_id = person FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO nocontent.mail_preferences (tenant_id, person_id, mail_group)
    VALUES (tenant, person, its_group) ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;

-- As before (0030), and with the person's mail.
CREATE OR REPLACE FUNCTION nocontent.remove_person(tenant integer, person uuid) RETURNS void
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
    DELETE FROM nocontent.outbox WHERE tenant_id = tenant AND person_id = person;
    DELETE FROM nocontent.mail_preferences WHERE tenant_id = tenant AND person_id = person;
    IF was_owner THEN
        PERFORM nocontent.require_owner(tenant);
    END IF;
    INSERT INTO nocontent.audit (tenant_id, act, subject_id) VALUES (tenant, 'account.remove', person);
END
$$;

-- Letters that ended 90 days ago, by the horizon.
CREATE FUNCTION nocontent.trim_mail(count_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
SET client_min_messages = error SET timezone = 'UTC'
AS $$
DECLARE
    before date := (SELECT horizon + retention_days - 90 FROM nocontent.retention WHERE retention_id = 1);
    deleted integer;
BEGIN
    DELETE FROM nocontent.outbox WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM nocontent.outbox
        WHERE state NOT IN ('pending', 'sending') AND changed_at < before LIMIT count_max
    )) AND state NOT IN ('pending', 'sending');
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.require_writer_of_mail(integer),
    nocontent.put_mail(integer, text, uuid, uuid[], bigint[], uuid, timestamptz),
    nocontent.put_mail_to_roles(integer, text, text[], uuid[], bigint[], uuid, timestamptz),
    nocontent.put_mail_unchecked(integer, text, text[], uuid[], bigint[], uuid, timestamptz),
    nocontent.make_mail_link(integer, uuid, bytea), nocontent.note_bounce(uuid, smallint),
    nocontent.set_own_mail(text, boolean), nocontent.unsubscribe_mail(integer, uuid, text),
    nocontent.trim_mail(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.put_mail(integer, text, uuid, uuid[], bigint[], uuid, timestamptz),
    nocontent.put_mail_to_roles(integer, text, text[], uuid[], bigint[], uuid, timestamptz)
    TO nocontent_console, nocontent_control, nocontent_biller, nocontent_eraser, nocontent_mailer;

GRANT EXECUTE ON FUNCTION nocontent.make_mail_link(integer, uuid, bytea), nocontent.begin_job(text, interval),
    nocontent.finish_job(text, interval, boolean, text[], bigint[]), nocontent.total(bigint),
    nocontent.unknown_orders(uuid[]) TO nocontent_mailer;

GRANT EXECUTE ON FUNCTION nocontent.note_bounce(uuid, smallint) TO nocontent_mailer, nocontent_control;

GRANT EXECUTE ON FUNCTION nocontent.set_own_mail(text, boolean),
    nocontent.unsubscribe_mail(integer, uuid, text) TO nocontent_console;

GRANT EXECUTE ON FUNCTION nocontent.trim_mail(integer) TO nocontent_maintainer;

GRANT SELECT ON nocontent.outbox, nocontent.mail_preferences
    TO nocontent_mailer, nocontent_console, nocontent_control, nocontent_exporter;

GRANT UPDATE (state, reply_class, attempts, not_before, changed_at) ON nocontent.outbox TO nocontent_mailer;

GRANT SELECT (tenant_id) ON nocontent.outbox, nocontent.mail_preferences TO nocontent_eraser;

-- What letters say: whom they are for, and figures of the tenant; no event, no secret and no digest.
GRANT SELECT (tenant_id, person_id, email, name, role, password_changed_at, time_zone, disabled_at) ON nocontent.people
    TO nocontent_mailer;

GRANT SELECT ON nocontent.tenants, nocontent.vocabulary, nocontent.usage, nocontent.refusals, nocontent.subscriptions,
    nocontent.invoices, nocontent.erasures, nocontent.erasure_counts, nocontent.retention TO nocontent_mailer;

-- The console sees those of its session's tenant (0030).
SELECT nocontent.secure_rows('outbox', 'mail_preferences');
