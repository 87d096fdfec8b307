-- Partitions: days are made without reading the default partition, belong to whom the parents belong and are seen by
-- whom the parents are, and whoever names a saga that was dropped is told so.

-- A day's partition takes its ids from the default one, so PostgreSQL makes sure that none of them is there: it reads
-- the default partition whole, once for each day, and whoever starts a saga there waits. It reads nothing if a CHECK
-- says that there are none (PartConstraintImpliedByRelConstraint). But such a CHECK can't stand there before the day
-- has its own partition: should nobody come back to remove it, that day's starts would fail. So there is one for good
-- that says nothing, by way of a function that PostgreSQL inlines. saga.ensure_partitions lets it say more while its
-- transaction holds both tables, after the primary key has shown that it is so, and takes it back in the same
-- transaction. No other session ever sees that, and a crash leaves nothing of it. Should PostgreSQL not inline it one
-- day, then it reads the default partition, as it did.
CREATE FUNCTION saga.in_default(id uuid) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT true';

-- For where ALTER DEFAULT PRIVILEGES keeps it from everybody: whoever may write a row may have it checked.
GRANT EXECUTE ON FUNCTION saga.in_default(uuid) TO PUBLIC;

COMMENT ON FUNCTION saga.in_default(uuid) IS
    'True. Within saga.ensure_partitions it says for a moment which ids the default partition doesn''t hold, so that '
    'PostgreSQL needn''t read it.';

