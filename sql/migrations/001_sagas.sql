-- The tables: definitions, daemons, one narrow hot row a saga, and the events that are the truth.

DO $$
BEGIN
    -- Payloads are JSON, and JSON is UTF-8: in another encoding a legal answer of a participant couldn't be stored.
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the encoding of database "%" is %, and Saga needs UTF8',
            current_database(), current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                HINT = 'Create one with: CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
    -- An administrator may have made the schema for a role that can't; what lies in it already is not ours to mix with.
    IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('saga'))
        OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace('saga')) THEN
        RAISE EXCEPTION 'database "%" has a schema "saga" that is not Saga''s', current_database()
            USING ERRCODE = 'duplicate_schema';
    END IF;
    -- IF NOT EXISTS would want the right to create schemas even where there is nothing to create.
    IF to_regnamespace('saga') IS NULL THEN
        CREATE SCHEMA saga;
    END IF;
END
$$;

COMMENT ON SCHEMA saga IS
    'Durable sagas: read the views sagas, steps, events and daemons, call the functions start and cancel. The '
    'tables are the engine''s own.';

CREATE TABLE saga.migration (
    version integer CONSTRAINT migration_pkey PRIMARY KEY,
    name text NOT NULL,
    checksum text,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT migration_version_positive CHECK (version > 0)
);

COMMENT ON TABLE saga.migration IS
    'The migrations this database has: a program older than the highest version refuses to work on it.';
COMMENT ON COLUMN saga.migration.checksum IS 'SHA-256 of the migration''s text in hexadecimal.';

CREATE TABLE saga.definition (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT definition_pkey PRIMARY KEY,
    saga text COLLATE "C" NOT NULL,
    digest bytea NOT NULL CONSTRAINT definition_digest_key UNIQUE,
    document json NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT definition_saga_form CHECK (saga ~ '^[A-Za-z][A-Za-z0-9_-]{0,62}$'),
    CONSTRAINT definition_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT definition_document_object CHECK (json_typeof(document) = 'object')
);

COMMENT ON TABLE saga.definition IS
    'Every version of every definition. A saga keeps the version it started with, so a row never changes and '
    'never goes.';
COMMENT ON COLUMN saga.definition.digest IS 'SHA-256 of the canonical JSON of the document: the name of this version.';
COMMENT ON COLUMN saga.definition.document IS 'The file as it was written, byte for byte: hence json, not jsonb.';

