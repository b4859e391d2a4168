-- What it takes to hand a finalized invoice to a payment processor once, and to follow its payment: ids that the
-- processor gave, steps, amounts and times. There is no card and no bank data: nothing here has a place for either.
-- Processors: 1 manual, 2 stripe; ingest/usage/processor/processor.py has the same numbers.
CREATE TABLE nocontent.processor_customers (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    processor smallint NOT NULL CHECK (processor = 2),
    customer text NOT NULL CHECK (customer ~ '^cus_[A-Za-z0-9]{6,60}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, processor)
);

-- One row for each invoice, whichever the processor: no invoice is handed to two. Steps: 0 begun, 1 drafted, 2 filled,
-- 3 handed over. States, as the processor last reported: 0 none, 1 draft, 2 open, 3 paid, 4 void, 5 uncollectible.
-- A refusal waits for an operator: 0 none, 1 rejected, 2 differs, 3 gone, 4 key reused, 5 too many lines.
CREATE TABLE nocontent.handovers (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    issuer text NOT NULL CHECK (issuer ~ '^[A-Z]{2,8}$'),
    number bigint NOT NULL CHECK (number > 0),
    processor smallint NOT NULL CHECK (processor BETWEEN 1 AND 2),
    attempt smallint NOT NULL DEFAULT 1 CHECK (attempt BETWEEN 1 AND 99),
    step smallint NOT NULL DEFAULT 0 CHECK (step BETWEEN 0 AND 3),
    remote text CHECK (remote ~ '^(in|cn)_[A-Za-z0-9]{6,60}$'),
    balance_cents bigint CHECK (balance_cents >= 0),
    state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 5),
    refusal smallint NOT NULL DEFAULT 0 CHECK (refusal BETWEEN 0 AND 5),
    begun_at timestamptz NOT NULL DEFAULT now(),
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, issuer, number),
    FOREIGN KEY (tenant_id, issuer, number) REFERENCES nocontent.invoices,
    CHECK (processor = 2 OR remote IS NULL),
    CHECK (step = 0 OR processor = 1 OR remote IS NOT NULL)
);

-- A payment of an invoice. A reference is an id, such as that of a transfer in the books: neither an account nor a card.
CREATE TABLE nocontent.payments (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    issuer text NOT NULL CHECK (issuer ~ '^[A-Z]{2,8}$'),
    number bigint NOT NULL CHECK (number > 0),
    processor smallint NOT NULL CHECK (processor BETWEEN 1 AND 2),
    reference text NOT NULL CHECK (
        reference ~ '^[A-Za-z0-9][A-Za-z0-9._/-]{0,31}$' OR processor = 2 AND reference ~ '^in_[A-Za-z0-9]{6,60}$'
    ),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    paid_on date NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, issuer, number, processor, reference),
    FOREIGN KEY (tenant_id, issuer, number) REFERENCES nocontent.invoices,
    -- A bank account may have as few as nine digits, so a reference has no more than eight in a row.
    CHECK (
        processor = 2 OR reference !~ '[0-9]{9}' AND reference !~ '([0-9][._/-]?){11}'
            AND reference !~* '^[a-z]{2}[0-9]{2}[a-z0-9._/-]{11,}$'
    )
);

-- Ids of what the processor reported, so that a repeat changes nothing. Kinds: 1 finalized, 2 paid, 3 payment failed,
-- 4 voided, 5 uncollectible; ingest/usage/processor/events.py has the same numbers.
CREATE TABLE nocontent.processor_events (
    tenant_id integer NOT NULL CHECK (tenant_id > 0),
    event text NOT NULL CHECK (event ~ '^evt_[A-Za-z0-9_]{6,60}$'),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 5),
    issuer text NOT NULL CHECK (issuer ~ '^[A-Z]{2,8}$'),
    number bigint NOT NULL CHECK (number > 0),
    reported_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    handled_at timestamptz,
    PRIMARY KEY (tenant_id, event)
);

CREATE INDEX processor_events_waiting ON nocontent.processor_events (received_at) WHERE handled_at IS NULL;

-- On Citus all of these stay on the coordinator, beside the invoices. The door of webhooks runs as the writer, and may
-- add an event about an invoice that was handed over; nothing else.
CREATE FUNCTION nocontent.note_processor_event(
    tenant integer, remote_invoice text, event text, kind smallint, reported_at timestamptz
) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH noted AS (
        INSERT INTO nocontent.processor_events (tenant_id, event, kind, issuer, number, reported_at)
        SELECT tenant, note_processor_event.event, note_processor_event.kind, issuer, number,
            note_processor_event.reported_at
        FROM nocontent.handovers WHERE tenant_id = tenant AND remote = remote_invoice
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM noted)
$$;

REVOKE EXECUTE ON FUNCTION nocontent.note_processor_event FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.note_processor_event TO nocontent_writer;

GRANT SELECT, INSERT ON nocontent.processor_customers, nocontent.payments TO nocontent_biller;

-- A customer that was deleted at the processor is looked for again.
GRANT DELETE ON nocontent.processor_customers TO nocontent_biller;

GRANT UPDATE (amount_cents, paid_on) ON nocontent.payments TO nocontent_biller;

GRANT SELECT, INSERT (tenant_id, issuer, number, processor),
    UPDATE (attempt, step, remote, balance_cents, state, refusal, read_at) ON nocontent.handovers TO nocontent_biller;

GRANT SELECT, UPDATE (handled_at) ON nocontent.processor_events TO nocontent_biller;

DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['processor_customers', 'handovers', 'payments', 'processor_events'] LOOP
        EXECUTE format('ALTER TABLE nocontent.%I OWNER TO nocontent_owner', made);
    END LOOP;
    ALTER FUNCTION nocontent.note_processor_event OWNER TO nocontent_owner;
END
$$;
