-- What every saga passes through costs what it must: rules that are stated elsewhere leave the tables that a start writes
-- to, and work is looked for in the partitions of about now, in those of other days once a second.

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

-- Without backslashes, which mean something else where standard_conforming_strings is off.
CREATE OR REPLACE FUNCTION saga.partitions() RETURNS TABLE (partition text, first_id uuid, end_id uuid)
LANGUAGE sql STABLE AS $$
    SELECT substr(c.relname, 7), (regexp_match(b.text, 'FROM [(]''([0-9a-f-]{36})''[)]'))[1]::uuid,
        (regexp_match(b.text, 'TO [(]''([0-9a-f-]{36})''[)]'))[1]::uuid
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN pg_get_expr(c.relpartbound, c.oid) AS b (text)
    WHERE i.inhparent = 'saga.state'::regclass
$$;

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
    SELECT CASE WHEN isfinite(at) THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE at::text END
$$;

COMMENT ON FUNCTION saga.utc_text(timestamptz) IS 'A time as every session reads it, to the second.';

CREATE OR REPLACE FUNCTION saga.aim_probe(at timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE plpgsql AS $outer$
DECLARE
    v_from constant uuid := saga.id_floor(at - interval '1 hour');
    v_near text := '';
    v_count integer := 0;
    -- Ids below it are of other days; without days here all may be.
    v_floor uuid;
    -- The end of the days that are named here.
    v_until timestamptz := at - interval '1 hour';
    v_has_gap boolean := EXISTS (SELECT FROM saga.state_default);
    v_look text;
    v_partition record;
BEGIN
    -- One within the other: later days aren't asked for before they begin. For an hour more than its own a day is looked
    -- into every time, so that what was started at its end is over.
    FOR v_partition IN
        SELECT format('saga.%I', 'state_' || p.partition) AS name, p.first_id,
            coalesce(saga.id_time(p.first_id), '-infinity') AS begins, saga.id_time(p.end_id) AS ends
        FROM saga.partitions() p
        WHERE p.end_id > v_from AND (p.first_id IS NULL OR p.first_id < saga.id_floor(at + interval '8 days'))
        ORDER BY p.end_id
    LOOP
        v_floor := coalesce(v_floor, v_partition.first_id, saga.id_floor('epoch'));
        v_has_gap := v_has_gap OR v_partition.begins > v_until;
        v_until := v_partition.ends;
        v_count := v_count + 1;
        v_near := v_near || format(E'\n    IF v_now >= %L THEN\n    IF v_now < %L THEN @%s@\n    END IF;',
            saga.utc_text(v_partition.begins), saga.utc_text(v_partition.ends + interval '1 hour'), v_partition.name);
    END LOOP;
    IF v_count = 0 AND NOT EXISTS (SELECT FROM saga.partitions() p WHERE p.end_id > v_from) THEN
        v_until := 'infinity';
    END IF;
    IF v_has_gap OR v_count = 0 THEN
        v_near := '@saga.state_default@' || v_near || repeat(E'\n    END IF;', v_count);
    ELSE
        v_near := v_near || format(E'\n    IF v_now >= %L THEN @saga.state_default@\n    END IF;', saga.utc_text(v_until))
            || repeat(E'\n    END IF;', v_count);
    END IF;
    v_look := E'\n        PERFORM FROM \\1 s WHERE s.owner %s AND s.due_at <= v_now LIMIT 1;'
        '\n        IF FOUND THEN\n            RETURN true;\n        END IF;';

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
    %1$s
    LOOP
    %2$s
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
$body$, regexp_replace(v_near, '@([^@]+)@', format(v_look, '= daemon'), 'g'),
            regexp_replace(v_near, '@([^@]+)@', format(v_look, 'IS NULL'), 'g'), saga.utc_text(v_until)));

    PERFORM saga.write_aimed('claim', 'daemon integer, most bigint, own_most bigint, wide boolean', 'SETOF uuid',
        format($body$
DECLARE
    v_now constant timestamptz := clock_timestamp();
    v_free uuid[];
    v_own uuid[];
BEGIN
    IF wide OR v_now >= %2$L THEN
        v_free := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
        v_own := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner = daemon AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
        RETURN QUERY SELECT saga.take(daemon, v_free || v_own);
        IF cardinality(v_free) >= most THEN
            IF EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now() AND s.id < %3$L) THEN
                RETURN NEXT NULL;
            END IF;
        END IF;
        IF cardinality(v_own) >= own_most THEN
            IF EXISTS (SELECT FROM saga.state s WHERE s.owner = daemon AND s.due_at <= now() AND s.id < %3$L) THEN
                RETURN NEXT NULL;
            END IF;
        END IF;
        RETURN;
    END IF;
    %1$s
END
$body$, regexp_replace(v_near, '@([^@]+)@', $take$
        v_free := ARRAY(
            SELECT s.id FROM \1 s WHERE s.owner IS NULL AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
        v_own := ARRAY(
            SELECT s.id FROM \1 s WHERE s.owner = daemon AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
        IF v_free <> '{}' OR v_own <> '{}' THEN
            RETURN QUERY
                UPDATE \1 s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
                    waits_attempts = NULL, waits_since = NULL
                WHERE s.id = ANY (v_free || v_own)
                RETURNING s.id;
            most := most - cardinality(v_free);
            own_most := own_most - cardinality(v_own);
        END IF;$take$, 'g'), saga.utc_text(v_until), coalesce(v_floor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')));
END
$outer$;

COMMENT ON FUNCTION saga.aim_probe(timestamptz) IS
    'Writes saga.wait_for_work and saga.claim anew with the partitions of that time and of the days after it: to look '
    'through the parent opens all of them.';

CREATE FUNCTION saga.take(daemon integer, ids uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    IF ids = '{}' THEN
        RETURN;
    END IF;
    -- Planned with the ids at hand: no other partitions than theirs are opened.
    RETURN QUERY EXECUTE
        'UPDATE saga.state s SET owner = $1, due_at = NULL, unreadable = NULL, waits_for = NULL, waits_attempts = NULL, '
        'waits_since = NULL WHERE s.id = ANY ($2) RETURNING s.id' USING daemon, ids;
END
$$;

COMMENT ON FUNCTION saga.take(integer, uuid[]) IS 'Makes sagas that the caller has locked a daemon''s.';

SELECT saga.aim_probe();

COMMENT ON FUNCTION saga.wait_for_work(integer, interval, interval, boolean) IS
    'Whether anything is due that is nobody''s or this daemon''s: looked for in state_work of all partitions at once if '
    'wide, then, of the partitions that sagas start in now, every so often until the time is over. Locks and writes '
    'nothing. Written by saga.aim_probe.';
COMMENT ON FUNCTION saga.claim(integer, bigint, bigint, boolean) IS
    'Makes sagas that are due a daemon''s, at most so many that are nobody''s and so many of its own, those due first '
    'first: of all partitions if wide, else of those that sagas start in now. Where wide, a null says that more of '
    'other days are due. Skips what another daemon is claiming. Within a transaction that saga.fence has begun. '
    'Written by saga.aim_probe.';

-- As daemons of before 014 call it.
CREATE OR REPLACE FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT c FROM saga.claim(daemon, most, own_most, true) c WHERE c IS NOT NULL;
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
    RETURN QUERY SELECT saga.take(daemon, v_ids);
END
$$;

REVOKE ALL ON FUNCTION saga.utc_text(timestamptz), saga.write_aimed(text, text, text, text), saga.take(integer, uuid[]),
    saga.claim(integer, bigint, bigint, boolean) FROM PUBLIC;

-- A daemon of another role goes on with what it was let do.
DO $$
DECLARE
    v_sql text;
BEGIN
    FOR v_sql IN
        SELECT format('GRANT EXECUTE ON FUNCTION saga.claim(integer, bigint, bigint, boolean), '
            'saga.take(integer, uuid[]) TO %s%s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_catalog.pg_proc p CROSS JOIN aclexplode(p.proacl) a
        WHERE p.oid = 'saga.claim(integer, bigint, bigint)'::regprocedure AND a.grantee <> p.proowner
    LOOP
        EXECUTE v_sql;
    END LOOP;
END
$$;
