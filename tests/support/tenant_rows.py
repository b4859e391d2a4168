"""A row of a tenant in every table that the console may read, but for those of people; $TENANT is its number."""

_ID = "'00000000-0000-7000-8000-00000000000$TENANT'"
ROWS = f"""
INSERT INTO readers (tenant_id, login) VALUES ($TENANT, 'login');
INSERT INTO webhooks (tenant_id, webhook_id, url) VALUES ($TENANT, {_ID}, 'https://hooks.example.com/');
INSERT INTO webhook_deliveries (tenant_id, delivery_id, webhook_id, event, ids, numbers, cause)
    VALUES ($TENANT, {_ID}, {_ID}, 5, ARRAY[{_ID}]::uuid[], '{{}}', {_ID});
INSERT INTO ingest_tokens (tenant_id, token_id, secret_sha256, scopes, revision)
    VALUES ($TENANT, '00000000000$TENANT', sha256(''), '{{}}', 0);
INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
    VALUES ($TENANT, 4, 200, 0, 'team', false, 0), ($TENANT, 5, 201, 200, 'a', false, 0);
INSERT INTO events SELECT now(), {_ID}, 0, 0, $TENANT{", 0" * 18};
INSERT INTO batches SELECT now(), {_ID}, 0, {_ID}, $TENANT, 1{", 0" * 6};
INSERT INTO usage_marks (tenant_id, first, last, events) VALUES ($TENANT, now(), now(), 0);
INSERT INTO annotations (tenant_id, occurred_at, event_id, reason) VALUES ($TENANT, now(), {_ID}, 1);
INSERT INTO usage SELECT $TENANT, 5, now(){", 0" * 36}, '{{}}', '{{}}', '{{}}', '{{}}';
INSERT INTO invoice_counters (issuer) VALUES ('NC') ON CONFLICT DO NOTHING;
INSERT INTO plans VALUES ($TENANT, 'plan-$TENANT', 'NC', 'USD');
INSERT INTO plan_versions SELECT $TENANT, 1, '2026-01-01'{", 0" * 6};
INSERT INTO subscriptions VALUES ($TENANT, '2026-01-01', $TENANT, 'UTC');
INSERT INTO invoices VALUES
    ($TENANT, 'NC', $TENANT, 1, 1, '2026-01-01', '2026-01-01', '2026-02-01', 'UTC', 'USD', 0, sha256(''));
INSERT INTO invoice_lines VALUES
    ($TENANT, 'NC', $TENANT, 1, 1, false, '2026-01-01', '2026-01-01', '2026-02-01', $TENANT, 1, 0, 0);
INSERT INTO handovers (tenant_id, issuer, number, processor) VALUES ($TENANT, 'NC', $TENANT, 2);
INSERT INTO payments VALUES ($TENANT, 'NC', $TENANT, 1, 'abc', 1, '2026-01-01');
INSERT INTO processor_customers VALUES ($TENANT, 2, 'cus_12345678$TENANT');
INSERT INTO processor_events VALUES ($TENANT, 'evt_12345678$TENANT', 1, 'NC', $TENANT, now());
INSERT INTO prices SELECT $TENANT, 1, 1, now(), 'infinity', 0, 1440, -1, 1{", 0" * 6};
INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES ($TENANT, {_ID}, 'tenant', 0);
INSERT INTO erasure_counts (tenant_id, erasure_id, table_name) VALUES ($TENANT, {_ID}, 'events');
INSERT INTO erasure_events VALUES ($TENANT, {_ID}, {_ID});
INSERT INTO erased_words VALUES ($TENANT, {_ID}, 3, 0, sha256(''), sha256(''), now());
INSERT INTO account_links (tenant_id, digest, person_id, kind, expires_at)
    VALUES ($TENANT, sha256('$TENANT'), {_ID}, 'reset', now());
INSERT INTO recovery_codes (tenant_id, person_id, digest) VALUES ($TENANT, {_ID}, sha256(''));
INSERT INTO acceptances VALUES ($TENANT, 1, 1, {_ID}, sha256(''), sha256(''));
INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause)
    VALUES ($TENANT, 'invoice', {_ID}, ARRAY[{_ID}]::uuid[], '{{1}}', {_ID});
INSERT INTO mail_preferences (tenant_id, person_id, mail_group) VALUES ($TENANT, {_ID}, 'alert');
INSERT INTO budgets (tenant_id, budget_id, limit_nanousd, scope, period, thresholds, forecast, time_zone)
    VALUES ($TENANT, {_ID}, 1, 1, 1, '{{100}}', false, 'UTC');
INSERT INTO budget_alerts VALUES ($TENANT, {_ID}, 1, now(), NULL, '2026-01-01', 100, true);
INSERT INTO gateway_settings (tenant_id, confidence_min, revision) VALUES ($TENANT, 1000, 0);
INSERT INTO gateway_routes (tenant_id, category_id, place, model_id) VALUES ($TENANT, 1, 0, 1);
INSERT INTO gateway_models (tenant_id, model_id) VALUES ($TENANT, 1);
INSERT INTO refusals VALUES (now(), now(), 1, 1, $TENANT, '2026-01-01', 1, 0, 'other');
INSERT INTO arrivals VALUES (now(), now(), 1, 0, 1, $TENANT, '2026-01-01', 0, 0, 1, '000000000000');
"""
