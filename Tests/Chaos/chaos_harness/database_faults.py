"""Faults of the server: it stops, crashes, refuses, and ends sessions. One at a time."""
import os
import signal
import time

from harness.cluster import process_times

from .processes import wait_until
from .strikes import Missed
from .wire import Connection, Lost


class DatabaseFaults:
    """Part of `Faults`."""

    def _crash(self, fault):
        self._database_away(fault, "immediate")

    def _restart(self, fault):
        self._database_away(fault, "fast")

    def _database_away(self, fault, mode):
        with self.server:
            self._say(f"PostgreSQL stop -m {mode}, back after {fault.seconds:.1f} s")
            down = [time.monotonic(), None]
            self.world.outages.append(down)
            self.world.database.stop(mode)
            time.sleep(fault.seconds)
            self.world.database.start()
            down[1] = time.monotonic()
            self._say(f"PostgreSQL is up, {down[1] - down[0]:.1f} s after")
            # Nothing would ever be written if one crash followed on another.
            time.sleep(1)

    def _backend_kill(self, fault):
        with self.server:
            rows = self._ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                             "AND pid <> pg_backend_pid() ORDER BY pid")
            if not rows:
                raise Missed("no backend is there")
            pid = int(rows[int(fault.choice * len(rows))][0])
            times = process_times(pid)
            if times is None or times["parent"] != self.world.database.child.pid:
                raise Missed("the backend has gone")
            self._say(f"SIGKILL of backend {pid}: PostgreSQL recovers by itself")
            down = [time.monotonic(), None]
            self.world.outages.append(down)
            os.kill(pid, signal.SIGKILL)
            # It notices a little later, and then lets nobody in.
            time.sleep(0.2)
            if not wait_until(self.world.database.is_up, 60):
                raise RuntimeError("PostgreSQL didn't recover")
            down[1] = time.monotonic()
            time.sleep(1)

    def _read_only(self, fault):
        with self.server:
            self._say(f"PostgreSQL is read-only for {fault.seconds:.1f} s")
            self._ask("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            time.sleep(fault.seconds)
            self._ask("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only",
                      "SELECT pg_reload_conf()")

    def _table_lock(self, fault):
        with self.server:
            self._say(f"somebody locks saga.{fault.manner} for {fault.seconds:.1f} s")
            self._ask(f"BEGIN; LOCK TABLE saga.{fault.manner} IN ACCESS EXCLUSIVE MODE; "
                      f"SELECT pg_sleep({fault.seconds:.3f}); COMMIT", seconds=fault.seconds + 30)

    def _connections_full(self, fault):
        with self.server:
            held, end = [], time.monotonic() + fault.seconds
            self._say(f"all connections are taken for {fault.seconds:.1f} s")
            self._ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                      "AND datname = current_database() AND random() < 0.5")
            while time.monotonic() < end:
                try:
                    held.append(Connection(self.world.database.port, "postgres"))
                except Lost:
                    time.sleep(0.05)
            for connection in held:
                connection.close()

    def _ask(self, *statements, seconds=10.0):
        """Runs statements in one session, each in a transaction; returns the last one's rows."""
        for _ in range(20):
            try:
                connection = Connection(self.world.database.port)
                for statement in statements:
                    rows = connection.query(statement, seconds)
                connection.close()
                return rows
            except Lost:
                time.sleep(0.2)
        raise Missed("the database isn't up")

    def _terminate_all(self, _):
        self._terminate("true", "all backends")

    def _terminate_some(self, _):
        self._terminate("random() < 0.3", "some backends")

    def _terminate(self, condition, words):
        with self.server:
            count = self._ask(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                f"AND datname = current_database() AND {condition}")[0][0]
            self._say(f"pg_terminate_backend of {words}: {count}")
