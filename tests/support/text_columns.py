"""Every column of text, and which roles may write it. Nobody else may, but by functions."""

CONTROL, WRITER, BILLER = "nocontent_control", "nocontent_writer", "nocontent_biller"
CONSOLE = "nocontent_console"  # It writes in a session, and rows of that session's tenant alone.
EXPECTED = {
    **{
        place: []
        for place in "acts.act rules.rule migrations.name migrations.sha256 jobs.job job_figures.figure".split()
    },
    "acceptances.digest": [],  # A function writes them, 32 bytes each, of an owner or admin.
    "acceptances.shown": [],
    "tenants.name": [CONTROL],
    "ingest_tokens.token_id": [CONSOLE, CONTROL],
    "ingest_tokens.secret_sha256": [CONSOLE, CONTROL],
    "ingest_tokens.scopes": [CONSOLE, CONTROL],
    "readers.login": [CONTROL],
    "audit.act": [CONSOLE, CONTROL, WRITER],
    "audit.rule": [CONSOLE, CONTROL, WRITER],
    "audit.token_id": [CONSOLE, CONTROL],
    "vocabulary.term": [CONSOLE, CONTROL, WRITER],
    "invoice_counters.issuer": [CONTROL],
    "plans.name": [CONTROL],
    "plans.issuer": [CONTROL],
    "plans.currency": [CONTROL],
    "subscriptions.time_zone": [CONTROL],
    "invoices.issuer": [],  # A function writes documents, of what the tables above hold.
    "invoices.time_zone": [],
    "invoices.currency": [],
    "invoices.usage_digest": [],
    "invoice_lines.issuer": [],
    "processor_customers.customer": [BILLER],
    "handovers.issuer": [BILLER],
    "handovers.remote": [BILLER],
    "payments.issuer": [BILLER],
    "payments.reference": [BILLER],
    "processor_events.event": [],  # A function writes ids, about what was handed over.
    "processor_events.issuer": [],
    "erasures.scope": [CONSOLE, CONTROL],
    "erasures.step": [],  # A function sets it, as it does the tables below.
    "erasure_counts.table_name": [],
    "tenant_tables.table_name": [],
    "tenant_tables.erased": [],
    "refusals.cause": [],  # Functions count, by what the lists have.
    "arrivals.token_id": [],
    "erased_words.digest": [CONSOLE, CONTROL],
    "erased_words.salt": [CONSOLE, CONTROL],
    "people.email": [],  # Functions write what is about people.
    "people.name": [],
    "people.role": [],
    "people.password_hash": [],
    "people.totp_secret": [],
    "people.time_zone": [],
    "people.places": [],
    "sessions.digest": [],
    "sessions.browser": [],
    "account_links.digest": [],
    "account_links.kind": [],
    "recovery_codes.digest": [],
    "webhooks.url": [],  # A function writes it, for an owner, an admin or an operator.
    "sign_in_attempts.bucket": [],
    "page_counts.page": [CONSOLE],
    "outbox.kind": [],  # Functions write letters, and only their states change.
    "outbox.state": ["nocontent_mailer"],
    "mail_preferences.mail_group": [],
    "budgets.time_zone": [CONSOLE, CONTROL],
}
