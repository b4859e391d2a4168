"""No role can store text permanently: every column, object and name that could hold some, tried as each role."""

import asyncpg
import pytest

from ingest.errors import CannotStart
from ingest.store import audit, connections, migrate, tenants, vocabulary
from schema.event import Kind
from schema.learning import Candidate
from schema.rules import RULES
from tests.support import logins
from tests.support.cluster import operator
from tests.support.logins import ROLES
from tests.support.text_columns import CONSOLE, CONTROL, EXPECTED, WRITER

_PROSE = "Our Q3 layoffs list is attached"
_LONG = 10 * 1024 * 1024


# Types without a fixed width count as text. The roles are those that may write the column, without the owner.
_TEXT_COLUMNS = """
SELECT relname || '.' || attname AS place, array_remove(array_agg(rolname ORDER BY rolname), NULL) AS writers
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_roles ON rolname LIKE 'nocontent\\_%' AND rolname NOT IN ('nocontent_owner', 'nocontent_migrator')
    AND NOT rolsuper AND (has_column_privilege(pg_roles.oid, pg_class.oid, attnum, 'INSERT')
        OR has_column_privilege(pg_roles.oid, pg_class.oid, attnum, 'UPDATE'))
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p', 'S') AND attlen < 0
    AND atttypid NOT IN ('int2[]'::regtype, 'int8[]'::regtype, 'uuid[]'::regtype)
GROUP BY 1
"""


async def test_every_text_column_and_who_writes_it_is_known(closed: str) -> None:
    async with operator(closed) as connection:
        found = {row["place"]: row["writers"] for row in await connection.fetch(_TEXT_COLUMNS)}
    assert found == EXPECTED


