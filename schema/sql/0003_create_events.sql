-- No column here holds text, JSON or bytes; a test reads the catalog to see that. Nothing is NULL, so every row has the
-- same width: -1 stands for an unknown cost or time, 0 for an absent status, reason or tag; the view says NULL.
-- `outcome` is five flags (bits 0-4: streamed, cached, fallback, retried, escalated), status (5-7), stop reason (8-11).
-- The columns go from wide to narrow: no padding, 96 bytes and 24 of header.
CREATE TABLE nocontent.events (
    occurred_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    cost_nanousd bigint NOT NULL,
    baseline_cost_nanousd bigint NOT NULL,
    tenant_id integer NOT NULL,
    input_tokens integer NOT NULL,
    output_tokens integer NOT NULL,
    cache_read_tokens integer NOT NULL,
    cache_write_5m_tokens integer NOT NULL,
    cache_write_1h_tokens integer NOT NULL,
    reasoning_tokens integer NOT NULL,
    latency_ms integer NOT NULL,
    ttft_ms integer NOT NULL,
    task_category smallint NOT NULL,
    provider smallint NOT NULL,
    requested_model smallint NOT NULL,
    routed_model smallint NOT NULL,
    http_status smallint NOT NULL,
    outcome smallint NOT NULL,
    tag_1 smallint NOT NULL,
    tag_2 smallint NOT NULL,
    tag_3 smallint NOT NULL,
    tag_4 smallint NOT NULL,
    PRIMARY KEY (tenant_id, occurred_at, event_id)
) PARTITION BY RANGE (occurred_at);

-- The ledger, written in the transaction of the batch's rows. A batch without a stream has its digest for stream_id
-- and -1 for sequence. The digest is of the event ids alone: it can prove a replay, and no guess at anything else.
CREATE TABLE nocontent.batches (
    received_at timestamptz NOT NULL DEFAULT now(),
    stream_id uuid NOT NULL,
    sequence bigint NOT NULL,
    digest uuid NOT NULL,
    tenant_id integer NOT NULL,
    accepted integer NOT NULL,
    duplicates integer NOT NULL,
    coarsened integer NOT NULL,
    dropped_queue_full integer NOT NULL,
    dropped_retries_exhausted integer NOT NULL,
    dropped_refused integer NOT NULL,
    dropped_shutdown integer NOT NULL,
    PRIMARY KEY (tenant_id, stream_id, sequence)
);

CREATE INDEX batches_received_at ON nocontent.batches (tenant_id, received_at);
