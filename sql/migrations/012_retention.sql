-- Retention: states and events lie in partitions by the day of start, which is in the id, and whole days are dropped.

CREATE FUNCTION saga.id_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(least(greatest(floor(extract(epoch FROM at) * 1000), 0), 281474976710655)::bigint), 12, '0')
        || repeat('0', 20))::uuid
$$;

COMMENT ON FUNCTION saga.id_floor(timestamptz) IS
    'The lowest of all UUIDs of version 7 of that time: where a day''s partition begins.';

CREATE FUNCTION saga.id_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

COMMENT ON FUNCTION saga.id_time(uuid) IS 'The time in a UUID of version 7, to the millisecond: when a saga was started.';

-- Readers lock views before tables, daemons events before states, starts the other way round: waiting for one lock while
-- holding another could be a deadlock, in which one of them would be ended. So nobody is waited for longer than it takes
-- to find one.
DO $$
DECLARE
    v_timeout constant text := current_setting('lock_timeout');
BEGIN
    FOR n IN 1..300 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            LOCK TABLE saga.sagas, saga.steps, saga.events, saga.daemons, saga.daemon, saga.state, saga.event
                IN ACCESS EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', v_timeout, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    RAISE EXCEPTION 'somebody holds saga.state or saga.event for long'
        USING ERRCODE = 'lock_not_available', HINT = 'Look for them in pg_locks, and migrate again.';
END
$$;

-- The tables change places with partitioned ones of the same name. Views follow a table when it is renamed, so they are
-- taken down as text before; functions go by name.
DO $$
DECLARE
    v_views text[] := ARRAY(
        SELECT format('CREATE OR REPLACE VIEW %s AS %s', c.oid::regclass, pg_get_viewdef(c.oid))
        FROM pg_catalog.pg_class c
        WHERE c.oid = ANY (ARRAY['saga.sagas', 'saga.steps', 'saga.events', 'saga.daemons']::regclass[])
        ORDER BY c.oid);
    v_bound text;
    v_name text;
    v_sql text;
