-- Who starts a saga can ask what its input must look like, also without the right to read definitions.

CREATE FUNCTION saga.input_schema(saga text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp
AS $$
    SELECT definition.document -> 'input'
    FROM saga.current_definition current JOIN saga.definition ON definition.id = current.definition_id
    WHERE current.saga = input_schema.saga
$$;

COMMENT ON FUNCTION saga.input_schema(text) IS
    'The JSON Schema (2020-12) that an input of this saga must fit from now on; null when it states none or is unknown.';

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
                'saga.apply_definition(text, bytea, json, boolean) TO %I', v_role);
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION saga.input_schema(text) FROM PUBLIC;

SELECT saga.grant_roles();
