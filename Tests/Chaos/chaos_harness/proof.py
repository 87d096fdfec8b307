"""Proves the checker: runs in which a promise is broken on purpose, each of which it must catch.

Real runs against participants with a break switched on (participant.BREAKS); copies of the sound run that are altered
(alterations.py) for what no participant can do.
"""
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from chaos_harness import definitions, participant
from chaos_harness.alterations import IN_DATABASE, IN_LOGS, TARGETS
from chaos_harness.checker import Report, check
from chaos_harness.processes import take_signals
from chaos_harness.properties import PROPERTIES
from harness import cluster as clusters
from harness.cluster import Cluster

SEED = "proof"
# Events are append-only: not here.
NO_TRIGGERS = "SET session_replication_role = replica"
QUICK = {"lateSeconds": 1.4, "slowSeconds": 0.2, "stragglerSeconds": 1.5}
ALL_FAULTS = QUICK | {"refuse": 0.12, "undoRefuse": 0.05, "unavailable": 0.08, "lost": 0.08, "late": 0.04, "slow": 0.1,
                      "duplicate": 0.08, "straggler": 0.06}
STOPPED = threading.Event()
# Nothing of the user's own may lead to another database.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "SAGA_"))}
WELL = QUICK | {name: 0 for name in ("refuse", *participant.BY_ATTEMPT)}


@dataclasses.dataclass
class Run:
    """One database, one daemon and a participant for each service."""
    name: str
    rates: dict
    sagas: tuple = definitions.SAGAS
    count: int = 12
    breaks: tuple = ()
    # Kill the participants once so many lines are in their logs; when they are back, their disks are full for a while.
    restart_after: int | None = None
    # The properties of which each must be violated; none: nothing may be.
    breaking: tuple = ()


RUNS = (
    Run("sound", ALL_FAULTS, count=120, restart_after=60),
    Run("twice", WELL, breaks=("twice",), breaking=("effect",)),
    Run("forgets", WELL | {"late": 1, "faultyAttempts": 1}, breaks=("forgets",), restart_after=6, breaking=("effect",)),
    # A slow machine too is to undo the hotel before its straggler comes, and no breaker is to open.
    Run("no-guard", WELL | {"straggler": 0.4, "stragglerSeconds": 6, "faultyAttempts": 1, "refuse": 0.8,
                            "refuseSteps": ["flight"]}, sagas=("trip",), count=8,
        breaks=("no-guard",), breaking=("effect", "late")),
    Run("hollow", WELL, breaks=("hollow",), breaking=("success", "completed")),
    Run("keeps", WELL | {"refuse": 1, "refuseSteps": ["pay", "last", "deposit"]}, sagas=("trip", "variants", "account"),
        breaks=("keeps",), breaking=("compensated", "success")),
    Run("lies", WELL, breaks=("lies",), breaking=("failure",)),
    Run("miscounts", WELL, breaks=("miscounts",), breaking=("books",)),
)