BEGIN
    IF EXISTS (SELECT FROM saga.state) OR EXISTS (SELECT FROM saga.event) THEN
        v_name := 'first';
        SELECT substring(pg_get_constraintdef(oid) FROM '''([0-9a-f-]{36})''') INTO v_bound
            FROM pg_catalog.pg_constraint WHERE conrelid = 'saga.event'::regclass AND conname = 'event_bound';
        -- Empty at the first step: what has come since is read in no time.
        v_bound := coalesce(v_bound, saga.id_floor(
            (date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC')::text);
    ELSE
        v_name := 'default';
    END IF;
    EXECUTE format('ALTER TABLE saga.state RENAME TO %I', 'state_' || v_name);
    EXECUTE format('ALTER TABLE saga.event RENAME TO %I', 'event_' || v_name);
    EXECUTE format('ALTER INDEX saga.state_pkey RENAME TO %I', 'state_' || v_name || '_pkey');
    EXECUTE format('ALTER INDEX saga.state_work RENAME TO %I', 'state_' || v_name || '_work');
    EXECUTE format('ALTER INDEX saga.state_waits_attempts RENAME TO %I', 'state_' || v_name || '_waits_attempts');
    EXECUTE format('ALTER INDEX saga.state_waits_since RENAME TO %I', 'state_' || v_name || '_waits_since');
    EXECUTE format('ALTER INDEX saga.event_pkey RENAME TO %I', 'event_' || v_name || '_pkey');

    EXECUTE format('CREATE TABLE saga.state (LIKE saga.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS, '
        'CONSTRAINT state_pkey PRIMARY KEY (id)) PARTITION BY RANGE (id)', 'state_' || v_name);
    EXECUTE format('CREATE TABLE saga.event (LIKE saga.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS, '
        'CONSTRAINT event_pkey PRIMARY KEY (saga_id, sequence)) PARTITION BY RANGE (saga_id)', 'event_' || v_name);
    -- Whoever an administrator has let see the tables goes on seeing them.
    FOR v_sql IN
        SELECT format('GRANT %s ON saga.%I TO %s%s', a.privilege_type, t.name,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM unnest(ARRAY['state', 'event']) AS t (name)
        JOIN pg_catalog.pg_class c ON c.oid = ('saga.' || t.name || '_' || v_name)::regclass
        CROSS JOIN aclexplode(c.relacl) a
        WHERE a.grantee <> c.relowner
    LOOP
        EXECUTE v_sql;
    END LOOP;
    CREATE INDEX state_work ON saga.state (owner, due_at) WHERE owner IS NOT NULL OR due_at IS NOT NULL;
    CREATE INDEX state_waits_attempts ON saga.state (waits_for, waits_attempts, waits_since)
        WHERE waits_for IS NOT NULL AND due_at IS NOT NULL;
    CREATE INDEX state_waits_since ON saga.state (waits_for, waits_since)
        WHERE waits_for IS NOT NULL AND due_at IS NOT NULL;
    CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.event
        FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change(
            'events are append-only, a saga''s state is the fold of all of them');

    IF v_name = 'default' THEN
        ALTER TABLE saga.state ATTACH PARTITION saga.state_default DEFAULT;
        ALTER TABLE saga.event ATTACH PARTITION saga.event_default DEFAULT;
    ELSE
        -- On the parents the bound holds no longer, and the partition's own bound says the same.
        ALTER TABLE saga.state DROP CONSTRAINT IF EXISTS state_bound;
        ALTER TABLE saga.event DROP CONSTRAINT IF EXISTS event_bound;
        EXECUTE format('ALTER TABLE saga.state ATTACH PARTITION saga.state_first FOR VALUES FROM (MINVALUE) TO (%L)',
            v_bound);
        EXECUTE format('ALTER TABLE saga.event ATTACH PARTITION saga.event_first FOR VALUES FROM (MINVALUE) TO (%L)',
            v_bound);
        ALTER TABLE saga.state_first DROP CONSTRAINT IF EXISTS state_bound;
        ALTER TABLE saga.event_first DROP CONSTRAINT IF EXISTS event_bound;
    END IF;
    FOREACH v_sql IN ARRAY v_views LOOP
        EXECUTE v_sql;
    END LOOP;
END
$$;

COMMENT ON TABLE saga.state IS
    'One narrow hot row a saga: where it stands and who must look at it when. All of it but owner, due_at, unreadable '
    'and what it waits for follows from the events. No foreign key leads here or away: definitions never go, and '
    'retention drops whole partitions, which are by the day of start.';
COMMENT ON TABLE saga.event IS
    'Everything that happened to every saga: its state is the fold of these and nothing else. Append-only. The key '
    '(saga_id, sequence) is the optimistic lock: who appends states what it has seen. No foreign keys: they would cost '
    'every row a lookup and a lock, and retention drops whole partitions, which are by the day of the saga''s start.';
COMMENT ON INDEX saga.state_work IS
    'The only way to work: WHERE owner IS NULL AND due_at <= statement_timestamp() ORDER BY owner, due_at for what is '
    'due, WHERE owner = $1 for a daemon''s own. (IS NULL does not tell the planner that owner is constant, so ORDER BY '
    'due_at alone would sort; clock_timestamp() is volatile, so it would filter every waiting saga.) Ended sagas are '
    'not in it: of an old day it is empty.';
COMMENT ON INDEX saga.state_waits_attempts IS 'Who is to probe a service.';
COMMENT ON INDEX saga.state_waits_since IS 'Who waits for a service.';

CREATE TABLE saga.dropped (
    first_id uuid,
    end_id uuid,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sagas bigint NOT NULL,
    partition text COLLATE "C" NOT NULL
);

COMMENT ON TABLE saga.dropped IS
    'The partitions that retention has dropped: one row each, so that an old id can be told from a wrong one.';
COMMENT ON COLUMN saga.dropped.first_id IS 'Where its ids began; null for the first partition and the default one.';
COMMENT ON COLUMN saga.dropped.end_id IS 'The first id past it; null for the default partition.';
COMMENT ON COLUMN saga.dropped.partition IS 'The day as YYYYMMDD, first or default.';

CREATE FUNCTION saga.partitions() RETURNS TABLE (partition text, first_id uuid, end_id uuid) LANGUAGE sql STABLE AS $$
    SELECT substr(c.relname, 7), (regexp_match(b.text, 'FROM \(''([0-9a-f-]{36})''\)'))[1]::uuid,
        (regexp_match(b.text, 'TO \(''([0-9a-f-]{36})''\)'))[1]::uuid
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN pg_get_expr(c.relpartbound, c.oid) AS b (text)
    WHERE i.inhparent = 'saga.state'::regclass
$$;

COMMENT ON FUNCTION saga.partitions() IS
    'The partitions of saga.state and, by the same names and bounds, of saga.event: the day as YYYYMMDD with the first '
    'id and the first past it; "first" (no first_id) has what was there before days were told apart, "default" (no '
    'bounds) what no day''s partition takes.';

CREATE FUNCTION saga.add_partition(partition text, bounds text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE saga.%I (LIKE saga.state INCLUDING DEFAULTS INCLUDING CONSTRAINTS) '
        'WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)', 'state_' || partition);
    EXECUTE format('CREATE TABLE saga.%I (LIKE saga.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
        'event_' || partition);
    EXECUTE format('CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change(%L)', 'event_' || partition,
        'events are append-only, a saga''s state is the fold of all of them');
    -- Unlike CREATE TABLE ... PARTITION OF, this waits for nobody who reads or writes the parent.
    EXECUTE format('ALTER TABLE saga.state ATTACH PARTITION saga.%I %s', 'state_' || partition, bounds);
    EXECUTE format('ALTER TABLE saga.event ATTACH PARTITION saga.%I %s', 'event_' || partition, bounds);
    EXECUTE format('COMMENT ON TABLE saga.%I IS %L', 'state_' || partition, 'A partition of saga.state: '
        || CASE partition WHEN 'default' THEN 'what no other takes.' ELSE 'the sagas started on that day, UTC.' END);
    EXECUTE format('COMMENT ON TABLE saga.%I IS %L', 'event_' || partition, 'A partition of saga.event: '
        || CASE partition WHEN 'default' THEN 'what no other takes.' ELSE 'of the sagas started on that day, UTC.' END);
END
$$;

COMMENT ON FUNCTION saga.add_partition(text, text) IS 'Makes a partition of saga.state and saga.event.';

DO $$
BEGIN
    IF to_regclass('saga.state_first') IS NOT NULL THEN
        PERFORM saga.add_partition('default', 'DEFAULT');
        COMMENT ON TABLE saga.state_first IS 'The partition of saga.state with the sagas of before there were days.';
        COMMENT ON TABLE saga.event_first IS 'The partition of saga.event of the sagas of before there were days.';
    ELSE
        COMMENT ON TABLE saga.state_default IS 'A partition of saga.state: what no other takes.';
        COMMENT ON TABLE saga.event_default IS 'A partition of saga.event: what no other takes.';
    END IF;
END
$$;

CREATE FUNCTION saga.ensure_partitions(days integer DEFAULT 7, at timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_day timestamptz := date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    v_first uuid;
    v_end uuid;
    v_made integer := 0;
    v_timeout constant text := current_setting('lock_timeout');
BEGIN
    IF days IS NULL OR days NOT BETWEEN 0 AND 366 THEN
        RAISE EXCEPTION 'partitions are made 0 to 366 days ahead' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'7361676170617274'::bigint) THEN
        RETURN 0;
    END IF;
    -- Whoever writes behind this one waits as long.
    PERFORM set_config('lock_timeout', '200ms', true);
    FOR n IN 0..days LOOP
        v_first := saga.id_floor(v_day + n * interval '24 hours');
        v_end := saga.id_floor(v_day + (n + 1) * interval '24 hours');
        CONTINUE WHEN EXISTS (
            SELECT FROM saga.partitions() p WHERE p.end_id > v_first AND (p.first_id IS NULL OR p.first_id < v_end));
        -- Rows of that day in the default partition stay there; the days after it are not held up.
        CONTINUE WHEN EXISTS (SELECT FROM saga.state_default s WHERE s.id >= v_first AND s.id < v_end)
            OR EXISTS (SELECT FROM saga.event_default e WHERE e.saga_id >= v_first AND e.saga_id < v_end);
        BEGIN
            PERFORM saga.add_partition(
                to_char((v_day + n * interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDD'),
                format('FOR VALUES FROM (%L) TO (%L)', v_first, v_end));
            v_made := v_made + 1;
        EXCEPTION
            -- Somebody holds the default partition, or has put a row of that day there just now: the next time.
            WHEN lock_not_available OR check_violation THEN
                NULL;
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', v_timeout, true);
    PERFORM saga.aim_probe();
    RETURN v_made;
END
$$;

COMMENT ON FUNCTION saga.ensure_partitions(integer, timestamptz) IS
    'Makes the partitions that are missing from the day of that time to so many days ahead, and returns how many. '
    'One caller at a time; whatever can''t be had at once is left for the next call. Daemons call it every hour; without '
    'it starts go into the default partition.';

CREATE FUNCTION saga.retention(older_than interval) RETURNS TABLE (
    partition text, first_id uuid, end_id uuid, sagas bigint, pinning bigint, unended bigint, bytes bigint,
    oldest uuid, oldest_status text, oldest_ended_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_limit constant timestamptz := statement_timestamp() - older_than;
BEGIN
    FOR partition, first_id, end_id IN
        SELECT p.partition, p.first_id, p.end_id FROM saga.partitions() p
        -- In the others some saga may have started after the limit.
        WHERE p.end_id IS NULL OR p.end_id <= saga.id_floor(v_limit)
        ORDER BY p.end_id NULLS LAST
    LOOP
        EXECUTE format(
            'SELECT count(*), count(*) FILTER (WHERE s.ended_at IS NULL OR s.ended_at >= $1), '
            'count(*) FILTER (WHERE s.ended_at IS NULL), min(s.id::text COLLATE "C") FILTER (WHERE s.ended_at IS NULL), '
            'min(s.id::text COLLATE "C") FILTER (WHERE s.ended_at >= $1) FROM saga.%I s', 'state_' || partition)
            INTO sagas, pinning, unended, oldest, oldest_status USING v_limit;
        -- One that hasn't ended is the better reason.
        oldest := coalesce(oldest, oldest_status::uuid);
        SELECT CASE WHEN s.unreadable IS NOT NULL AND s.ended_at IS NULL THEN 'stuck' ELSE saga.status_name(s.status) END,
                s.ended_at
            INTO oldest_status, oldest_ended_at FROM saga.state s WHERE s.id = oldest;
        bytes := pg_total_relation_size(('saga.state_' || partition)::regclass)
            + pg_total_relation_size(('saga.event_' || partition)::regclass);
        CONTINUE WHEN sagas = 0 AND end_id IS NULL;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION saga.retention(interval) IS
    'The partitions that are old enough to be dropped, the oldest first: how many sagas are in each and how many of '
    'these pin it, since they have not ended (unended) or not long enough ago, with the oldest of them.';

CREATE FUNCTION saga.drop_partition(partition text, older_than interval, patience interval DEFAULT '200 ms')
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    v_first uuid;
    v_end uuid;
    v_sagas bigint;
    v_pinning bigint;
    v_limit constant timestamptz := statement_timestamp() - older_than;
    v_patience constant text := ceil(extract(epoch FROM patience) * 1000)::text;
BEGIN
    IF older_than IS NULL OR older_than < interval '0' THEN
        RAISE EXCEPTION 'no time is given for which ended sagas are kept' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- An older snapshot than the lock would not see a saga that has just been turned back.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'partitions are dropped at READ COMMITTED only' USING ERRCODE = 'active_sql_transaction';
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'7361676170617274'::bigint) THEN
        RAISE EXCEPTION 'somebody else is changing the partitions' USING ERRCODE = 'lock_not_available';
    END IF;
    SELECT p.first_id, p.end_id INTO v_first, v_end FROM saga.partitions() p WHERE p.partition = drop_partition.partition;
    IF NOT FOUND OR v_end > saga.id_floor(v_limit) THEN
        RETURN NULL;
    END IF;
    -- From here on no saga of it can be taken up again: a completed one could by saga.compensate. Longer than the
    -- second after which an autovacuum gives way.
    PERFORM set_config('lock_timeout', '1500', true);
    EXECUTE format('LOCK TABLE saga.%I IN SHARE ROW EXCLUSIVE MODE', 'state_' || partition);
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE s.ended_at IS NULL OR s.ended_at >= $1) FROM saga.%I s',
        'state_' || partition) INTO v_sagas, v_pinning USING v_limit;
    IF v_pinning > 0 THEN
        RETURN NULL;
    END IF;
    -- Everybody waits behind this for as long as it takes.
    PERFORM set_config('lock_timeout', greatest(1, v_patience::integer)::text, true);
    LOCK TABLE ONLY saga.state, ONLY saga.event IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE saga.%I, saga.%I', 'state_' || partition, 'event_' || partition);
    IF v_end IS NULL THEN
        PERFORM saga.add_partition('default', 'DEFAULT');
    END IF;
    PERFORM saga.aim_probe();
    INSERT INTO saga.dropped (partition, first_id, end_id, sagas)
        VALUES (drop_partition.partition, v_first, v_end, v_sagas);
    RETURN v_sagas;
END
$$;

COMMENT ON FUNCTION saga.drop_partition(text, interval, interval) IS
    'Drops a partition with all its sagas and their events, if every one has ended longer ago than that, and returns how '
    'many they were; null, and nothing done, if one hasn''t. Waits no longer than patience while others wait behind it: '
    '55P03, try again later. Keys stay.';

CREATE FUNCTION saga.refuse_change_but_retention() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('saga.retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on saga.% is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

COMMENT ON FUNCTION saga.refuse_change_but_retention() IS
    'As saga.refuse_change, but lets saga.drop_breaker_events pass.';

DROP TRIGGER breaker_event_append_only ON saga.breaker_event;
CREATE TRIGGER breaker_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.breaker_event
    FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change_but_retention('events are append-only');

CREATE FUNCTION saga.drop_breaker_events(older_than interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM set_config('saga.retention', 'on', true);
    -- The last one of a service stays: the next goes on counting from it.
    DELETE FROM saga.breaker_event e
        WHERE e.at < statement_timestamp() - older_than
            AND e.sequence < (SELECT max(l.sequence) FROM saga.breaker_event l WHERE l.service_id = e.service_id);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('saga.retention', '', true);
    RETURN v_count;
END
$$;

COMMENT ON FUNCTION saga.drop_breaker_events(interval) IS
    'Deletes what happened to breakers longer ago than that, but for the last event of each, and returns how much.';

CREATE OR REPLACE FUNCTION saga.started_before(
    p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_prior record;
    v_input jsonb;
    v_same boolean;
BEGIN
    SELECT k.saga_id, k.saga, k.input_hash INTO v_prior FROM saga.key k WHERE k.key = p_key;
    -- One by one, so that each looks into one partition.
    SELECT s.definition_id INTO started_before.definition_id FROM saga.state s WHERE s.id = v_prior.saga_id;
    SELECT (e.data -> 'input')::jsonb INTO v_input
        FROM saga.event e WHERE e.saga_id = v_prior.saga_id AND e.sequence = 1;
    IF v_prior.saga <> p_saga THEN
        RAISE EXCEPTION 'the key "%" was used to start saga "%", not "%"', p_key, v_prior.saga, p_saga
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'key_pkey', SCHEMA = 'saga', TABLE = 'key',
                DETAIL = format('It belongs to saga %s.', v_prior.saga_id);
    END IF;
    v_same := coalesce(v_input = p_document, v_prior.input_hash = jsonb_hash_extended(p_document, 0));
    IF v_same IS NOT TRUE THEN
        RAISE EXCEPTION 'the key "%" was used to start saga "%" with another input', p_key, p_saga
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'key_pkey', SCHEMA = 'saga', TABLE = 'key',
                DETAIL = format('It belongs to saga %s.', v_prior.saga_id);
    END IF;
    started_before.id := v_prior.saga_id;
END
$$;

-- What follows looks for work by other things than ids, so in all partitions. The settings keep each to the index that
-- is made for it, and to a plan that is made once a session: planning would cost far more than looking.

CREATE FUNCTION saga.aim_probe(at timestamptz DEFAULT clock_timestamp()) RETURNS void LANGUAGE plpgsql AS $outer$
DECLARE
    v_near text[] := ARRAY(
        SELECT format('saga.%I', 'state_' || p.partition) FROM saga.partitions() p
        WHERE p.end_id > saga.id_floor(at - interval '1 hour')
            AND (p.first_id IS NULL OR p.first_id < saga.id_floor(at + interval '2 hours'))
        ORDER BY p.end_id DESC);
    v_own text;
    v_free text;
    v_body text;
BEGIN
    IF cardinality(v_near) = 0 OR EXISTS (SELECT FROM saga.state_default) THEN
        v_near := v_near || 'saga.state_default'::text;
    END IF;
    SELECT string_agg(format('EXISTS (SELECT FROM %s s WHERE s.owner = daemon AND s.due_at <= v_now)', n.name),
            E'\n        OR ' ORDER BY n.place),
        string_agg(format('EXISTS (SELECT FROM %s s WHERE s.owner IS NULL AND s.due_at <= v_now)', n.name),
            E'\n            OR ' ORDER BY n.place)
        INTO v_own, v_free FROM unnest(v_near) WITH ORDINALITY AS n (name, place);
    v_body := format($body$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_end constant timestamptz := v_now + up_to;
    v_seconds constant double precision := extract(epoch FROM every);
BEGIN
    IF wide AND (EXISTS (SELECT FROM saga.state s WHERE s.owner = daemon AND s.due_at <= v_now)
        OR EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= v_now)) THEN
        RETURN true;
    END IF;
    -- What was appended to a saga that a daemon runs may wait for the next call.
    IF %1$s THEN
        RETURN true;
    END IF;
    LOOP
        IF %2$s THEN
            RETURN true;
        END IF;
        IF v_now >= v_end THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(v_seconds);
        v_now := clock_timestamp();
    END LOOP;
END
$body$, v_own, v_free);
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc
        WHERE pronamespace = 'saga'::regnamespace AND proname = 'wait_for_work' AND pronargs = 4 AND prosrc = v_body) THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION saga.wait_for_work('
            'daemon integer, every interval, up_to interval, wide boolean) RETURNS boolean LANGUAGE plpgsql VOLATILE '
            'SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS %L', v_body);
    END IF;
END
$outer$;

COMMENT ON FUNCTION saga.aim_probe(timestamptz) IS
    'Writes saga.wait_for_work anew with the partitions of about that time, which it looks into every few milliseconds: '
    'a look through the parent would open all of them.';

SELECT saga.aim_probe();

COMMENT ON FUNCTION saga.wait_for_work(integer, interval, interval, boolean) IS
    'Whether anything is due that is nobody''s or this daemon''s: looked for in state_work of all partitions at once if '
    'wide, then, of the partitions that sagas start in now, every so often until the time is over. Locks and writes '
    'nothing. Written by saga.aim_probe.';
COMMENT ON FUNCTION saga.wait_for_work(integer, interval, interval) IS
    'As daemons of before 012 call it: it looks into all partitions every time.';

CREATE FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_from uuid := saga.id_floor(now() - interval '1 day');
    v_until uuid := saga.id_floor(now() + interval '1 day');
BEGIN
    IF EXISTS (SELECT FROM saga.state s
            WHERE s.owner IS NULL AND s.due_at <= now() AND (s.id < v_from OR s.id > v_until))
        OR EXISTS (SELECT FROM saga.state s
            WHERE s.owner = daemon AND s.due_at <= now() AND (s.id < v_from OR s.id > v_until)) THEN
        v_from := '00000000-0000-0000-0000-000000000000';
        v_until := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    END IF;
    RETURN QUERY
        WITH due AS (
            SELECT s.id FROM saga.state s
            WHERE s.owner IS NULL AND s.due_at <= now() AND s.id BETWEEN v_from AND v_until
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED
        ), changed AS (
            SELECT s.id FROM saga.state s
            WHERE s.owner = daemon AND s.due_at <= now() AND s.id BETWEEN v_from AND v_until
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED
        )
        UPDATE saga.state s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
            waits_attempts = NULL, waits_since = NULL
        FROM (SELECT due.id FROM due UNION ALL SELECT changed.id FROM changed) taken
        WHERE s.id = taken.id AND s.id BETWEEN v_from AND v_until
        RETURNING s.id;
END
$$;

COMMENT ON FUNCTION saga.claim(integer, bigint, bigint) IS
    'Makes sagas that are due a daemon''s, at most so many that are nobody''s and so many of its own, those due first '
    'first. Skips what another daemon is claiming. Within a transaction that saga.fence has begun.';

CREATE FUNCTION saga.claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean)
RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF fewest_attempts_first THEN
        RETURN QUERY
            WITH waiting AS (
                SELECT s.id FROM saga.state s
                WHERE s.waits_for = service AND s.due_at IS NOT NULL AND s.owner IS NULL
                ORDER BY s.waits_for, s.waits_attempts, s.waits_since LIMIT most FOR UPDATE SKIP LOCKED
            )
            UPDATE saga.state s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
                waits_attempts = NULL, waits_since = NULL
            FROM waiting WHERE s.id = waiting.id
            RETURNING s.id;
    ELSE
        RETURN QUERY
            WITH waiting AS (
                SELECT s.id FROM saga.state s
                WHERE s.waits_for = service AND s.due_at IS NOT NULL AND s.owner IS NULL
                ORDER BY s.waits_for, s.waits_since LIMIT most FOR UPDATE SKIP LOCKED
            )
            UPDATE saga.state s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
                waits_attempts = NULL, waits_since = NULL
            FROM waiting WHERE s.id = waiting.id
            RETURNING s.id;
    END IF;
END
$$;

COMMENT ON FUNCTION saga.claim_waiting(integer, integer, bigint, boolean) IS
    'Makes sagas that wait for a service a daemon''s, at most so many: those with the fewest attempts first, to probe '
    'it, or else those that wait longest. Skips what another daemon is taking.';

CREATE FUNCTION saga.awaited_services() RETURNS TABLE (name text, url text) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
        SELECT s.name::text, s.url::text FROM saga.service s
        WHERE EXISTS (SELECT FROM saga.state w WHERE w.waits_for = s.id AND w.due_at IS NOT NULL)
        ORDER BY s.id;
END
$$;

COMMENT ON FUNCTION saga.awaited_services() IS 'The services that sagas in no daemon''s memory wait for.';

REVOKE ALL ON FUNCTION saga.id_floor(timestamptz), saga.id_time(uuid), saga.partitions(),
    saga.add_partition(text, text), saga.ensure_partitions(integer, timestamptz), saga.retention(interval),
    saga.drop_partition(text, interval, interval), saga.refuse_change_but_retention(),
    saga.drop_breaker_events(interval), saga.aim_probe(timestamptz),
    saga.wait_for_work(integer, interval, interval, boolean), saga.claim(integer, bigint, bigint),
    saga.claim_waiting(integer, integer, bigint, boolean), saga.awaited_services() FROM PUBLIC;

CREATE OR REPLACE FUNCTION saga.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_role text;
BEGIN
    FOR v_role IN SELECT rolname FROM pg_catalog.pg_roles
        WHERE rolname IN ('saga_reader', 'saga_starter', 'saga_operator') ORDER BY rolname LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA saga TO %I', v_role);
        IF v_role IN ('saga_reader', 'saga_operator') THEN
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA saga TO %I', v_role);
            EXECUTE format('GRANT EXECUTE ON FUNCTION saga.retention(interval), saga.id_time(uuid) TO %I', v_role);
        END IF;
        IF v_role IN ('saga_starter', 'saga_operator') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION saga.new_id(), saga.start(text, text, text, text), '
                'saga.start(text, json, text, text), saga.start(text, jsonb, text, text), '
                'saga.start_full(text, json, text, text), saga.input_schema(text), '
                'saga.cancel(uuid, text), saga.cancel(text, text) TO %I',
                v_role);
        END IF;
        IF v_role = 'saga_operator' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION saga.append_operator_event(uuid, integer, smallint, json), '
                'saga.compensate(uuid, text), saga.compensate(text, text), '
                'saga.apply_definition(text, bytea, json, boolean), '
                'saga.apply_service(text, text, json, json, boolean), '
                'saga.write_service(integer, bigint, json, text, timestamptz, timestamptz, json) TO %I', v_role);
        END IF;
    END LOOP;
END
$$;

SELECT saga.grant_roles();
