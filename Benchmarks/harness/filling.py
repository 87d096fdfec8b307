"""Sagas that are put into the tables, rather than run, to have many of them.

Each is a copy of one that a daemon has run, so nothing is known here of what events hold.
"""
import json
import os
import tempfile
import time

# Ids as of UUID version 7, of times spread over `days` before `until`, in order, so that the indexes grow as they do.
IDS = """
CREATE UNLOGGED TABLE public.filling AS
SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(r, 1, 3) || '8' || substr(r, 4, 15))::uuid AS id
FROM (SELECT g, md5(random()::text || g) AS r,
        (extract(epoch FROM now()) * 1000)::bigint - 86400000 * 10 + g * 86400000 * 9 / {count} AS ms
    FROM generate_series(1, {count}::bigint) g) n ORDER BY 1
"""


def clone(cluster, url, template, count):
    """Copies the saga `template` `count` times, with all its events."""
    cluster.sql(url, "DROP TABLE IF EXISTS public.filling", IDS.format(count=count))
    for table, key in (("state", "id"), ("event", "saga_id")):
        columns = [row[0] for row in cluster.sql(url, f"""
            SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'saga.{table}'::regclass
                AND attnum > 0 AND NOT attisdropped AND attname <> '{key}' ORDER BY attnum""")]
        # In the order of the ids, and of a saga's own events.
        order = "n.id" if table == "state" else "n.id, t.sequence"
        cluster.sql(url, f"""
            INSERT INTO saga.{table} ({key}, {', '.join(columns)})
            SELECT n.id, {', '.join('t.' + column for column in columns)}
            FROM public.filling n CROSS JOIN saga.{table} t WHERE t.{key} = '{template}' ORDER BY {order}""")
    cluster.sql(url, "DROP TABLE public.filling")
    cluster.settle(url)


def add_history(cluster, url, count):
    """Sagas of the bench that have ended, as many as asked for."""
    template = cluster.value(url, "SELECT id FROM saga.state WHERE ended_at IS NOT NULL ORDER BY id LIMIT 1")
    clone(cluster, url, template, count)


PARKED = {
    "saga": "parked",
    "steps": [{
        "name": "call", "compensation": "none",
        # Nobody listens on the port of `discard` here: the call is refused, and tried again in an hour.
        "action": {"http": {"url": "http://127.0.0.1:9/"},
                   "retry": {"maximumAttempts": 0, "initialInterval": "1h", "maximumInterval": "1h", "jitter": "none"}},
    }],
}


def park(cluster, programs, url, count):
    """Sagas that wait an hour for the second attempt of their only step; one is run, the others are its copies."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "parked.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(PARKED, file)
        with programs.daemon(url):
            programs.saga("apply", path, "--database", url)
            template = programs.saga("start", "parked", "--database", url).strip()
            is_parked = f"""SELECT owner IS NULL AND due_at > clock_timestamp() + interval '30 minutes'
                FROM saga.state WHERE id = '{template}'"""
            deadline = time.monotonic() + 30
            while cluster.value(url, is_parked) != "t":
                if time.monotonic() > deadline:
                    raise SystemExit("a saga that waits for an hour wasn't parked")
                time.sleep(0.1)
    clone(cluster, url, template, count - 1)
