"""Carries the schedule out: every fault in a thread of its own, which also heals it."""
import collections
import threading
import time

from .wire import Connection, Lost, Refused


class Missed(Exception):
    """A fault that found nothing to strike."""


class Faults:
    """The faults of one run."""

    def __init__(self, world, faults):
        self.world, self.faults = world, faults
        self.done = collections.Counter()
        self.missed = collections.Counter()
        self.skipped = {}
        self.kills = []      # Loss of each kill and pause
        self.network = threading.Lock()
        self.server = threading.Lock()
        self.pooler = threading.Lock()
        self.namespace = threading.Lock()
        self.drains = []
        self.threads = []

    def run(self, start):
        """Returns when the last fault has begun."""
        for fault in self.faults:
            time.sleep(max(0.0, start + fault.at - time.monotonic()))
            thread = threading.Thread(target=self._strike, args=(fault,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def join(self):
        for thread in self.threads:
            thread.join(120)

    def _strike(self, fault):
        act = getattr(self, "_" + fault.kind.lower().replace(" ", "_").replace("-", "_"))
        try:
            act(fault)
            self.done[fault.kind] += 1
        except Missed as reason:
            self.missed[fault.kind] += 1
            self.world.say(f"{fault.kind}: missed, {reason}")
        except Skipped as reason:
            self.skipped[fault.kind] = str(reason)
        except Exception as error:  # pylint: disable=broad-except
            # A defect of the harness must not pass for a healthy run.
            self.world.broken(f"{fault.kind}: {type(error).__name__}: {error}")

    def _say(self, text):
        self.world.say(text)

    def hold(self, daemon):
        """Whether a fault keeps this daemon from its database just now."""
        ways = {"pooled": self.pooler, "proxied": self.network, "direct": self.namespace}
        return daemon.lock.locked() or self.server.locked() or ways[daemon.name].locked()

    # Daemons

    def _free(self, fault, seconds=25):
        """A daemon that no fault holds, its lock taken; the fault's choice first."""
        daemons = self.world.daemons
        first = int(fault.choice * len(daemons))
        order = daemons[first:] + daemons[:first]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.world.is_over:
            for daemon in order:
                if daemon.lock.acquire(blocking=False):
                    if daemon.child.poll() is None and daemon.is_ready():
                        return daemon
                    daemon.lock.release()
            time.sleep(0.05)
        raise Missed("no daemon is free")

    def _kill(self, fault):
        daemon = self._free(fault)
        try:
            at = time.monotonic()
            identity = daemon.kill()
            self.kills.append(Loss("kill", daemon.name, identity, at))
            self._say(f"SIGKILL {daemon.name} (daemon {identity}), back after {fault.seconds:.1f} s")
            time.sleep(fault.seconds)
            daemon.start()
        finally:
            daemon.lock.release()

    def _pause(self, fault):
        daemon = self._free(fault)
        try:
            identity = daemon.identity()
            at = time.monotonic()
            daemon.pause()
            self.kills.append(Loss("pause", daemon.name, identity, at))
            self._say(f"SIGSTOP {daemon.name} (daemon {identity}) for {fault.seconds:.1f} s")
            time.sleep(fault.seconds)
            daemon.resume()
            self._say(f"SIGCONT {daemon.name}")
        finally:
            daemon.resume()
            daemon.lock.release()

    def _stop(self, fault):
        daemon = self._free(fault)
        try:
            self._say(f"SIGTERM {daemon.name}, back after {fault.seconds:.1f} s")
            self.drains.append(daemon.stop())
            time.sleep(fault.seconds)
            daemon.start()
        finally:
            daemon.lock.release()

    # PostgreSQL

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

    def _terminate_all(self, _):
        self._terminate("true", "all backends")

    def _terminate_some(self, _):
        self._terminate("random() < 0.3", "some backends")

    def _terminate(self, condition, words):
        with self.server:
            for _ in range(20):
                try:
                    count = Connection(self.world.database.port).query(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                        f"AND datname = current_database() AND {condition}")[0][0]
                    self._say(f"pg_terminate_backend of {words}: {count}")
                    return
                except (Lost, Refused):
                    time.sleep(0.2)
            raise Missed("the database isn't up")

    # The network

    def _hole(self, fault):
        proxy = self.world.proxy
        with self.network:
            self._say(f"network: nothing goes through for {fault.seconds:.1f} s, {fault.manner}")
            proxy.drop()
            time.sleep(fault.seconds)
            proxy.heal(forget=fault.manner.endswith("forgotten"))

    def _delay(self, fault):
        with self.network:
            self._say(f"network: {fault.manner} s slower each way for {fault.seconds:.1f} s")
            self.world.proxy.slow(float(fault.manner))
            time.sleep(fault.seconds)
            self.world.proxy.heal()

    def _half_close(self, fault):
        with self.network:
            count = self._links(lambda: self.world.proxy.half_close(fault.manner))
            self._say(f"network: half-close towards the {fault.manner}, {count} connections")
            time.sleep(fault.seconds)
            self.world.proxy.reset()

    def _reset(self, _):
        with self.network:
            self._say(f"network: RST, {self._links(self.world.proxy.reset)} connections")

    def _links(self, act):
        """Does it once there are connections to do it to."""
        for _ in range(100):
            if self.world.proxy.links:
                return act()
            time.sleep(0.1)
        raise Missed("no connection goes through the proxy")

    def _cut_in_commit(self, fault):
        proxy = self.world.proxy
        with self.network:
            # It needs a daemon that writes: one that was just killed doesn't for a while.
            proxy.arm(fault.manner, 1 + int(fault.choice * 3))
            deadline = time.monotonic() + 20
            while proxy.armed and time.monotonic() < deadline and not self.world.is_over:
                time.sleep(0.05)
            cuts = proxy.disarm()
            if cuts == 0:
                raise Missed("no COMMIT came by")
            self._say(f"network: cut {fault.manner} COMMIT, {cuts} times")

    def _namespace(self, fault):
        space = self.world.namespace
        if not space.is_there:
            raise Skipped(space.why_not)
        with self.namespace:
            self._say(f"network namespace: the link is down for {fault.seconds:.1f} s")
            space.cut()
            time.sleep(fault.seconds)
            space.mend()

    # The others

    def _pooler_kill(self, fault):
        pooler = self.world.pooler
        if not pooler.is_there:
            raise Skipped("PgBouncer isn't installed")
        with self.pooler:
            self._say(f"SIGKILL PgBouncer, back after {fault.seconds:.1f} s")
            pooler.kill()
            time.sleep(fault.seconds)
            pooler.start()

    def _participant(self, fault):
        places = self.world.participants
        first = int(fault.choice * len(places))
        for place in places[first:] + places[:first]:
            if place.lock.acquire(blocking=False):
                return place
        raise Missed("no participant is free")

    def _participant_kill(self, fault):
        place = self._participant(fault)
        try:
            self._say(f"SIGKILL participant {place.name}, back after {fault.seconds:.1f} s")
            place.kill()
            time.sleep(fault.seconds)
            place.start()
        finally:
            place.lock.release()

    def _participant_disk_full(self, fault):
        place = self._participant(fault)
        try:
            self._say(f"participant {place.name}: disk full for {fault.seconds:.1f} s")
            place.disk(full=True)
            time.sleep(fault.seconds)
        finally:
            place.disk(full=False)
            place.lock.release()


class Skipped(Exception):
    """A fault that can't be had here, and why."""


class Loss:
    """A daemon that can't go on, and when its sagas were free for others."""

    def __init__(self, kind, name, identity, at):
        self.kind, self.name, self.identity, self.at = kind, name, identity, at
        self.sagas = None   # that it owned, as last seen
        self.over = None    # when its row was gone
