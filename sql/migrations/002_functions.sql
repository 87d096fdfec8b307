-- What SQL callers, daemons and operators call. Engine logic stays out: these check, append and nudge.

CREATE FUNCTION saga.event_type(code smallint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('{SagaStarted,StepStarted,StepSucceeded,StepAttemptFailed,StepFailed,StepSkipped,StepDeferred,'
        'CompensationDeferred,SagaCompensating,CompensationStarted,CompensationSucceeded,CompensationAttemptFailed,'
        'CompensationFailed,SagaCompleted,SagaCompensated,SagaStuck,SagaCancelRequested,SagaPaused,SagaResumed,'
        'StepResolved,SagaRetried,SagaTerminated}'::text[])[code]
$$;

COMMENT ON FUNCTION saga.event_type(smallint) IS 'The name of an event type''s code, null for a code that is none.';

CREATE FUNCTION saga.status_name(code smallint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('{pending,running,compensating,stuck,completed,compensated,terminated}'::text[])[code]
$$;

COMMENT ON FUNCTION saga.status_name(smallint) IS 'The name of a saga''s status code, null for a code that is none.';

-- RFC 9562, section 5.7: 48 bits of milliseconds, version 7, 12 bits of the rest of the millisecond (method 3), then
-- random ones.
CREATE FUNCTION saga.id_at(at timestamptz) RETURNS uuid
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS $$
DECLARE
    -- date_part is a double in every version: exact to the microsecond until 2255, and cheaper than numeric.
    v_micros bigint := (date_part('epoch', at) * 1000000)::bigint;
BEGIN
    RETURN encode(overlay(uuid_send(gen_random_uuid()) PLACING
        int8send((v_micros / 1000) << 16 | 28672 | ((v_micros % 1000) * 4096 / 1000)) FROM 1 FOR 8), 'hex')::uuid;
END
$$;

COMMENT ON FUNCTION saga.id_at(timestamptz) IS 'A new UUID version 7 of that time.';

CREATE FUNCTION saga.new_id() RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    RETURN saga.id_at(clock_timestamp());
END
$$;

COMMENT ON FUNCTION saga.new_id() IS 'A new UUID version 7 of this moment, in the order of the microseconds.';

CREATE FUNCTION saga.parse_json(p_what text, p_text text, p_maximum_bytes integer) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE AS $$
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
$$;

COMMENT ON FUNCTION saga.parse_json(text, text, integer) IS
    'A document from outside as jsonb, or SQLSTATE 22023 saying what is wrong with it.';

CREATE FUNCTION saga.check_label(p_what text, p_label text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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

COMMENT ON FUNCTION saga.check_label(text, text) IS
    'SQLSTATE 22023 unless a key or correlation id has 1 to 255 bytes and no control character.';

CREATE FUNCTION saga.accept(
    p_saga text, p_input text, p_document jsonb, p_key text, p_correlation_id text,
    OUT id uuid, OUT created boolean, OUT definition_id integer
) LANGUAGE plpgsql VOLATILE AS $$
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
$$;

COMMENT ON FUNCTION saga.accept(text, text, jsonb, text, text) IS
    'The one way into the tables for a new saga; its callers have checked the input. p_document is p_input '
    'parsed.';

CREATE FUNCTION saga.started_before(
    p_saga text, p_document jsonb, p_key text, OUT id uuid, OUT definition_id integer
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_prior record;
    v_same boolean;
BEGIN
    SELECT k.saga_id, k.saga, k.input_hash, s.definition_id, (e.data -> 'input')::jsonb AS input INTO v_prior
        FROM saga.key k
        LEFT JOIN saga.state s ON s.id = k.saga_id
        LEFT JOIN saga.event e ON e.saga_id = k.saga_id AND e.sequence = 1
        WHERE k.key = p_key;
    IF v_prior.saga <> p_saga THEN
        RAISE EXCEPTION 'the key "%" was used to start saga "%", not "%"', p_key, v_prior.saga, p_saga
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'key_pkey', SCHEMA = 'saga', TABLE = 'key',
                DETAIL = format('It belongs to saga %s.', v_prior.saga_id);
    END IF;
    v_same := coalesce(v_prior.input = p_document, v_prior.input_hash = jsonb_hash_extended(p_document, 0));
    IF v_same IS NOT TRUE THEN
        RAISE EXCEPTION 'the key "%" was used to start saga "%" with another input', p_key, p_saga
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'key_pkey', SCHEMA = 'saga', TABLE = 'key',
                DETAIL = format('It belongs to saga %s.', v_prior.saga_id);
    END IF;
    started_before.id := v_prior.saga_id;
    started_before.definition_id := v_prior.definition_id;
END
$$;

COMMENT ON FUNCTION saga.started_before(text, jsonb, text) IS
    'The saga that a known key belongs to, or SQLSTATE 23505 saying what differs. definition_id is null once the '
    'saga''s row has gone.';

CREATE FUNCTION saga.start(
    saga text, input text DEFAULT '{}', key text DEFAULT NULL, correlation_id text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    RETURN (saga.accept(saga, input, saga.parse_json('the input', input, 1048576), key, correlation_id)).id;
END
$$;

CREATE FUNCTION saga.start(
    saga text, input json, key text DEFAULT NULL, correlation_id text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    RETURN (saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id)).id;
END
$$;

CREATE FUNCTION saga.start(
    saga text, input jsonb, key text DEFAULT NULL, correlation_id text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    RETURN (saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id)).id;
END
$$;

CREATE FUNCTION saga.start_full(
    saga text, input json, key text DEFAULT NULL, correlation_id text DEFAULT NULL
) RETURNS TABLE (id uuid, created boolean, definition_id integer)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT a.id, a.created, a.definition_id
        FROM saga.accept(saga, input::text, saga.parse_json('the input', input::text, 1048576), key, correlation_id) a;
END
$$;

COMMENT ON FUNCTION saga.start(text, text, text, text) IS
    'Starts a saga in the caller''s transaction: it runs if and only if that commits. Returns its id, or the '
    'first one''s for a known key with the same saga and an equal input; another saga or input is 23505; an '
    'unknown saga, an input that is not JSON, over 1 MiB or with \u0000, and a key that is not 1 to 255 bytes '
    'without control characters or looks like a UUID are 22023.';
COMMENT ON FUNCTION saga.start(text, json, text, text) IS
    'As saga.start(text, text, text, text), with the input as json, kept as it came.';
COMMENT ON FUNCTION saga.start(text, jsonb, text, text) IS
    'As saga.start(text, text, text, text), with the input as jsonb.';
COMMENT ON FUNCTION saga.start_full(text, json, text, text) IS
    'As saga.start, and tells whether the saga is new and which definition it runs on (null when a known key''s '
    'saga has been dropped).';

CREATE FUNCTION saga.find(id_or_key text) RETURNS uuid
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_id uuid;
BEGIN
    IF id_or_key ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RETURN id_or_key::uuid;
    END IF;
    SELECT k.saga_id INTO v_id FROM saga.key k WHERE k.key = id_or_key;
    RETURN v_id;
END
$$;

COMMENT ON FUNCTION saga.find(text) IS
    'The id meant by an id or key, null for an unknown key. No key has a UUID''s form, so what has one is an id.';

CREATE FUNCTION saga.is_past_pivot(p_id uuid, p_definition_id integer) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM saga.definition d,
            json_array_elements(CASE json_typeof(d.document -> 'steps') WHEN 'array' THEN d.document -> 'steps' END) p,
            saga.event e
        WHERE d.id = p_definition_id AND p ->> 'pivot' = 'true'
            AND e.saga_id = p_id AND e.type IN (3, 20) AND e.data ->> 'step' = p ->> 'name'
            AND (e.type = 3 OR (e.data ->> 'operation' = 'action' AND e.data ->> 'resolution' = 'done')))
$$;

COMMENT ON FUNCTION saga.is_past_pivot(uuid, integer) IS
    'Whether the definition''s point of no return is done in this saga, by its participant''s word or an '
    'operator''s.';

CREATE FUNCTION saga.cancel(id uuid, reason text) RETURNS void
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
        SELECT s.definition_id, s.status INTO v_definition_id, v_status FROM saga.state s WHERE s.id = cancel.id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no saga has the id %', cancel.id USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF v_status IN (5, 6, 7) THEN
            RAISE EXCEPTION 'saga % has ended: %', cancel.id, saga.status_name(v_status)
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        SELECT max(e.sequence), bool_or(e.type IN (9, 17)) INTO v_last, v_turned
            FROM saga.event e WHERE e.saga_id = cancel.id;
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

COMMENT ON FUNCTION saga.cancel(uuid, text) IS
    'Asks a saga to stop going forward and compensate; a daemon does so once this commits. Nothing happens if it '
    'is asked or turned back already. 22023 for an unknown id, 55000 for a saga that has ended or is past its '
    'pivot.';

CREATE FUNCTION saga.cancel(id_or_key text, reason text) RETURNS void
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
    PERFORM saga.cancel(v_id, reason);
END
$$;

COMMENT ON FUNCTION saga.cancel(text, text) IS 'As saga.cancel(uuid, text), by id or key.';

CREATE FUNCTION saga.append_operator_event(id uuid, expected_sequence integer, type smallint, data json) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_ended boolean;
    v_last integer;
BEGIN
    IF type IS NULL OR type NOT BETWEEN 17 AND 22 THEN
        RAISE EXCEPTION 'event type % is not an operator''s', type USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF data IS NOT NULL AND jsonb_typeof(saga.parse_json('the data', data::text, 2097152)) <> 'object' THEN
        RAISE EXCEPTION 'the data of an event is an object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT s.ended_at IS NOT NULL INTO v_ended FROM saga.state s WHERE s.id = append_operator_event.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no saga has the id %', append_operator_event.id USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT max(e.sequence) INTO v_last FROM saga.event e WHERE e.saga_id = append_operator_event.id;
    -- Larger than the last is as wrong as smaller: it would leave a gap that no fold gets over.
    IF v_ended OR v_last IS DISTINCT FROM expected_sequence THEN
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
    ELSE
        UPDATE saga.state s
            SET due_at = v_at,
                paused = CASE append_operator_event.type WHEN 18 THEN true WHEN 19 THEN false ELSE s.paused END
            WHERE s.id = append_operator_event.id;
    END IF;
    RETURN true;
END
$$;

COMMENT ON FUNCTION saga.append_operator_event(uuid, integer, smallint, json) IS
    'Appends what an operator decided (types 17 to 22) after the last event it has seen, and nudges the saga''s '
    'daemon. False, and nothing done, when something was appended meanwhile or the saga has ended. The caller '
    'decides whether the event is legal.';

CREATE FUNCTION saga.apply_definition(saga text, digest bytea, document json, activate boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
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

COMMENT ON FUNCTION saga.apply_definition(text, bytea, json, boolean) IS
    'Registers a version of a definition: ''created'' (and current), ''unchanged'', or ''reactivated'' when a '
    'known one becomes current again. Without activate, as a daemon''s start does it, a known version never '
    'becomes current.';

CREATE FUNCTION saga.fence(daemon integer, epoch integer) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp AS $$
BEGIN
    PERFORM 1 FROM saga.daemon d WHERE d.id = fence.daemon AND d.epoch = fence.epoch FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'daemon % lost its lease of epoch %', fence.daemon, fence.epoch USING ERRCODE = 'SG001';
    END IF;
END
$$;

COMMENT ON FUNCTION saga.fence(integer, integer) IS
    'The first statement of every batch of a daemon: SQLSTATE SG001 unless its epoch still stands, and from then '
    'on nobody takes the lease away before the batch has ended.';

-- In plpgsql, whose plans a session keeps: daemons ask this a hundred times a second, and planning costs most of it.
CREATE FUNCTION saga.has_work(daemon integer) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF EXISTS (SELECT FROM saga.state s WHERE s.owner IS NULL AND s.due_at <= now()) THEN
        RETURN true;
    END IF;
    RETURN EXISTS (SELECT FROM saga.state s WHERE s.owner = has_work.daemon AND s.due_at <= now());
END
$$;

COMMENT ON FUNCTION saga.has_work(integer) IS
    'Whether anything is due that is nobody''s or this daemon''s: two looks into state_work, nothing locked or written.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA saga FROM PUBLIC;

-- A view checks functions as its reader, and these two tell nothing: whoever is given a view can read it.
GRANT EXECUTE ON FUNCTION saga.event_type(smallint), saga.status_name(smallint) TO PUBLIC;
