#!/usr/bin/env python3
"""What PostgreSQL itself takes: rows in the shape of saga.event, 500 a transaction, from two clients.

usage: raw.py URL TRANSACTIONS METHOD [PGBENCH]

METHOD is how the rows get there: `unnest`, INSERT from arrays that the client sends; `copy`, COPY from the client;
`pgbench`, INSERT from arrays that the server makes, so that the client costs nothing (PGBENCH is the program). The
first two need psycopg 3. Prints one JSON line.
"""
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import uuid

CLIENTS = 2
ROWS = 500
# A saga of four steps has ten events.
EVENTS = 10
# pgbench would take `:1` for a variable, hence the blanks.
DATA = '{"step": "step1", "attempt": 1}'

SCHEMA = """
DROP TABLE IF EXISTS raw_event;
CREATE TABLE raw_event (
    saga_id uuid NOT NULL,
    at timestamptz NOT NULL,
    sequence integer NOT NULL,
    cause integer,
    type smallint NOT NULL,
    data json,
    PRIMARY KEY (saga_id, sequence)
);
"""

INSERT = """
INSERT INTO raw_event (saga_id, sequence, cause, type, at, data)
SELECT * FROM unnest(%s::uuid[], %s::integer[], %s::integer[], %s::smallint[], %s::timestamptz[], %s::json[])
"""

PGBENCH = f"""
INSERT INTO raw_event (saga_id, sequence, cause, type, at, data)
SELECT i, s, s - 1, 3, statement_timestamp(), '{DATA}'::json
FROM unnest(ARRAY(
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(random()::text || g), 1, 19))::uuid
    FROM generate_series(1, {ROWS // EVENTS}) g)) i,
    unnest(ARRAY{list(range(1, EVENTS + 1))}) s;
"""


def ids():
    """Ids that grow with time, as UUIDs of version 7 do."""
    stamp = f"{time.time_ns() // 1_000_000:012x}7"
    return [uuid.UUID(stamp + os.urandom(10).hex()[:19]) for _ in range(ROWS // EVENTS)]


def work(url, transactions, method, barrier):
    import psycopg

    sequences = list(range(1, EVENTS + 1)) * (ROWS // EVENTS)
    causes, types, data = [s - 1 for s in sequences], [3] * ROWS, [DATA] * ROWS
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
        connection.commit()
        barrier.wait()
        for _ in range(transactions):
            sagas = [i for i in ids() for _ in range(EVENTS)]
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            if method == "unnest":
                connection.execute(INSERT, (sagas, sequences, causes, types, [now] * ROWS, data), prepare=True)
            else:
                text = "".join(f"{saga}\t{sequence}\t{sequence - 1}\t3\t{now}\t{DATA}\n"
                               for saga, sequence in zip(sagas, sequences))
                with connection.cursor().copy(
                        "COPY raw_event (saga_id, sequence, cause, type, at, data) FROM STDIN") as copy:
                    copy.write(text)
            connection.commit()
    barrier.wait()


def with_psycopg(url, transactions, method):
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        barrier = multiprocessing.Barrier(CLIENTS + 1)
        clients = [multiprocessing.Process(target=work, args=(url, transactions // CLIENTS, method, barrier))
                   for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        barrier.wait()
        begun = time.monotonic()
        barrier.wait()
        took = time.monotonic() - begun
        for client in clients:
            client.join()
        rows = connection.execute("SELECT count(*) FROM raw_event").fetchone()[0]
    return rows, took


def with_pgbench(url, transactions, program):
    folder = os.path.dirname(program)
    psql = [os.path.join(folder, "psql"), "-X", "-q", "-A", "-t", "-d", url, "-c"]
    subprocess.run(psql + [SCHEMA], check=True, stderr=subprocess.DEVNULL)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH)
        script.flush()
        begun = time.monotonic()
        subprocess.run(
            [program, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(CLIENTS),
             "-t", str(transactions // CLIENTS), "-f", script.name, url],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = time.monotonic() - begun
    rows = int(subprocess.run(psql + ["SELECT count(*) FROM raw_event"], check=True, capture_output=True).stdout)
    return rows, took


def main():
    url, transactions, method = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if method == "pgbench":
        rows, took = with_pgbench(url, transactions, sys.argv[4])
    else:
        rows, took = with_psycopg(url, transactions, method)
    if rows != transactions // CLIENTS * CLIENTS * ROWS:
        sys.exit(f"raw: {rows} rows instead of {transactions // CLIENTS * CLIENTS * ROWS}")
    print(json.dumps({"limit": "raw", "method": method, "rows": rows, "seconds": round(took, 3),
                      "rowsPerSecond": round(rows / took, 1)}))


if __name__ == "__main__":
    main()