CREATE TABLE saga.current_definition (
    saga text COLLATE "C" CONSTRAINT current_definition_pkey PRIMARY KEY,
    definition_id integer NOT NULL
        CONSTRAINT current_definition_definition_id_fkey REFERENCES saga.definition (id),
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE saga.current_definition IS 'The version that a start takes: the one applied last.';

CREATE TABLE saga.daemon (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT daemon_pkey PRIMARY KEY,
    pid integer NOT NULL,
    epoch integer NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    host text NOT NULL,
    version text NOT NULL,
    CONSTRAINT daemon_epoch_positive CHECK (epoch > 0)
);

COMMENT ON TABLE saga.daemon IS
    'One row an incarnation of a daemon: its lease covers every saga it owns. A batch locks the row FOR KEY SHARE '
    'at its epoch (saga.fence); renewal updates no key column, so it waits for no batch; takeover locks FOR '
    'UPDATE, frees its sagas and deletes the row, after which no batch of it passes.';
COMMENT ON COLUMN saga.daemon.epoch IS
    'Raised when a commit in doubt is read back: every batch of an earlier epoch is refused whole.';
COMMENT ON COLUMN saga.daemon.lease_until IS 'By this database''s clock. Once past, any daemon may take over.';

-- Each CHECK is read anew by every statement that writes here, about 1.5 us: only what would lose a saga or break a
-- fold is checked. The widest alignment first, so that the hot row has no padding; room on each page for the next
-- version of a row (HOT).
CREATE TABLE saga.state (
    id uuid CONSTRAINT state_pkey PRIMARY KEY,
    started_at timestamptz NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    definition_id integer NOT NULL,
    owner integer,
    status smallint NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    key text COLLATE "C",
    correlation_id text,
    unreadable text,
    CONSTRAINT state_status_known CHECK (status BETWEEN 1 AND 7),
    CONSTRAINT state_ended_with_status CHECK ((ended_at IS NOT NULL) = (status >= 5)),
    CONSTRAINT state_work_until_ended CHECK ((ended_at IS NOT NULL) = (owner IS NULL AND due_at IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- No index may hold status, nor be partial by it: a saga changes its status often, and that must stay a HOT update.
CREATE INDEX state_work ON saga.state (owner, due_at) WHERE owner IS NOT NULL OR due_at IS NOT NULL;

COMMENT ON TABLE saga.state IS
    'One narrow hot row a saga: where it stands and who must look at it when. All of it but owner, due_at and '
    'unreadable follows from the events. No foreign key leads here or away: definitions never go, and the table '
    'is to be partitioned by the day of start.';
COMMENT ON COLUMN saga.state.id IS 'UUID version 7 of the time of start.';
COMMENT ON COLUMN saga.state.due_at IS
    'Without an owner: when a daemon must take it up; infinity waits for a person (stuck, paused). With an owner: '
    'null, or look at it again, something was appended. Never null on both, so that no saga can be forgotten '
    'before it has ended.';
COMMENT ON COLUMN saga.state.owner IS 'The saga.daemon that runs it in memory.';
COMMENT ON COLUMN saga.state.status IS
    '1 pending, 2 running, 3 compensating, 4 stuck, 5 completed, 6 compensated, 7 terminated: saga.status_name '
    'says it.';
COMMENT ON COLUMN saga.state.paused IS 'No new operation is begun while set; independent of the status.';
COMMENT ON COLUMN saga.state.key IS 'The key it was started with; saga.key keeps it when this row has gone.';
COMMENT ON COLUMN saga.state.correlation_id IS 'What the starter gave; where it is null, events show the saga''s id.';
COMMENT ON COLUMN saga.state.unreadable IS
    'Why its events can''t be folded. A flag outside the events, since a saga that can''t be read can''t be '
    'appended to; shown as stuck.';
COMMENT ON INDEX saga.state_work IS
    'The only way to work: WHERE owner IS NULL AND due_at <= statement_timestamp() ORDER BY owner, due_at for '
    'what is due, WHERE owner = $1 for a daemon''s own. (IS NULL does not tell the planner that owner is '
    'constant, so ORDER BY due_at alone would sort; clock_timestamp() is volatile, so it would filter every '
    'waiting saga.) Ended sagas are not in it.';

CREATE TABLE saga.event (
    saga_id uuid NOT NULL,
    at timestamptz NOT NULL,
    sequence integer NOT NULL,
    cause integer,
    type smallint NOT NULL,
    data json,
    CONSTRAINT event_pkey PRIMARY KEY (saga_id, sequence),
    CONSTRAINT event_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT event_cause_earlier CHECK (cause < sequence),
    CONSTRAINT event_type_known CHECK (type BETWEEN 1 AND 22)
);

COMMENT ON TABLE saga.event IS
    'Everything that happened to every saga: its state is the fold of these and nothing else. Append-only. The '
    'key (saga_id, sequence) is the optimistic lock: who appends states what it has seen. No foreign keys: they '
    'would cost every row a lookup and a lock, and retention drops whole partitions.';
COMMENT ON COLUMN saga.event.sequence IS '1, 2, 3 and so on within the saga, without gaps.';
COMMENT ON COLUMN saga.event.cause IS 'The sequence of the event of this saga that led to this one.';
COMMENT ON COLUMN saga.event.type IS 'A code: saga.event_type says its name.';
COMMENT ON COLUMN saga.event.data IS 'Payloads byte for byte as they came: hence json, not jsonb.';

CREATE TABLE saga.key (
    input_hash bigint NOT NULL,
    saga_id uuid NOT NULL,
    key text COLLATE "C" CONSTRAINT key_pkey PRIMARY KEY,
    saga text COLLATE "C" NOT NULL,
    CONSTRAINT key_length CHECK (octet_length(key) BETWEEN 1 AND 255),
    CONSTRAINT key_no_control_characters CHECK (key !~ E'[\\u0001-\\u001f\\u007f-\\u009f]'),
    CONSTRAINT key_not_uuid CHECK (key !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
);

COMMENT ON TABLE saga.key IS
    'The keys that starts were given. A key lives for good, longer than its saga, so that a start repeated years '
    'later still starts nothing. Never of a UUID''s form: where an id and a key could both be meant, there is no '
    'doubt.';
COMMENT ON COLUMN saga.key.input_hash IS
    'jsonb_hash_extended of the input: tells a repeated start from another one when the saga''s events have gone.';

CREATE FUNCTION saga.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on saga.% is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

COMMENT ON FUNCTION saga.refuse_change() IS 'Trigger of tables that take no change; its argument is the reason told.';

-- By statement, not by row: an INSERT pays nothing for the rule.
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.event
    FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change(
        'events are append-only, a saga''s state is the fold of all of them');
CREATE TRIGGER definition_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON saga.definition
    FOR EACH STATEMENT EXECUTE FUNCTION saga.refuse_change(
        'definitions are immutable, sagas run on the version they started with');
