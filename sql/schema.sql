-- Made by scripts/dump-schema with PostgreSQL 15 from sql/migrations: change those, then run it again.
--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: saga; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA saga;

--
-- Name: SCHEMA saga; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA saga IS 'Durable sagas: read the views sagas, steps, events and daemons, call the functions start and cancel. The tables are the engine''s own.';

--
-- Name: accept(text, text, jsonb, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.accept(p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text, OUT id uuid, OUT created boolean, OUT definition_id integer) RETURNS record
    LANGUAGE plpgsql
    AS $_$
#variable_conflict use_column
DECLARE
    v_definition_id integer;
    v_at timestamptz := clock_timestamp();
    v_id uuid := saga.id_at(v_at);
BEGIN
    SELECT definition_id INTO v_definition_id FROM saga.current_definition WHERE saga = p_saga;
    IF p_saga IS NULL THEN
        RAISE EXCEPTION 'the name of the saga is null' USING ERRCODE = 'invalid_parameter_value';
    ELSIF v_definition_id IS NULL THEN
        RAISE EXCEPTION 'no saga is named "%"', p_saga
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Register its definition with: saga apply FILE';
    END IF;
    IF p_correlation_id IS NOT NULL THEN
        PERFORM saga.check_label('the correlation id', p_correlation_id);
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM saga.check_label('the key', p_key);
        IF p_key ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
            RAISE EXCEPTION 'the key "%" has the form of a UUID, which is kept for the ids of sagas', p_key
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        -- Waits for a concurrent start of this key. At REPEATABLE READ and above one that this snapshot can't see is
        -- 40001, as everywhere, and the caller runs its transaction again.
        INSERT INTO saga.key (key, saga_id, saga, input_hash)
            VALUES (p_key, v_id, p_saga, jsonb_hash_extended(p_document, 0))
            ON CONFLICT (key) DO NOTHING;
        IF NOT FOUND THEN
            SELECT a.id, a.definition_id INTO accept.id, accept.definition_id
                FROM saga.started_before(p_saga, p_document, p_key) a;
            accept.created := false;
            RETURN;
        END IF;
    END IF;
    INSERT INTO saga.state (id, definition_id, status, due_at, started_at, key, correlation_id)
        VALUES (v_id, v_definition_id, 1, v_at, v_at, p_key, p_correlation_id);
    INSERT INTO saga.event (saga_id, sequence, type, at, data)
        VALUES (v_id, 1, 1, v_at, ('{"input":' || p_input || '}')::json);
    accept.id := v_id;
    accept.created := true;
    accept.definition_id := v_definition_id;
END
$_$;

--
-- Name: FUNCTION accept(p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text, OUT id uuid, OUT created boolean, OUT definition_id integer); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.accept(p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text, OUT id uuid, OUT created boolean, OUT definition_id integer) IS 'The one way into the tables for a new saga; its callers have checked the input. p_document is p_input parsed.';

--
-- Name: add_partition(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.add_partition(partition text, bounds text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM saga.make_partition(partition);
    PERFORM saga.attach_partition(partition, bounds);
END
$$;

--
-- Name: FUNCTION add_partition(partition text, bounds text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.add_partition(partition text, bounds text) IS 'Makes a partition of saga.state and saga.event.';

--
-- Name: age_limit(interval); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.age_limit(older_than interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    AS $$
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

--
-- Name: FUNCTION age_limit(older_than interval); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.age_limit(older_than interval) IS 'The time before which a saga must have ended to be dropped. 22023 for an interval that is null, negative or longer than 1000 years.';

--
-- Name: aim_probe(timestamp with time zone); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.aim_probe(at timestamp with time zone DEFAULT clock_timestamp()) RETURNS void
    LANGUAGE plpgsql
    AS $_$
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
$_$;

--
-- Name: FUNCTION aim_probe(at timestamp with time zone); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.aim_probe(at timestamp with time zone) IS 'Writes saga.wait_for_work and saga.claim anew with the partitions of that time and of the days after it: to look through the parent opens all of them.';

--
-- Name: alert_breaker_opened(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.alert_breaker_opened() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO saga.alert (event)
        SELECT json_build_object('specversion', '1.0',
            'id', 'service-' || NEW.service_id || '/' || lpad(NEW.sequence::text, 10, '0'),
            'source', '/services/' || s.name, 'type', 'saga.BreakerOpened', 'subject', s.name,
            'time', to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'datacontenttype', 'application/json',
            'data', json_build_object('service', s.name, 'failureRate', NEW.data -> 'failureRate',
                'slowCallRate', NEW.data -> 'slowCallRate', 'calls', NEW.data -> 'calls',
                'failures', NEW.data -> 'failures', 'slowCalls', NEW.data -> 'slowCalls',
                'nextProbe', NEW.data -> 'nextProbe', 'commands', json_build_array('saga breaker list')))
        FROM saga.service s WHERE s.id = NEW.service_id;
    RETURN NULL;
END
$$;

--
-- Name: FUNCTION alert_breaker_opened(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.alert_breaker_opened() IS 'Trigger that puts a BreakerOpened into the outbox of alerts: its numbers, no text of a participant or person.';

--
-- Name: append_operator_event(uuid, integer, smallint, json); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.append_operator_event(id uuid, expected_sequence integer, type smallint, data json) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION append_operator_event(id uuid, expected_sequence integer, type smallint, data json); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.append_operator_event(id uuid, expected_sequence integer, type smallint, data json) IS 'Appends what an operator decided (types 17 to 23) after the last event it has seen, and nudges the saga''s daemon; 23 opens a completed saga again. False, and nothing done, when something was appended meanwhile or the saga has ended (for 23: is not completed). The caller decides whether the event is legal.';

--
-- Name: apply_definition(text, bytea, json, boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.apply_definition(saga text, digest bytea, document json, activate boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    v_id integer;
    v_saga text;
    v_current integer;
BEGIN
    PERFORM saga.parse_json('the definition', document::text, 16777216);
    -- Waits for a concurrent apply of the same digest, and then finds it.
    INSERT INTO saga.definition (saga, digest, document)
        VALUES (apply_definition.saga, apply_definition.digest, apply_definition.document)
        ON CONFLICT (digest) DO NOTHING
        RETURNING id INTO v_id;
    IF FOUND THEN
        INSERT INTO saga.current_definition (saga, definition_id) VALUES (apply_definition.saga, v_id)
            ON CONFLICT (saga) DO UPDATE SET definition_id = excluded.definition_id, since = clock_timestamp();
        RETURN 'created';
    END IF;
    SELECT d.id, d.saga INTO v_id, v_saga FROM saga.definition d WHERE d.digest = apply_definition.digest;
    IF v_saga <> apply_definition.saga THEN
        RAISE EXCEPTION 'this digest is of a definition of saga "%", not "%"', v_saga, apply_definition.saga
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT c.definition_id INTO v_current
        FROM saga.current_definition c WHERE c.saga = apply_definition.saga FOR NO KEY UPDATE;
    IF v_current = v_id OR activate IS NOT TRUE THEN
        RETURN 'unchanged';
    END IF;
    INSERT INTO saga.current_definition (saga, definition_id) VALUES (apply_definition.saga, v_id)
        ON CONFLICT (saga) DO UPDATE SET definition_id = excluded.definition_id, since = clock_timestamp();
    RETURN 'reactivated';
END
$$;

--
-- Name: FUNCTION apply_definition(saga text, digest bytea, document json, activate boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.apply_definition(saga text, digest bytea, document json, activate boolean) IS 'Registers a version of a definition: ''created'' (and current), ''unchanged'', or ''reactivated'' when a known one becomes current again. Without activate, as a daemon''s start does it, a known version never becomes current.';

--
-- Name: apply_service(text, text, json, json, boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.apply_service(name text, url text, settings json, document json, force boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    v_settings text;
    v_id integer;
BEGIN
    INSERT INTO saga.service (name, url, settings, document, state, since)
        VALUES (apply_service.name, apply_service.url, apply_service.settings, apply_service.document, 'CLOSED',
            clock_timestamp())
        ON CONFLICT (name, hashtextextended(url, 0)) DO NOTHING;
    IF FOUND THEN
        RETURN 'created';
    END IF;
    SELECT s.id, s.settings::text INTO v_id, v_settings FROM saga.service s
        WHERE s.name = apply_service.name
            AND s.url = apply_service.url AND hashtextextended(s.url, 0) = hashtextextended(apply_service.url, 0)
        FOR NO KEY UPDATE;
    IF apply_service.force IS NOT TRUE OR v_settings = apply_service.settings::text THEN
        RETURN 'unchanged';
    END IF;
    UPDATE saga.service s SET settings = apply_service.settings, version = s.version + 1 WHERE s.id = v_id;
    RETURN 'changed';
END
$$;

--
-- Name: FUNCTION apply_service(name text, url text, settings json, document json, force boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.apply_service(name text, url text, settings json, document json, force boolean) IS 'Enters a service, with document as its first state: ''created''. A known one gets these settings if forced: ''changed'' when they were others, else ''unchanged''.';

--
-- Name: attach_partition(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.attach_partition(partition text, bounds text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- Unlike CREATE TABLE ... PARTITION OF, this waits for nobody who reads or writes the parent.
    EXECUTE format('ALTER TABLE saga.state ATTACH PARTITION saga.%I %s', 'state_' || partition, bounds);
    EXECUTE format('ALTER TABLE saga.event ATTACH PARTITION saga.%I %s', 'event_' || partition, bounds);
END
$$;

--
-- Name: FUNCTION attach_partition(partition text, bounds text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.attach_partition(partition text, bounds text) IS 'Makes what saga.make_partition has made a partition.';

--
-- Name: awaited_services(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.awaited_services() RETURNS TABLE(name text, url text)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    AS $$
BEGIN
    RETURN QUERY
        SELECT s.name::text, s.url::text FROM saga.service s
        WHERE EXISTS (SELECT FROM saga.state w WHERE w.waits_for = s.id AND w.due_at IS NOT NULL)
        ORDER BY s.id;
END
$$;

--
-- Name: FUNCTION awaited_services(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.awaited_services() IS 'The services that sagas in no daemon''s memory wait for.';

--
-- Name: cancel(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.cancel(id_or_key text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION cancel(id_or_key text, reason text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.cancel(id_or_key text, reason text) IS 'As saga.cancel(uuid, text), by id or key.';

--
-- Name: cancel(uuid, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.cancel(id uuid, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION cancel(id uuid, reason text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.cancel(id uuid, reason text) IS 'Asks a saga to stop going forward and compensate; a daemon does so once this commits. Nothing happens if it is asked or turned back already. 22023 for an unknown id, 55000 for a saga that has ended or is past its pivot.';

--
-- Name: check_label(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.check_label(p_what text, p_label text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    IF octet_length(p_label) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION '% has % bytes; it must have 1 to 255', p_what, octet_length(p_label)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_label ~ E'[\\u0001-\\u001f\\u007f-\\u009f]' THEN
        RAISE EXCEPTION '% has a control character', p_what
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

--
-- Name: FUNCTION check_label(p_what text, p_label text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.check_label(p_what text, p_label text) IS 'SQLSTATE 22023 unless a key or correlation id has 1 to 255 bytes and no control character.';

--
-- Name: claim(integer, bigint, bigint); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET jit TO 'off'
    AS $$
BEGIN
    RETURN QUERY SELECT c FROM saga.claim(daemon, most, own_most, true) c WHERE c IS NOT NULL;
END
$$;

--
-- Name: FUNCTION claim(daemon integer, most bigint, own_most bigint); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) IS 'As daemons of before 014 call it: of all partitions.';

--
-- Name: claim(integer, bigint, bigint, boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.claim(daemon integer, most bigint, own_most bigint, wide boolean) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    v_now constant timestamptz := clock_timestamp();
    v_free uuid[];
    v_own uuid[];
BEGIN
    IF wide OR v_now >= 'infinity' THEN
        v_free := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
        v_own := ARRAY(
            SELECT s.id FROM saga.state s WHERE s.owner = daemon AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
        RETURN QUERY SELECT saga.take(daemon, v_free || v_own);
        IF cardinality(v_free) >= most THEN
            IF EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now() AND s.id < 'ffffffff-ffff-ffff-ffff-ffffffffffff') THEN
                RETURN NEXT NULL;
            END IF;
        END IF;
        IF cardinality(v_own) >= own_most THEN
            IF EXISTS (SELECT FROM saga.state s WHERE s.owner = daemon AND s.due_at <= now() AND s.id < 'ffffffff-ffff-ffff-ffff-ffffffffffff') THEN
                RETURN NEXT NULL;
            END IF;
        END IF;
        RETURN;
    END IF;
    
        v_free := ARRAY(
            SELECT s.id FROM saga.state_default s WHERE s.owner IS NULL AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT most FOR UPDATE SKIP LOCKED);
        v_own := ARRAY(
            SELECT s.id FROM saga.state_default s WHERE s.owner = daemon AND s.due_at <= now()
            ORDER BY s.owner, s.due_at LIMIT own_most FOR UPDATE SKIP LOCKED);
        IF v_free <> '{}' OR v_own <> '{}' THEN
            RETURN QUERY
                UPDATE saga.state_default s SET owner = daemon, due_at = NULL, unreadable = NULL, waits_for = NULL,
                    waits_attempts = NULL, waits_since = NULL
                WHERE s.id = ANY (v_free || v_own)
                RETURNING s.id;
            most := most - cardinality(v_free);
            own_most := own_most - cardinality(v_own);
        END IF;
END
$$;

--
-- Name: FUNCTION claim(daemon integer, most bigint, own_most bigint, wide boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.claim(daemon integer, most bigint, own_most bigint, wide boolean) IS 'Makes sagas that are due a daemon''s, at most so many that are nobody''s and so many of its own, those due first first: of all partitions if wide, else of those that sagas start in now. Where wide, a null says that more of other days are due. Skips what another daemon is claiming. Within a transaction that saga.fence has begun. Written by saga.aim_probe.';

--
-- Name: claim_waiting(integer, integer, bigint, boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
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

--
-- Name: FUNCTION claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean) IS 'Makes sagas that wait for a service a daemon''s, at most so many: those with the fewest attempts first, to probe it, or else those that wait longest. Skips what another daemon is taking.';

--
-- Name: compensate(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.compensate(id_or_key text, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION compensate(id_or_key text, reason text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.compensate(id_or_key text, reason text) IS 'As saga.compensate(uuid, text), by id or key.';

--
-- Name: compensate(uuid, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.compensate(id uuid, reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
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

--
-- Name: FUNCTION compensate(id uuid, reason text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.compensate(id uuid, reason text) IS 'Asks that a completed saga be undone; a daemon does so once this commits. Nothing happens if that was asked already. 22023 for an unknown id, 55000 for a saga that is not completed or is past its pivot.';

--
-- Name: copy_grants(text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.copy_grants(parent text, partition text) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION copy_grants(parent text, partition text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.copy_grants(parent text, partition text) IS 'Lets those see a partition who may see the table that it is of: PostgreSQL asks for that where the partition is named, as saga.wait_for_work and pg_dump do.';

--
-- Name: default_holds(uuid, uuid); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.default_holds(first_id uuid, end_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM saga.state_default s WHERE s.id >= first_id AND s.id < end_id)
        OR EXISTS (SELECT FROM saga.event_default e WHERE e.saga_id >= first_id AND e.saga_id < end_id);
END
$$;

--
-- Name: FUNCTION default_holds(first_id uuid, end_id uuid); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.default_holds(first_id uuid, end_id uuid) IS 'Whether anything of these ids, the last one left out, is in the default partition.';

--
-- Name: drop_breaker_events(interval); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.drop_breaker_events(older_than interval) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION drop_breaker_events(older_than interval); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.drop_breaker_events(older_than interval) IS 'Deletes what happened to breakers longer ago than that, but for the last event of each, and returns how much.';

--
-- Name: drop_partition(text, interval, interval); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.drop_partition(partition text, older_than interval, patience interval DEFAULT '00:00:00.2'::interval) RETURNS bigint
    LANGUAGE plpgsql
    SET lock_timeout TO '1500ms'
    SET jit TO 'off'
    AS $_$
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
$_$;

--
-- Name: FUNCTION drop_partition(partition text, older_than interval, patience interval); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.drop_partition(partition text, older_than interval, patience interval) IS 'Drops a partition with all its sagas and their events, if every one has ended longer ago than that, and returns how many they were; null, and nothing done, if one hasn''t. Waits no longer than patience while others wait behind it: 55P03, try again later. Keys stay.';

--
-- Name: ensure_partitions(integer, timestamp with time zone); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.ensure_partitions(days integer DEFAULT 7, at timestamp with time zone DEFAULT clock_timestamp()) RETURNS integer
    LANGUAGE plpgsql
    SET lock_timeout TO '100ms'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
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

--
-- Name: FUNCTION ensure_partitions(days integer, at timestamp with time zone); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.ensure_partitions(days integer, at timestamp with time zone) IS 'Makes the partitions that are missing from the day of that time to so many days ahead, and returns how many. Whoever writes waits for some tenths of a second at most, however much is in the default partition, but at REPEATABLE READ and SERIALIZABLE for as long as it takes to read it. One caller at a time; whatever can''t be had at once is left for the next call, and a day whose sagas are in the default partition goes on there. Daemons call it every hour; without it starts go into the default partition.';

--
-- Name: event_type(smallint); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.event_type(code smallint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT ('{SagaStarted,StepStarted,StepSucceeded,StepAttemptFailed,StepFailed,StepSkipped,StepDeferred,'
        'CompensationDeferred,SagaCompensating,CompensationStarted,CompensationSucceeded,CompensationAttemptFailed,'
        'CompensationFailed,SagaCompleted,SagaCompensated,SagaStuck,SagaCancelRequested,SagaPaused,SagaResumed,'
        'StepResolved,SagaRetried,SagaTerminated,SagaCompensationRequested}'::text[])[code]
$$;

--
-- Name: FUNCTION event_type(code smallint); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.event_type(code smallint) IS 'The name of an event type''s code, null for a code that is none.';

--
-- Name: fence(integer, integer); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.fence(daemon integer, epoch integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    PERFORM 1 FROM saga.daemon d WHERE d.id = fence.daemon AND d.epoch = fence.epoch FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'daemon % lost its lease of epoch %', fence.daemon, fence.epoch USING ERRCODE = 'SG001';
    END IF;
END
$$;

--
-- Name: FUNCTION fence(daemon integer, epoch integer); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.fence(daemon integer, epoch integer) IS 'The first statement of every batch of a daemon: SQLSTATE SG001 unless its epoch still stands, and from then on nobody takes the lease away before the batch has ended.';

--
-- Name: find(text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.find(id_or_key text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
    v_id uuid;
BEGIN
    IF id_or_key ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RETURN id_or_key::uuid;
    END IF;
    SELECT k.saga_id INTO v_id FROM saga.key k WHERE k.key = id_or_key;
    RETURN v_id;
END
$_$;

--
-- Name: FUNCTION find(id_or_key text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.find(id_or_key text) IS 'The id meant by an id or key, null for an unknown key. No key has a UUID''s form, so what has one is an id.';

--
-- Name: grant_roles(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.grant_roles() RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION grant_roles(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.grant_roles() IS 'Grants what this schema has to those of the roles saga_reader (sees all), saga_starter (starts and cancels) and saga_operator (both, steers sagas and registers definitions) that exist. For the schema''s owner; may be run again.';

--
-- Name: hold_default(boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.hold_default(against_starts boolean) RETURNS boolean
    LANGUAGE plpgsql
    SET lock_timeout TO '100ms'
    AS $$
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

--
-- Name: FUNCTION hold_default(against_starts boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.hold_default(against_starts boolean) IS 'Locks the default partition until the transaction''s end, if nobody holds it for long; whether it did. Where starts may be on their way into it, it locks its parents against whoever writes, too.';

--
-- Name: id_at(timestamp with time zone); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.id_at(at timestamp with time zone) RETURNS uuid
    LANGUAGE plpgsql STRICT PARALLEL SAFE
    AS $$
DECLARE
    -- date_part is a double in every version: exact to the microsecond until 2255, and cheaper than numeric.
    v_micros bigint := (date_part('epoch', at) * 1000000)::bigint;
BEGIN
    RETURN encode(overlay(uuid_send(gen_random_uuid()) PLACING
        int8send((v_micros / 1000) << 16 | 28672 | ((v_micros % 1000) * 4096 / 1000)) FROM 1 FOR 8), 'hex')::uuid;
END
$$;

--
-- Name: FUNCTION id_at(at timestamp with time zone); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.id_at(at timestamp with time zone) IS 'A new UUID version 7 of that time.';

--
-- Name: id_floor(timestamp with time zone); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.id_floor(at timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT (lpad(to_hex(least(greatest(floor(extract(epoch FROM at) * 1000), 0), 281474976710655)::bigint), 12, '0')
        || repeat('0', 20))::uuid
$$;

--
-- Name: FUNCTION id_floor(at timestamp with time zone); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.id_floor(at timestamp with time zone) IS 'The lowest of all UUIDs of version 7 of that time: where a day''s partition begins.';

--
-- Name: id_time(uuid); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.id_time(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

--
-- Name: FUNCTION id_time(id uuid); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.id_time(id uuid) IS 'The time in a UUID of version 7, to the millisecond: when a saga was started.';

--
-- Name: in_default(uuid); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.in_default(id uuid) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$SELECT true$$;

--
-- Name: FUNCTION in_default(id uuid); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.in_default(id uuid) IS 'True. Within saga.ensure_partitions it says for a moment which ids the default partition doesn''t hold, so that PostgreSQL needn''t read it.';

--
-- Name: input_schema(text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.input_schema(saga text) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
    SELECT definition.document -> 'input'
    FROM saga.current_definition current JOIN saga.definition ON definition.id = current.definition_id
    WHERE current.saga = input_schema.saga
$$;

--
-- Name: FUNCTION input_schema(saga text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.input_schema(saga text) IS 'The JSON Schema (2020-12) that an input of this saga must fit from now on; null when it states none or is unknown.';

--
-- Name: is_past_pivot(uuid, integer); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.is_past_pivot(p_id uuid, p_definition_id integer) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM saga.definition d,
            json_array_elements(CASE json_typeof(d.document -> 'steps') WHEN 'array' THEN d.document -> 'steps' END) p,
            saga.event e
        WHERE d.id = p_definition_id AND p ->> 'pivot' = 'true'
            AND e.saga_id = p_id AND e.type IN (3, 20) AND e.data ->> 'step' = p ->> 'name'
            AND (e.type = 3 OR (e.data ->> 'operation' = 'action' AND e.data ->> 'resolution' = 'done')))
$$;

--
-- Name: FUNCTION is_past_pivot(p_id uuid, p_definition_id integer); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.is_past_pivot(p_id uuid, p_definition_id integer) IS 'Whether the definition''s point of no return is done in this saga, by its participant''s word or an operator''s.';

--
-- Name: make_partition(text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.make_partition(partition text) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION make_partition(partition text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.make_partition(partition text) IS 'Makes the tables of a partition of saga.state and saga.event, not yet attached: of the same owner, and with the same grants.';

--
-- Name: new_id(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.new_id() RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    RETURN saga.id_at(clock_timestamp());
END
$$;

--
-- Name: FUNCTION new_id(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.new_id() IS 'A new UUID version 7 of this moment, in the order of the microseconds.';

--
-- Name: parse_json(text, text, integer); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.parse_json(p_what text, p_text text, p_maximum_bytes integer) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
DECLARE
    v_document jsonb;
    v_detail text;
BEGIN
    IF p_text IS NULL THEN
        RAISE EXCEPTION '% is null; give a JSON value, such as {}', p_what
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(p_text) > p_maximum_bytes THEN
        RAISE EXCEPTION '% has % bytes, more than %', p_what, octet_length(p_text), p_maximum_bytes
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    BEGIN
        -- jsonb and not json, which lets \u0000, half surrogate pairs and numbers beyond numeric pass: every later
        -- reader of such a document would fail.
        v_document := p_text::jsonb;
    EXCEPTION
        WHEN invalid_text_representation OR untranslatable_character OR character_not_in_repertoire
            OR numeric_value_out_of_range OR program_limit_exceeded OR statement_too_complex THEN
            GET STACKED DIAGNOSTICS v_detail = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION '% is not JSON that can be kept: %', p_what, SQLERRM
                USING ERRCODE = 'invalid_parameter_value', DETAIL = v_detail;
    END;
    -- What is deeper the daemon's own parser, which bounds its depth, would refuse too late.
    IF jsonb_path_exists(v_document, '$.**{100}') THEN
        RAISE EXCEPTION '% is nested more than 100 levels deep', p_what
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN v_document;
END
$_$;

--
-- Name: FUNCTION parse_json(p_what text, p_text text, p_maximum_bytes integer); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.parse_json(p_what text, p_text text, p_maximum_bytes integer) IS 'A document from outside as jsonb, or SQLSTATE 22023 saying what is wrong with it.';

--
-- Name: partitions(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.partitions() RETURNS TABLE(partition text, first_id uuid, end_id uuid)
    LANGUAGE sql STABLE
    AS $$
    SELECT substr(c.relname, 7), (regexp_match(b.text, 'FROM [(]''([0-9a-f-]{36})''[)]'))[1]::uuid,
        (regexp_match(b.text, 'TO [(]''([0-9a-f-]{36})''[)]'))[1]::uuid
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN pg_get_expr(c.relpartbound, c.oid) AS b (text)
    WHERE i.inhparent = 'saga.state'::regclass
$$;

--
-- Name: FUNCTION partitions(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.partitions() IS 'The partitions of saga.state and, by the same names and bounds, of saga.event: the day as YYYYMMDD with the first id and the first past it; "first" (no first_id) has what was there before days were told apart, "default" (no bounds) what no day''s partition takes.';

--
-- Name: readable(json); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.readable(data json) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN json_typeof(data) <> 'object' THEN NULL
        WHEN strpos(data::text, E'\\u0000') = 0 THEN data
        ELSE regexp_replace(data::text, E'(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', E'\\1\\\\ufffd', 'g')::json
    END
$$;

--
-- Name: FUNCTION readable(data json); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.readable(data json) IS 'An event''s data with each \u0000, which no json operator reads, replaced by U+FFFD; null if it is not an object.';

--
-- Name: refuse_change(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% on saga.% is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

--
-- Name: FUNCTION refuse_change(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.refuse_change() IS 'Trigger of tables that take no change; its argument is the reason told.';

--
-- Name: refuse_change_but_retention(); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.refuse_change_but_retention() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('saga.retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on saga.% is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

--
-- Name: FUNCTION refuse_change_but_retention(); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.refuse_change_but_retention() IS 'As saga.refuse_change, but lets saga.drop_breaker_events pass.';

--
-- Name: refuse_unknown(uuid, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.refuse_unknown(id uuid, key text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql STABLE
    AS $$
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

--
-- Name: FUNCTION refuse_unknown(id uuid, key text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.refuse_unknown(id uuid, key text) IS 'Raises 22023 for an id, or a key''s id, that no saga has: dropped by retention and when, or never there.';

--
-- Name: retention(interval); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.retention(older_than interval) RETURNS TABLE(partition text, first_id uuid, end_id uuid, sagas bigint, pinning bigint, unended bigint, bytes bigint, oldest uuid, oldest_status text, oldest_ended_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    SET jit TO 'off'
    AS $_$
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
$_$;

--
-- Name: FUNCTION retention(older_than interval); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.retention(older_than interval) IS 'The partitions that are old enough to be dropped, the oldest first: how many sagas are in each and how many of these pin it, since they have not ended (unended) or not long enough ago, with the oldest of them.';

--
-- Name: start(text, json, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.start(saga text, input json, key text DEFAULT NULL::text, correlation_id text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    RETURN (saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id)).id;
END
$$;

--
-- Name: FUNCTION start(saga text, input json, key text, correlation_id text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.start(saga text, input json, key text, correlation_id text) IS 'As saga.start(text, text, text, text), with the input as json, kept as it came.';

--
-- Name: start(text, jsonb, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.start(saga text, input jsonb, key text DEFAULT NULL::text, correlation_id text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    RETURN (saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id)).id;
END
$$;

--
-- Name: FUNCTION start(saga text, input jsonb, key text, correlation_id text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.start(saga text, input jsonb, key text, correlation_id text) IS 'As saga.start(text, text, text, text), with the input as jsonb.';

--
-- Name: start(text, text, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.start(saga text, input text DEFAULT '{}'::text, key text DEFAULT NULL::text, correlation_id text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    RETURN (saga.accept(saga, input, saga.parse_json('the input', input, 1048576), key, correlation_id)).id;
END
$$;

--
-- Name: FUNCTION start(saga text, input text, key text, correlation_id text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.start(saga text, input text, key text, correlation_id text) IS 'Starts a saga in the caller''s transaction: it runs if and only if that commits. Returns its id, or the first one''s for a known key with the same saga and an equal input; another saga or input is 23505; an unknown saga, an input that is not JSON, over 1 MiB or with \u0000, and a key that is not 1 to 255 bytes without control characters or looks like a UUID are 22023.';

--
-- Name: start_full(text, json, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.start_full(saga text, input json, key text DEFAULT NULL::text, correlation_id text DEFAULT NULL::text) RETURNS TABLE(id uuid, created boolean, definition_id integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY SELECT a.id, a.created, a.definition_id
        FROM saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id) a;
END
$$;

--
-- Name: FUNCTION start_full(saga text, input json, key text, correlation_id text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.start_full(saga text, input json, key text, correlation_id text) IS 'As saga.start, and tells whether the saga is new and which definition it runs on (null when a known key''s saga has been dropped).';

--
-- Name: started_before(text, jsonb, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.started_before(p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer) RETURNS record
    LANGUAGE plpgsql STABLE
    AS $$
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

--
-- Name: FUNCTION started_before(p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.started_before(p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer) IS 'The saga that a known key belongs to, or SQLSTATE 23505 saying what differs. definition_id is null once the saga''s row has gone.';

--
-- Name: status_name(smallint); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.status_name(code smallint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT ('{pending,running,compensating,stuck,completed,compensated,terminated}'::text[])[code]
$$;

--
-- Name: FUNCTION status_name(code smallint); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.status_name(code smallint) IS 'The name of a saga''s status code, null for a code that is none.';

--
-- Name: take(integer, uuid[]); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.take(daemon integer, ids uuid[]) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $_$
BEGIN
    IF ids = '{}' THEN
        RETURN;
    END IF;
    -- Planned with the ids at hand: no other partitions than theirs are opened.
    RETURN QUERY EXECUTE
        'UPDATE saga.state s SET owner = $1, due_at = NULL, unreadable = NULL, waits_for = NULL, waits_attempts = NULL, '
        'waits_since = NULL WHERE s.id = ANY ($2) RETURNING s.id' USING daemon, ids;
END
$_$;

--
-- Name: FUNCTION take(daemon integer, ids uuid[]); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.take(daemon integer, ids uuid[]) IS 'Makes sagas that the caller has locked a daemon''s.';

--
-- Name: utc_text(timestamp with time zone); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.utc_text(at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE STRICT
    AS $$
    SELECT CASE WHEN isfinite(at) THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE at::text END
$$;

--
-- Name: FUNCTION utc_text(at timestamp with time zone); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.utc_text(at timestamp with time zone) IS 'A time as every session reads it, to the second.';

--
-- Name: wait_for_work(integer, interval, interval); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval) RETURNS boolean
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
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

--
-- Name: FUNCTION wait_for_work(daemon integer, every interval, up_to interval); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval) IS 'As daemons of before 012 call it: it looks into all partitions every time.';

--
-- Name: wait_for_work(integer, interval, interval, boolean); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval, wide boolean) RETURNS boolean
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_end constant timestamptz := v_now + up_to;
    v_seconds constant double precision := extract(epoch FROM every);
BEGIN
    -- Two conditions in one would open all partitions to look into none.
    IF wide OR v_now >= 'infinity' THEN
        IF EXISTS (SELECT FROM saga.state s WHERE s.owner = daemon AND s.due_at <= v_now)
            OR EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= v_now) THEN
            RETURN true;
        END IF;
    END IF;
    -- What was appended to a saga that a daemon runs may wait for the next call.
    
        PERFORM FROM saga.state_default s WHERE s.owner = daemon AND s.due_at <= v_now LIMIT 1;
        IF FOUND THEN
            RETURN true;
        END IF;
    LOOP
    
        PERFORM FROM saga.state_default s WHERE s.owner IS NULL AND s.due_at <= v_now LIMIT 1;
        IF FOUND THEN
            RETURN true;
        END IF;
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
$$;

--
-- Name: FUNCTION wait_for_work(daemon integer, every interval, up_to interval, wide boolean); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval, wide boolean) IS 'Whether anything is due that is nobody''s or this daemon''s: looked for in state_work of all partitions at once if wide, then, of the partitions that sagas start in now, every so often until the time is over. Locks and writes nothing. Written by saga.aim_probe.';

--
-- Name: write_aimed(text, text, text, text); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.write_aimed(name text, arguments text, result text, body text) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION write_aimed(name text, arguments text, result text, body text); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.write_aimed(name text, arguments text, result text, body text) IS 'Writes a function of saga.aim_probe, unless it is there as it should be.';

--
-- Name: write_service(integer, bigint, json, text, timestamp with time zone, timestamp with time zone, json); Type: FUNCTION; Schema: saga; Owner: -
--

CREATE FUNCTION saga.write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json DEFAULT '[]'::json) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'saga', 'pg_temp'
    AS $$
DECLARE
    v_last integer;
BEGIN
    UPDATE saga.service s
        SET version = s.version + 1, document = write_service.document, state = write_service.state,
            since = write_service.since, next_probe = write_service.next_probe
        WHERE s.id = write_service.service AND s.version = write_service.expected_version;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF json_array_length(events) > 0 THEN
        SELECT coalesce(max(e.sequence), 0) INTO v_last
            FROM saga.breaker_event e WHERE e.service_id = write_service.service;
        INSERT INTO saga.breaker_event (service_id, sequence, type, at, data)
            SELECT write_service.service, v_last + new.place, (new.event ->> 'type')::smallint,
                (new.event ->> 'at')::timestamptz, new.event -> 'data'
            FROM json_array_elements(events) WITH ORDINALITY AS new (event, place);
    END IF;
    RETURN true;
END
$$;

--
-- Name: FUNCTION write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json); Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON FUNCTION saga.write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json) IS 'Changes a service''s row unless somebody else did since it was read at expected_version: then it is false and nothing is done. events: what happened to its breaker, [{"type", "at", "data"}]. The caller decides what is right.';

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alert; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.alert (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    due_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    event json NOT NULL
);

--
-- Name: TABLE alert; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.alert IS 'An outbox: a row is written in the transaction of what it tells of, and goes when a receiver has taken it, or after 7 days. Nothing here refuses or waits: a batch of sagas writes it.';

--
-- Name: COLUMN alert.due_at; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.alert.due_at IS 'When a daemon with --alert-url may post it. Whoever claims it moves this on by a lease, so no transaction stays open during the post, and another daemon takes over a claim whose daemon is gone.';

--
-- Name: COLUMN alert.attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.alert.attempts IS 'How often it was claimed. It names the claim: only who holds the last one may postpone it.';

--
-- Name: COLUMN alert.event; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.alert.event IS 'The CloudEvents 1.0 document, as it is posted.';

--
-- Name: alert_id_seq; Type: SEQUENCE; Schema: saga; Owner: -
--

ALTER TABLE saga.alert ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME saga.alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: breaker_event; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.breaker_event (
    service_id integer NOT NULL,
    sequence integer NOT NULL,
    at timestamp with time zone NOT NULL,
    type smallint NOT NULL,
    data json NOT NULL,
    CONSTRAINT breaker_event_sequence_positive CHECK ((sequence >= 1)),
    CONSTRAINT breaker_event_type_known CHECK (((type >= 1) AND (type <= 6)))
);

--
-- Name: TABLE breaker_event; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.breaker_event IS 'What happened to every circuit breaker, and by which counts or whom: 1 BreakerOpened, 2 BreakerHalfOpened, 3 BreakerClosed, 4 BreakerForcedOpen, 5 BreakerDisabled, 6 BreakerReset. Append-only.';

--
-- Name: service; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.service (
    id integer NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    since timestamp with time zone NOT NULL,
    next_probe timestamp with time zone,
    name text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL,
    settings json NOT NULL,
    document json NOT NULL,
    CONSTRAINT service_state_known CHECK ((state = ANY (ARRAY['CLOSED'::text, 'OPEN'::text, 'HALF_OPEN'::text, 'FORCED_OPEN'::text, 'DISABLED'::text]))),
    CONSTRAINT service_version_positive CHECK ((version > 0))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');

--
-- Name: TABLE service; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.service IS 'One row a service that sagas call, known by its name and URL together. Whoever changes it states the version it has read (saga.write_service): no lock is held while the core decides.';

--
-- Name: COLUMN service.version; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.version IS 'Raised by every change.';

--
-- Name: COLUMN service.since; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.since IS 'Since when the breaker is in this state.';

--
-- Name: COLUMN service.next_probe; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.next_probe IS 'When an open breaker lets the next calls through to see.';

--
-- Name: COLUMN service.url; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.url IS 'As the definition writes it: ${env:NAME} is not resolved.';

--
-- Name: COLUMN service.state; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.state IS 'Of its circuit breaker, read out of the document for people.';

--
-- Name: COLUMN service.settings; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.settings IS 'Limits and breaker of the definition that was applied last.';

--
-- Name: COLUMN service.document; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.service.document IS 'The window of results, the schedule of the rate limit, who holds permits until when: the core''s own.';

--
-- Name: breakers; Type: VIEW; Schema: saga; Owner: -
--

CREATE VIEW saga.breakers AS
 SELECT (s.name COLLATE "default") AS service,
    (s.url COLLATE "default") AS url,
    s.state,
    s.since,
    s.next_probe
   FROM saga.service s
  WHERE ((s.settings ->> 'circuitBreaker'::text) IS DISTINCT FROM 'false'::text);

--
-- Name: VIEW breakers; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON VIEW saga.breakers IS 'One row a service whose circuit breaker is kept: CLOSED, OPEN, HALF_OPEN, FORCED_OPEN or DISABLED, since when, and when an open one lets the next calls through to see.';

--
-- Name: current_definition; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.current_definition (
    saga text NOT NULL COLLATE pg_catalog."C",
    definition_id integer NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

--
-- Name: TABLE current_definition; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.current_definition IS 'The version that a start takes: the one applied last.';

--
-- Name: daemon; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.daemon (
    id integer NOT NULL,
    pid integer NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    CONSTRAINT daemon_epoch_positive CHECK ((epoch > 0))
);

--
-- Name: TABLE daemon; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.daemon IS 'One row an incarnation of a daemon: its lease covers every saga it owns. A batch locks the row FOR KEY SHARE at its epoch (saga.fence); renewal updates no key column, so it waits for no batch; takeover locks FOR UPDATE, frees its sagas and deletes the row, after which no batch of it passes.';

--
-- Name: COLUMN daemon.epoch; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.daemon.epoch IS 'Raised when a commit in doubt is read back: every batch of an earlier epoch is refused whole.';

--
-- Name: COLUMN daemon.lease_until; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.daemon.lease_until IS 'By this database''s clock. Once past, any daemon may take over.';

--
-- Name: daemon_id_seq; Type: SEQUENCE; Schema: saga; Owner: -
--

ALTER TABLE saga.daemon ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME saga.daemon_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: state; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.state (
    id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    ended_at timestamp with time zone,
    definition_id integer NOT NULL,
    owner integer,
    status smallint NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    key text COLLATE pg_catalog."C",
    correlation_id text,
    unreadable text,
    waits_for integer,
    waits_attempts smallint,
    waits_since timestamp with time zone,
    CONSTRAINT state_work_until_ended CHECK (((ended_at IS NOT NULL) = ((owner IS NULL) AND (due_at IS NULL))))
)
PARTITION BY RANGE (id);

--
-- Name: TABLE state; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.state IS 'One narrow hot row a saga: where it stands and who must look at it when. All of it but owner, due_at, unreadable and what it waits for follows from the events. No foreign key leads here or away: definitions never go, and retention drops whole partitions, which are by the day of start.';

--
-- Name: COLUMN state.id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.id IS 'UUID version 7 of the time of start.';

--
-- Name: COLUMN state.due_at; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.due_at IS 'Without an owner: when a daemon must take it up; infinity waits for a person (stuck, paused) or for the service that waits_for names. With an owner: null, or look at it again, something was appended. Never null on both, so that no saga can be forgotten before it has ended.';

--
-- Name: COLUMN state.owner; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.owner IS 'The saga.daemon that runs it in memory.';

--
-- Name: COLUMN state.status; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.status IS '1 pending, 2 running, 3 compensating, 4 stuck, 5 completed, 6 compensated, 7 terminated: saga.status_name says it.';

--
-- Name: COLUMN state.paused; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.paused IS 'No new operation is begun while set; independent of the status.';

--
-- Name: COLUMN state.key; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.key IS 'The key it was started with; saga.key keeps it when this row has gone.';

--
-- Name: COLUMN state.correlation_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.correlation_id IS 'What the starter gave; where it is null, events show the saga''s id.';

--
-- Name: COLUMN state.unreadable; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.unreadable IS 'Why its events can''t be folded. A flag outside the events, since a saga that can''t be read can''t be appended to; shown as stuck.';

--
-- Name: COLUMN state.waits_for; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.waits_for IS 'The saga.service that has to have room before it goes on.';

--
-- Name: COLUMN state.waits_attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.waits_attempts IS 'How many attempts the waiting operation has spent: probes go to the fewest first.';

--
-- Name: COLUMN state.waits_since; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state.waits_since IS 'Otherwise who waits longest is first.';

--
-- Name: daemons; Type: VIEW; Schema: saga; Owner: -
--

CREATE VIEW saga.daemons AS
 SELECT d.id,
    d.host,
    d.pid,
    d.epoch,
    d.lease_until,
    ( SELECT count(*) AS count
           FROM saga.state s
          WHERE (s.owner = d.id)) AS sagas
   FROM saga.daemon d;

--
-- Name: VIEW daemons; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON VIEW saga.daemons IS 'One row an incarnation of a daemon; it is alive while lease_until is not past.';

--
-- Name: COLUMN daemons.sagas; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.daemons.sagas IS 'How many sagas it runs in memory now.';

--
-- Name: definition; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.definition (
    id integer NOT NULL,
    saga text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    document json NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT definition_digest_length CHECK ((octet_length(digest) = 32)),
    CONSTRAINT definition_document_object CHECK ((json_typeof(document) = 'object'::text)),
    CONSTRAINT definition_saga_form CHECK ((saga ~ '^[A-Za-z][A-Za-z0-9_-]{0,62}$'::text))
);

--
-- Name: TABLE definition; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.definition IS 'Every version of every definition. A saga keeps the version it started with, so a row never changes and never goes.';

--
-- Name: COLUMN definition.digest; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.definition.digest IS 'SHA-256 of the canonical JSON of the document: the name of this version.';

--
-- Name: COLUMN definition.document; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.definition.document IS 'The file as it was written, byte for byte: hence json, not jsonb.';

--
-- Name: definition_id_seq; Type: SEQUENCE; Schema: saga; Owner: -
--

ALTER TABLE saga.definition ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME saga.definition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: dropped; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.dropped (
    first_id uuid,
    end_id uuid,
    dropped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sagas bigint NOT NULL,
    partition text NOT NULL COLLATE pg_catalog."C"
);

--
-- Name: TABLE dropped; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.dropped IS 'The partitions that retention has dropped: one row each, so that an old id can be told from a wrong one.';

--
-- Name: COLUMN dropped.first_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.dropped.first_id IS 'Where its ids began; null for the first partition and the default one.';

--
-- Name: COLUMN dropped.end_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.dropped.end_id IS 'The first id past it; null for the default partition.';

--
-- Name: COLUMN dropped.partition; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.dropped.partition IS 'The day as YYYYMMDD, first or default.';

--
-- Name: event; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.event (
    saga_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    sequence integer NOT NULL,
    cause integer,
    type smallint NOT NULL,
    data json
)
PARTITION BY RANGE (saga_id);

--
-- Name: TABLE event; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.event IS 'Everything that happened to every saga: its state is the fold of these and nothing else. Append-only. The key (saga_id, sequence) is the optimistic lock: who appends states what it has seen. No foreign keys: they would cost every row a lookup and a lock, and retention drops whole partitions, which are by the day of the saga''s start.';

--
-- Name: COLUMN event.sequence; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event.sequence IS '1, 2, 3 and so on within the saga, without gaps: what else is never read.';

--
-- Name: COLUMN event.cause; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event.cause IS 'The sequence of the earlier event of this saga that led to this one.';

--
-- Name: COLUMN event.type; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event.type IS 'A code: saga.event_type says its name.';

--
-- Name: COLUMN event.data; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event.data IS 'Payloads byte for byte as they came: hence json, not jsonb.';

--
-- Name: event_default; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.event_default (
    saga_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    sequence integer NOT NULL,
    cause integer,
    type smallint NOT NULL,
    data json,
    CONSTRAINT event_default_days CHECK (saga.in_default(saga_id))
);

--
-- Name: TABLE event_default; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.event_default IS 'A partition of saga.event: what no other takes.';

--
-- Name: COLUMN event_default.sequence; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event_default.sequence IS '1, 2, 3 and so on within the saga, without gaps.';

--
-- Name: COLUMN event_default.cause; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event_default.cause IS 'The sequence of the event of this saga that led to this one.';

--
-- Name: COLUMN event_default.type; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event_default.type IS 'A code: saga.event_type says its name.';

--
-- Name: COLUMN event_default.data; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.event_default.data IS 'Payloads byte for byte as they came: hence json, not jsonb.';

--
-- Name: events; Type: VIEW; Schema: saga; Owner: -
--

CREATE VIEW saga.events AS
 SELECT e.saga_id,
    e.sequence,
    saga.event_type(e.type) AS type,
    e.at,
    COALESCE(s.correlation_id, (e.saga_id)::text) AS correlation_id,
    (((e.saga_id)::text || '/'::text) || lpad((e.cause)::text, 10, '0'::text)) AS causation_id,
    e.data
   FROM (saga.event e
     LEFT JOIN saga.state s ON ((s.id = e.saga_id)));

--
-- Name: VIEW events; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON VIEW saga.events IS 'One row an event.';

--
-- Name: COLUMN events.correlation_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.events.correlation_id IS 'What the starter gave, else the saga''s id.';

--
-- Name: COLUMN events.causation_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.events.causation_id IS 'The event of the same saga that led to this one: its id, a slash and the sequence in ten digits. Null where something outside did.';

--
-- Name: key; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.key (
    input_hash bigint NOT NULL,
    saga_id uuid NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    saga text NOT NULL COLLATE pg_catalog."C"
);

--
-- Name: TABLE key; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.key IS 'The keys that starts were given. A key lives for good, longer than its saga, so that a start repeated years later still starts nothing. Never of a UUID''s form: where an id and a key could both be meant, there is no doubt.';

--
-- Name: COLUMN key.input_hash; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.key.input_hash IS 'jsonb_hash_extended of the input: tells a repeated start from another one when the saga''s events have gone.';

--
-- Name: migration; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.migration (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT migration_version_positive CHECK ((version > 0))
);

--
-- Name: TABLE migration; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.migration IS 'The migrations this database has: a program older than the highest version refuses to work on it.';

--
-- Name: COLUMN migration.checksum; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.migration.checksum IS 'SHA-256 of the migration''s text in hexadecimal.';

--
-- Name: sagas; Type: VIEW; Schema: saga; Owner: -
--

CREATE VIEW saga.sagas AS
 SELECT s.id,
    d.saga,
    "left"(encode(d.digest, 'hex'::text), 12) AS version,
    s.key,
        CASE
            WHEN ((s.unreadable IS NOT NULL) AND (s.ended_at IS NULL)) THEN 'stuck'::text
            ELSE saga.status_name(s.status)
        END AS status,
    s.paused,
    ( SELECT (saga.readable(e.data) -> 'input'::text)
           FROM saga.event e
          WHERE ((e.saga_id = s.id) AND (e.sequence = 1))) AS input,
        CASE
            WHEN (s.status = 5) THEN ( SELECT o.output
               FROM saga.event e,
                LATERAL json_to_record(saga.readable(e.data)) o(output json)
              WHERE ((e.saga_id = s.id) AND (e.type = 14))
              ORDER BY e.sequence DESC
             LIMIT 1)
            ELSE NULL::json
        END AS output,
        CASE
            WHEN (s.unreadable IS NOT NULL) THEN ((('{"step":null,"error":"Saga.Unreadable","message":'::text || to_json(s.unreadable)) || '}'::text))::json
            WHEN (s.status = 5) THEN ( SELECT ((((('{"step":null,"error":'::text || to_json(f.error)) || ',"message":'::text) || COALESCE((to_json(f.message))::text, 'null'::text)) || '}'::text))::json AS json
               FROM saga.event e,
                LATERAL json_to_record(saga.readable(e.data)) f(error text, message text)
              WHERE ((e.saga_id = s.id) AND (e.type = 14) AND (f.error IS NOT NULL))
              ORDER BY e.sequence DESC
             LIMIT 1)
            ELSE ( SELECT ((((((('{"step":'::text || COALESCE((to_json(f.step))::text, 'null'::text)) || ',"error":'::text) || COALESCE((to_json(f.error))::text, 'null'::text)) || ',"message":'::text) || COALESCE((to_json(f.message))::text, 'null'::text)) || '}'::text))::json AS json
               FROM saga.event e,
                LATERAL json_to_record(saga.readable(e.data)) f(step text, error text, message text)
              WHERE ((e.saga_id = s.id) AND ((e.type = 9) OR ((e.type = 16) AND (s.status <> 6) AND (NOT (EXISTS ( SELECT
                       FROM saga.event l
                      WHERE ((l.saga_id = s.id) AND (l.sequence > e.sequence) AND (l.type = ANY (ARRAY[20, 21])))))))))
              ORDER BY e.type DESC, e.sequence DESC
             LIMIT 1)
        END AS failure,
    s.started_at,
    s.ended_at
   FROM (saga.state s
     JOIN saga.definition d ON ((d.id = s.definition_id)));

--
-- Name: VIEW sagas; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON VIEW saga.sagas IS 'One row a saga.';

--
-- Name: COLUMN sagas.version; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.sagas.version IS 'The first 12 digits of its definition''s digest.';

--
-- Name: COLUMN sagas.input; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.sagas.input IS 'As it came.';

--
-- Name: COLUMN sagas.output; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.sagas.output IS 'Of a completed saga; null where it is JSON null too.';

--
-- Name: COLUMN sagas.failure; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.sagas.failure IS '{"step", "error", "message"} of what it is stuck on (or was when terminated), else of what turned it round; for a completed saga null, or why it has no output.';

--
-- Name: service_id_seq; Type: SEQUENCE; Schema: saga; Owner: -
--

ALTER TABLE saga.service ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME saga.service_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: state_default; Type: TABLE; Schema: saga; Owner: -
--

CREATE TABLE saga.state_default (
    id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    ended_at timestamp with time zone,
    definition_id integer NOT NULL,
    owner integer,
    status smallint NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    key text COLLATE pg_catalog."C",
    correlation_id text,
    unreadable text,
    waits_for integer,
    waits_attempts smallint,
    waits_since timestamp with time zone,
    CONSTRAINT state_default_days CHECK (saga.in_default(id)),
    CONSTRAINT state_work_until_ended CHECK (((ended_at IS NOT NULL) = ((owner IS NULL) AND (due_at IS NULL))))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');

--
-- Name: TABLE state_default; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON TABLE saga.state_default IS 'A partition of saga.state: what no other takes.';

--
-- Name: COLUMN state_default.id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.id IS 'UUID version 7 of the time of start.';

--
-- Name: COLUMN state_default.due_at; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.due_at IS 'Without an owner: when a daemon must take it up; infinity waits for a person (stuck, paused) or for the service that waits_for names. With an owner: null, or look at it again, something was appended. Never null on both, so that no saga can be forgotten before it has ended.';

--
-- Name: COLUMN state_default.owner; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.owner IS 'The saga.daemon that runs it in memory.';

--
-- Name: COLUMN state_default.status; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.status IS '1 pending, 2 running, 3 compensating, 4 stuck, 5 completed, 6 compensated, 7 terminated: saga.status_name says it.';

--
-- Name: COLUMN state_default.paused; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.paused IS 'No new operation is begun while set; independent of the status.';

--
-- Name: COLUMN state_default.key; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.key IS 'The key it was started with; saga.key keeps it when this row has gone.';

--
-- Name: COLUMN state_default.correlation_id; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.correlation_id IS 'What the starter gave; where it is null, events show the saga''s id.';

--
-- Name: COLUMN state_default.unreadable; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.unreadable IS 'Why its events can''t be folded. A flag outside the events, since a saga that can''t be read can''t be appended to; shown as stuck.';

--
-- Name: COLUMN state_default.waits_for; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.waits_for IS 'The saga.service that has to have room before it goes on.';

--
-- Name: COLUMN state_default.waits_attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.waits_attempts IS 'How many attempts the waiting operation has spent: probes go to the fewest first.';

--
-- Name: COLUMN state_default.waits_since; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.state_default.waits_since IS 'Otherwise who waits longest is first.';

--
-- Name: steps; Type: VIEW; Schema: saga; Owner: -
--

CREATE VIEW saga.steps AS
 SELECT s.id AS saga_id,
    f.step,
    f.status,
    f.outcome,
    f.attempts,
    f.output,
    f.error,
    f.compensation_status,
    f.compensation_attempts,
    f.compensation_error
   FROM ((saga.state s
     JOIN saga.definition d ON ((d.id = s.definition_id)))
     CROSS JOIN LATERAL ( SELECT n.step,
                CASE n.compensation_status
                    WHEN 'running'::text THEN 'compensating'::text
                    WHEN 'backoff'::text THEN 'compensating'::text
                    WHEN 'deferred'::text THEN 'compensating'::text
                    WHEN 'succeeded'::text THEN 'compensated'::text
                    WHEN 'failed'::text THEN 'compensation_failed'::text
                    ELSE n.status
                END AS status,
            n.outcome,
            n.attempts,
                CASE
                    WHEN (n.status = 'succeeded'::text) THEN n.output
                    ELSE NULL::json
                END AS output,
                CASE
                    WHEN (n.status <> ALL (ARRAY['succeeded'::text, 'skipped'::text])) THEN n.error
                    ELSE NULL::text
                END AS error,
            n.compensation_status,
            n.compensation_attempts,
                CASE
                    WHEN (n.compensation_status <> 'succeeded'::text) THEN n.compensation_error
                    ELSE NULL::text
                END AS compensation_error
           FROM ( SELECT o."position",
                    o.step,
                    o.is_pivot,
                    o.compensable,
                    o.compensate_when,
                    o.outcome,
                    o.attempts,
                    o.compensation_attempts,
                    o.forward_over,
                    o.turned,
                    o.terminated,
                    o.moved_at,
                    o.moved_type,
                    o.moved_to,
                    o.retried_at,
                    o.pivot_done_at,
                    o.output,
                    o.error,
                    o.undo_at,
                    o.undo_type,
                    o.undo_to,
                    o.compensation_error,
                        CASE
                            WHEN (o.moved_type IS NULL) THEN 'pending'::text
                            WHEN ((o.moved_type = 3) OR (o.moved_to = 'done'::text)) THEN 'succeeded'::text
                            WHEN (o.moved_type = 6) THEN 'skipped'::text
                            WHEN ((o.moved_type = 2) AND (NOT o.terminated)) THEN 'running'::text
                            WHEN ((NOT o.forward_over) AND ((o.moved_type = 4) OR (o.retried_at > o.moved_at) OR ((o.moved_to = 'undone'::text) AND (o.pivot_done_at < o.moved_at)))) THEN
                            CASE
                                WHEN (o.moved_type = 7) THEN 'deferred'::text
                                ELSE 'backoff'::text
                            END
                            WHEN ((NOT o.forward_over) AND (o.moved_type = 7)) THEN 'deferred'::text
                            WHEN (o.outcome = 'unknown'::text) THEN 'in_doubt'::text
                            WHEN ((o.outcome IS NULL) AND (o.moved_type = ANY (ARRAY[4, 7]))) THEN 'pending'::text
                            ELSE 'failed'::text
                        END AS status,
                        CASE
                            WHEN ((o.undo_type = 11) OR (o.undo_to = 'undone'::text)) THEN 'succeeded'::text
                            WHEN (o.undo_type = 8) THEN 'deferred'::text
                            WHEN ((o.undo_type = 10) AND (NOT o.terminated)) THEN 'running'::text
                            WHEN ((o.undo_type = 12) OR (o.undo_to = 'done'::text) OR ((o.undo_type = 13) AND (o.retried_at > o.undo_at))) THEN 'backoff'::text
                            WHEN (o.undo_type IS NOT NULL) THEN 'failed'::text
                            WHEN (o.turned AND o.compensable AND (NOT o.is_pivot) AND ((o.outcome = 'done'::text) OR ((o.outcome = 'unknown'::text) AND (o.compensate_when = 'uncertain'::text)) OR ((o.attempts > 0) AND (o.compensate_when = 'attempted'::text)))) THEN 'pending'::text
                            ELSE NULL::text
                        END AS compensation_status
                   FROM ( SELECT p."position",
                            p.step,
                            p.is_pivot,
                            p.compensable,
                            p.compensate_when,
                                CASE
                                    WHEN g.done THEN 'done'::text
                                    WHEN (g.unknown OR (g.terminated AND (g.moved_type = 2))) THEN 'unknown'::text
                                    WHEN g.failed THEN 'failed'::text
                                    ELSE NULL::text
                                END AS outcome,
                            COALESCE(g.attempts, 0) AS attempts,
                            COALESCE(g.compensation_attempts, 0) AS compensation_attempts,
                            COALESCE(g.forward_over, false) AS forward_over,
                            COALESCE(g.turned, false) AS turned,
                            COALESCE(g.terminated, false) AS terminated,
                            g.moved_at,
                            g.moved_type,
                            g.moved_to,
                            g.retried_at,
                            g.pivot_done_at,
                            g.output,
                            g.error,
                            g.undo_at,
                            g.undo_type,
                            g.undo_to,
                            g.compensation_error
                           FROM (( SELECT t."position",
                                    (t.step ->> 'name'::text) AS step,
                                    (COALESCE((t.step ->> 'pivot'::text), ''::text) = 'true'::text) AS is_pivot,
                                    (COALESCE(json_typeof((t.step -> 'compensation'::text)), ''::text) = 'object'::text) AS compensable,
                                    COALESCE((t.step ->> 'compensateWhen'::text), ((d.document -> 'defaults'::text) ->> 'compensateWhen'::text), 'uncertain'::text) AS compensate_when
                                   FROM json_array_elements(
CASE json_typeof((d.document -> 'steps'::text))
 WHEN 'array'::text THEN (d.document -> 'steps'::text)
 ELSE NULL::json
END) WITH ORDINALITY t(step, "position")) p
                             LEFT JOIN ( SELECT w.step,
                                    bool_or(w.turned) AS turned,
                                    bool_or(w.terminated) AS terminated,
                                    bool_or((w.turned OR w.ended)) AS forward_over,
                                    max(w.retried_at) AS retried_at,
                                    max(w.pivot_done_at) AS pivot_done_at,
                                    bool_or(((w.type = 3) OR (w.resolved = 'done'::text))) FILTER (WHERE w.counts) AS done,
                                    bool_or((w.outcome = 'unknown'::text)) FILTER (WHERE (w.counts AND (w.type = ANY (ARRAY[4, 5])))) AS unknown,
                                    bool_or(((w.outcome = 'failed'::text) OR (w.resolved = 'undone'::text))) FILTER (WHERE (w.counts AND (w.type = ANY (ARRAY[4, 5, 20])))) AS failed,
                                    max(w.sequence) FILTER (WHERE w.moves) AS moved_at,
                                    (array_agg(w.type ORDER BY w.sequence DESC) FILTER (WHERE w.moves))[1] AS moved_type,
                                    (array_agg(w.resolved ORDER BY w.sequence DESC) FILTER (WHERE w.moves))[1] AS moved_to,
                                    (array_agg(w.attempt ORDER BY w.sequence DESC) FILTER (WHERE (w.type = 2)))[1] AS attempts,
                                    (array_agg(w.output ORDER BY w.sequence DESC) FILTER (WHERE ((w.type = 3) OR (w.resolved = 'done'::text))))[1] AS output,
                                    (array_agg(w.error ORDER BY w.sequence DESC) FILTER (WHERE (w.type = ANY (ARRAY[4, 5]))))[1] AS error,
                                    max(w.sequence) FILTER (WHERE w.undoes) AS undo_at,
                                    (array_agg(w.type ORDER BY w.sequence DESC) FILTER (WHERE w.undoes))[1] AS undo_type,
                                    (array_agg(w.undo_resolved ORDER BY w.sequence DESC) FILTER (WHERE w.undoes))[1] AS undo_to,
                                    (array_agg(w.attempt ORDER BY w.sequence DESC) FILTER (WHERE (w.type = 10)))[1] AS compensation_attempts,
                                    (array_agg(w.error ORDER BY w.sequence DESC) FILTER (WHERE (w.type = ANY (ARRAY[12, 13]))))[1] AS compensation_error
                                   FROM ( SELECT r.sequence,
    r.type,
    r.step,
    r.attempt,
    r.outcome,
    r.error,
    r.output,
    r.resolved,
    r.undo_resolved,
    ((r.type = ANY (ARRAY[2, 3, 4, 5, 6, 7])) OR (r.resolved IS NOT NULL)) AS moves,
    ((r.type = ANY (ARRAY[8, 10, 11, 12, 13])) OR (r.undo_resolved IS NOT NULL)) AS undoes,
    (r.sequence >= COALESCE(max(r.sequence) FILTER (WHERE (r.resolved IS NOT NULL)) OVER (PARTITION BY r.step), 0)) AS counts,
    bool_or((r.type = 9)) OVER () AS turned,
    bool_or((r.type = ANY (ARRAY[14, 15, 22]))) OVER () AS ended,
    bool_or((r.type = 22)) OVER () AS terminated,
    max(r.sequence) FILTER (WHERE (r.type = 21)) OVER () AS retried_at,
    min(r.sequence) FILTER (WHERE ((r.step = pivot.step) AND ((r.type = 3) OR (r.resolved = 'done'::text)))) OVER () AS pivot_done_at
   FROM (( SELECT e.sequence,
      e.type,
      x.step,
    CASE
     WHEN (x.attempt ~ '^[0-9]{1,9}$'::text) THEN (x.attempt)::integer
     ELSE NULL::integer
    END AS attempt,
      x.outcome,
      x.error,
      x.output,
    CASE
     WHEN ((e.type = 20) AND (x.operation = 'action'::text)) THEN x.resolution
     ELSE NULL::text
    END AS resolved,
    CASE
     WHEN ((e.type = 20) AND (x.operation = 'compensation'::text)) THEN x.resolution
     ELSE NULL::text
    END AS undo_resolved
     FROM (saga.event e
       LEFT JOIN LATERAL json_to_record(
    CASE
     WHEN (e.type <> ALL (ARRAY[1, 14])) THEN saga.readable(e.data)
     ELSE NULL::json
    END) x(step text, attempt text, outcome text, error text, output json, operation text, resolution text) ON (true))
    WHERE (e.saga_id = s.id)) r
     CROSS JOIN ( SELECT min((t.value ->> 'name'::text)) AS step
     FROM json_array_elements(
    CASE json_typeof((d.document -> 'steps'::text))
     WHEN 'array'::text THEN (d.document -> 'steps'::text)
     ELSE NULL::json
    END) t(value)
    WHERE ((t.value ->> 'pivot'::text) = 'true'::text)) pivot)) w
                                  WHERE (w.step IS NOT NULL)
                                  GROUP BY w.step) g ON ((g.step = p.step)))) o) n
          ORDER BY n."position") f);

--
-- Name: VIEW steps; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON VIEW saga.steps IS 'One row a step of every saga, those not reached yet too; a saga''s steps stand in the order of its definition file.';

--
-- Name: COLUMN steps.outcome; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.steps.outcome IS 'done, failed (certainly not), unknown (it may have happened), or null before any attempt ended.';

--
-- Name: COLUMN steps.attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.steps.attempts IS 'Attempts begun, over all retries; 0 for a step without a call.';

--
-- Name: COLUMN steps.output; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.steps.output IS 'Of a step that succeeded; null where it is JSON null too.';

--
-- Name: COLUMN steps.error; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.steps.error IS 'The name of the last failed attempt''s error, unless the step succeeded or was skipped.';

--
-- Name: COLUMN steps.compensation_status; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON COLUMN saga.steps.compensation_status IS 'Null until the saga turned back and the step is one to undo.';

--
-- Name: event_default; Type: TABLE ATTACH; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.event ATTACH PARTITION saga.event_default DEFAULT;

--
-- Name: state_default; Type: TABLE ATTACH; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.state ATTACH PARTITION saga.state_default DEFAULT;

--
-- Name: alert alert_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.alert
    ADD CONSTRAINT alert_pkey PRIMARY KEY (id);

--
-- Name: breaker_event breaker_event_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.breaker_event
    ADD CONSTRAINT breaker_event_pkey PRIMARY KEY (service_id, sequence);

--
-- Name: current_definition current_definition_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.current_definition
    ADD CONSTRAINT current_definition_pkey PRIMARY KEY (saga);

--
-- Name: daemon daemon_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.daemon
    ADD CONSTRAINT daemon_pkey PRIMARY KEY (id);

--
-- Name: definition definition_digest_key; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.definition
    ADD CONSTRAINT definition_digest_key UNIQUE (digest);

--
-- Name: definition definition_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.definition
    ADD CONSTRAINT definition_pkey PRIMARY KEY (id);

--
-- Name: event event_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (saga_id, sequence);

--
-- Name: event_default event_default_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.event_default
    ADD CONSTRAINT event_default_pkey PRIMARY KEY (saga_id, sequence);

--
-- Name: key key_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.key
    ADD CONSTRAINT key_pkey PRIMARY KEY (key);

--
-- Name: migration migration_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);

--
-- Name: service service_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.service
    ADD CONSTRAINT service_pkey PRIMARY KEY (id);

--
-- Name: state state_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.state
    ADD CONSTRAINT state_pkey PRIMARY KEY (id);

--
-- Name: state_default state_default_pkey; Type: CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.state_default
    ADD CONSTRAINT state_default_pkey PRIMARY KEY (id);

--
-- Name: alert_due; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX alert_due ON saga.alert USING btree (due_at);

--
-- Name: service_name_url_key; Type: INDEX; Schema: saga; Owner: -
--

CREATE UNIQUE INDEX service_name_url_key ON saga.service USING btree (name, hashtextextended(url, (0)::bigint));

--
-- Name: INDEX service_name_url_key; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.service_name_url_key IS 'One row a name and URL.';

--
-- Name: state_waits_attempts; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_waits_attempts ON ONLY saga.state USING btree (waits_for, waits_attempts, waits_since) WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL));

--
-- Name: INDEX state_waits_attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_waits_attempts IS 'Who is to probe a service.';

--
-- Name: state_default_waits_attempts; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_default_waits_attempts ON saga.state_default USING btree (waits_for, waits_attempts, waits_since) WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL));

--
-- Name: INDEX state_default_waits_attempts; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_default_waits_attempts IS 'Who is to probe a service.';

--
-- Name: state_waits_since; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_waits_since ON ONLY saga.state USING btree (waits_for, waits_since) WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL));

--
-- Name: INDEX state_waits_since; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_waits_since IS 'Who waits for a service.';

--
-- Name: state_default_waits_since; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_default_waits_since ON saga.state_default USING btree (waits_for, waits_since) WHERE ((waits_for IS NOT NULL) AND (due_at IS NOT NULL));

--
-- Name: INDEX state_default_waits_since; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_default_waits_since IS 'Who waits for a service.';

--
-- Name: state_work; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_work ON ONLY saga.state USING btree (owner, due_at) WHERE ((owner IS NOT NULL) OR (due_at IS NOT NULL));

--
-- Name: INDEX state_work; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_work IS 'The only way to work: WHERE owner IS NULL AND due_at <= statement_timestamp() ORDER BY owner, due_at for what is due, WHERE owner = $1 for a daemon''s own. (IS NULL does not tell the planner that owner is constant, so ORDER BY due_at alone would sort; clock_timestamp() is volatile, so it would filter every waiting saga.) Ended sagas are not in it: of an old day it is empty.';

--
-- Name: state_default_work; Type: INDEX; Schema: saga; Owner: -
--

CREATE INDEX state_default_work ON saga.state_default USING btree (owner, due_at) WHERE ((owner IS NOT NULL) OR (due_at IS NOT NULL));

--
-- Name: INDEX state_default_work; Type: COMMENT; Schema: saga; Owner: -
--

COMMENT ON INDEX saga.state_default_work IS 'The only way to work: WHERE owner IS NULL AND due_at <= statement_timestamp() ORDER BY owner, due_at for what is due, WHERE owner = $1 for a daemon''s own. (IS NULL does not tell the planner that owner is constant, so ORDER BY due_at alone would sort; clock_timestamp() is volatile, so it would filter every waiting saga.) Ended sagas are not in it.';

--
-- Name: event_default_pkey; Type: INDEX ATTACH; Schema: saga; Owner: -
--

ALTER INDEX saga.event_pkey ATTACH PARTITION saga.event_default_pkey;

--
-- Name: state_default_pkey; Type: INDEX ATTACH; Schema: saga; Owner: -
--

ALTER INDEX saga.state_pkey ATTACH PARTITION saga.state_default_pkey;

--
-- Name: state_default_waits_attempts; Type: INDEX ATTACH; Schema: saga; Owner: -
--

ALTER INDEX saga.state_waits_attempts ATTACH PARTITION saga.state_default_waits_attempts;

--
-- Name: state_default_waits_since; Type: INDEX ATTACH; Schema: saga; Owner: -
--

ALTER INDEX saga.state_waits_since ATTACH PARTITION saga.state_default_waits_since;

--
-- Name: state_default_work; Type: INDEX ATTACH; Schema: saga; Owner: -
--

ALTER INDEX saga.state_work ATTACH PARTITION saga.state_default_work;

--
-- Name: breaker_event breaker_event_alert; Type: TRIGGER; Schema: saga; Owner: -
--

CREATE TRIGGER breaker_event_alert AFTER INSERT ON saga.breaker_event FOR EACH ROW WHEN (
        CASE new.type
            WHEN 1 THEN ((new.data ->> 'from'::text) IS DISTINCT FROM 'HALF_OPEN'::text)
            ELSE NULL::boolean
        END) EXECUTE FUNCTION saga.alert_breaker_opened();

--
-- Name: breaker_event breaker_event_append_only; Type: TRIGGER; Schema: saga; Owner: -
--

CREATE TRIGGER breaker_event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON saga.breaker_event FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change_but_retention('events are append-only');

--
-- Name: definition definition_immutable; Type: TRIGGER; Schema: saga; Owner: -
--

CREATE TRIGGER definition_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON saga.definition FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change('definitions are immutable, sagas run on the version they started with');

--
-- Name: event event_append_only; Type: TRIGGER; Schema: saga; Owner: -
--

CREATE TRIGGER event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON saga.event FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change('events are append-only, a saga''s state is the fold of all of them');

--
-- Name: event_default event_append_only; Type: TRIGGER; Schema: saga; Owner: -
--

CREATE TRIGGER event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON saga.event_default FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change('events are append-only, a saga''s state is the fold of all of them');

--
-- Name: breaker_event breaker_event_service_id_fkey; Type: FK CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.breaker_event
    ADD CONSTRAINT breaker_event_service_id_fkey FOREIGN KEY (service_id) REFERENCES saga.service(id);

--
-- Name: current_definition current_definition_definition_id_fkey; Type: FK CONSTRAINT; Schema: saga; Owner: -
--

ALTER TABLE ONLY saga.current_definition
    ADD CONSTRAINT current_definition_definition_id_fkey FOREIGN KEY (definition_id) REFERENCES saga.definition(id);

--
-- Name: SCHEMA saga; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA saga TO saga_operator;
GRANT USAGE ON SCHEMA saga TO saga_reader;
GRANT USAGE ON SCHEMA saga TO saga_starter;

--
-- Name: FUNCTION accept(p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text, OUT id uuid, OUT created boolean, OUT definition_id integer); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.accept(p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text, OUT id uuid, OUT created boolean, OUT definition_id integer) FROM PUBLIC;

--
-- Name: FUNCTION add_partition(partition text, bounds text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.add_partition(partition text, bounds text) FROM PUBLIC;

--
-- Name: FUNCTION age_limit(older_than interval); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.age_limit(older_than interval) FROM PUBLIC;

--
-- Name: FUNCTION aim_probe(at timestamp with time zone); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.aim_probe(at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION alert_breaker_opened(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.alert_breaker_opened() FROM PUBLIC;

--
-- Name: FUNCTION append_operator_event(id uuid, expected_sequence integer, type smallint, data json); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.append_operator_event(id uuid, expected_sequence integer, type smallint, data json) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.append_operator_event(id uuid, expected_sequence integer, type smallint, data json) TO saga_operator;

--
-- Name: FUNCTION apply_definition(saga text, digest bytea, document json, activate boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.apply_definition(saga text, digest bytea, document json, activate boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.apply_definition(saga text, digest bytea, document json, activate boolean) TO saga_operator;

--
-- Name: FUNCTION apply_service(name text, url text, settings json, document json, force boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.apply_service(name text, url text, settings json, document json, force boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.apply_service(name text, url text, settings json, document json, force boolean) TO saga_operator;

--
-- Name: FUNCTION attach_partition(partition text, bounds text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.attach_partition(partition text, bounds text) FROM PUBLIC;

--
-- Name: FUNCTION awaited_services(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.awaited_services() FROM PUBLIC;

--
-- Name: FUNCTION cancel(id_or_key text, reason text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.cancel(id_or_key text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.cancel(id_or_key text, reason text) TO saga_operator;
GRANT ALL ON FUNCTION saga.cancel(id_or_key text, reason text) TO saga_starter;

--
-- Name: FUNCTION cancel(id uuid, reason text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.cancel(id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.cancel(id uuid, reason text) TO saga_operator;
GRANT ALL ON FUNCTION saga.cancel(id uuid, reason text) TO saga_starter;

--
-- Name: FUNCTION check_label(p_what text, p_label text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.check_label(p_what text, p_label text) FROM PUBLIC;

--
-- Name: FUNCTION claim(daemon integer, most bigint, own_most bigint); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.claim(daemon integer, most bigint, own_most bigint) FROM PUBLIC;

--
-- Name: FUNCTION claim(daemon integer, most bigint, own_most bigint, wide boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.claim(daemon integer, most bigint, own_most bigint, wide boolean) FROM PUBLIC;

--
-- Name: FUNCTION claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.claim_waiting(daemon integer, service integer, most bigint, fewest_attempts_first boolean) FROM PUBLIC;

--
-- Name: FUNCTION compensate(id_or_key text, reason text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.compensate(id_or_key text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.compensate(id_or_key text, reason text) TO saga_operator;

--
-- Name: FUNCTION compensate(id uuid, reason text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.compensate(id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.compensate(id uuid, reason text) TO saga_operator;

--
-- Name: FUNCTION copy_grants(parent text, partition text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.copy_grants(parent text, partition text) FROM PUBLIC;

--
-- Name: FUNCTION default_holds(first_id uuid, end_id uuid); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.default_holds(first_id uuid, end_id uuid) FROM PUBLIC;

--
-- Name: FUNCTION drop_breaker_events(older_than interval); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.drop_breaker_events(older_than interval) FROM PUBLIC;

--
-- Name: FUNCTION drop_partition(partition text, older_than interval, patience interval); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.drop_partition(partition text, older_than interval, patience interval) FROM PUBLIC;

--
-- Name: FUNCTION ensure_partitions(days integer, at timestamp with time zone); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.ensure_partitions(days integer, at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION fence(daemon integer, epoch integer); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.fence(daemon integer, epoch integer) FROM PUBLIC;

--
-- Name: FUNCTION find(id_or_key text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.find(id_or_key text) FROM PUBLIC;

--
-- Name: FUNCTION grant_roles(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.grant_roles() FROM PUBLIC;

--
-- Name: FUNCTION hold_default(against_starts boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.hold_default(against_starts boolean) FROM PUBLIC;

--
-- Name: FUNCTION id_at(at timestamp with time zone); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.id_at(at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION id_floor(at timestamp with time zone); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.id_floor(at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION id_time(id uuid); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.id_time(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.id_time(id uuid) TO saga_operator;
GRANT ALL ON FUNCTION saga.id_time(id uuid) TO saga_reader;

--
-- Name: FUNCTION input_schema(saga text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.input_schema(saga text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.input_schema(saga text) TO saga_operator;
GRANT ALL ON FUNCTION saga.input_schema(saga text) TO saga_starter;

--
-- Name: FUNCTION is_past_pivot(p_id uuid, p_definition_id integer); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.is_past_pivot(p_id uuid, p_definition_id integer) FROM PUBLIC;

--
-- Name: FUNCTION make_partition(partition text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.make_partition(partition text) FROM PUBLIC;

--
-- Name: FUNCTION new_id(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.new_id() FROM PUBLIC;
GRANT ALL ON FUNCTION saga.new_id() TO saga_operator;
GRANT ALL ON FUNCTION saga.new_id() TO saga_starter;

--
-- Name: FUNCTION parse_json(p_what text, p_text text, p_maximum_bytes integer); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.parse_json(p_what text, p_text text, p_maximum_bytes integer) FROM PUBLIC;

--
-- Name: FUNCTION partitions(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.partitions() FROM PUBLIC;

--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION refuse_change_but_retention(); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.refuse_change_but_retention() FROM PUBLIC;

--
-- Name: FUNCTION refuse_unknown(id uuid, key text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.refuse_unknown(id uuid, key text) FROM PUBLIC;

--
-- Name: FUNCTION retention(older_than interval); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.retention(older_than interval) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.retention(older_than interval) TO saga_operator;
GRANT ALL ON FUNCTION saga.retention(older_than interval) TO saga_reader;

--
-- Name: FUNCTION start(saga text, input json, key text, correlation_id text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.start(saga text, input json, key text, correlation_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.start(saga text, input json, key text, correlation_id text) TO saga_operator;
GRANT ALL ON FUNCTION saga.start(saga text, input json, key text, correlation_id text) TO saga_starter;

--
-- Name: FUNCTION start(saga text, input jsonb, key text, correlation_id text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.start(saga text, input jsonb, key text, correlation_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.start(saga text, input jsonb, key text, correlation_id text) TO saga_operator;
GRANT ALL ON FUNCTION saga.start(saga text, input jsonb, key text, correlation_id text) TO saga_starter;

--
-- Name: FUNCTION start(saga text, input text, key text, correlation_id text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.start(saga text, input text, key text, correlation_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.start(saga text, input text, key text, correlation_id text) TO saga_operator;
GRANT ALL ON FUNCTION saga.start(saga text, input text, key text, correlation_id text) TO saga_starter;

--
-- Name: FUNCTION start_full(saga text, input json, key text, correlation_id text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.start_full(saga text, input json, key text, correlation_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.start_full(saga text, input json, key text, correlation_id text) TO saga_operator;
GRANT ALL ON FUNCTION saga.start_full(saga text, input json, key text, correlation_id text) TO saga_starter;

--
-- Name: FUNCTION started_before(p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.started_before(p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer) FROM PUBLIC;

--
-- Name: FUNCTION take(daemon integer, ids uuid[]); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.take(daemon integer, ids uuid[]) FROM PUBLIC;

--
-- Name: FUNCTION utc_text(at timestamp with time zone); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.utc_text(at timestamp with time zone) FROM PUBLIC;

--
-- Name: FUNCTION wait_for_work(daemon integer, every interval, up_to interval); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval) FROM PUBLIC;

--
-- Name: FUNCTION wait_for_work(daemon integer, every interval, up_to interval, wide boolean); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.wait_for_work(daemon integer, every interval, up_to interval, wide boolean) FROM PUBLIC;

--
-- Name: FUNCTION write_aimed(name text, arguments text, result text, body text); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.write_aimed(name text, arguments text, result text, body text) FROM PUBLIC;

--
-- Name: FUNCTION write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json); Type: ACL; Schema: saga; Owner: -
--

REVOKE ALL ON FUNCTION saga.write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json) FROM PUBLIC;
GRANT ALL ON FUNCTION saga.write_service(service integer, expected_version bigint, document json, state text, since timestamp with time zone, next_probe timestamp with time zone, events json) TO saga_operator;

--
-- Name: TABLE alert; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.alert TO saga_operator;
GRANT SELECT ON TABLE saga.alert TO saga_reader;

--
-- Name: SEQUENCE alert_id_seq; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON SEQUENCE saga.alert_id_seq TO saga_operator;
GRANT SELECT ON SEQUENCE saga.alert_id_seq TO saga_reader;

--
-- Name: TABLE breaker_event; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.breaker_event TO saga_operator;
GRANT SELECT ON TABLE saga.breaker_event TO saga_reader;

--
-- Name: TABLE service; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.service TO saga_operator;
GRANT SELECT ON TABLE saga.service TO saga_reader;

--
-- Name: TABLE breakers; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.breakers TO saga_operator;
GRANT SELECT ON TABLE saga.breakers TO saga_reader;

--
-- Name: TABLE current_definition; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.current_definition TO saga_operator;
GRANT SELECT ON TABLE saga.current_definition TO saga_reader;

--
-- Name: TABLE daemon; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.daemon TO saga_operator;
GRANT SELECT ON TABLE saga.daemon TO saga_reader;

--
-- Name: SEQUENCE daemon_id_seq; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON SEQUENCE saga.daemon_id_seq TO saga_operator;
GRANT SELECT ON SEQUENCE saga.daemon_id_seq TO saga_reader;

--
-- Name: TABLE state; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.state TO saga_operator;
GRANT SELECT ON TABLE saga.state TO saga_reader;

--
-- Name: TABLE daemons; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.daemons TO saga_operator;
GRANT SELECT ON TABLE saga.daemons TO saga_reader;

--
-- Name: TABLE definition; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.definition TO saga_operator;
GRANT SELECT ON TABLE saga.definition TO saga_reader;

--
-- Name: SEQUENCE definition_id_seq; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON SEQUENCE saga.definition_id_seq TO saga_operator;
GRANT SELECT ON SEQUENCE saga.definition_id_seq TO saga_reader;

--
-- Name: TABLE dropped; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.dropped TO saga_operator;
GRANT SELECT ON TABLE saga.dropped TO saga_reader;

--
-- Name: TABLE event; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.event TO saga_operator;
GRANT SELECT ON TABLE saga.event TO saga_reader;

--
-- Name: TABLE event_default; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.event_default TO saga_operator;
GRANT SELECT ON TABLE saga.event_default TO saga_reader;

--
-- Name: TABLE events; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.events TO saga_operator;
GRANT SELECT ON TABLE saga.events TO saga_reader;

--
-- Name: TABLE key; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.key TO saga_operator;
GRANT SELECT ON TABLE saga.key TO saga_reader;

--
-- Name: TABLE migration; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.migration TO saga_operator;
GRANT SELECT ON TABLE saga.migration TO saga_reader;

--
-- Name: TABLE sagas; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.sagas TO saga_operator;
GRANT SELECT ON TABLE saga.sagas TO saga_reader;

--
-- Name: SEQUENCE service_id_seq; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON SEQUENCE saga.service_id_seq TO saga_operator;
GRANT SELECT ON SEQUENCE saga.service_id_seq TO saga_reader;

--
-- Name: TABLE state_default; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.state_default TO saga_operator;
GRANT SELECT ON TABLE saga.state_default TO saga_reader;

--
-- Name: TABLE steps; Type: ACL; Schema: saga; Owner: -
--

GRANT SELECT ON TABLE saga.steps TO saga_operator;
GRANT SELECT ON TABLE saga.steps TO saga_reader;

--
-- PostgreSQL database dump complete
--
