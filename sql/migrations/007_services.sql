-- What all daemons share of a service: its breaker, its rate and its permits, in one row that is changed by
-- compare-and-set. The rules are the core's; nothing here decides.

CREATE TABLE saga.service (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT service_pkey PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    since timestamptz NOT NULL,
    next_probe timestamptz,
    name text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    state text NOT NULL,
    settings json NOT NULL,
    document json NOT NULL,
    CONSTRAINT service_version_positive CHECK (version > 0),
    CONSTRAINT service_state_known CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'DISABLED'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- A URL may be longer than an index entry.
CREATE UNIQUE INDEX service_name_url_key ON saga.service (name, hashtextextended(url, 0));

COMMENT ON TABLE saga.service IS
    'One row a service that sagas call, known by its name and URL together. Whoever changes it states the version it '
    'has read (saga.write_service): no lock is held while the core decides.';
COMMENT ON COLUMN saga.service.version IS 'Raised by every change.';
COMMENT ON COLUMN saga.service.state IS 'Of its circuit breaker, read out of the document for people.';
COMMENT ON COLUMN saga.service.since IS 'Since when the breaker is in this state.';
COMMENT ON COLUMN saga.service.next_probe IS 'When an open breaker lets the next calls through to see.';
COMMENT ON COLUMN saga.service.url IS 'As the definition writes it: ${env:NAME} is not resolved.';
COMMENT ON COLUMN saga.service.settings IS 'Limits and breaker of the definition that was applied last.';
COMMENT ON COLUMN saga.service.document IS
    'The window of results, the schedule of the rate limit, who holds permits until when: the core''s own.';
COMMENT ON INDEX saga.service_name_url_key IS 'One row a name and URL.';

CREATE TABLE saga.breaker_event (
    service_id integer NOT NULL CONSTRAINT breaker_event_service_id_fkey REFERENCES saga.service (id),
    sequence integer NOT NULL,
    at timestamptz NOT NULL,
    type smallint NOT NULL,
    data json NOT NULL,
    CONSTRAINT breaker_event_pkey PRIMARY KEY (service_id, sequence),
    CONSTRAINT breaker_event_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT breaker_event_type_known CHECK (type BETWEEN 1 AND 6)
);

COMMENT ON TABLE saga.breaker_event IS
    'What happened to every circuit breaker, and by which counts or whom: 1 BreakerOpened, 2 BreakerHalfOpened, '
    '3 BreakerClosed, 4 BreakerForcedOpen, 5 BreakerDisabled, 6 BreakerReset. Append-only.';

CREATE TRIGGER breaker_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.breaker_event
    FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change('events are append-only');

-- A saga that waits for a service longer than a moment: no time makes it due, a daemon takes it up when the service has
-- room for it.
ALTER TABLE saga.state
    ADD COLUMN waits_for integer,
    ADD COLUMN waits_attempts smallint,
    ADD COLUMN waits_since timestamptz,
    ADD CONSTRAINT state_waits_whole
        CHECK ((waits_for IS NULL) = (waits_attempts IS NULL) AND (waits_for IS NULL) = (waits_since IS NULL));

COMMENT ON COLUMN saga.state.waits_for IS 'The saga.service that has to have room before it goes on.';
COMMENT ON COLUMN saga.state.waits_attempts IS
    'How many attempts the waiting operation has spent: probes go to the fewest first.';
COMMENT ON COLUMN saga.state.waits_since IS 'Otherwise who waits longest is first.';

COMMENT ON TABLE saga.state IS
    'One narrow hot row a saga: where it stands and who must look at it when. All of it but owner, due_at, unreadable '
    'and what it waits for follows from the events. No foreign key leads here or away: definitions never go, and the '
    'table is to be partitioned by the day of start.';
COMMENT ON COLUMN saga.state.due_at IS
    'Without an owner: when a daemon must take it up; infinity waits for a person (stuck, paused) or for the service '
    'that waits_for names. With an owner: null, or look at it again, something was appended. Never null on both, so '
    'that no saga can be forgotten before it has ended.';

CREATE INDEX state_waits_attempts ON saga.state (waits_for, waits_attempts, waits_since)
    WHERE waits_for IS NOT NULL AND due_at IS NOT NULL;
CREATE INDEX state_waits_since ON saga.state (waits_for, waits_since)
    WHERE waits_for IS NOT NULL AND due_at IS NOT NULL;

COMMENT ON INDEX saga.state_waits_attempts IS 'Who is to probe a service.';
COMMENT ON INDEX saga.state_waits_since IS 'Who waits for a service.';

CREATE FUNCTION saga.write_service(
    service integer, expected_version bigint, document json, state text, since timestamptz, next_probe timestamptz,
    events json DEFAULT '[]'
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp
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

COMMENT ON FUNCTION saga.write_service(integer, bigint, json, text, timestamptz, timestamptz, json) IS
    'Changes a service''s row unless somebody else did since it was read at expected_version: then it is false and '
    'nothing is done. events: what happened to its breaker, [{"type", "at", "data"}]. The caller decides what is right.';

CREATE FUNCTION saga.apply_service(name text, url text, settings json, document json, force boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, saga, pg_temp
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

COMMENT ON FUNCTION saga.apply_service(text, text, json, json, boolean) IS
    'Enters a service, with document as its first state: ''created''. A known one gets these settings if forced: '
    '''changed'' when they were others, else ''unchanged''.';

CREATE OR REPLACE VIEW saga.breakers AS
SELECT s.name COLLATE "default" AS service,
    s.url COLLATE "default" AS url,
    s.state,
    s.since,
    s.next_probe
FROM saga.service s
WHERE s.settings ->> 'circuitBreaker' IS DISTINCT FROM 'false';

COMMENT ON VIEW saga.breakers IS
    'One row a service whose circuit breaker is kept: CLOSED, OPEN, HALF_OPEN, FORCED_OPEN or DISABLED, since when, and '
    'when an open one lets the next calls through to see.';

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
                'saga.apply_definition(text, bytea, json, boolean), '
                'saga.apply_service(text, text, json, json, boolean), '
                'saga.write_service(integer, bigint, json, text, timestamptz, timestamptz, json) TO %I', v_role);
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION saga.apply_service(text, text, json, json, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION saga.write_service(integer, bigint, json, text, timestamptz, timestamptz, json) FROM PUBLIC;

SELECT saga.grant_roles();
