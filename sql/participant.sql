-- The participant's guard: at-least-once calls in, exactly-once effects out.
--
-- A saga calls a participant at least once: a call whose answer was lost is made again, a compensation may
-- overtake the action that it undoes, and a straggler may arrive after its own compensation. This script gives a
-- service that keeps its data in PostgreSQL the one table and the few functions that make all of that harmless.
-- It is installed in the SERVICE'S OWN database, next to the service's tables, and knows nothing of the orchestrator.
--
-- Install (again and again, if you like; PostgreSQL 13 or newer, no extensions):
--
--     psql --single-transaction -v ON_ERROR_STOP=1 -f participant.sql "$SERVICE_DATABASE_URL"
--
-- Or make it one of the service's own migrations. One transaction, please: the lock on the first line then lets
-- any number of instances install at once. If the service runs under another role than the one that installs:
--
--     GRANT USAGE ON SCHEMA saga_participant TO my_service;
--     GRANT SELECT, INSERT, UPDATE ON saga_participant.operation TO my_service;    -- and DELETE, to call forget()
--
-- THE RULE: guard, effect and recorded answer belong to one transaction of the service.
--
-- Keys are the values of the `Idempotency-Key` and `Saga-Compensates` request headers without their quotes:
-- `SAGA_ID:STEP:action` and `SAGA_ID:STEP:compensation`, with `:2`, `:3` … behind once a person has mended a refused
-- call: that is another operation. An action:
--
--     BEGIN;
--     SELECT decision, status, answer
--       FROM saga_participant.begin_action('0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f:charge_payment:action');
--     -- decision 'run': the first time. Do the effect, record the answer, commit, answer.
--     INSERT INTO charges (order_id, amount_cents) VALUES ('o-42', 1999) RETURNING id;
--     SELECT saga_participant.finish('0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f:charge_payment:action',
--                                    201, '{"chargeId": "c-1"}');
--     COMMIT;
--     -- Any other decision: commit, and answer with `status` and `answer` just as they stand.
--     --   'replay'   a duplicate: they are the answer that was recorded.
--     --   'refused'  it was compensated already, done or not: they are 409 and {"error": "AlreadyCompensated", …}.
--
-- Its compensation:
--
--     BEGIN;
--     SELECT decision, status, answer
--       FROM saga_participant.begin_compensation('0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f:charge_payment:compensation',
--                                                '0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f:charge_payment:action');
--     -- decision 'run': the action was done. `status` and `answer` are what it was answered with, so that what is to
--     -- be undone can be found even if the caller never got to know it. Undo it, record the answer, commit, answer.
--     UPDATE charges SET refunded_at = now() WHERE id = 1;
--     SELECT saga_participant.finish('0198c1d2-7e5f-7c3a-9f10-3b8a1c2d4e5f:charge_payment:compensation',
--                                    200, '{"refundId": "r-1"}');
--     COMMIT;
--     -- Any other decision: commit, and answer with `status` and `answer` just as they stand.
--     --   'nothing'  there is nothing to undo; this call leaves a tombstone, and the action is refused from now on.
--     --   'replay'   a duplicate: they are the answer that was recorded.
--
-- A refusal (card declined, out of stock): ROLL BACK and answer 4xx. Nothing was done, so nothing needs to be
-- remembered, and a later attempt is decided anew. A service that wants the same refusal again records it with
-- `finish(key, 402, …)`; what is recorded with 400 or above counts as having had no effect.
--
-- Duplicates that arrive together wait for each other, and a crash before COMMIT leaves nothing behind. Call the
-- guard first in the transaction, before the service's own rows are locked: then two calls can't deadlock over it.
-- Made for READ COMMITTED; under REPEATABLE READ or SERIALIZABLE a concurrent duplicate may get SQLSTATE 40001,
-- which means, as always there, that the transaction is to be run again.
--
-- Errors: 22023 a key that can't be one, or is used for two things; 55000 the calls are out of order (`finish`
-- without a begin, a begin twice in one transaction, a COMMIT without `finish`).
--
-- Retention: a forgotten key runs again, and a forgotten action can't be undone. Keep operations for longer than any
-- saga lives, the time included that one may wait for a person or be wanted back once completed; then, say once a day:
-- SELECT saga_participant.forget(older_than => interval '90 days');

SELECT pg_advisory_xact_lock(hashtextextended('saga_participant', 0));

CREATE SCHEMA IF NOT EXISTS saga_participant;
COMMENT ON SCHEMA saga_participant IS
    'Guard of a saga participant: duplicates do nothing again, undoing nothing succeeds, stragglers are refused';

