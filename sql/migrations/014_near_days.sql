-- What every saga passes through costs what it must: rules that are stated elsewhere leave the two busiest tables, and
-- work is looked for in the partitions of about now, in those of other days once a second.

-- Readers lock views before tables, daemons events before states: nobody is waited for longer than it takes to find one.
DO $$
DECLARE
    v_timeout constant text := current_setting('lock_timeout');
BEGIN
    FOR n IN 1..300 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            LOCK TABLE saga.key, saga.state, saga.event IN ACCESS EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', v_timeout, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    RAISE EXCEPTION 'somebody holds saga.key, saga.state or saga.event for long'
        USING ERRCODE = 'lock_not_available', HINT = 'Look for them in pg_locks, and migrate again.';
END
$$;

-- PostgreSQL reads the text of each rule anew in every statement: of what a start costs these were two fifths. A history
-- that breaks them is not read (its saga is set aside), and saga doctor --deep holds every row against its history. The
-- one that stays keeps a saga that has not ended from being where nobody looks.
ALTER TABLE saga.state DROP CONSTRAINT state_status_known, DROP CONSTRAINT state_ended_with_status,
    DROP CONSTRAINT state_waits_whole;
ALTER TABLE saga.event DROP CONSTRAINT event_sequence_positive, DROP CONSTRAINT event_cause_earlier,
    DROP CONSTRAINT event_type_known;
-- saga.accept, which alone writes keys, has said the same before, and to the caller in plain words.
ALTER TABLE saga.key DROP CONSTRAINT key_length, DROP CONSTRAINT key_no_control_characters,
    DROP CONSTRAINT key_not_uuid;

COMMENT ON COLUMN saga.event.sequence IS '1, 2, 3 and so on within the saga, without gaps: what else is never read.';
COMMENT ON COLUMN saga.event.cause IS 'The sequence of the earlier event of this saga that led to this one.';

CREATE FUNCTION saga.write_aimed(name text, arguments text, result text, body text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'saga'::regnamespace AND p.proname = write_aimed.name
            AND pg_get_function_arguments(p.oid) = arguments AND p.prosrc = body) THEN
        RETURN;
    END IF;
    -- The settings keep it to the indexes that are made for it, and to plans that are made once a session.
    EXECUTE format('CREATE OR REPLACE FUNCTION saga.%I(%s) RETURNS %s LANGUAGE plpgsql VOLATILE '
        'SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off '
        'SET plan_cache_mode = force_generic_plan AS %L', name, arguments, result, body);
END
$$;

COMMENT ON FUNCTION saga.write_aimed(text, text, text, text) IS
    'Writes a function of saga.aim_probe, unless it is there as it should be.';

CREATE FUNCTION saga.utc_text(at timestamptz) RETURNS text LANGUAGE sql STABLE STRICT AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;

COMMENT ON FUNCTION saga.utc_text(timestamptz) IS 'A time as every session reads it, to the second.';

