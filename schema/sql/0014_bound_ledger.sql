-- The fourth gate of the ledger's numbers, with the bounds of schema/limits.py. -1 is the sequence of a batch without a
-- stream. 0015 looks at the rows that are there, without stopping writers.
ALTER TABLE nocontent.batches ADD CONSTRAINT batches_numbers_check CHECK (
    tenant_id > 0
    AND sequence BETWEEN -1 AND 9007199254740991
    AND accepted BETWEEN 0 AND 5000 AND duplicates BETWEEN 0 AND 5000 AND accepted + duplicates <= 5000
    AND coarsened BETWEEN 0 AND 40000
    AND dropped_queue_full >= 0 AND dropped_retries_exhausted >= 0 AND dropped_refused >= 0 AND dropped_shutdown >= 0
) NOT VALID;
