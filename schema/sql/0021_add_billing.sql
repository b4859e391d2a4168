-- Plans, who is on which, and the documents that were issued. Amounts are integers: cents of the plan's currency, and
-- prices in billionths of its unit. No card, no bank account, no address: a payment processor has those.
--
-- A function issues a document whole, and nobody may change it afterwards: no role has INSERT, UPDATE or DELETE on
-- documents. Only their states change, by functions. A draft is computed and never stored.
--
-- On Citus all of these stay on the coordinator, as `tenants` does: a dozen rows a tenant and month, and one
-- transaction holds the counter and the document that takes its number.
CREATE TABLE nocontent.invoice_counters (
    issuer text PRIMARY KEY CHECK (issuer ~ '^[A-Z]{2,8}$'),
    last bigint NOT NULL DEFAULT 0 CHECK (last >= 0)
);

-- Issuer and currency belong to a plan for ever, so that a correction never mixes two.
CREATE TABLE nocontent.plans (
    plan_id smallint PRIMARY KEY CHECK (plan_id > 0),
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    issuer text NOT NULL REFERENCES nocontent.invoice_counters,
    currency text NOT NULL CHECK (currency IN (
        'AUD', 'BRL', 'CAD', 'CHF', 'CZK', 'DKK', 'EUR', 'GBP', 'HKD', 'ILS', 'INR', 'MXN', 'MYR', 'NOK', 'NZD', 'PLN',
        'RON', 'SEK', 'SGD', 'THB', 'TRY', 'USD', 'ZAR'
    )),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Savings are in US dollars: a share of them in another currency needs a rate that was agreed upon, in millionths.
CREATE TABLE nocontent.plan_versions (
    plan_id smallint NOT NULL REFERENCES nocontent.plans,
    version smallint NOT NULL CHECK (version > 0),
    since date NOT NULL CHECK (extract(day FROM since) = 1),
    per_million_events_nano bigint NOT NULL CHECK (per_million_events_nano BETWEEN 0 AND 1000000000000000),
    free_events bigint NOT NULL CHECK (free_events BETWEEN 0 AND 1000000000000000),
    savings_share_ppm integer NOT NULL CHECK (savings_share_ppm BETWEEN 0 AND 1000000),
    usd_rate_ppm bigint NOT NULL CHECK (usd_rate_ppm BETWEEN 0 AND 1000000000000),
    flat_cents bigint NOT NULL CHECK (flat_cents BETWEEN 0 AND 100000000000),
    minimum_cents bigint NOT NULL CHECK (minimum_cents BETWEEN 0 AND 100000000000),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_id, version),
    UNIQUE (plan_id, since),
    CHECK (savings_share_ppm = 0 OR usd_rate_ppm > 0)
);

-- From a month on: the plan, or null for none, and the time zone in which months begin and end.
CREATE TABLE nocontent.subscriptions (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    month date NOT NULL CHECK (extract(day FROM month) = 1 AND month BETWEEN '2020-01-01' AND '2199-12-01'),
    plan_id smallint REFERENCES nocontent.plans,
    time_zone text NOT NULL CHECK (time_zone ~ '^[A-Z][A-Za-z]{1,19}([/_+-][A-Za-z0-9]{1,19}){0,6}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, month)
);

-- kind: 1 invoice, 2 credit note. state: 1 finalized, 2 paid, 3 void. `credits` is the number of the invoice that a
-- credit note mirrors; if `waived`, what it takes back is not billed again.
CREATE TABLE nocontent.invoices (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    issuer text NOT NULL REFERENCES nocontent.invoice_counters,
    number bigint NOT NULL CHECK (number > 0),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 2),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    time_zone text NOT NULL CHECK (time_zone ~ '^[A-Z][A-Za-z]{1,19}([/_+-][A-Za-z0-9]{1,19}){0,6}$'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_cents bigint NOT NULL CHECK (total_cents BETWEEN -1000000000000000 AND 1000000000000000),
    usage_digest bytea NOT NULL CHECK (octet_length(usage_digest) = 32),
    credits bigint,
    waived boolean NOT NULL DEFAULT false,
    finalized_at timestamptz NOT NULL DEFAULT now(),
    paid_at timestamptz,
    voided_at timestamptz,
    PRIMARY KEY (tenant_id, issuer, number),
    FOREIGN KEY (tenant_id, issuer, credits) REFERENCES nocontent.invoices (tenant_id, issuer, number),
    CHECK (kind = 2 OR (credits IS NULL AND total_cents >= 0)),
    CHECK (credits IS NOT NULL OR NOT waived),
    CHECK (kind = 1 OR total_cents <= 0),
    CHECK ((state = 3) = (voided_at IS NOT NULL) AND (state <> 2 OR paid_at IS NOT NULL) AND (kind = 1 OR state <> 3))
);

CREATE UNIQUE INDEX invoices_one_a_month ON nocontent.invoices (tenant_id, month) WHERE kind = 1;

CREATE UNIQUE INDEX invoices_one_mirror ON nocontent.invoices (tenant_id, issuer, credits) WHERE credits IS NOT NULL;

-- kind: 1 events, 2 savings, 3 flat, 4 minimum. What a line says in words is made of these numbers. `month` and the
-- period are those of the service; a correction's are before those of its document.
CREATE TABLE nocontent.invoice_lines (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    issuer text NOT NULL CHECK (issuer ~ '^[A-Z]{2,8}$'),
    number bigint NOT NULL,
    line smallint NOT NULL CHECK (line > 0),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 4),
    is_correction boolean NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    plan_id smallint NOT NULL,
    plan_version smallint NOT NULL,
    quantity bigint NOT NULL,
    cents bigint NOT NULL CHECK (cents BETWEEN -1000000000000000 AND 1000000000000000),
    PRIMARY KEY (tenant_id, issuer, number, line),
    FOREIGN KEY (tenant_id, issuer, number) REFERENCES nocontent.invoices,
    FOREIGN KEY (plan_id, plan_version) REFERENCES nocontent.plan_versions
);

