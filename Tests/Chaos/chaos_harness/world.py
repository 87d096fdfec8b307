"""One run: what is there, in which order it begins, is struck, heals and ends."""
import glob
import os
import shutil
import signal
import tempfile
import threading
import time

from . import checker, definitions, schedule
from .daemons import Daemon
from .database import Database, Pooler
from .faults import Faults
from .namespace import Namespace
from .participant import RATES, settle_seconds
from .processes import Processes, take_signals, wait_until
from .proxy import Proxy
from .services import Service
from .starter import Starter
from .watcher import BACK_WITHIN, Watcher
from .wire import Connection, Lost, Refused

OFF_BY_AN_HOUR = "wall clock an hour off"
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
LEFT = "SELECT count(*) FROM saga.sagas WHERE ended_at IS NULL AND status <> 'stuck'"


class World:
    """The processes of a run and the folder of their files."""

    def __init__(self, programs, seed, minutes):
        self.programs, self.seed, self.minutes = os.path.abspath(programs), seed, minutes
        for name in ("saga", "sagad"):
            if not os.access(self.program(name), os.X_OK):
                raise SystemExit(f"no {name} in {programs}: run `make chaos`, or name the folder with --programs")
        self.folder = tempfile.mkdtemp(prefix="saga-chaos-")
        # The server's user must reach its own part.
        os.chmod(self.folder, 0o711)
        self.processes = Processes()
        self.log = open(os.path.join(self.folder, "faults.log"), "w", encoding="utf-8")
        self.log_lock = threading.Lock()
        self.begun = time.monotonic()
        self.errors = []        # of the harness itself
        self.start_errors = {}  # exit codes of `saga start` that say neither done nor away
        self.outages = []       # of the database: [from, until]
        self.skipped = {}
        self.is_over = self.is_ending = False
        self.namespace = None
        self.starter = self.watcher = self.faults = None
        self.daemons, self.participants = [], []

    # What the parts use

    def program(self, name):
        return os.path.join(self.programs, name)

    def say(self, text):
        if self.is_ending:
            return
        line = f"{time.monotonic() - self.begun:7.1f} s  {text}"
        with self.log_lock:
            print(line, flush=True)
            self.log.write(line + "\n")
            self.log.flush()

    def broken(self, text):
        self.errors.append(text)
        self.say(f"the harness failed: {text}")

    def starting_port(self, pooled):
        return self.pooler.port if pooled and self.pooler.is_there else self.database.port

    def note_start_error(self, status, words):
        self.start_errors.setdefault(f"exit {status}: {words[:200]}", 0)
        self.start_errors[f"exit {status}: {words[:200]}"] += 1

    # The run

    def make(self):
        """Everything up and well."""
        self.say(f"seed {self.seed}, {self.minutes:g} minutes, in {self.folder}")
        self.namespace = Namespace()
        self.database = Database(self.processes, f"{self.folder}/postgres")
        self.database.make(self.namespace.host if self.namespace.is_there else None)
        self.pooler = Pooler(self.processes, f"{self.folder}/pgbouncer", self.database.port)
        if self.pooler.is_there:
            self.pooler.make()
        self.proxy = Proxy(self.database.port)
        self.participants = [Service(self, name, self.seed) for name in definitions.SERVICES]
        for participant in self.participants:
            participant.start()
        self._make_daemons()
        for daemon in self.daemons:
            daemon.start()
        for daemon in self.daemons:
            if not daemon.wait_ready(60):
                raise SystemExit(f"{daemon.name} isn't ready: {daemon.log}\n" + "\n".join(daemon.tail(5)))
        self.say("PostgreSQL, participants and daemons are up")

    def _make_daemons(self):
        ports = {service.name: service.port for service in self.participants}
        near = definitions.environment(ports)
        if self.pooler.is_there:
            url = self.database.url(self.pooler.port)
        else:
            self.skipped["PgBouncer"] = "it isn't installed"
            url = self.database.url()
        self.daemons.append(Daemon(self, "pooled", url, near | self._off_by_an_hour()))
        self.daemons.append(Daemon(self, "proxied", self.database.url(self.proxy.port), near))
        if self.namespace.is_there:
            far = {name: url.replace("127.0.0.1", self.namespace.host)
                   for name, url in definitions.environment(
                       {name: self.namespace.relay(port) for name, port in ports.items()}).items()}
            self.daemons.append(Daemon(self, "direct", self.database.url(host=self.namespace.host), far,
                                       self.namespace.prefix()))
        else:
            self.daemons.append(Daemon(self, "direct", self.database.url(), near))

    def _off_by_an_hour(self):
        """The environment that puts a daemon's wall clock an hour ahead."""
        named = os.environ.get("FAKETIME_LIBRARY")
        libraries = [named] if named else glob.glob(FAKETIME)
        if not libraries:
            self.skipped[OFF_BY_AN_HOUR] = "libfaketime isn't installed, nor named in FAKETIME_LIBRARY"
            return {}
        return {"LD_PRELOAD": libraries[0], "FAKETIME": "+3600s", "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def run(self):
        """The faults, and the end."""
        faults = schedule.schedule(self.seed, self.minutes)
        self.faults = Faults(self, faults)
        self.watcher = Watcher(self, self.faults)
        self.starter = Starter(self, self.seed, schedule.SAGAS_PER_SECOND)
        self.begun = time.monotonic()
        self.watcher.start()
        self.starter.start()
        self.faults.run(self.begun)
        # The last fault comes a little before the end.
        time.sleep(max(0.0, self.begun + self.minutes * 60 - time.monotonic()))
        self.is_over = True
        self.faults.join()
        self.starter.stop()
        self.skipped |= self.faults.skipped
        self.say("everything has healed; no saga is started any more")

    def heal(self, seconds):
        """Waits for the sagas to end; returns seconds, None when some haven't in time."""
        start = time.monotonic()
        connections = []

        def ended():
            try:
                connections[:] = connections or [Connection(self.database.port)]
                return connections[0].query(LEFT)[0][0] == "0"
            except (Lost, Refused):
                connections.clear()
                return False
        in_time = wait_until(ended, seconds, 0.25)
        took = time.monotonic() - start
        # Also those that had no saga to end.
        wait_until(lambda: not self.watcher.idle_since, BACK_WITHIN + 5, 0.25)
        self.say(f"{'all' if in_time else 'NOT all'} sagas have ended {took:.1f} s after")
        return took if in_time else None

    def check(self):
        """What the checker finds in the database and the participants' ledgers."""
        return checker.check(self.database.url(), [service.ledger for service in self.participants], self.starter.path,
                             self.seed, os.path.join(self.database.bin, "psql"))

    def settle(self):
        """Ends daemons and participants in order; the database stays."""
        # What a participant does late may still come.
        time.sleep(settle_seconds(RATES))
        self.watcher.stop()
        for daemon in self.daemons:
            daemon.stop()
        for participant in self.participants:
            participant.stop()

    def end(self, keep):
        """Whatever happened before: nothing is left running."""
        self.is_over = self.is_ending = True
        for part in (self.starter, self.watcher):
            if part:
                part.is_over = True
        self.processes.end()
        if self.namespace and self.namespace.is_there:
            self.namespace.remove()
        self.log.close()
        if keep:
            print(f"kept: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def interruptible():
    """SIGTERM ends the run as Ctrl-C does; a second one doesn't end the ending."""
    def act(*_):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
    take_signals()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, act)
