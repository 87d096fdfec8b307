-- Daemons let the server do the waiting: a question every 10 ms from outside cost the two of them three times as much.

-- The settings keep to the index whatever the statistics say: gathered during a burst, they make a scan of the whole
-- table look cheap.
CREATE FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_end constant timestamptz := v_now + up_to;
    v_seconds constant double precision := extract(epoch FROM every);
BEGIN
    -- What was appended to a saga that a daemon runs may wait for the next call.
    IF EXISTS (SELECT FROM saga.state s WHERE s.owner = wait_for_work.daemon AND s.due_at <= v_now) THEN
        RETURN true;
    END IF;
    LOOP
        IF EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= v_now) THEN
            RETURN true;
        END IF;
        IF v_now >= v_end THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(v_seconds);
        v_now := clock_timestamp();
    END LOOP;
END
$$;

COMMENT ON FUNCTION saga.wait_for_work(integer, interval, interval) IS
    'Whether anything is due that is nobody''s or this daemon''s: looked for in state_work at once, then every so often '
    'until the time is over. Locks and writes nothing.';

REVOKE ALL ON FUNCTION saga.wait_for_work(integer, interval, interval) FROM PUBLIC;

DROP FUNCTION saga.has_work(integer);
