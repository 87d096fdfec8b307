-- What people and dashboards read. Columns are stable: a later migration may add some at the end, never change these.

-- Plain SQL, so that the planner puts it into the views. What the engine writes is an object; should it ever not be, or
-- hold the \u0000 that json keeps but no json operator reads, one saga must not take the whole view down.
CREATE FUNCTION saga.readable(data json) RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN json_typeof(data) <> 'object' THEN NULL
        WHEN strpos(data::text, E'\\u0000') = 0 THEN data
        ELSE regexp_replace(data::text, E'(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', E'\\1\\\\ufffd', 'g')::json
    END
$$;

COMMENT ON FUNCTION saga.readable(json) IS
    'An event''s data with each \u0000, which no json operator reads, replaced by U+FFFD; null if it is not an '
    'object.';

CREATE VIEW saga.sagas AS
SELECT s.id,
    d.saga,
    left(encode(d.digest, 'hex'), 12) AS version,
    s.key,
    CASE
        WHEN s.unreadable IS NOT NULL AND s.ended_at IS NULL THEN 'stuck'
        ELSE saga.status_name(s.status)
    END AS status,
    s.paused,
    (SELECT saga.readable(e.data) -> 'input' FROM saga.event e WHERE e.saga_id = s.id AND e.sequence = 1) AS input,
    CASE WHEN s.status = 5 THEN (
        SELECT o.output
        FROM saga.event e, json_to_record(saga.readable(e.data)) AS o (output json)
        WHERE e.saga_id = s.id AND e.type = 14
        ORDER BY e.sequence DESC
        LIMIT 1)
    END AS output,
    CASE
        WHEN s.unreadable IS NOT NULL THEN
            ('{"step":null,"error":"Saga.Unreadable","message":' || to_json(s.unreadable) || '}')::json
        WHEN s.status = 5 THEN (
            SELECT ('{"step":null,"error":' || to_json(f.error)
                || ',"message":' || coalesce(to_json(f.message)::text, 'null') || '}')::json
            FROM saga.event e, json_to_record(saga.readable(e.data)) AS f (error text, message text)
            WHERE e.saga_id = s.id AND e.type = 14 AND f.error IS NOT NULL
            ORDER BY e.sequence DESC
            LIMIT 1)
        ELSE (
            SELECT ('{"step":' || coalesce(to_json(f.step)::text, 'null')
                || ',"error":' || coalesce(to_json(f.error)::text, 'null')
                || ',"message":' || coalesce(to_json(f.message)::text, 'null') || '}')::json
            FROM saga.event e, json_to_record(saga.readable(e.data)) AS f (step text, error text, message text)
            WHERE e.saga_id = s.id AND (e.type = 9 OR (e.type = 16 AND s.status <> 6 AND NOT EXISTS (
                -- A person's word or retry took it out of being stuck.
                SELECT FROM saga.event l
                WHERE l.saga_id = s.id AND l.sequence > e.sequence AND l.type IN (20, 21))))
            ORDER BY e.type DESC, e.sequence DESC
            LIMIT 1)
    END AS failure,
    s.started_at,
    s.ended_at
FROM saga.state s
JOIN saga.definition d ON d.id = s.definition_id;

COMMENT ON VIEW saga.sagas IS 'One row a saga.';
COMMENT ON COLUMN saga.sagas.version IS 'The first 12 digits of its definition''s digest.';
COMMENT ON COLUMN saga.sagas.input IS 'As it came.';
COMMENT ON COLUMN saga.sagas.output IS 'Of a completed saga; null where it is JSON null too.';
COMMENT ON COLUMN saga.sagas.failure IS
    '{"step", "error", "message"} of what it is stuck on (or was when terminated), else of what turned it round; '
    'for a completed saga null, or why it has no output.';

