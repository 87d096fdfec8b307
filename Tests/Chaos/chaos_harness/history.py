"""What is known at the end of a run: the database, the participants' logs, and which starts were acknowledged."""
import collections
import glob
import json
import os
import re
import shutil
import subprocess

from chaos_harness import ledger
from chaos_harness.fold import STATUSES, Definition

# pg_xact_commit_timestamp says when an event was committed, if the server keeps it (track_commit_timestamp = on).
EVENTS = """
    SELECT e.saga_id, e.sequence, e.type, (extract(epoch FROM e.at) * 1000000)::bigint, {committed}, e.data
    FROM saga.event e ORDER BY e.saga_id, e.sequence"""
COMMITTED = "(extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) * 1000000)::bigint"
STATES = """
    SELECT s.id, s.definition_id, s.status, s.paused, s.key, s.unreadable,
        (extract(epoch FROM s.started_at) * 1000000)::bigint, (extract(epoch FROM s.ended_at) * 1000000)::bigint,
        v.saga, v.status, v.output, v.failure
    FROM saga.state s LEFT JOIN saga.sagas v ON v.id = s.id ORDER BY s.id"""
STEPS = """
    SELECT saga_id, step, status, outcome, attempts, output, error, compensation_status, compensation_attempts,
        compensation_error
    FROM saga.steps"""

Event = collections.namedtuple("Event", "sequence code at committed data")
Ack = collections.namedtuple("Ack", "id key saga via")


class Saga:
    """One saga: its row, its rows in the views, and its events."""
    __slots__ = ("id", "definition", "status", "paused", "key", "unreadable", "started_at", "ended_at", "name",
                 "shown", "output", "failure", "events", "steps", "fold")

    def __init__(self, row, definitions):
        (self.id, definition, status, paused, self.key, self.unreadable, started, ended, self.name, self.shown, output,
         failure) = row
        self.definition = definitions[definition]
        self.status, self.paused = STATUSES[int(status)], paused == "t"
        self.started_at, self.ended_at = int(started), int(ended) if ended else None
        self.output, self.failure = json.loads(output or "null"), json.loads(failure or "null")
        self.events, self.steps, self.fold = [], {}, None


class History:
    """All that a checker may read.

    `sagas` by id; `orphans`: events whose saga has no row; `lines` of all logs, in the order of each log;
    `lines_of[saga]`; `acknowledged`: a list of Ack; `keys`: (key, saga id) of saga.key; `has_commit_times`.
    """

    def __init__(self, database, logs, acknowledged, psql=None):
        self.database, self.psql = database, psql or find_psql()
        self.has_commit_times = list(self._rows("SELECT current_setting('track_commit_timestamp')")) == [["on"]]
        definitions = {number: Definition(json.loads(document)) for number, document in self._rows(
            "SELECT id, document FROM saga.definition")}
        rows = list(self._rows(STATES))
        self.sagas = {row[0]: Saga(row, definitions) for row in rows}
        self.orphans = collections.Counter()
        self._read_events()
        for saga, step, *shown in self._rows(STEPS):
            status, outcome, attempts, output, error, undo, undo_attempts, undo_error = shown
            self.sagas[saga].steps[step] = (status, outcome, int(attempts), json.loads(output or "null"), error, undo,
                                            int(undo_attempts), undo_error)
        self.keys = [tuple(row) for row in self._rows("SELECT key, saga_id FROM saga.key")]
        self.take([line for path in logs for line in ledger.read(path) if line["entry"] != "opened"])
        self.acknowledged = [Ack(*(line.get(name) for name in Ack._fields)) for line in read_lines(acknowledged)]

    def take(self, lines):
        """Takes these as what the logs say."""
        self.lines, self.lines_of = lines, collections.defaultdict(list)
        self.effects, self.books = None, {}
        for line in lines:
            self.lines_of[line["saga"]].append(line)

    def _read_events(self):
        committed = COMMITTED if self.has_commit_times else "NULL"
        for saga, sequence, code, at, commit, data in self._rows(EVENTS.format(committed=committed)):
            event = Event(int(sequence), int(code), int(at), int(commit) if commit else None,
                          json.loads(data) if data else {})
            if saga in self.sagas:
                self.sagas[saga].events.append(event)
            else:
                self.orphans[saga] += 1

    def _rows(self, query):
        """Rows of a query as texts, None for null."""
        command = [self.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.database,
                   "-c", f"COPY ({query}) TO STDOUT"]
        environment = {**os.environ, "PGCLIENTENCODING": "UTF8"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
                              ) as process:
            for line in process.stdout:
                # COPY writes carriage returns as \r: a line's end is always its own.
                yield [unescaped(field) for field in line[:-1].split("\t")]
        if process.returncode != 0:
            raise SystemExit(f"psql exited with {process.returncode}")


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescaped(field):
    """A field of COPY's text format."""
    if "\\" not in field:
        return field
    if field == "\\N":
        return None
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), field)


def read_lines(path):
    """The whole lines of a file of JSON lines; none when there is no file."""
    if path is None or not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        text = file.read()
    return [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines()]


def find_psql():
    found = glob.glob("/usr/lib/postgresql/*/bin/psql")
    program = shutil.which("psql") or (max(found) if found else None)
    if program is None:
        raise SystemExit("no psql: install PostgreSQL's client programs")
    return program
