"""Looks into the database all the time: when a lost daemon's sagas were free, whether anybody owns one whose lease was
taken away, and how long a daemon that nothing holds back is without a lease."""
import threading
import time

from .wire import Connection, Lost, Refused

# In one snapshot: a takeover frees a daemon's sagas before its row goes, and no batch of it passes after.
ORPHANS = """SELECT string_agg(s.id || ' of daemon ' || s.owner, ', ') FROM saga.state s
    WHERE s.owner IS NOT NULL AND NOT EXISTS (SELECT FROM saga.daemon d WHERE d.id = s.owner)"""
DAEMONS = """SELECT d.id, count(s.id), d.lease_until = '-infinity', d.pid, d.lease_until > clock_timestamp()
    FROM saga.daemon d LEFT JOIN saga.state s ON s.owner = d.id GROUP BY d.id"""
PAUSE = 0.2
# What a daemon may need to come back once nothing holds it back: it doubles its pauses up to a few seconds, and a call
# to the database that hangs is given up after ten.
BACK_WITHIN = 20.0


class Watcher:
    """One thread, until `stop`."""

    def __init__(self, world, faults):
        self.world, self.faults = world, faults
        self.violations, self.looks = [], 0
        self.sagas = {}  # of each daemon, as last seen
        self.idle_since = {}  # of each daemon: since when it has had neither a lease nor an excuse
        self.longest = {}     # seconds of that
        self.told = {}        # since when it was when that was told
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.is_over = True
        self.thread.join(30)

    def _run(self):
        connection = None
        while not self.is_over:
            for place in [*self.world.daemons, *self.world.participants]:
                place.check()
            try:
                connection = connection or Connection(self.world.database.port, timeout=5)
                self._look(connection)
            except Lost:
                connection = None
                self.idle_since.clear()
            except Refused as error:
                self.world.broken(f"the watcher was refused: {error}")
            time.sleep(PAUSE)

    def _look(self, connection):
        orphans = connection.query(ORPHANS)[0][0]
        self.looks += 1
        if orphans:
            self.violations.append(f"owned by a daemon that has no lease: {orphans}")
            self.world.say(f"VIOLATION {self.violations[-1]}")
        found = connection.query(DAEMONS)
        rows = {int(row[0]): (int(row[1]), row[2] == "t") for row in found}
        now = time.monotonic()
        for loss in list(self.faults.kills):
            if loss.over is not None or loss.identity is None:
                continue
            count, is_taken = rows.get(loss.identity, (0, True))
            if loss.sagas is None:
                loss.sagas = count if loss.identity in rows else self.sagas.get(loss.identity, 0)
            if loss.identity not in rows or (is_taken and count == 0):
                loss.over = now
        self.sagas = {identity: count for identity, (count, _) in rows.items()}
        self._look_for_idle({int(row[3]) for row in found if row[4] == "t"}, now)

    def _look_for_idle(self, leased, now):
        """`leased`: the pids of daemons with a lease in force."""
        for daemon in self.world.daemons:
            if daemon.child.pid in leased or self.world.faults.hold(daemon):
                self.idle_since.pop(daemon.name, None)
                continue
            idle = now - self.idle_since.setdefault(daemon.name, now)
            before = self.longest.get(daemon.name, 0)
            self.longest[daemon.name] = max(idle, before)
            if self.told.get(daemon.name) != self.idle_since[daemon.name] and idle > BACK_WITHIN / 4:
                self.told[daemon.name] = self.idle_since[daemon.name]
                self.world.say(f"{daemon.name} has had no lease for {idle:.0f} s, and nothing holds it back")
            if before <= BACK_WITHIN < idle:
                self.violations.append(f"{daemon.name} (pid {daemon.child.pid}) has had no lease for {idle:.0f} s, and "
                                       "nothing held it back")
                self.world.say(f"VIOLATION {self.violations[-1]}")