_BUDGET = "tenant_id, limit_nanousd, scope, period, thresholds, forecast, time_zone"
_TOKEN = "INSERT INTO ingest_tokens (tenant_id, token_id, secret_sha256, scopes, revision) VALUES"
_DIGEST = "decode(repeat('00', 32), 'hex')"
_ID = "'00000000-0000-7000-8000-000000000000'"
_WORD = f"INSERT INTO erased_words VALUES (1, {_ID}, 3, 0, {{digest}}, {{salt}}, now())"
_TERM = "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, {more}revision) VALUES"
_DOCUMENT = """
INSERT INTO invoices VALUES (1, {issuer}, 1, 1, 1, '2026-01-01', '2026-01-01', '2026-02-01', {time_zone}, {currency}, 0,
    {digest})
"""
# For each text column, a row in which only that column is `$1`.
_ROWS = {
    "acts.act": "INSERT INTO acts VALUES ($1)",
    "rules.rule": "INSERT INTO rules VALUES ($1)",
    "migrations.name": "INSERT INTO migrations VALUES (9999, $1, repeat('0', 64))",
    "migrations.sha256": "INSERT INTO migrations VALUES (9999, '9999_none', $1)",
    "jobs.job": "INSERT INTO jobs (job) VALUES ($1)",
    "job_figures.figure": "INSERT INTO job_figures VALUES ($1, true)",
    "tenants.name": "INSERT INTO tenants (tenant_id, name, revision) VALUES (99, $1, 0)",
    "ingest_tokens.token_id": f"{_TOKEN} (1, $1, {_DIGEST}, '{{}}', 0)",
    "ingest_tokens.secret_sha256": f"{_TOKEN} (1, '000000000000', convert_to($1, 'UTF8'), '{{}}', 0)",
    "ingest_tokens.scopes": f"{_TOKEN} (1, '000000000000', {_DIGEST}, ARRAY[$1], 0)",
    "readers.login": "INSERT INTO readers VALUES (1, $1)",
    "audit.act": "INSERT INTO audit (tenant_id, act) VALUES (1, $1)",
    "audit.rule": "INSERT INTO audit (tenant_id, act, rule) VALUES (1, 'vocabulary.refuse', $1)",
    "audit.token_id": "INSERT INTO audit (tenant_id, act, token_id) VALUES (1, 'token.issue', $1)",
    "vocabulary.term": f"{_TERM.format(more='')} (1, 3, 30000, 0, $1, 0)",
    "invoice_counters.issuer": "INSERT INTO invoice_counters (issuer) VALUES ($1)",
    "plans.name": "INSERT INTO plans VALUES (99, $1, 'NC', 'USD')",
    "plans.issuer": "INSERT INTO plans VALUES (99, 'a', $1, 'USD')",
    "plans.currency": "INSERT INTO plans VALUES (99, 'a', 'NC', $1)",
    "subscriptions.time_zone": "INSERT INTO subscriptions VALUES (1, '2026-01-01', NULL, $1)",
    "invoices.issuer": _DOCUMENT.format(issuer="$1", time_zone="'UTC'", currency="'USD'", digest=_DIGEST),
    "invoices.time_zone": _DOCUMENT.format(issuer="'NC'", time_zone="$1", currency="'USD'", digest=_DIGEST),
    "invoices.currency": _DOCUMENT.format(issuer="'NC'", time_zone="'UTC'", currency="$1", digest=_DIGEST),
    "invoices.usage_digest": _DOCUMENT.format(
        issuer="'NC'", time_zone="'UTC'", currency="'USD'", digest="convert_to($1, 'UTF8')"
    ),
    "invoice_lines.issuer": """
    INSERT INTO invoice_lines VALUES (1, $1, 1, 1, 1, false, '2026-01-01', '2026-01-01', '2026-02-01', 1, 1, 0, 0)
    """,
    "processor_customers.customer": "INSERT INTO processor_customers VALUES (1, 2, $1)",
    "handovers.issuer": "INSERT INTO handovers (tenant_id, issuer, number, processor) VALUES (1, $1, 1, 2)",
    "handovers.remote": "UPDATE handovers SET remote = $1 WHERE number = 1",
    "payments.issuer": "INSERT INTO payments VALUES (1, $1, 1, 1, 'a', 1, '2026-01-01')",
    "payments.reference": "INSERT INTO payments VALUES (1, 'NC', 1, 1, $1, 1, '2026-01-01')",
    "processor_events.event": "INSERT INTO processor_events VALUES (1, $1, 1, 'NC', 1, now())",
    "processor_events.issuer": "INSERT INTO processor_events VALUES (1, 'evt_123456', 1, $1, 1, now())",
    "erasures.scope": f"INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES (1, {_ID}, $1, 0)",
    "erasures.step": "UPDATE erasures SET step = $1 WHERE tenant_id = 1",
    "erasure_counts.table_name": f"INSERT INTO erasure_counts VALUES (1, {_ID}, $1)",
    "tenant_tables.table_name": "INSERT INTO tenant_tables VALUES ($1, 'keep')",
    "tenant_tables.erased": "INSERT INTO tenant_tables VALUES ('notes', $1)",
    "refusals.cause": "INSERT INTO refusals VALUES (now(), now(), 1, 0, 1, '2026-01-01', 1, 0, $1)",
    "arrivals.token_id": "INSERT INTO arrivals VALUES (now(), now(), 1, 0, 1, 1, '2026-01-01', 0, 0, 1, $1)",
    "erased_words.digest": _WORD.format(digest="convert_to($1, 'UTF8')", salt=_DIGEST),
    "erased_words.salt": _WORD.format(digest=_DIGEST, salt="convert_to($1, 'UTF8')"),
    "acceptances.digest": f"INSERT INTO acceptances VALUES (1, 1, 1, {_ID}, convert_to($1, 'UTF8'), {_DIGEST})",
    "acceptances.shown": f"INSERT INTO acceptances VALUES (1, 1, 1, {_ID}, {_DIGEST}, convert_to($1, 'UTF8'))",
    "people.email": "INSERT INTO people (tenant_id, email, name, role) VALUES (1, $1, 'A', 'owner')",
    "people.name": "INSERT INTO people (tenant_id, email, name, role) VALUES (1, 'a@example.com', $1, 'owner')",
    "people.role": "INSERT INTO people (tenant_id, email, name, role) VALUES (1, 'a@example.com', 'A', $1)",
    "people.password_hash": "UPDATE people SET password_hash = $1",
    "people.totp_secret": "UPDATE people SET totp_secret = convert_to($1, 'UTF8')",
    "people.time_zone": "UPDATE people SET time_zone = $1",
    "people.places": "UPDATE people SET places = ARRAY[convert_to($1, 'UTF8')]",
    "sessions.digest": "UPDATE sessions SET digest = convert_to($1, 'UTF8')",
    "sessions.browser": "UPDATE sessions SET browser = $1",
    "account_links.digest": "UPDATE account_links SET digest = convert_to($1, 'UTF8')",
    "account_links.kind": "UPDATE account_links SET kind = $1",
    "recovery_codes.digest": "UPDATE recovery_codes SET digest = convert_to($1, 'UTF8')",
    "webhooks.url": "INSERT INTO webhooks (tenant_id, url) VALUES (1, $1)",
    "sign_in_attempts.bucket": "INSERT INTO sign_in_attempts VALUES (convert_to($1, 'UTF8'), 1, now())",
    "outbox.kind": "UPDATE outbox SET kind = $1",
    "outbox.state": "UPDATE outbox SET state = $1",
    "mail_preferences.mail_group": "UPDATE mail_preferences SET mail_group = $1",
    "page_counts.page": "INSERT INTO page_counts VALUES ('2026-01-01', $1, 1)",
    "budgets.time_zone": f"INSERT INTO budgets ({_BUDGET}) VALUES (1, 1, 1, 1, '{{100}}', false, $1)",
}
_TEXTS = (
    _PROSE,
    "a" * _LONG,
    "content." + "a" * _LONG,  # The pattern of a rule was once the only bound.
    "vocabulary.refuse-" + "a-" * 50_000 + "a",
    "0000_" + "a" * 10_000,
    "line\nline",
    "a\u00e9",
)
_WELL_FORMED = ("content.our-q-layoffs-list-is-attached", "tenant.our-q-layoffs-list-is-attached")