CREATE TABLE IF NOT EXISTS saga_participant.operation (
    key            text PRIMARY KEY,
    compensates    text,
    compensated_by text,
    status         smallint,
    answer         json,
    begun_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT operation_key_is_bounded CHECK (octet_length(key) BETWEEN 1 AND 255),
    CONSTRAINT operation_status_is_http CHECK (status BETWEEN 200 AND 599),
    CONSTRAINT operation_answer_has_status CHECK (answer IS NULL OR status IS NOT NULL),
    CONSTRAINT operation_compensates_another CHECK (compensates <> key),
    CONSTRAINT operation_compensation_is_final CHECK (compensates IS NULL OR compensated_by IS NULL)
);
COMMENT ON TABLE saga_participant.operation IS
    'One row per action or compensation that was done here, and one per tombstone: compensated_by set, status null';
COMMENT ON COLUMN saga_participant.operation.key IS
    'Idempotency-Key without its quotes; of a tombstone the key of the action that never was';
COMMENT ON COLUMN saga_participant.operation.compensates IS
    'Of a compensation: the key of the action that it undid';
COMMENT ON COLUMN saga_participant.operation.compensated_by IS
    'Of an action: the key of the compensation that undid it, or that came before it';
COMMENT ON COLUMN saga_participant.operation.status IS
    'HTTP status of the recorded answer; null in a tombstone, and between begin and finish of one transaction';
COMMENT ON COLUMN saga_participant.operation.answer IS
    'Body of the recorded answer, kept as it was written; null when the answer had none';

-- Only `forget` reads by time, a whole range at once: BRIN costs next to nothing per row.
CREATE INDEX IF NOT EXISTS operation_begun_at ON saga_participant.operation USING brin (begun_at);

-- An effect whose answer isn't recorded could never be replayed, so such a transaction must not commit. The trigger
-- is deferred, and reads the row as it is at the end: NEW is the row as it was inserted.
CREATE OR REPLACE FUNCTION saga_participant.require_finish() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF EXISTS (SELECT FROM saga_participant.operation AS o
                WHERE o.key = NEW.key AND o.status IS NULL AND o.compensated_by IS NULL) THEN
        RAISE EXCEPTION 'operation % was begun, but not finished', NEW.key
            USING ERRCODE = '55000',
                  HINT = 'Call saga_participant.finish() before COMMIT, or roll back.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION saga_participant.require_finish() IS 'Trigger: refuses a COMMIT between begin and finish';

