-- Who may do what. The roles carry no login: GRANT one to the role that an application or a person logs in as.

DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['saga_reader', 'saga_starter', 'saga_operator'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = v_role);
        -- Roles belong to the whole cluster: another database's migration may create the same one at this moment.
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not created: % may not create roles', v_role, current_user
                    USING HINT = 'Have an administrator create it, then run: SELECT saga.grant_roles()';
        END;
    END LOOP;
END
$$;

-- A function, so that it can be run again once an administrator has created a role that was missing. No role is granted
-- to another: memberships are the whole cluster's, grants on this schema are this database's alone.
CREATE FUNCTION saga.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
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
                'saga.start_full(text, json, text, text), saga.cancel(uuid, text), saga.cancel(text, text) TO %I',
                v_role);
        END IF;
        IF v_role = 'saga_operator' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION saga.append_operator_event(uuid, integer, smallint, json), '
                'saga.apply_definition(text, bytea, json, boolean) TO %I', v_role);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION saga.grant_roles() IS
    'Grants what this schema has to those of the roles saga_reader (sees all), saga_starter (starts and cancels) '
    'and saga_operator (both, steers sagas and registers definitions) that exist. For the schema''s owner; may be '
    'run again.';

REVOKE ALL ON FUNCTION saga.grant_roles() FROM PUBLIC;

SELECT saga.grant_roles();