@pytest.mark.parametrize("place", EXPECTED)
async def test_no_role_can_put_prose_or_megabytes_into_a_column(closed: str, session: str, place: str) -> None:
    assert set(_ROWS) == set(EXPECTED)
    for role in EXPECTED[place]:
        login = await logins.made(closed, role)
        async with logins.connected(closed, login, role) as connection:
            if role == CONSOLE:
                await connection.execute("SELECT set_config('nocontent.session', $1, false)", session)
            for text in (*_TEXTS, *(_WELL_FORMED if place.startswith("audit") else ())):
                with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)):
                    await connection.execute(_ROWS[place], text)


async def test_many_small_texts_are_no_way_either(closed: str) -> None:
    statement = f"{_TOKEN} (1, '000000000000', {_DIGEST}, $1, 0)"
    async with logins.connected(closed, await logins.made(closed, CONTROL), CONTROL) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(statement, ["events:write", "policy:read"] * 50_000)


async def test_the_audit_takes_every_act_and_rule_of_the_release(closed: str) -> None:
    async with logins.connected(closed, await logins.made(closed, WRITER), WRITER) as connection:
        for act in audit.ACTS:
            await audit.Audit(connection).note(1, act)
        for rule in RULES:
            await audit.Audit(connection).note(1, "vocabulary.refuse", rule=rule)
        assert not await audit.is_behind(connection)


async def test_a_database_that_lacks_a_rule_of_the_release_is_not_served(database: str) -> None:
    async with operator(database) as connection:
        await connection.execute("DELETE FROM rules WHERE rule = 'content.prompt'")
        with pytest.raises(CannotStart, match="migrate"):
            await migrate.require_current(connection)
        await migrate.migrate(connection)
        await migrate.require_current(connection)


_NOT_THE_WRITERS = {
    "a term of the catalogue": f"{_TERM.format(more='')} (0, 3, 16000, 0, 'a-b', 0)",
    "a tag key": f"{_TERM.format(more='')} (1, 4, 100, 0, 'a-b', 0)",
    "an operator's term": f"{_TERM.format(more='learned, ')} (1, 3, 30000, 0, 'a', false, 0)",
    "a time of its own": f"{_TERM.format(more='created_at, ')} (1, 3, 30000, 0, 'a', now(), 0)",
}


@pytest.mark.parametrize("what", _NOT_THE_WRITERS)
async def test_the_writer_adds_learned_terms_of_tenants_and_nothing_else(closed: str, what: str) -> None:
    async with logins.connected(closed, await logins.made(closed, WRITER), WRITER) as connection:
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute(_NOT_THE_WRITERS[what])


