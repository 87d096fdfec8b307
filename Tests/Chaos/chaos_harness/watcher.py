"""Looks into the database all the time: when a lost daemon's sagas were free, and whether anybody owned one whose lease
was taken away."""
import threading
import time

from .wire import Connection, Lost, Refused

# In one snapshot: a takeover frees a daemon's sagas before its row goes, and no batch of it passes after.
ORPHANS = """SELECT string_agg(s.id || ' of daemon ' || s.owner, ', ') FROM saga.state s
    WHERE s.owner IS NOT NULL AND NOT EXISTS (SELECT FROM saga.daemon d WHERE d.id = s.owner)"""
DAEMONS = """SELECT d.id, count(s.id), d.lease_until = '-infinity' FROM saga.daemon d
    LEFT JOIN saga.state s ON s.owner = d.id GROUP BY d.id"""
PAUSE = 0.2


class Watcher:
    """One thread, until `stop`."""

    def __init__(self, world, faults):
        self.world, self.faults = world, faults
        self.violations, self.looks = [], 0
        self.sagas = {}  # of each daemon, as last seen
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
            except Refused as error:
                self.world.broken(f"the watcher was refused: {error}")
            time.sleep(PAUSE)

    def _look(self, connection):
        orphans = connection.query(ORPHANS)[0][0]
        self.looks += 1
        if orphans:
            self.violations.append(f"owned by a daemon that has no lease: {orphans}")
            self.world.say(f"VIOLATION {self.violations[-1]}")
        rows = {int(row[0]): (int(row[1]), row[2] == "t") for row in connection.query(DAEMONS)}
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
