-- What operators may do beside what 002 knows: undo a saga that has completed.

-- NOT VALID: each row there already passed a narrower check, and reading them all would hold up every daemon.
ALTER TABLE saga.event DROP CONSTRAINT event_type_known;
ALTER TABLE saga.event ADD CONSTRAINT event_type_known CHECK (type BETWEEN 1 AND 23) NOT VALID;

CREATE OR REPLACE FUNCTION saga.event_type(code smallint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('{SagaStarted,StepStarted,StepSucceeded,StepAttemptFailed,StepFailed,StepSkipped,StepDeferred,'
        'CompensationDeferred,SagaCompensating,CompensationStarted,CompensationSucceeded,CompensationAttemptFailed,'
        'CompensationFailed,SagaCompleted,SagaCompensated,SagaStuck,SagaCancelRequested,SagaPaused,SagaResumed,'
        'StepResolved,SagaRetried,SagaTerminated,SagaCompensationRequested}'::text[])[code]
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
        RAISE EXCEPTION 'no saga has the id %', append_operator_event.id USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT max(e.sequence) INTO v_last FROM saga.event e WHERE e.saga_id = append_operator_event.id;
    -- Larger than the last is as wrong as smaller: it would leave a gap that no fold gets over. A completed saga takes
    -- the wish to undo it and nothing else; no other saga takes that.
    IF (CASE WHEN type = 23 THEN v_status <> 5 ELSE v_status >= 5 END)
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
        UPDATE saga.state s
            SET due_at = v_at,
                paused = CASE append_operator_event.type WHEN 18 THEN true WHEN 19 THEN false ELSE s.paused END
            WHERE s.id = append_operator_event.id;
    END IF;
    RETURN true;
END
$$;

COMMENT ON FUNCTION saga.append_operator_event(uuid, integer, smallint, json) IS
    'Appends what an operator decided (types 17 to 23) after the last event it has seen, and nudges the saga''s '
    'daemon; 23 opens a completed saga again. False, and nothing done, when something was appended meanwhile or the '
    'saga has ended (for 23: is not completed). The caller decides whether the event is legal.';

CREATE FUNCTION saga.compensate(id uuid, reason text) RETURNS void
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
            RAISE EXCEPTION 'no saga has the id %', compensate.id USING ERRCODE = 'invalid_parameter_value';
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

COMMENT ON FUNCTION saga.compensate(uuid, text) IS
    'Asks that a completed saga be undone; a daemon does so once this commits. Nothing happens if that was asked '
    'already. 22023 for an unknown id, 55000 for a saga that is not completed or is past its pivot.';

CREATE FUNCTION saga.compensate(id_or_key text, reason text) RETURNS void
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
    PERFORM saga.compensate(v_id, reason);
END
$$;

COMMENT ON FUNCTION saga.compensate(text, text) IS 'As saga.compensate(uuid, text), by id or key.';

CREATE OR REPLACE FUNCTION saga.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_role text;
BEGIN
    FOR v_role IN SELECT rolname FROM pg_catalog.pg_roles
        WHERE rolname IN ('saga_reader', 'saga_starter', 'saga_operator') ORDER BY rolname LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA saga TO %I', v_role);
        IF v_role IN ('saga_reader', 'saga_operator') THEN
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA saga TO %I', v_role);
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

REVOKE ALL ON FUNCTION saga.compensate(uuid, text), saga.compensate(text, text) FROM PUBLIC;

SELECT saga.grant_roles();