async def test_what_the_writer_learns_is_marked_and_what_an_operator_adds_is_not(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        tenant = await tenants.add(control, "acme")
        assert await vocabulary.add(control, tenant, Candidate(Kind.PROVIDER, 0, "acme-inference")) is None
        assert await vocabulary.declare_tag(control, tenant, "team") is None
    async with connections.connected(database, "nocontent_writer") as writer:
        await vocabulary.learn(writer, tenant, [Candidate(Kind.MODEL, 0, "gpt-4o-2031-01-01")])
        marked = await writer.fetch("SELECT term, learned FROM vocabulary WHERE tenant_id = $1", tenant)
    assert {row["term"]: row["learned"] for row in marked} == {
        "acme-inference": False, "team": False, "unknown": False, "gpt-4o-2031-01-01": True,
    }  # fmt: skip


_KEEPING = {
    "a large object": "SELECT lo_from_bytea(0, convert_to('text', 'UTF8'))",
    "an empty large object": "SELECT lo_create(0)",
    "an older way to one": "SELECT lo_creat(-1)",
    "a large object of a file": "SELECT lo_import('/etc/hostname')",
    "a piece of a large object": "SELECT lo_put(1, 0, 'text')",
    "an open large object": "SELECT lo_open(1, 131072)",
    "a write to one": "SELECT lowrite(0, 'text')",
    "a message in WAL": "SELECT pg_logical_emit_message(false, 'text', 'text')",
    "a message in WAL, in bytes": "SELECT pg_logical_emit_message(true, 'text', 'text'::bytea)",
    "a notification": "SELECT pg_notify('text', 'text')",
    "a comment on a table": "COMMENT ON TABLE events IS 'text'",
    "a comment on a column": "COMMENT ON COLUMN vocabulary.term IS 'text'",
    "a comment on a role": "COMMENT ON ROLE nocontent_writer IS 'text'",
    "a comment on a view": "COMMENT ON VIEW readable_events IS 'text'",
    "a comment on the schema": "COMMENT ON SCHEMA nocontent IS 'text'",
    "a security label": "SECURITY LABEL ON TABLE events IS 'text'",
    "a temporary table": "CREATE TEMPORARY TABLE kept (note text)",
    "a temporary view": "CREATE TEMPORARY VIEW kept AS SELECT 'text'",
    "a table in public": "CREATE TABLE public.kept (note text)",
    "a table here": "CREATE TABLE nocontent.kept (note text)",
    "a type": "CREATE TYPE nocontent.kept AS ENUM ('text')",
    "a function": "CREATE FUNCTION nocontent.kept() RETURNS text LANGUAGE sql AS 'SELECT ''text'''",
    "a schema": "CREATE SCHEMA kept",
    "a trigger": "CREATE TRIGGER kept BEFORE INSERT ON batches EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a default": "ALTER TABLE events ALTER outcome SET DEFAULT 7",
    "a name of a column": "ALTER TABLE batches RENAME COLUMN digest TO kept",
    "a name of a partition": "CREATE TABLE kept PARTITION OF events FOR VALUES FROM ('2001-01-01') TO ('2002-01-01')",
    "an option of a table": "ALTER TABLE batches SET (autovacuum_enabled = false)",
    "extended statistics": "CREATE STATISTICS nocontent.kept ON tenant_id, kind FROM vocabulary",
    "an index": "CREATE INDEX kept ON batches ((digest::text || 'text'))",
    "a policy": "CREATE POLICY kept ON batches USING (true)",
    "a publication": "CREATE PUBLICATION kept",
    "a subscription": "CREATE SUBSCRIPTION kept CONNECTION '' PUBLICATION kept WITH (connect = false)",
    "a replication slot": "SELECT pg_create_physical_replication_slot('kept')",
    "a restore point": "SELECT pg_create_restore_point('text')",
    "a role": "CREATE ROLE kept",
    "another role's setting": "ALTER ROLE nocontent_owner SET kept.note = 'text'",
    "the database's setting": "ALTER DATABASE nocontent SET kept.note = 'text'",
    "a catalog's row": "UPDATE pg_catalog.pg_description SET description = 'text'",
    "a file": "COPY (SELECT 'text') TO '/tmp/kept'",
    "a program": "COPY (SELECT 'text') TO PROGRAM 'cat'",
    "a lock of an agreed number": "SELECT pg_advisory_lock(1)",
    "the lock that a maintainer took before": "SELECT pg_try_advisory_lock(1801807216)",
    "a lock on a table": "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    "a lock on migrations": "BEGIN; LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE",
    "a lock on maintenance": "BEGIN; SELECT FROM maintenance FOR UPDATE",
    "a prepared transaction": "BEGIN; PREPARE TRANSACTION 'text'",
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_keep_text_outside_of_tables(closed: str, role: str) -> None:
    kept = []
    async with logins.connected(closed, await logins.made(closed, role), role) as connection:
        for what, statement in _KEEPING.items():
            try:
                await connection.execute(statement)
            except asyncpg.PostgresError as refused:
                assert refused.sqlstate in {"42501", "0A000", "55000", "42704", "22023"}, what  # noqa: PT017 - not whether, but how it is refused.
                await connection.execute("ROLLBACK")
            else:
                kept.append(what)
    assert kept == []
