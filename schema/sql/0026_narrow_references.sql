-- A bank account may have as few as nine digits, so a reference of a payment has no more than eight in a row.
ALTER TABLE nocontent.payments ADD CONSTRAINT payments_no_account_check
    CHECK (processor = 2 OR reference !~ '[0-9]{9}');
