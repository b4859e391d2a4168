-- Orders whose subject this database does not have: it was restored to before the tenant or the word existed, so there
-- is nothing to erase, and their numbers may stand for others now. Noted, so that the start does not ask for them again.
CREATE TABLE nocontent.absent_orders (
    erasure_id uuid PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE nocontent.absent_orders OWNER TO nocontent_owner;

GRANT INSERT (erasure_id), SELECT ON nocontent.absent_orders TO nocontent_control;

-- Whatever serves or runs jobs compares.
GRANT SELECT ON nocontent.absent_orders TO nocontent_writer, nocontent_biller, nocontent_eraser, nocontent_maintainer;

GRANT SELECT (tenant_id, erasure_id) ON nocontent.erasures TO nocontent_biller, nocontent_maintainer;