-- The snapshot in which the lines were computed must still hold: the counter is the first row that a document changes,
-- so with REPEATABLE READ anything that the issuer issued meanwhile makes this fail (40001), and the caller computes
-- again. That, and the unique indexes, make it one invoice a tenant and month. A number that is taken in a transaction
-- that does not commit is not taken: no gaps. The total is the sum of the lines because it is computed here.
CREATE FUNCTION nocontent.issue_document(
    tenant integer, its_issuer text, its_kind smallint, its_month date, its_start timestamptz, its_end timestamptz,
    its_time_zone text, its_currency text, its_digest bytea, its_lines jsonb
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
        RAISE invalid_transaction_state USING MESSAGE = 'a document is issued in REPEATABLE READ';
    END IF;
    IF jsonb_array_length(its_lines) NOT BETWEEN 1 AND 1000 OR its_end > now() THEN
        RAISE check_violation USING MESSAGE = 'a document has lines, and its period has ended';
    END IF;
    UPDATE nocontent.invoice_counters SET last = last + 1 WHERE issuer = its_issuer RETURNING last INTO STRICT taken;
    INSERT INTO nocontent.invoices (tenant_id, issuer, number, kind, state, month, period_start, period_end, time_zone,
        currency, total_cents, usage_digest)
    SELECT tenant, its_issuer, taken, its_kind, 1, its_month, its_start, its_end, its_time_zone, its_currency,
        sum((line ->> 'cents')::bigint), its_digest
    FROM jsonb_array_elements(its_lines) AS line;
    INSERT INTO nocontent.invoice_lines (tenant_id, issuer, number, line, kind, is_correction, month, period_start,
        period_end, plan_id, plan_version, quantity, cents)
    SELECT tenant, its_issuer, taken, place, (line ->> 'kind')::smallint, (line ->> 'is_correction')::boolean,
        (line ->> 'month')::date, (line ->> 'start')::timestamptz, (line ->> 'end')::timestamptz,
        (line ->> 'plan_id')::smallint, (line ->> 'plan_version')::smallint, (line ->> 'quantity')::bigint,
        (line ->> 'cents')::bigint
    FROM jsonb_array_elements(its_lines) WITH ORDINALITY AS given (line, place);
    INSERT INTO nocontent.audit (tenant_id, act)
    VALUES (tenant, CASE its_kind WHEN 1 THEN 'invoice.finalize' ELSE 'invoice.correct' END);
    RETURN taken;
END
$$;

-- A credit note mirrors its invoice, line by line, and makes it void.
CREATE FUNCTION nocontent.credit_invoice(tenant integer, its_issuer text, its_number bigint, is_waived boolean)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken bigint;
BEGIN
    UPDATE nocontent.invoice_counters SET last = last + 1 WHERE issuer = its_issuer RETURNING last INTO STRICT taken;
    UPDATE nocontent.invoices SET state = 3, voided_at = now()
    WHERE tenant_id = tenant AND issuer = its_issuer AND number = its_number AND kind = 1 AND state IN (1, 2);
    IF NOT FOUND THEN
        RAISE invalid_parameter_value USING MESSAGE = 'only an invoice that is not void can be credited';
    END IF;
    INSERT INTO nocontent.invoices (tenant_id, issuer, number, kind, state, month, period_start, period_end, time_zone,
        currency, total_cents, usage_digest, credits, waived)
    SELECT tenant_id, issuer, taken, 2, 1, month, period_start, period_end, time_zone, currency, -total_cents,
        usage_digest, number, is_waived
    FROM nocontent.invoices WHERE tenant_id = tenant AND issuer = its_issuer AND number = its_number;
    INSERT INTO nocontent.invoice_lines (tenant_id, issuer, number, line, kind, is_correction, month, period_start,
        period_end, plan_id, plan_version, quantity, cents)
    SELECT tenant_id, issuer, taken, line, kind, is_correction, month, period_start, period_end, plan_id, plan_version,
        -quantity, -cents
    FROM nocontent.invoice_lines WHERE tenant_id = tenant AND issuer = its_issuer AND number = its_number;
    INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'invoice.credit');
    RETURN taken;
END
$$;

-- Of an invoice: it was paid; of a credit note: it was paid back. Once, and whoever says it twice is told so by false.
CREATE FUNCTION nocontent.settle_invoice(tenant integer, its_issuer text, its_number bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE nocontent.invoices SET state = 2, paid_at = now()
    WHERE tenant_id = tenant AND issuer = its_issuer AND number = its_number AND state = 1;
    IF FOUND THEN
        INSERT INTO nocontent.audit (tenant_id, act) VALUES (tenant, 'invoice.settle');
    END IF;
    RETURN FOUND;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.issue_document, nocontent.credit_invoice, nocontent.settle_invoice FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.issue_document, nocontent.credit_invoice, nocontent.settle_invoice
    TO nocontent_biller;

GRANT SELECT ON nocontent.invoice_counters, nocontent.plans, nocontent.plan_versions, nocontent.subscriptions,
    nocontent.invoices, nocontent.invoice_lines TO nocontent_biller, nocontent_usage_reader, nocontent_control;

GRANT INSERT (issuer) ON nocontent.invoice_counters TO nocontent_control;

GRANT INSERT ON nocontent.plans, nocontent.plan_versions, nocontent.subscriptions TO nocontent_control;

-- A month that has not begun may still be given another plan.
GRANT UPDATE (plan_id, time_zone) ON nocontent.subscriptions TO nocontent_control;
