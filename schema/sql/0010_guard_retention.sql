-- How long events are kept, and the horizon: the day before which anything may be deleted. Both change by an operator's
-- act, which is audited; besides, maintenance moves the horizon by one day when a day has passed since it last did, and
-- commits that before it deletes. So no clock, however wrong, can make more than one day expire at a time. All three
-- are null until the first round of maintenance.
CREATE TABLE nocontent.retention (
    retention_id smallint PRIMARY KEY CHECK (retention_id = 1),
    retention_days smallint CHECK (retention_days BETWEEN 1 AND 400),
    horizon date,
    advanced_at timestamptz,
    CHECK (num_nulls(retention_days, horizon, advanced_at) IN (0, 3))
);

INSERT INTO nocontent.retention (retention_id) VALUES (1);

GRANT SELECT ON nocontent.retention TO nocontent_writer, nocontent_maintainer, nocontent_control;

GRANT UPDATE (retention_days, horizon, advanced_at) ON nocontent.retention TO nocontent_maintainer, nocontent_control;

-- Of an act on retention: the days now kept, or the days by which the horizon was moved.
ALTER TABLE nocontent.audit ADD COLUMN days integer;