DO $$
BEGIN
    -- CREATE CONSTRAINT TRIGGER knows neither OR REPLACE nor IF NOT EXISTS.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger
                    WHERE tgrelid = 'saga_participant.operation'::pg_catalog.regclass
                      AND tgname = 'operation_is_finished') THEN
        CREATE CONSTRAINT TRIGGER operation_is_finished
            AFTER INSERT ON saga_participant.operation
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION saga_participant.require_finish();
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION saga_participant.check_key(key text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    IF key IS NULL OR octet_length(key) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION 'an idempotency key has 1 to 255 bytes, not %', coalesce(octet_length(key)::text, 'null')
            USING ERRCODE = '22023';
    END IF;
END
$$;
COMMENT ON FUNCTION saga_participant.check_key(text) IS 'Raises 22023 for what can''t be a key';

CREATE OR REPLACE FUNCTION saga_participant.begin_action(key text)
    RETURNS TABLE (decision text, status int, answer json)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_column
DECLARE
    found_row saga_participant.operation;
BEGIN
    PERFORM saga_participant.check_key($1);
    LOOP
        -- Waits for an open transaction that inserted or updated this row, a duplicate or the action's compensation:
        -- this is what makes them take turns.
        INSERT INTO saga_participant.operation (key) VALUES ($1) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN QUERY SELECT 'run', NULL::int, NULL::json;
            RETURN;
        END IF;
        SELECT * INTO found_row FROM saga_participant.operation AS o WHERE o.key = $1;
        EXIT WHEN FOUND;    -- else it was forgotten in between: try again
    END LOOP;

    IF found_row.compensates IS NOT NULL THEN
        RAISE EXCEPTION 'key % is that of a compensation, not of an action', $1 USING ERRCODE = '22023';
    ELSIF found_row.compensated_by IS NOT NULL THEN
        RETURN QUERY SELECT 'refused', 409, json_build_object(
            'error', 'AlreadyCompensated',
            'message', 'this action was compensated before this call');
    ELSIF found_row.status IS NULL THEN
        -- The trigger lets no such row be committed, so it is this transaction's own.
        RAISE EXCEPTION 'action % was begun twice in one transaction', $1 USING ERRCODE = '55000';
    ELSE
        RETURN QUERY SELECT 'replay', found_row.status::int, found_row.answer;
    END IF;
END
$$;
COMMENT ON FUNCTION saga_participant.begin_action(text) IS
    'First call of an action''s transaction: run (do it, then finish), replay (a duplicate) or refused (compensated)';

CREATE OR REPLACE FUNCTION saga_participant.begin_compensation(key text, compensates text)
    RETURNS TABLE (decision text, status int, answer json)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_column
DECLARE
    action   saga_participant.operation;
    recorded saga_participant.operation;
BEGIN
    PERFORM saga_participant.check_key($1);
    PERFORM saga_participant.check_key($2);
    IF $1 = $2 THEN
        RAISE EXCEPTION 'compensation % can''t compensate itself', $1 USING ERRCODE = '22023';
    END IF;

    LOOP
        -- The action's row is the one lock of both directions. Waits for an action that is under way; if there was
        -- none, the row is the tombstone that stops it from ever having its effect. Else FOR UPDATE lets one of
        -- several compensations on.
        INSERT INTO saga_participant.operation (key, compensated_by) VALUES ($2, $1) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN QUERY SELECT 'nothing', 200, json_build_object('undone', false);
            RETURN;
        END IF;
        SELECT * INTO action FROM saga_participant.operation AS o WHERE o.key = $2 FOR UPDATE;
        EXIT WHEN FOUND;    -- else it was forgotten in between: try again
    END LOOP;

    IF action.compensates IS NOT NULL THEN
        RAISE EXCEPTION 'key % is that of a compensation, which can''t be compensated', $2 USING ERRCODE = '22023';
    END IF;

    IF action.compensated_by IS NOT NULL THEN
        SELECT * INTO recorded FROM saga_participant.operation AS o WHERE o.key = $1 AND o.compensates = $2;
        IF FOUND AND recorded.status IS NULL THEN
            RAISE EXCEPTION 'compensation % was begun twice in one transaction', $1 USING ERRCODE = '55000';
        ELSIF FOUND THEN
            RETURN QUERY SELECT 'replay', recorded.status::int, recorded.answer;
            RETURN;
        END IF;
        -- An undo that was refused on record had no effect: another, under the key of a mended call, takes its place.
        SELECT * INTO recorded FROM saga_participant.operation AS o
         WHERE o.key = action.compensated_by AND o.compensates = $2;
        IF (FOUND AND recorded.status >= 400 AND action.status < 400) IS NOT TRUE THEN
            -- A tombstone, or undone under another key (by hand, say): either way no effect is left.
            RETURN QUERY SELECT 'nothing', 200, json_build_object('undone', false);
            RETURN;
        END IF;
    END IF;

    IF action.status IS NULL THEN
        RAISE EXCEPTION 'action % is begun and not finished in this transaction', $2 USING ERRCODE = '55000';
    END IF;

    UPDATE saga_participant.operation AS o SET compensated_by = $1 WHERE o.key = $2;
    IF action.status >= 400 THEN
        RETURN QUERY SELECT 'nothing', 200, json_build_object('undone', false);
        RETURN;
    END IF;

    INSERT INTO saga_participant.operation (key, compensates) VALUES ($1, $2) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'key % is that of another operation', $1 USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT 'run', action.status::int, action.answer;
END
$$;
COMMENT ON FUNCTION saga_participant.begin_compensation(text, text) IS
    'First call of a compensation''s transaction: run (undo what status and answer tell, then finish), nothing, replay';

CREATE OR REPLACE FUNCTION saga_participant.finish(key text, status int, answer json DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
#variable_conflict use_column
BEGIN
    IF $2 IS NULL OR $2 NOT BETWEEN 200 AND 599 THEN
        RAISE EXCEPTION 'an answer''s status is 200 to 599, not %', coalesce($2::text, 'null') USING ERRCODE = '22023';
    END IF;
    UPDATE saga_participant.operation AS o SET status = $2::smallint, answer = $3
     WHERE o.key = $1 AND o.status IS NULL AND o.compensated_by IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'operation % was not begun in this transaction', coalesce($1, 'null')
            USING ERRCODE = '55000',
                  HINT = 'finish() follows a begin_action() or begin_compensation() that said run.';
    END IF;
END
$$;
COMMENT ON FUNCTION saga_participant.finish(text, int, json) IS
    'Records the answer of what begin_action or begin_compensation said run for, in the same transaction';

CREATE OR REPLACE FUNCTION saga_participant.forget(older_than interval) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    forgotten bigint;
BEGIN
    IF older_than IS NULL OR older_than <= interval '0' THEN
        RAISE EXCEPTION 'older_than must be a positive interval' USING ERRCODE = '22023';
    END IF;
    DELETE FROM saga_participant.operation AS o WHERE o.begun_at < clock_timestamp() - older_than;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION saga_participant.forget(interval) IS
    'Retention: deletes operations and tombstones begun longer ago, returns how many; a forgotten key runs again';
