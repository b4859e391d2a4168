"""Writes audit lines, from a closed list of acts; `migrate` copies the list, and that of rules, to tables."""

from dataclasses import dataclass

from ingest.store.connections import Connection
from schema.event import Kind
from schema.rules import RULES

ACTS = (
    "account.accept",
    "account.ask-reset",
    "account.change-password",
    "account.disable",
    "account.enable",
    "account.end-totp",
    "account.invite",
    "account.make-link",
    "account.make-recovery-codes",
    "account.remove",
    "account.reset",
    "account.set-details",
    "account.set-role",
    "account.set-totp",
    "account.sign-in",
    "account.sign-out",
    "account.sign-out-everywhere",
    "account.use-recovery-code",
    "budget.add",
    "budget.end",
    "tenant.add",
    "tenant.rename",
    "tenant.set-task-category-mode",
    "tenant.set-provider-mode",
    "tenant.set-model-mode",
    "tenant.set-tag-value-mode",
    "tenant.set-events-per-minute-max",
    "tenant.set-diagnostics",
    "tenant.set-disabled",
    "tenant.set-insights",
    "token.issue",
    "token.rotate",
    "token.revoke",
    "reader.add",
    "reader.remove",
    "plan.add",
    "plan.assign",
    "plan.end",
    "erasure.finish",
    "erasure.request",
    "invoice.finalize",
    "invoice.correct",
    "invoice.credit",
    "invoice.settle",
    "insights.release",
    "legal.accept",
    "annotation.add",
    "annotation.remove",
    "retention.set",
    "retention.set-invoices",
    "retention.set-tenant",
    "retention.set-usage",
    "retention.catch-up",
    "prices.end",
    "prices.import",
    "prices.remove",
    "prices.set",
    "prices.ship",
    "route.allow",
    "route.disallow",
    "route.set",
    "route.set-concurrency",
    "route.set-confidence",
    "route.set-mode",
    "route.unset",
    "vocabulary.add",
    "vocabulary.learn",
    "vocabulary.refuse",
    "vocabulary.remove",
    "webhook.add",
    "webhook.end",
    "webhook.show-secret",
    "webhook.test",
)
# The writer's role may insert into these columns only.
_NOTE = "INSERT INTO nocontent.audit (tenant_id, act, kind, term_id, rule) VALUES ($1, $2, $3, $4, $5)"
_NOTE_BEARER = "INSERT INTO nocontent.audit (tenant_id, act, token_id) VALUES ($1, $2, $3)"
_NOTE_DAYS = "INSERT INTO nocontent.audit (tenant_id, act, days) VALUES ($1, $2, $3)"
_ALL_TENANTS = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """Writes audit lines on a connection, in the transaction that is open there."""

    connection: Connection

    async def note(
        self, tenant_id: int, act: str, kind: Kind | None = None, term_id: int | None = None, rule: str | None = None
    ) -> None:
        """Write a line about an act on a tenant or on one of its terms, or about the rule that barred it."""
        await self.connection.execute(_NOTE, tenant_id, act, kind, term_id, rule)

    async def note_token(self, tenant_id: int, act: str, token_id: str) -> None:
        """Write a line about an act on a tenant's token."""
        await self.connection.execute(_NOTE_BEARER, tenant_id, act, token_id)

    async def note_days(self, act: str, days: int | None, tenant_id: int = _ALL_TENANTS) -> None:
        """Write a line about an act on the retention of a tenant or all; none are for ever, or the deployment's."""
        await self.connection.execute(_NOTE_DAYS, tenant_id, act, days)


_SHIP = (
    ("INSERT INTO nocontent.acts (act) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", ACTS),
    ("INSERT INTO nocontent.rules (rule) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", tuple(RULES)),
)
_LACKS = """
SELECT EXISTS (SELECT unnest($1::text[]) EXCEPT SELECT act FROM nocontent.acts)
    OR EXISTS (SELECT unnest($2::text[]) EXCEPT SELECT rule FROM nocontent.rules)
"""


async def ship(connection: Connection) -> None:
    """Add the acts and rules of this release that the database lacks."""
    for statement, words in _SHIP:
        await connection.execute(statement, words)


async def is_behind(connection: Connection) -> bool:
    """Return whether the database lacks an act or rule of this release, so that a row of it would be refused."""
    return bool(await connection.fetchval(_LACKS, ACTS, tuple(RULES)))
