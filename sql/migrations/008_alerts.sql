-- What a person has to be told of, until it is delivered.

CREATE TABLE saga.alert (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT alert_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    event json NOT NULL
);

CREATE INDEX alert_due ON saga.alert (due_at);

COMMENT ON TABLE saga.alert IS
    'An outbox: a row is written in the transaction of what it tells of, and goes when a receiver has taken it, or '
    'after 7 days. Nothing here refuses or waits: a batch of sagas writes it.';
COMMENT ON COLUMN saga.alert.due_at IS
    'When a daemon with --alert-url may post it. Whoever claims it moves this on by a lease, so no transaction stays '
    'open during the post, and another daemon takes over a claim whose daemon is gone.';
COMMENT ON COLUMN saga.alert.attempts IS
    'How often it was claimed. It names the claim: only who holds the last one may postpone it.';
COMMENT ON COLUMN saga.alert.event IS 'The CloudEvents 1.0 document, as it is posted.';

-- Whoever writes the event, a daemon or a person: it is told of if it is so, and in the same transaction.
CREATE FUNCTION saga.alert_breaker_opened() RETURNS trigger LANGUAGE plpgsql AS $$
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

COMMENT ON FUNCTION saga.alert_breaker_opened() IS
    'Trigger that puts a BreakerOpened into the outbox of alerts: its numbers, no text of a participant or person.';

REVOKE ALL ON FUNCTION saga.alert_breaker_opened() FROM PUBLIC;

-- A probe that failed opens it again every time: one outage is told of once. CASE: the texts of other events may
-- be such as ->> refuses.
CREATE TRIGGER breaker_event_alert AFTER INSERT ON saga.breaker_event
    FOR EACH ROW WHEN (CASE NEW.type WHEN 1 THEN NEW.data ->> 'from' IS DISTINCT FROM 'HALF_OPEN' END)
    EXECUTE FUNCTION saga.alert_breaker_opened();

SELECT saga.grant_roles();
