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

SELECT saga.grant_roles();
