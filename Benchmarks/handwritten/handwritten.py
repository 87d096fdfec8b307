#!/usr/bin/env python3
"""What a team writes by hand: a state table, workers that take a row with SKIP LOCKED, one transaction a step.

usage: handwritten.py URL WORKFLOWS PROCESSES

Needs psycopg 3 and a database to make its two tables in. The workflows are there before the clock starts, and their
four steps do nothing, so that only the bookkeeping is measured. Every statement is a round trip of its own, as in any
program that uses a driver. Prints one JSON line.
"""
import json
import multiprocessing
import sys
import time

import psycopg

STEPS = 4

SCHEMA = """
DROP TABLE IF EXISTS workflow_event, workflow;
CREATE TABLE workflow (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL DEFAULT 'ready',
    step integer NOT NULL DEFAULT 0,
    input jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE INDEX workflow_ready ON workflow (id) WHERE state = 'ready';
CREATE TABLE workflow_event (
    workflow_id bigint NOT NULL,
    sequence integer NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data jsonb,
    PRIMARY KEY (workflow_id, sequence)
);
"""

TAKE = "SELECT id, step FROM workflow WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
ADVANCE = "UPDATE workflow SET step = %s, state = %s, updated_at = clock_timestamp() WHERE id = %s"
RECORD = "INSERT INTO workflow_event (workflow_id, sequence, type, data) VALUES (%s, %s, 'StepSucceeded', %s)"
COUNTERS = """
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""


def work(url, barrier):
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
        connection.commit()
        barrier.wait()
        while True:
            # psycopg sends BEGIN before the first statement.
            row = connection.execute(TAKE).fetchone()
            if row is None:
                left = connection.execute("SELECT EXISTS (SELECT FROM workflow WHERE state = 'ready')").fetchone()[0]
                connection.rollback()
                if not left:
                    break
                continue
            workflow, step = row[0], row[1] + 1
            # Here the step would be made.
            connection.execute(ADVANCE, (step, "done" if step == STEPS else "ready", workflow))
            connection.execute(RECORD, (workflow, step, '{"output": null}'))
            connection.commit()
    barrier.wait()


def main():
    url, workflows, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute("INSERT INTO workflow (input) SELECT '{}' FROM generate_series(1, %s)", (workflows,))
        connection.execute("VACUUM ANALYZE workflow")
        barrier = multiprocessing.Barrier(processes + 1)
        workers = [multiprocessing.Process(target=work, args=(url, barrier)) for _ in range(processes)]
        for worker in workers:
            worker.start()
        before = connection.execute(COUNTERS).fetchone()
        barrier.wait()
        begun = time.monotonic()
        barrier.wait()
        took = time.monotonic() - begun
        after = connection.execute(COUNTERS).fetchone()
        for worker in workers:
            worker.join()
        events = connection.execute("SELECT count(*) FROM workflow_event").fetchone()[0]
    if events != STEPS * workflows:
        sys.exit(f"handwritten: {events} events instead of {STEPS * workflows}")
    print(json.dumps({
        "peer": "handwritten", "processes": processes, "workflows": workflows, "seconds": round(took, 3),
        "workflowsPerSecond": round(workflows / took, 1), "stepsPerSecond": round(STEPS * workflows / took, 1),
        "walBytesPerWorkflow": round((after[0] - before[0]) / workflows, 1),
        "commitsPerWorkflow": round((after[1] - before[1]) / workflows, 3), "eventsPerWorkflow": STEPS,
    }))


if __name__ == "__main__":
    main()