CREATE OR REPLACE FUNCTION saga.aim_probe(at timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE plpgsql AS $outer$
DECLARE
    v_near text[];
    v_from text[];
    v_until text;
    v_own text;
    v_free text;
    v_take text;
    v_tables text;
BEGIN
    SELECT coalesce(array_agg(format('saga.%I', 'state_' || p.partition) ORDER BY p.end_id), '{}'),
            array_agg(saga.utc_text(saga.id_time(p.first_id)) ORDER BY p.end_id),
            saga.utc_text(max(saga.id_time(p.end_id)))
        INTO v_near, v_from, v_until FROM saga.partitions() p
        WHERE p.end_id > saga.id_floor(at - interval '1 hour')
            AND (p.first_id IS NULL OR p.first_id < saga.id_floor(at + interval '2 hours'));
    IF v_near = '{}' OR EXISTS (SELECT FROM saga.state_default) THEN
        v_near := v_near || 'saga.state_default'::text;
    END IF;
    -- Later on sagas start in a partition that is not among these.
    v_until := coalesce(v_until, 'infinity');

    SELECT string_agg(format('EXISTS (SELECT FROM %s s WHERE s.owner = daemon AND s.due_at <= v_now)', n.name),
            E'\n        OR ' ORDER BY n.place DESC),
        -- Before its day has begun nothing starts in it.
        string_agg(format($look$
        IF v_now >= %2$L THEN
            PERFORM FROM %1$s s WHERE s.owner IS NULL AND s.due_at <= v_now LIMIT 1;
            IF FOUND THEN
                RETURN true;
            END IF;
        END IF;$look$, n.name, coalesce(v_from[n.place], '-infinity')), '' ORDER BY n.place DESC),
        string_agg(format($near$
    v_free := ARRAY(
        SELECT s.id FROM %1$s s WHERE s.owner IS NULL AND s.due_at <= now()
        ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
    v_own := ARRAY(
        SELECT s.id FROM %1$s s WHERE s.owner = daemon AND s.due_at <= now()
        ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
    IF v_free <> '{}' OR v_own <> '{}' THEN
        RETURN QUERY
            UPDATE %1$s s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
                waits_attempts = NULL, waits_since = NULL
            WHERE s.id = ANY (v_free || v_own)
            RETURNING s.id, true;
        most := most - cardinality(v_free);
        own_most := own_most - cardinality(v_own);
    END IF;
$near$, n.name), '' ORDER BY n.place),
        format('ARRAY[%s]', string_agg(format('%L::regclass', n.name), ', ' ORDER BY n.place))
        INTO v_own, v_free, v_take, v_tables FROM unnest(v_near) WITH ORDINALITY AS n (name, place);

    PERFORM saga.write_aimed('wait_for_work', 'daemon integer, every interval, up_to interval, wide boolean', 'boolean',
        format($body$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_end constant timestamptz := v_now + up_to;
    v_seconds constant double precision := extract(epoch FROM every);
BEGIN
    -- Two conditions in one would open all partitions to look into none.
    IF wide OR v_now >= %3$L THEN
        IF EXISTS (SELECT FROM saga.state s WHERE s.owner = daemon AND s.due_at <= v_now)
            OR EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= v_now) THEN
            RETURN true;
        END IF;
    END IF;
    -- What was appended to a saga that a daemon runs may wait for the next call.
    IF %1$s THEN
        RETURN true;
    END IF;
    LOOP%2$s
        IF v_now >= v_end THEN
            RETURN false;
        END IF;
        -- Never so. PERFORM would make a query of it, which costs as much as the look.
        IF pg_sleep(v_seconds) IS NULL THEN
            RETURN false;
        END IF;
        v_now := clock_timestamp();
    END LOOP;
END
$body$, v_own, v_free, v_until));

    PERFORM saga.write_aimed('claim', 'daemon integer, most bigint, own_most bigint, wide boolean',
        'TABLE(id uuid, is_near boolean)', format($body$
DECLARE
    v_free uuid[];
    v_own uuid[];
BEGIN
    IF wide OR clock_timestamp() >= %2$L THEN
        v_free := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
        v_own := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner = daemon AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
        RETURN QUERY
            SELECT t.id, t.partition = ANY (%3$s) FROM saga.take(daemon, v_free || v_own) t;
        RETURN;
    END IF;
%1$sEND
$body$, v_take, v_until, v_tables));
END
$outer$;

COMMENT ON FUNCTION saga.aim_probe(timestamptz) IS
    'Writes saga.wait_for_work and saga.claim anew with the partitions of about that time: to look through the parent '
    'opens all of them.';

CREATE FUNCTION saga.take(daemon integer, ids uuid[]) RETURNS TABLE (id uuid, partition regclass)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    IF ids = '{}' THEN
        RETURN;
    END IF;
    -- Planned with the ids at hand: no other partitions than theirs are opened.
    RETURN QUERY EXECUTE
        'UPDATE saga.state s SET owner = $1, due_at = NULL, unreadable = NULL, waits_for = NULL, waits_attempts = NULL, '
        'waits_since = NULL WHERE s.id = ANY ($2) RETURNING s.id, s.tableoid::regclass' USING daemon, ids;
END
$$;

COMMENT ON FUNCTION saga.take(integer, uuid[]) IS
    'Makes sagas that the caller has locked a daemon''s; with the partitions that they are in.';

SELECT saga.aim_probe();

COMMENT ON FUNCTION saga.wait_for_work(integer, interval, interval, boolean) IS
    'Whether anything is due that is nobody''s or this daemon''s: looked for in state_work of all partitions at once if '
    'wide, then, of the partitions that sagas start in now, every so often until the time is over. Locks and writes '
    'nothing. Written by saga.aim_probe.';
COMMENT ON FUNCTION saga.claim(integer, bigint, bigint, boolean) IS
    'Makes sagas that are due a daemon''s, at most so many that are nobody''s and so many of its own, those due first '
    'first: of all partitions if wide, else of those that sagas start in now (is_near). Skips what another daemon is '
    'claiming. Within a transaction that saga.fence has begun. Written by saga.aim_probe.';

-- As daemons of before 014 call it.
CREATE OR REPLACE FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT c.id FROM saga.claim(daemon, most, own_most, true) c;
END
$$;

COMMENT ON FUNCTION saga.claim(integer, bigint, bigint) IS 'As daemons of before 014 call it: of all partitions.';

CREATE OR REPLACE FUNCTION saga.claim_waiting(
    daemon integer, service integer, most bigint, fewest_attempts_first boolean
) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_ids uuid[];
BEGIN
    IF fewest_attempts_first THEN
        v_ids := ARRAY(
            SELECT s.id FROM saga.state s
            WHERE s.waits_for = service AND s.due_at IS NOT NULL AND s.owner IS NULL
            ORDER BY s.waits_for, s.waits_attempts, s.waits_since LIMIT most FOR UPDATE SKIP LOCKED);
    ELSE
        v_ids := ARRAY(
            SELECT s.id FROM saga.state s
            WHERE s.waits_for = service AND s.due_at IS NOT NULL AND s.owner IS NULL
            ORDER BY s.waits_for, s.waits_since LIMIT most FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN QUERY SELECT t.id FROM saga.take(daemon, v_ids) t;
END
$$;

REVOKE ALL ON FUNCTION saga.utc_text(timestamptz), saga.write_aimed(text, text, text, text), saga.take(integer, uuid[]),
    saga.claim(integer, bigint, bigint, boolean) FROM PUBLIC;
