-- What the ledger says of each stream. Batches without a stream have sequence -1 and stand in no stream.
CREATE VIEW nocontent.streams AS
SELECT
    tenant_id,
    stream_id,
    count(*) AS batches,
    sum(accepted)::bigint AS accepted,
    sum(duplicates)::bigint AS duplicates,
    sum(coarsened)::bigint AS coarsened,
    min(sequence) AS first_sequence,
    max(sequence) AS last_sequence,
    max(sequence) - min(sequence) + 1 - count(*) AS missing,
    sum(dropped_queue_full)::bigint AS dropped_queue_full,
    sum(dropped_retries_exhausted)::bigint AS dropped_retries_exhausted,
    sum(dropped_refused)::bigint AS dropped_refused,
    sum(dropped_shutdown)::bigint AS dropped_shutdown,
    min(received_at) AS first_received_at,
    max(received_at) AS last_received_at
FROM nocontent.batches
WHERE sequence >= 0
GROUP BY tenant_id, stream_id;

-- The sequences that never came, both ends of a gap included.
CREATE VIEW nocontent.stream_gaps AS
SELECT tenant_id, stream_id, before + 1 AS first, sequence - 1 AS last
FROM (
    SELECT tenant_id, stream_id, sequence,
        lag(sequence) OVER (PARTITION BY tenant_id, stream_id ORDER BY sequence) AS before
    FROM nocontent.batches
    WHERE sequence >= 0
) AS received
WHERE sequence > before + 1;

-- What the ledger says was stored against the rows that are there, both as of one moment. The difference is 0 until
-- retention first drops a day that had rows of the tenant. From then on it is the events that were reported on a later
-- day than they happened on: a day of `events` is dropped by their time, a day of the ledger by when a batch came.
CREATE VIEW nocontent.reconciliation AS
SELECT
    tenant_id,
    coalesce(ledger.accepted, 0) AS accepted,
    coalesce(kept.stored, 0) AS stored,
    coalesce(kept.stored, 0) - coalesce(ledger.accepted, 0) AS difference,
    ledger.first_received_at
FROM (
    SELECT tenant_id, sum(accepted)::bigint AS accepted, min(received_at) AS first_received_at
    FROM nocontent.batches
    GROUP BY tenant_id
) AS ledger
FULL JOIN (
    SELECT tenant_id, count(*) AS stored
    FROM nocontent.events
    GROUP BY tenant_id
) AS kept USING (tenant_id);

GRANT SELECT ON nocontent.streams, nocontent.stream_gaps TO nocontent_writer;

GRANT SELECT ON nocontent.streams, nocontent.stream_gaps, nocontent.reconciliation TO nocontent_reader;
