-- The maintainer moves the horizon as it does all else: by a function that runs as the owner, with the guard inside. So
-- no login with that role can let more go than one day in a day, and no caller's clock has a part in it.
-- This is the step alone: from what there is, and a moment, to what there is then and why no more is let go.
CREATE FUNCTION nocontent.step_horizon(
    days integer, horizon date, advanced_at timestamptz, moment timestamptz, is_adrift boolean,
    OUT moved_to date, OUT moved_at timestamptz, OUT withheld text
)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- The oldest day to keep: one more than the window is wide, since an event may be a day old at midnight.
    oldest_kept date := (moment AT TIME ZONE 'UTC')::date - (days + 1);
BEGIN
    moved_to := horizon;
    moved_at := advanced_at;
    withheld := '';
    IF is_adrift THEN
        withheld := 'clock-adrift';
    ELSIF oldest_kept <= horizon THEN  -- Days are made back to there, and what is made may not be deleted at once.
        moved_to := oldest_kept;
    ELSIF moment < advanced_at THEN  -- The clock was wrong then or is now.
        withheld := 'clock-went-back';
    ELSIF moment - advanced_at < interval '23 hours' THEN  -- A day, less what daily rounds may differ by.
        withheld := 'too-soon';
    ELSE
        moved_to := horizon + 1;
        moved_at := moment;
        IF moved_to < oldest_kept THEN
            withheld := 'too-soon';
        END IF;
    END IF;
END
$$;

-- A database without a retention begins with nothing to delete: with the oldest day there is. A day has passed at the
-- next midnight, so that rounds keep to midnights.
CREATE FUNCTION nocontent.advance_horizon(
    first_days integer, is_adrift boolean, OUT days integer, OUT horizon date, OUT withheld text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC'
AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    known nocontent.retention;
    moved record;
BEGIN
    SELECT * INTO STRICT known FROM nocontent.retention WHERE retention_id = 1 FOR UPDATE;
    IF known.horizon IS NULL THEN
        known.retention_days := first_days;
        known.horizon := least(moment::date - (first_days + 1), (
            SELECT make_date(substr(min(relname), 8, 4)::integer, substr(min(relname), 12, 2)::integer, 1)
                + substr(min(relname), 14, 2)::integer - 1
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'nocontent.events'::regclass
                AND relname ~ '^events_(?!0000)[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$'
        ));
        known.advanced_at := date_trunc('day', moment);
    END IF;
    moved := nocontent.step_horizon(known.retention_days, known.horizon, known.advanced_at, moment, is_adrift);
    UPDATE nocontent.retention
    SET retention_days = known.retention_days, horizon = moved.moved_to, advanced_at = moved.moved_at
    WHERE retention_id = 1
        AND (retention_days, retention.horizon, advanced_at)
            IS DISTINCT FROM (known.retention_days, moved.moved_to, moved.moved_at);
    days := known.retention_days;
    horizon := moved.moved_to;
    withheld := moved.withheld;
END
$$;

REVOKE EXECUTE ON FUNCTION nocontent.step_horizon(integer, date, timestamptz, timestamptz, boolean),
    nocontent.advance_horizon(integer, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION nocontent.advance_horizon(integer, boolean) TO nocontent_maintainer;

REVOKE UPDATE (retention_days, horizon, advanced_at) ON nocontent.retention FROM nocontent_maintainer;