-- The fold of a saga's events into its steps, the same as the engine's: read once in order, then the last event that
-- moved a step's forward part and the last that moved its compensation say where the two stand.
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
FROM saga.state s
JOIN saga.definition d ON d.id = s.definition_id
CROSS JOIN LATERAL (
    SELECT n.step,
        CASE n.compensation_status
            WHEN 'running' THEN 'compensating'
            WHEN 'backoff' THEN 'compensating'
            WHEN 'deferred' THEN 'compensating'
            WHEN 'succeeded' THEN 'compensated'
            WHEN 'failed' THEN 'compensation_failed'
            ELSE n.status
        END AS status,
        n.outcome,
        n.attempts,
        CASE WHEN n.status = 'succeeded' THEN n.output END AS output,
        CASE WHEN n.status NOT IN ('succeeded', 'skipped') THEN n.error END AS error,
        n.compensation_status,
        n.compensation_attempts,
        CASE WHEN n.compensation_status <> 'succeeded' THEN n.compensation_error END AS compensation_error
    FROM (
        SELECT o.*,
            CASE
                WHEN o.moved_type IS NULL THEN 'pending'
                WHEN o.moved_type = 3 OR o.moved_to = 'done' THEN 'succeeded'
                WHEN o.moved_type = 6 THEN 'skipped'
                WHEN o.moved_type = 2 AND NOT o.terminated THEN 'running'
                -- Tried again later: retried after it had failed for good, or undone past the pivot. Nothing is, once
                -- the saga turned back or ended.
                WHEN NOT o.forward_over AND (o.moved_type = 4 OR o.retried_at > o.moved_at
                    OR (o.moved_to = 'undone' AND o.pivot_done_at < o.moved_at)) THEN
                    CASE WHEN o.moved_type = 7 THEN 'deferred' ELSE 'backoff' END
                WHEN NOT o.forward_over AND o.moved_type = 7 THEN 'deferred'
                WHEN o.outcome = 'unknown' THEN 'in_doubt'
                WHEN o.outcome IS NULL AND o.moved_type IN (4, 7) THEN 'pending'
                ELSE 'failed'
            END AS status,
            CASE
                WHEN o.undo_type = 11 OR o.undo_to = 'undone' THEN 'succeeded'
                WHEN o.undo_type = 8 THEN 'deferred'
                WHEN o.undo_type = 10 AND NOT o.terminated THEN 'running'
                WHEN o.undo_type = 12 OR o.undo_to = 'done' OR (o.undo_type = 13 AND o.retried_at > o.undo_at) THEN
                    'backoff'
                WHEN o.undo_type IS NOT NULL THEN 'failed'
                WHEN o.turned AND o.compensable AND NOT o.is_pivot AND (
                    o.outcome = 'done'
                    OR (o.outcome = 'unknown' AND o.compensate_when = 'uncertain')
                    OR (o.attempts > 0 AND o.compensate_when = 'attempted')) THEN 'pending'
            END AS compensation_status
        FROM (
            SELECT p.position,
                p.step,
                p.is_pivot,
                p.compensable,
                p.compensate_when,
                CASE
                    WHEN g.done THEN 'done'
                    WHEN g.unknown OR (g.terminated AND g.moved_type = 2) THEN 'unknown'
                    WHEN g.failed THEN 'failed'
                END AS outcome,
                coalesce(g.attempts, 0) AS attempts,
                coalesce(g.compensation_attempts, 0) AS compensation_attempts,
                coalesce(g.forward_over, false) AS forward_over,
                coalesce(g.turned, false) AS turned,
                coalesce(g.terminated, false) AS terminated,
                g.moved_at, g.moved_type, g.moved_to, g.retried_at, g.pivot_done_at, g.output, g.error,
                g.undo_at, g.undo_type, g.undo_to, g.compensation_error
            FROM (
                SELECT t.position,
                    t.step ->> 'name' AS step,
                    coalesce(t.step ->> 'pivot', '') = 'true' AS is_pivot,
                    coalesce(json_typeof(t.step -> 'compensation'), '') = 'object' AS compensable,
                    coalesce(t.step ->> 'compensateWhen', d.document -> 'defaults' ->> 'compensateWhen', 'uncertain')
                        AS compensate_when
                FROM json_array_elements(
                    CASE json_typeof(d.document -> 'steps') WHEN 'array' THEN d.document -> 'steps' END)
                    WITH ORDINALITY AS t (step, position)
            ) p
            LEFT JOIN (
                SELECT w.step,
                    bool_or(w.turned) AS turned,
                    bool_or(w.terminated) AS terminated,
                    bool_or(w.turned OR w.ended) AS forward_over,
                    max(w.retried_at) AS retried_at,
                    max(w.pivot_done_at) AS pivot_done_at,
                    -- A person's word about the action replaces what the attempts before it said.
                    bool_or(w.type = 3 OR w.resolved = 'done') FILTER (WHERE w.counts) AS done,
                    bool_or(w.outcome = 'unknown') FILTER (WHERE w.counts AND w.type IN (4, 5)) AS unknown,
                    bool_or(w.outcome = 'failed' OR w.resolved = 'undone')
                        FILTER (WHERE w.counts AND w.type IN (4, 5, 20)) AS failed,
                    max(w.sequence) FILTER (WHERE w.moves) AS moved_at,
                    (array_agg(w.type ORDER BY w.sequence DESC) FILTER (WHERE w.moves))[1] AS moved_type,
                    (array_agg(w.resolved ORDER BY w.sequence DESC) FILTER (WHERE w.moves))[1] AS moved_to,
                    (array_agg(w.attempt ORDER BY w.sequence DESC) FILTER (WHERE w.type = 2))[1] AS attempts,
                    (array_agg(w.output ORDER BY w.sequence DESC)
                        FILTER (WHERE w.type = 3 OR w.resolved = 'done'))[1] AS output,
                    (array_agg(w.error ORDER BY w.sequence DESC) FILTER (WHERE w.type IN (4, 5)))[1] AS error,
                    max(w.sequence) FILTER (WHERE w.undoes) AS undo_at,
                    (array_agg(w.type ORDER BY w.sequence DESC) FILTER (WHERE w.undoes))[1] AS undo_type,
                    (array_agg(w.undo_resolved ORDER BY w.sequence DESC) FILTER (WHERE w.undoes))[1] AS undo_to,
                    (array_agg(w.attempt ORDER BY w.sequence DESC) FILTER (WHERE w.type = 10))[1]
                        AS compensation_attempts,
                    (array_agg(w.error ORDER BY w.sequence DESC) FILTER (WHERE w.type IN (12, 13)))[1]
                        AS compensation_error
                FROM (
                    SELECT r.*,
                        r.type IN (2, 3, 4, 5, 6, 7) OR r.resolved IS NOT NULL AS moves,
                        r.type IN (8, 10, 11, 12, 13) OR r.undo_resolved IS NOT NULL AS undoes,
                        r.sequence >= coalesce(max(r.sequence) FILTER (WHERE r.resolved IS NOT NULL)
                            OVER (PARTITION BY r.step), 0) AS counts,
                        bool_or(r.type = 9) OVER () AS turned,
                        bool_or(r.type IN (14, 15, 22)) OVER () AS ended,
                        bool_or(r.type = 22) OVER () AS terminated,
                        max(r.sequence) FILTER (WHERE r.type = 21) OVER () AS retried_at,
                        min(r.sequence) FILTER (
                            WHERE r.step = pivot.step AND (r.type = 3 OR r.resolved = 'done')) OVER () AS pivot_done_at
                    FROM (
                        SELECT e.sequence,
                            e.type,
                            x.step,
                            CASE WHEN x.attempt ~ '^[0-9]{1,9}$' THEN x.attempt::integer END AS attempt,
                            x.outcome,
                            x.error,
                            x.output,
                            CASE WHEN e.type = 20 AND x.operation = 'action' THEN x.resolution END AS resolved,
                            CASE WHEN e.type = 20 AND x.operation = 'compensation' THEN x.resolution END
                                AS undo_resolved
                        FROM saga.event e
                        -- Not the whole saga's input and output: they may be large, and no step reads them.
                        LEFT JOIN LATERAL json_to_record(
                            CASE WHEN e.type NOT IN (1, 14) THEN saga.readable(e.data) END) AS x (
                            step text, attempt text, outcome text, error text, output json,
                            operation text, resolution text) ON true
                        WHERE e.saga_id = s.id
                    ) r
                    CROSS JOIN (
                        SELECT min(t ->> 'name') AS step
                        FROM json_array_elements(
                            CASE json_typeof(d.document -> 'steps') WHEN 'array' THEN d.document -> 'steps' END) t
                        WHERE t ->> 'pivot' = 'true'
                    ) pivot
                ) w
                WHERE w.step IS NOT NULL
                GROUP BY w.step
            ) g ON g.step = p.step
        ) o
    ) n
    ORDER BY n.position
) f;

