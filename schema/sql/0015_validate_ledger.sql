ALTER TABLE nocontent.batches VALIDATE CONSTRAINT batches_numbers_check;
