-- Retention, the first of three steps: each is a transaction of its own, so that none holds a lock while it reads all.
-- What is there becomes one partition. That its ids lie below a bound is stated here for new rows, proven for the old
-- ones by the next migration, and used by the third, which then has nothing to read.

DO $$
DECLARE
    -- Some days ahead: should the next steps not follow at once, starts go on meanwhile.
    v_day constant timestamp := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '4 days';
    v_bound constant text := lpad(to_hex((extract(epoch FROM v_day) * 1000)::bigint), 12, '0') || repeat('0', 20);
BEGIN
    IF EXISTS (SELECT FROM saga.state) OR EXISTS (SELECT FROM saga.event) THEN
        EXECUTE format('ALTER TABLE saga.state ADD CONSTRAINT state_bound CHECK (id < %L::uuid) NOT VALID', v_bound::uuid);
        EXECUTE format('ALTER TABLE saga.event ADD CONSTRAINT event_bound CHECK (saga_id < %L::uuid) NOT VALID',
            v_bound::uuid);
    END IF;
END
$$;