COMMENT ON VIEW saga.steps IS
    'One row a step of every saga, those not reached yet too; a saga''s steps stand in the order of its '
    'definition file.';
COMMENT ON COLUMN saga.steps.outcome IS
    'done, failed (certainly not), unknown (it may have happened), or null before any attempt ended.';
COMMENT ON COLUMN saga.steps.attempts IS 'Attempts begun, over all retries; 0 for a step without a call.';
COMMENT ON COLUMN saga.steps.output IS 'Of a step that succeeded; null where it is JSON null too.';
COMMENT ON COLUMN saga.steps.error IS
    'The name of the last failed attempt''s error, unless the step succeeded or was skipped.';
COMMENT ON COLUMN saga.steps.compensation_status IS 'Null until the saga turned back and the step is one to undo.';

CREATE VIEW saga.events AS
SELECT e.saga_id,
    e.sequence,
    saga.event_type(e.type) AS type,
    e.at,
    coalesce(s.correlation_id, e.saga_id::text) AS correlation_id,
    e.saga_id::text || '/' || lpad(e.cause::text, 10, '0') AS causation_id,
    e.data
FROM saga.event e
LEFT JOIN saga.state s ON s.id = e.saga_id;

COMMENT ON VIEW saga.events IS 'One row an event.';
COMMENT ON COLUMN saga.events.correlation_id IS 'What the starter gave, else the saga''s id.';
COMMENT ON COLUMN saga.events.causation_id IS
    'The event of the same saga that led to this one: its id, a slash and the sequence in ten digits. Null where '
    'something outside did.';

CREATE VIEW saga.daemons AS
SELECT d.id,
    d.host,
    d.pid,
    d.epoch,
    d.lease_until,
    (SELECT count(*) FROM saga.state s WHERE s.owner = d.id) AS sagas
FROM saga.daemon d;

COMMENT ON VIEW saga.daemons IS 'One row an incarnation of a daemon; it is alive while lease_until is not past.';
COMMENT ON COLUMN saga.daemons.sagas IS 'How many sagas it runs in memory now.';

-- Its columns are part of the contract with dashboards; breakers aren't kept yet, so there is nothing to show.
CREATE VIEW saga.breakers AS
SELECT NULL::text AS service,
    NULL::text AS url,
    NULL::text AS state,
    NULL::timestamptz AS since,
    NULL::timestamptz AS next_probe
WHERE false;

COMMENT ON VIEW saga.breakers IS
    'One row a service whose circuit breaker is kept. None is kept by this version: calls are not held back.';