CREATE FUNCTION saga.copy_grants(parent text, partition text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_sql text;
BEGIN
    FOR v_sql IN
        SELECT format('GRANT %s ON saga.%I TO %s%s', a.privilege_type, copy_grants.partition,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_catalog.pg_class c CROSS JOIN aclexplode(c.relacl) a
        WHERE c.oid = format('saga.%I', parent)::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE v_sql;
    END LOOP;
END
$$;

COMMENT ON FUNCTION saga.copy_grants(text, text) IS
    'Lets those see a partition who may see the table that it is of: PostgreSQL asks for that where the partition is '
    'named, as saga.wait_for_work and pg_dump do.';

CREATE FUNCTION saga.make_partition(partition text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
    v_owner regrole;
BEGIN
    -- With indexes, so that attaching it, while others wait, finds them there.
    EXECUTE format('CREATE TABLE saga.%I (LIKE saga.state INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) '
        'WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)', 'state_' || partition);
    EXECUTE format('CREATE TABLE saga.%I (LIKE saga.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)',
        'event_' || partition);
    EXECUTE format('CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change(%L)', 'event_' || partition,
        'events are append-only, a saga''s state is the fold of all of them');
    IF partition = 'default' THEN
        ALTER TABLE saga.state_default ADD CONSTRAINT state_default_days CHECK (saga.in_default(id));
        ALTER TABLE saga.event_default ADD CONSTRAINT event_default_days CHECK (saga.in_default(saga_id));
    END IF;
    FOREACH v_table IN ARRAY ARRAY['state', 'event'] LOOP
        EXECUTE format('COMMENT ON TABLE saga.%I IS %L', v_table || '_' || partition,
            format('A partition of saga.%s: ', v_table) || CASE
                WHEN partition = 'default' THEN 'what no other takes.'
                WHEN v_table = 'state' THEN 'the sagas started on that day, UTC.'
                ELSE 'of the sagas started on that day, UTC.' END);
        -- Made by an administrator, it would be closed to the owner.
        SELECT p.relowner INTO v_owner FROM pg_catalog.pg_class p
            JOIN pg_catalog.pg_class c ON c.oid = format('saga.%I', v_table || '_' || partition)::regclass
            WHERE p.oid = format('saga.%I', v_table)::regclass AND p.relowner <> c.relowner;
        IF FOUND THEN
            EXECUTE format('ALTER TABLE saga.%I OWNER TO %s', v_table || '_' || partition, v_owner);
        END IF;
        PERFORM saga.copy_grants(v_table, v_table || '_' || partition);
    END LOOP;
END
$$;

COMMENT ON FUNCTION saga.make_partition(text) IS
    'Makes the tables of a partition of saga.state and saga.event, not yet attached: of the same owner, and with the '
    'same grants.';

CREATE FUNCTION saga.attach_partition(partition text, bounds text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Unlike CREATE TABLE ... PARTITION OF, this waits for nobody who reads or writes the parent.
    EXECUTE format('ALTER TABLE saga.state ATTACH PARTITION saga.%I %s', 'state_' || partition, bounds);
    EXECUTE format('ALTER TABLE saga.event ATTACH PARTITION saga.%I %s', 'event_' || partition, bounds);
END
$$;

COMMENT ON FUNCTION saga.attach_partition(text, text) IS 'Makes what saga.make_partition has made a partition.';

CREATE OR REPLACE FUNCTION saga.add_partition(partition text, bounds text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM saga.make_partition(partition);
    PERFORM saga.attach_partition(partition, bounds);
END
$$;

CREATE FUNCTION saga.default_holds(first_id uuid, end_id uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (SELECT FROM saga.state_default s WHERE s.id >= first_id AND s.id < end_id)
        OR EXISTS (SELECT FROM saga.event_default e WHERE e.saga_id >= first_id AND e.saga_id < end_id);
END
$$;

COMMENT ON FUNCTION saga.default_holds(uuid, uuid) IS
    'Whether anything of these ids, the last one left out, is in the default partition.';

CREATE FUNCTION saga.hold_default(against_starts boolean) RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '100ms' AS $$
DECLARE
    v_table regclass;
    v_name text;
BEGIN
    -- Nobody who reads or writes rows waits for this. An autovacuum gives way to whoever waits for a second.
    BEGIN
        PERFORM set_config('lock_timeout', '1500ms', true);
        LOCK TABLE saga.state_default, saga.event_default IN SHARE UPDATE EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
    END;
    -- Not so yet in a default partition of before 013.
    FOR v_table, v_name IN
        SELECT c.conrelid::regclass, c.conname FROM pg_catalog.pg_constraint c
        WHERE c.conrelid IN ('saga.state_default'::regclass, 'saga.event_default'::regclass)
            AND c.conname IN ('state_default_days', 'event_default_days') AND NOT c.convalidated
        ORDER BY 2
    LOOP
        EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', v_table, v_name);
    END LOOP;
    -- Whoever writes behind this one waits as long.
    PERFORM set_config('lock_timeout', '100ms', true);
    FOR attempt IN 1..5 LOOP
        BEGIN
            -- A statement that has seen where its rows go before it waits for that table is refused once they go
            -- elsewhere: so it waits before it looks.
            IF against_starts THEN
                LOCK TABLE ONLY saga.event, ONLY saga.state IN SHARE ROW EXCLUSIVE MODE;
            END IF;
            LOCK TABLE saga.state_default, saga.event_default IN ACCESS EXCLUSIVE MODE;
            RETURN true;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    RETURN false;
END
$$;

COMMENT ON FUNCTION saga.hold_default(boolean) IS
    'Locks the default partition until the transaction''s end, if nobody holds it for long; whether it did. Where '
    'starts may be on their way into it, it locks its parents against whoever writes, too.';

CREATE OR REPLACE FUNCTION saga.ensure_partitions(days integer DEFAULT 7, at timestamptz DEFAULT clock_timestamp())
RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '100ms' SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    v_head constant text := 'CREATE OR REPLACE FUNCTION saga.in_default(id uuid) RETURNS boolean '
        'LANGUAGE sql IMMUTABLE PARALLEL SAFE AS ';
    -- An older snapshot than the lock wouldn't show what came between: then PostgreSQL has to read.
    v_sees_all constant boolean :=
        current_setting('transaction_isolation') IN ('read committed', 'read uncommitted');
    v_today timestamptz;
    v_name text;
    v_first uuid;
    v_end uuid;
    v_ahead integer;
    v_missing integer[] := '{}';
    v_filled text[] := '{}';
    v_made integer := 0;
BEGIN
    IF days IS NULL OR days NOT BETWEEN 0 AND 366 THEN
        RAISE EXCEPTION 'partitions are made 0 to 366 days ahead' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Names have four digits for the year, ids 48 bits for the milliseconds since 1970.
    IF at IS NULL OR at < '1970-01-01T00:00:00Z' OR at >= '9998-01-01T00:00:00Z' THEN
        RAISE EXCEPTION 'partitions are made for the years 1970 to 9997, not for %', coalesce(at::text, 'null')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'7361676170617274'::bigint) THEN
        RETURN 0;
    END IF;
    v_today := date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    BEGIN
        FOR n IN 0..days LOOP
            v_first := saga.id_floor(v_today + n * interval '24 hours');
            v_end := saga.id_floor(v_today + (n + 1) * interval '24 hours');
            CONTINUE WHEN EXISTS (SELECT FROM saga.partitions() p
                WHERE p.end_id > v_first AND (p.first_id IS NULL OR p.first_id < v_end));
            -- Rows of that day in the default partition stay there; the days after it are not held up.
            IF saga.default_holds(v_first, v_end) THEN
                v_filled := v_filled || to_char((v_today + n * interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDD');
            ELSE
                v_missing := v_missing || n;
            END IF;
        END LOOP;
        FOREACH v_ahead IN ARRAY v_missing LOOP
            PERFORM saga.make_partition(
                to_char((v_today + v_ahead * interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDD'));
        END LOOP;
        -- The first of them may have begun, or begin while the default partition is waited for and read.
        IF cardinality(v_missing) > 0 AND NOT saga.hold_default(
                v_today + v_missing[1] * interval '24 hours' <= clock_timestamp() + interval '10 minutes') THEN
            RAISE EXCEPTION USING ERRCODE = 'lock_not_available';
        END IF;
        FOREACH v_ahead IN ARRAY v_missing LOOP
            v_name := to_char((v_today + v_ahead * interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDD');
            v_first := saga.id_floor(v_today + v_ahead * interval '24 hours');
            v_end := saga.id_floor(v_today + (v_ahead + 1) * interval '24 hours');
            -- Nobody else can change what is there now.
            IF v_sees_all AND saga.default_holds(v_first, v_end) THEN
                v_filled := v_filled || v_name;
                EXECUTE format('DROP TABLE saga.%I, saga.%I', 'state_' || v_name, 'event_' || v_name);
                CONTINUE;
            END IF;
            IF v_sees_all THEN
                EXECUTE v_head || quote_literal(format('SELECT id < %L::uuid OR id >= %L::uuid', v_first, v_end));
            END IF;
            BEGIN
                PERFORM saga.attach_partition(v_name, format('FOR VALUES FROM (%L) TO (%L)', v_first, v_end));
                v_made := v_made + 1;
            EXCEPTION
                WHEN check_violation THEN
                    v_filled := v_filled || v_name;
                    EXECUTE format('DROP TABLE saga.%I, saga.%I', 'state_' || v_name, 'event_' || v_name);
            END;
        END LOOP;
        IF v_sees_all AND cardinality(v_missing) > 0 THEN
            EXECUTE v_head || quote_literal('SELECT true');
        END IF;
    EXCEPTION
        WHEN lock_not_available OR deadlock_detected THEN
            v_made := 0;
            RAISE NOTICE 'somebody holds the tables: no partition is made this time';
    END;
    IF cardinality(v_filled) > 0 THEN
        RAISE NOTICE 'sagas of % are in the default partition, which goes on taking them',
            array_to_string(v_filled, ', ');
    END IF;
    BEGIN
        PERFORM saga.aim_probe();
    EXCEPTION
        -- What it wrote last looks through all partitions once its own days are over.
        WHEN lock_not_available OR deadlock_detected THEN
            NULL;
    END;
    RETURN v_made;
END
$$;

COMMENT ON FUNCTION saga.ensure_partitions(integer, timestamptz) IS
    'Makes the partitions that are missing from the day of that time to so many days ahead, and returns how many. '
    'Whoever writes waits for some tenths of a second at most, however much is in the default partition, but at '
    'REPEATABLE READ and SERIALIZABLE for as long as it takes to read it. One caller at a time; whatever can''t be had '
    'at once is left for the next call, and a day whose sagas are in the default partition goes on there. Daemons call '
    'it every hour; without it starts go into the default partition.';

CREATE FUNCTION saga.age_limit(older_than interval) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF older_than IS NULL THEN
        RAISE EXCEPTION 'no time is given for which ended sagas are kept' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Months are counted as 30 days where intervals are compared, not where they are subtracted.
    IF older_than < interval '0' OR older_than > interval '1000 years'
        OR statement_timestamp() - older_than > statement_timestamp() THEN
        RAISE EXCEPTION 'ended sagas are kept for 0 to 1000 years, not for %', older_than
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN statement_timestamp() - older_than;
END
$$;

COMMENT ON FUNCTION saga.age_limit(interval) IS
    'The time before which a saga must have ended to be dropped. 22023 for an interval that is null, negative or '
    'longer than 1000 years.';

CREATE OR REPLACE FUNCTION saga.retention(older_than interval) RETURNS TABLE (
    partition text, first_id uuid, end_id uuid, sagas bigint, pinning bigint, unended bigint, bytes bigint,
    oldest uuid, oldest_status text, oldest_ended_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp SET jit = off
AS $$
DECLARE
    v_limit constant timestamptz := saga.age_limit(older_than);
BEGIN
    FOR partition, first_id, end_id IN
        SELECT p.partition, p.first_id, p.end_id FROM saga.partitions() p
        -- In the others some saga may have started after the limit.
        WHERE p.end_id IS NULL OR p.end_id <= saga.id_floor(v_limit)
        ORDER BY p.end_id NULLS LAST
    LOOP
        EXECUTE format(
            'SELECT count(*), count(*) FILTER (WHERE s.ended_at IS NULL OR s.ended_at >= $1), '
            'count(*) FILTER (WHERE s.ended_at IS NULL), '
            'min(s.id::text COLLATE "C") FILTER (WHERE s.ended_at IS NULL), '
            'min(s.id::text COLLATE "C") FILTER (WHERE s.ended_at >= $1) FROM saga.%I s', 'state_' || partition)
            INTO sagas, pinning, unended, oldest, oldest_status USING v_limit;
        -- One that hasn't ended is the better reason.
        oldest := coalesce(oldest, oldest_status::uuid);
        SELECT CASE WHEN s.unreadable IS NOT NULL AND s.ended_at IS NULL THEN 'stuck'
                ELSE saga.status_name(s.status) END, s.ended_at
            INTO oldest_status, oldest_ended_at FROM saga.state s WHERE s.id = oldest;
        bytes := pg_total_relation_size(('saga.state_' || partition)::regclass)
            + pg_total_relation_size(('saga.event_' || partition)::regclass);
        CONTINUE WHEN sagas = 0 AND end_id IS NULL;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION saga.drop_partition(
    partition text, older_than interval, patience interval DEFAULT '200 ms'
) RETURNS bigint LANGUAGE plpgsql SET lock_timeout = '1500ms' SET jit = off AS $$
#variable_conflict use_variable
DECLARE
    v_first uuid;
    v_end uuid;
    v_sagas bigint;
    v_pinning bigint;
    v_pinned boolean;
    v_limit constant timestamptz := saga.age_limit(older_than);
BEGIN
    IF patience IS NULL OR patience < interval '0' OR patience > interval '1 hour' THEN
        RAISE EXCEPTION 'others wait for 0 to 1 hour while a partition is dropped, not for %',
            coalesce(patience::text, 'null') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- An older snapshot than the lock would not see a saga that has just been turned back.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'partitions are dropped at READ COMMITTED only' USING ERRCODE = 'active_sql_transaction';
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'7361676170617274'::bigint) THEN
        RAISE EXCEPTION 'somebody else is changing the partitions' USING ERRCODE = 'lock_not_available';
    END IF;
    SELECT p.first_id, p.end_id INTO v_first, v_end
        FROM saga.partitions() p WHERE p.partition = drop_partition.partition;
    IF NOT FOUND OR v_end > saga.id_floor(v_limit) THEN
        RETURN NULL;
    END IF;
    -- Before anybody has to wait: the default partition may be the one that sagas start in.
    EXECUTE format('SELECT EXISTS (SELECT FROM saga.%I s WHERE s.ended_at IS NULL OR s.ended_at >= $1)',
        'state_' || partition) INTO v_pinned USING v_limit;
    IF v_pinned THEN
        RETURN NULL;
    END IF;
    -- From here on no saga of it can be taken up again: a completed one could by saga.compensate. Longer than the
    -- second after which an autovacuum gives way.
    EXECUTE format('LOCK TABLE saga.%I IN SHARE ROW EXCLUSIVE MODE', 'state_' || partition);
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE s.ended_at IS NULL OR s.ended_at >= $1) FROM saga.%I s',
        'state_' || partition) INTO v_sagas, v_pinning USING v_limit;
    IF v_pinning > 0 THEN
        RETURN NULL;
    END IF;
    -- Everybody waits behind this for as long as it takes.
    PERFORM set_config('lock_timeout', greatest(1, ceil(extract(epoch FROM patience) * 1000))::integer::text, true);
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

CREATE OR REPLACE FUNCTION saga.drop_breaker_events(older_than interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_limit constant timestamptz := saga.age_limit(older_than);
    v_count bigint;
BEGIN
    PERFORM set_config('saga.retention', 'on', true);
    -- The last one of a service stays: the next goes on counting from it.
    DELETE FROM saga.breaker_event e
        WHERE e.at < v_limit
            AND e.sequence < (SELECT max(l.sequence) FROM saga.breaker_event l WHERE l.service_id = e.service_id);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('saga.retention', '', true);
    RETURN v_count;
END
$$;

-- Work is looked for in all partitions by plans that seem dear and take microseconds: compiling them takes far longer.
ALTER FUNCTION saga.awaited_services() SET jit = off;
ALTER FUNCTION saga.wait_for_work(integer, interval, interval) SET jit = off;

-- What retention has dropped is told apart from what never was.

CREATE FUNCTION saga.refuse_unknown(id uuid, key text DEFAULT NULL) RETURNS void LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    v_started constant timestamp := saga.id_time(id) AT TIME ZONE 'UTC';
    v_at timestamptz;
    v_when text;
BEGIN
    SELECT d.dropped_at INTO v_at FROM saga.dropped d
        WHERE (d.first_id IS NULL OR d.first_id <= id) AND d.end_id > id ORDER BY d.dropped_at DESC LIMIT 1;
    IF NOT FOUND AND key IS NOT NULL THEN
        -- It was in the default partition, which went whole when it was dropped next.
        SELECT d.dropped_at INTO v_at FROM saga.dropped d
            WHERE d.end_id IS NULL AND d.dropped_at >= saga.id_time(id) ORDER BY d.dropped_at LIMIT 1;
    END IF;
    v_when := coalesce(to_char(v_at AT TIME ZONE 'UTC', '" at "YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '');
    IF key IS NOT NULL THEN
        RAISE EXCEPTION 'the saga of key "%" (%, started %) has ended, and its history was dropped by retention%',
            key, id, to_char(v_started, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), v_when
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF v_at IS NOT NULL THEN
        RAISE EXCEPTION 'no saga has the id % any more: all that were started on % have ended, and their histories '
            'were dropped by retention%', id, to_char(v_started, 'YYYY-MM-DD'), v_when
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION 'no saga has the id %', id USING ERRCODE = 'invalid_parameter_value';
END
$$;

COMMENT ON FUNCTION saga.refuse_unknown(uuid, text) IS
    'Raises 22023 for an id, or a key''s id, that no saga has: dropped by retention and when, or never there.';

CREATE OR REPLACE FUNCTION saga.cancel(id uuid, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_data json;
    v_definition_id integer;
    v_status smallint;
    v_last integer;
    v_turned boolean;
BEGIN
    IF reason IS NULL OR octet_length(reason) NOT BETWEEN 1 AND 4096 THEN
        RAISE EXCEPTION 'a cancel needs a reason of 1 to 4096 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_data := ('{"actor":' || to_json(session_user::text) || ',"reason":' || to_json(reason) || '}')::json;
    -- A daemon may append at the same moment: then its sequence is taken, and what it wrote may change the answer.
    FOR attempt IN 1..100 LOOP
        -- The history before the row: an end that comes between the two is seen, and one after both has the sequence.
        SELECT max(e.sequence), bool_or(e.type IN (9, 17)) INTO v_last, v_turned
            FROM saga.event e WHERE e.saga_id = cancel.id;
        SELECT s.definition_id, s.status INTO v_definition_id, v_status FROM saga.state s WHERE s.id = cancel.id;
        IF NOT FOUND THEN
            PERFORM saga.refuse_unknown(cancel.id);
        END IF;
        IF v_status IN (5, 6, 7) THEN
            RAISE EXCEPTION 'saga % has ended: %', cancel.id, saga.status_name(v_status)
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        IF saga.is_past_pivot(cancel.id, v_definition_id) THEN
            RAISE EXCEPTION 'saga % is past its pivot and only goes forward', cancel.id
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        IF v_turned THEN
            RETURN;
        END IF;
        -- The event first and the row second, as daemons do: the other way round the two could wait for each other.
        INSERT INTO saga.event (saga_id, sequence, type, at, data)
            VALUES (cancel.id, coalesce(v_last, 0) + 1, 17, clock_timestamp(), v_data)
            ON CONFLICT DO NOTHING;
        IF FOUND THEN
            UPDATE saga.state s SET due_at = clock_timestamp() WHERE s.id = cancel.id AND s.ended_at IS NULL;
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'saga % is changing too fast to be cancelled; try again', cancel.id
        USING ERRCODE = 'serialization_failure';
END
$$;

CREATE OR REPLACE FUNCTION saga.cancel(id_or_key text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_id uuid := saga.find(id_or_key);
BEGIN
    IF id_or_key IS NULL THEN
        RAISE EXCEPTION 'the id or key is null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'no saga has the id or key "%"', id_or_key USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A key's saga has been there.
    IF lower(id_or_key) <> v_id::text AND NOT EXISTS (SELECT FROM saga.state s WHERE s.id = v_id) THEN
        PERFORM saga.refuse_unknown(v_id, id_or_key);
    END IF;
    PERFORM saga.cancel(v_id, reason);
END
$$;

CREATE OR REPLACE FUNCTION saga.append_operator_event(
    id uuid, expected_sequence integer, type smallint, data json
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_status smallint;
    v_last integer;
BEGIN
    IF type IS NULL OR type NOT BETWEEN 17 AND 23 THEN
        RAISE EXCEPTION 'event type % is not an operator''s', type USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF data IS NOT NULL AND jsonb_typeof(saga.parse_json('the data', data::text, 2097152)) <> 'object' THEN
        RAISE EXCEPTION 'the data of an event is an object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT s.status INTO v_status FROM saga.state s WHERE s.id = append_operator_event.id;
    IF NOT FOUND THEN
        PERFORM saga.refuse_unknown(append_operator_event.id);
    END IF;
    -- One that has lost its events can still be ended.
    SELECT coalesce(max(e.sequence), 0) INTO v_last FROM saga.event e WHERE e.saga_id = append_operator_event.id;
    -- Larger than the last is as wrong as smaller: it would leave a gap that no fold gets over. A completed saga takes
    -- the wish to undo it and nothing else; no other saga takes that. A status that is none ends nothing.
    IF (CASE WHEN type = 23 THEN v_status <> 5 ELSE v_status BETWEEN 5 AND 7 END)
        OR v_last IS DISTINCT FROM expected_sequence THEN
        RETURN false;
    END IF;
    INSERT INTO saga.event (saga_id, sequence, type, at, data)
        VALUES (append_operator_event.id, expected_sequence + 1, append_operator_event.type, v_at,
            append_operator_event.data)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF append_operator_event.type = 22 THEN
        UPDATE saga.state s SET status = 7, ended_at = v_at, owner = NULL, due_at = NULL
            WHERE s.id = append_operator_event.id;
    ELSIF append_operator_event.type = 23 THEN
        UPDATE saga.state s SET status = 3, ended_at = NULL, due_at = v_at WHERE s.id = append_operator_event.id;
    ELSE
        -- A person has read the saga, whatever its row's status: with one that is none no daemon would take it up.
        UPDATE saga.state s
            SET due_at = v_at,
                paused = CASE append_operator_event.type WHEN 18 THEN true WHEN 19 THEN false ELSE s.paused END,
                status = CASE WHEN s.status BETWEEN 1 AND 7 THEN s.status ELSE 4 END,
                ended_at = CASE WHEN s.status BETWEEN 1 AND 7 THEN s.ended_at END
            WHERE s.id = append_operator_event.id;
    END IF;
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION saga.compensate(id uuid, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_data json;
    v_definition_id integer;
    v_status smallint;
    v_last integer;
    v_asked boolean;
BEGIN
    IF reason IS NULL OR octet_length(reason) NOT BETWEEN 1 AND 4096 THEN
        RAISE EXCEPTION 'compensating a saga needs a reason of 1 to 4096 bytes'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_data := ('{"actor":' || to_json(session_user::text) || ',"reason":' || to_json(reason) || '}')::json;
    -- Somebody else may ask at the same moment: then the sequence is taken, and the answer another.
    FOR attempt IN 1..100 LOOP
        SELECT s.definition_id, s.status INTO v_definition_id, v_status FROM saga.state s WHERE s.id = compensate.id;
        IF NOT FOUND THEN
            PERFORM saga.refuse_unknown(compensate.id);
        END IF;
        SELECT max(e.sequence), bool_or(e.type = 23) INTO v_last, v_asked
            FROM saga.event e WHERE e.saga_id = compensate.id;
        IF v_asked AND v_status <> 7 THEN
            RETURN;
        END IF;
        IF v_status <> 5 THEN
            RAISE EXCEPTION 'saga % is %, not completed', compensate.id, saga.status_name(v_status)
                USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = CASE WHEN v_status IN (1, 2) THEN 'saga.cancel stops it and undoes what it did.'
                        ELSE 'Only a completed saga can be compensated after its end.' END;
        END IF;
        IF saga.is_past_pivot(compensate.id, v_definition_id) THEN
            RAISE EXCEPTION 'saga % is past its pivot and can''t be undone', compensate.id
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        IF saga.append_operator_event(compensate.id, v_last, 23::smallint, v_data) THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'saga % is changing too fast to be compensated; try again', compensate.id
        USING ERRCODE = 'serialization_failure';
END
$$;

CREATE OR REPLACE FUNCTION saga.compensate(id_or_key text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_id uuid := saga.find(id_or_key);
BEGIN
    IF id_or_key IS NULL THEN
        RAISE EXCEPTION 'the id or key is null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'no saga has the id or key "%"', id_or_key USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A key's saga has been there.
    IF lower(id_or_key) <> v_id::text AND NOT EXISTS (SELECT FROM saga.state s WHERE s.id = v_id) THEN
        PERFORM saga.refuse_unknown(v_id, id_or_key);
    END IF;
    PERFORM saga.compensate(v_id, reason);
END
$$;

REVOKE ALL ON FUNCTION saga.copy_grants(text, text), saga.make_partition(text),
    saga.attach_partition(text, text), saga.default_holds(uuid, uuid), saga.hold_default(boolean),
    saga.age_limit(interval), saga.refuse_unknown(uuid, text) FROM PUBLIC;

-- With the sequences a saga_reader can make a backup: pg_dump reads them too.
CREATE OR REPLACE FUNCTION saga.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_role text;
BEGIN
    FOR v_role IN SELECT rolname FROM pg_catalog.pg_roles
        WHERE rolname IN ('saga_reader', 'saga_starter', 'saga_operator') ORDER BY rolname LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA saga TO %I', v_role);
        IF v_role IN ('saga_reader', 'saga_operator') THEN
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA saga TO %I', v_role);
            EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA saga TO %I', v_role);
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

-- The partitions that are there: those of another role are that one's to see to.
SELECT saga.copy_grants(p.relname, c.relname)
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE p.oid IN ('saga.state'::regclass, 'saga.event'::regclass) AND pg_has_role(c.relowner, 'USAGE')
ORDER BY c.relname;

-- Last, since starts may wait for it. What is in the default partition is read by saga.ensure_partitions, while all
-- goes on.
DO $$
DECLARE
    v_timeout constant text := current_setting('lock_timeout');
    v_later constant text := CASE WHEN EXISTS (SELECT FROM saga.state_default)
        OR EXISTS (SELECT FROM saga.event_default) THEN ' NOT VALID' ELSE '' END;
BEGIN
    -- Others lock the two in either order: nobody is waited for longer than it takes to find a deadlock.
    FOR n IN 1..300 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '200ms', true);
            EXECUTE 'ALTER TABLE saga.state_default ADD CONSTRAINT state_default_days CHECK (saga.in_default(id))'
                || v_later;
            EXECUTE 'ALTER TABLE saga.event_default ADD CONSTRAINT event_default_days CHECK (saga.in_default(saga_id))'
                || v_later;
            PERFORM set_config('lock_timeout', v_timeout, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    RAISE EXCEPTION 'somebody holds the default partition for long'
        USING ERRCODE = 'lock_not_available', HINT = 'Look for them in pg_locks, and migrate again.';
END
$$;