class Participants:
    """The services' processes of one run."""

    def __init__(self, run, folder):
        self.run, self.folder, self.ports, self.processes = run, folder, dict.fromkeys(definitions.SERVICES, 0), {}

    @property
    def logs(self):
        return [f"{self.folder}/{service}.jsonl" for service in definitions.SERVICES]

    def start(self):
        for service, log in zip(definitions.SERVICES, self.logs):
            command = [sys.executable, participant.__file__, "--service", service, "--log", log, "--seed", SEED,
                       "--port", str(self.ports[service]), "--rates", json.dumps(self.run.rates)]
            for name in self.run.breaks:
                command += ["--break", name]
            self.processes[service] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for service, process in self.processes.items():
            self.ports[service] = int(process.stdout.readline().split()[1])

    def signal(self, number):
        for process in self.processes.values():
            process.send_signal(number)

    def kill(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
            process.stdout.close()

    def lines(self):
        return sum(open(log, "rb").read().count(b"\n") for log in self.logs)


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        # Each look is a process, on a machine that has others to run.
        pause(0.3)


def pause(seconds):
    if STOPPED.wait(seconds):
        raise SystemExit("stopped")


def stop(*_):
    """Of SIGTERM and SIGINT: all runs end what they have begun."""
    STOPPED.set()
    raise SystemExit("stopped")


def start_sagas(run, cluster, url, path):
    """Starts them one by one and writes down what was acknowledged."""
    chosen = (start for start in (definitions.start(SEED, number) for number in range(10**6)) if start[0] in run.sagas)
    starts = [next(chosen) for _ in range(run.count)]
    statement = "SELECT " + ", ".join(
        f"saga.start('{saga}', '{json.dumps(document)}', '{key}')" for saga, document, key in starts)
    ids = cluster.sql(url, statement)[0]
    with open(path, "w", encoding="utf-8") as file:
        for (saga, _, key), found in zip(starts, ids):
            file.write(json.dumps({"id": found, "key": key, "saga": saga, "via": "sql"}) + "\n")


def perform(run, cluster, programs, folder):
    """Runs it to its end; returns the database's URL, the logs and the file of acknowledged starts."""
    folder = f"{folder}/{run.name}"
    os.mkdir(folder)
    name = "run_" + run.name.replace("-", "_")
    cluster.sql(cluster.url(), f"CREATE DATABASE {name} TEMPLATE migrated")
    url, acknowledged = cluster.url(name), f"{folder}/acknowledged.jsonl"
    participants = Participants(run, folder)
    with contextlib.ExitStack() as stack:
        participants.start()
        stack.callback(participants.kill)
        log = stack.enter_context(open(f"{folder}/sagad.log", "w", encoding="utf-8"))
        daemon = subprocess.Popen(
            [f"{programs}/sagad", "--database", url, "--sagas", definitions.FOLDER], stderr=log,
            env=ENVIRONMENT | definitions.environment(participants.ports))
        stack.callback(daemon.wait)
        stack.callback(daemon.kill)
        ready = f"SELECT count(*) >= {len(definitions.SAGAS)} FROM saga.current_definition"
        wait_until(lambda: cluster.value(url, ready) == "t", 120, f"{run.name}: a daemon that registers definitions")
        start_sagas(run, cluster, url, acknowledged)
        if run.restart_after is not None:
            wait_until(lambda: participants.lines() > run.restart_after, 120, f"{run.name}: the first effects")
            participants.kill()
            participants.start()
            participants.signal(signal.SIGUSR1)
            pause(0.5)
            participants.signal(signal.SIGUSR2)
        left = "SELECT count(*) FROM saga.state WHERE status < 4"
        wait_until(lambda: cluster.value(url, left) == "0", 120, f"{run.name}: all sagas have ended")
        pause(participant.settle_seconds(participant.RATES | run.rates))
    return url, participants.logs, acknowledged


class Proof:
    """What was caught so far."""

    def __init__(self):
        self.caught, self.is_broken = {name: [] for name in PROPERTIES}, False

    def expect(self, name, report, how, saga=""):
        """Expects a violation of a property, of one saga if it is given."""
        if any(found.property == name and saga in f"{found.saga} {found.what}" for found in report.violations):
            self.caught[name].append(how)
        else:
            self.miss(name, f"{how}; violated: {sorted({found.property for found in report.violations})}")

    def miss(self, name, why):
        self.is_broken = True
        print(f"NOT CAUGHT  {name}: {why}", flush=True)

    def expect_none(self, report, how):
        print(f"{how}: {len(report.history.sagas)} sagas {dict(sorted(report.statuses.items()))}, "
              f"{len(report.violations)} violations", flush=True)
        if report.violations:
            self.is_broken = True
            print(report.stories())

    def tell(self):
        for name, (text, _) in PROPERTIES.items():
            # A property that no break is made for isn't proven.
            self.is_broken |= not self.caught[name]
            verdict = "caught    " if self.caught[name] else "NOT CAUGHT"
            print(f"{verdict}  {name:11}  {text}: {'; '.join(self.caught[name]) or 'nothing'}")


def alter_database(proof, cluster, sound):
    """All alterations in one copy of the sound run's database, each to a saga of its own."""
    url, logs, acknowledged = sound
    targets = {kind: [row[0] for row in cluster.sql(url, query)] for kind, query in TARGETS.items()}
    cluster.sql(cluster.url(), f"CREATE DATABASE altered TEMPLATE {url.rsplit('/', 1)[1]}")
    altered, expected = [NO_TRIGGERS], []
    for name, what, kind, statements in IN_DATABASE:
        if not targets[kind]:
            proof.miss(name, f"{what}: the sound run has too few sagas for it")
            continue
        saga = targets[kind].pop(0)
        altered += [statement.replace("{saga}", saga) for statement in statements]
        expected.append((name, what, saga))
    cluster.sql(cluster.url("altered"), *altered)
    report = check(cluster.url("altered"), logs, acknowledged)
    for name, what, saga in expected:
        proof.expect(name, report, what, saga)


def alter_logs(proof, sound):
    """Each alteration of the logs alone, since books are one sum."""
    history = check(*sound).history
    lines, acknowledged = history.lines, history.acknowledged
    statuses = {saga.id: saga.status for saga in history.sagas.values()}
    for name, what, change in IN_LOGS:
        history.take(change(lines, statuses))
        proof.expect(name, Report(history), what)
    history.take(lines)
    history.acknowledged = [*acknowledged, acknowledged[0]._replace(id=acknowledged[1].id)]
    proof.expect("once", Report(history), "a key acknowledged with two ids")


def prove(programs):
    """Runs all; prints a line for each property; returns whether each break was caught and nothing else."""
    proof = Proof()
    take_signals()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # When an event was committed is the best witness that there is.
    clusters.SETTINGS |= {"track_commit_timestamp": "on", "shared_buffers": "64MB", "max_wal_size": "1GB"}
    cluster = Cluster()
    try:
        cluster.start()
        with tempfile.TemporaryDirectory(prefix="saga-proof-") as folder:
            cluster.sql(cluster.url(), "CREATE DATABASE migrated")
            subprocess.run([f"{programs}/saga", "migrate", "--database", cluster.url("migrated")], check=True,
                           env=ENVIRONMENT, stdout=subprocess.DEVNULL)
            with concurrent.futures.ThreadPoolExecutor(len(RUNS)) as pool:
                ended = list(pool.map(lambda run: perform(run, cluster, programs, folder), RUNS))
            for run, found in zip(RUNS, ended):
                report = check(*found, SEED)
                for name in run.breaking:
                    proof.expect(name, report, f"participants of {run.name}")
                if not run.breaking:
                    proof.expect_none(report, run.name)
            alter_database(proof, cluster, ended[0])
            alter_logs(proof, ended[0])
    finally:
        cluster.stop()
    proof.tell()
    return not proof.is_broken
