"""Faults of processes: daemons, the pooler, participants."""
import time

from .strikes import Loss, Missed, Skipped


class ProcessFaults:
    """Part of `Faults`."""

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
