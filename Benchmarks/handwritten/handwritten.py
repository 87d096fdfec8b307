#!/usr/bin/env python3
"""What a team writes by hand: a state table, workers that take a row with SKIP LOCKED, one transaction a step.

usage: handwritten.py URL WORKFLOWS PROCESSES [STARTERS=0]

Needs psycopg 3 and a database to make its two tables in. The four steps do nothing, so that only the bookkeeping is
measured. Every statement is a round trip of its own, as in any program that uses a driver. The workflows are there
before the clock starts, or so many further processes start them meanwhile, each workflow in its own transaction.
Prints one JSON line.
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


def start(url, count, begin, left_to_start):
    with psycopg.connect(url, autocommit=True) as connection:
        begin.wait()
        for _ in range(count):
            connection.execute("INSERT INTO workflow (input) VALUES ('{}')")
        with left_to_start.get_lock():
            left_to_start.value -= count


def work(url, begin, end, left_to_start):
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
        connection.commit()
        begin.wait()
        while True:
            # psycopg sends BEGIN before the first statement.
            row = connection.execute(TAKE).fetchone()
            if row is None:
                is_all_started = left_to_start.value == 0
                left = connection.execute("SELECT EXISTS (SELECT FROM workflow WHERE state = 'ready')").fetchone()[0]
                connection.rollback()
                if not left:
                    if is_all_started:
                        break
                    time.sleep(0.005)
                continue
            workflow, step = row[0], row[1] + 1
            # Here the step would be made.
            connection.execute(ADVANCE, (step, "done" if step == STEPS else "ready", workflow))
            connection.execute(RECORD, (workflow, step, '{"output": null}'))
            connection.commit()
    end.wait()


def main():
    url, workflows, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    starters = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    workflows -= workflows % max(1, starters)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        if starters == 0:
            connection.execute("INSERT INTO workflow (input) SELECT '{}' FROM generate_series(1, %s)", (workflows,))
        connection.execute("VACUUM ANALYZE workflow")
        begin, end = multiprocessing.Barrier(processes + starters + 1), multiprocessing.Barrier(processes + 1)
        left_to_start = multiprocessing.Value("i", workflows if starters else 0)
        workers = [multiprocessing.Process(target=work, args=(url, begin, end, left_to_start))
                   for _ in range(processes)]
        workers += [multiprocessing.Process(target=start, args=(url, workflows // starters, begin, left_to_start))
                    for _ in range(starters)]
        for worker in workers:
            worker.start()
        before = connection.execute(COUNTERS).fetchone()
        begin.wait()
        begun = time.monotonic()
        end.wait()
        took = time.monotonic() - begun
        after = connection.execute(COUNTERS).fetchone()
        for worker in workers:
            worker.join()
        events = connection.execute("SELECT count(*) FROM workflow_event").fetchone()[0]
    if events != STEPS * workflows:
        sys.exit(f"handwritten: {events} events instead of {STEPS * workflows}")
    print(json.dumps({
        "peer": "handwritten", "processes": processes, "starters": starters, "workflows": workflows, "seconds": round(took, 3),
        "workflowsPerSecond": round(workflows / took, 1), "stepsPerSecond": round(STEPS * workflows / took, 1),
        "walBytesPerWorkflow": round((after[0] - before[0]) / workflows, 1),
        "commitsPerWorkflow": round((after[1] - before[1]) / workflows, 3), "eventsPerWorkflow": STEPS,
    }))


if __name__ == "__main__":
    main()
