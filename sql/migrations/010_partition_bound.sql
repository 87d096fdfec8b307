-- Retention, the first of three steps: each is a transaction of its own, so that none holds a lock while it reads all.
-- What is there becomes one partition. That its ids lie below a bound is stated here for new rows, proven for the old
-- ones by the next migration, and used by the third, which then has nothing to read.

DO $$
DECLARE
    -- Some days ahead: should the next steps not follow at once, starts go on meanwhile.
    v_day constant timestamp := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '4 days';
    v_bound constant uuid := (lpad(to_hex((extract(epoch FROM v_day) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM saga.state) AND NOT EXISTS (SELECT FROM saga.event) THEN
        RETURN;
    END IF;
    -- Others lock the two in either order: nobody is waited for longer than it takes to find a deadlock.
    FOR n IN 1..300 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            EXECUTE format('ALTER TABLE saga.state ADD CONSTRAINT state_bound CHECK (id < %L::uuid) NOT VALID', v_bound);
            EXECUTE format('ALTER TABLE saga.event ADD CONSTRAINT event_bound CHECK (saga_id < %L::uuid) NOT VALID',
                v_bound);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    RAISE EXCEPTION 'somebody holds saga.state or saga.event for long'
        USING ERRCODE = 'lock_not_available', HINT = 'Look for them in pg_locks, and migrate again.';
END
$$;
