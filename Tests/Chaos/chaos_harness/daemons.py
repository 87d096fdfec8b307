"""Daemons, each in its own place before the database, that are killed, paused and started again."""
import json
import os
import signal
import subprocess
import threading
import time

from . import definitions
from .processes import signal_group, wait_until

# What a daemon may end with when it was told to stop.
DRAINED = 0


class Daemon:
    """One place for a `sagad`; its processes come and go.

    A fault holds `lock` for as long as it lasts, so that no two of them meet in one process.
    """

    def __init__(self, world, name, url, environment, prefix=()):
        """`prefix`: the command that the program is run by."""
        self.world, self.name, self.url = world, name, url
        self.environment, self.prefix = environment, list(prefix)
        self.log = os.path.join(world.folder, f"{name}.log")
        self.lock = threading.Lock()
        self.child = None
        self.began = 0        # where this process's lines begin in the log
        self.is_paused = False
        self.expected = None  # the exit status that was asked for, while it is
        self.unasked = []     # how a process ended that nobody had told to

    def start(self):
        self.began = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        self.expected = None
        self.child = self.world.processes.start(
            [*self.prefix, self.world.program("sagad"), "--database", self.url, "--sagas", definitions.FOLDER,
             "--log-format", "json", "--connect-timeout", "1h", "--drain", "10s"],
            self.log, environment={"SAGA_HOME": f"{self.world.folder}/home", **self.environment},
            folder=self.world.folder)

    def is_ready(self):
        return any(line.get("message") == "ready" for line in self.lines(self.began))

    def kill(self):
        """SIGKILL; returns the id that the process had as a daemon, if it had come so far."""
        found = self.identity()
        self.expected = -signal.SIGKILL
        signal_group(self.child, signal.SIGKILL)
        self._reap(30)
        return found

    def pause(self):
        self.is_paused = True
        signal_group(self.child, signal.SIGSTOP)

    def resume(self):
        signal_group(self.child, signal.SIGCONT)
        self.is_paused = False

    def stop(self, seconds=60):
        """SIGTERM; returns seconds until it had drained, None when it had to be killed."""
        start = time.monotonic()
        self.expected = DRAINED
        self.child.send_signal(signal.SIGTERM)
        if self._reap(seconds):
            return time.monotonic() - start
        self.unasked.append(f"{self.name} (pid {self.child.pid}) didn't stop within {seconds:.0f} s of SIGTERM")
        signal_group(self.child, signal.SIGKILL)
        self.child.wait()
        self.world.processes.forget(self.child)
        return None

    def _reap(self, seconds):
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.world.processes.forget(self.child)
        if status != self.expected:
            self._unasked(status)
        return True

    def check(self):
        """Starts it again if it ended by itself, which is a finding."""
        if self.lock.acquire(blocking=False):
            try:
                if self.child is not None and self.child.poll() is not None:
                    self._unasked(self.child.returncode)
                    self.world.processes.forget(self.child)
                    self.start()
            finally:
                self.lock.release()

    def _unasked(self, status):
        words = self.tail(8)
        self.unasked.append(f"{self.name} (pid {self.child.pid}) ended with {status}, asked for {self.expected}:\n"
                            + "\n".join(f"      {word}" for word in words))
        self.world.say(f"{self.name} ENDED BY ITSELF with {status}")

    # Its log

    def lines(self, start=0):
        """What it has logged, as objects; a line that isn't JSON is {"raw": …}."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, "rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
        found = []
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"raw": line}
            found.append(entry if isinstance(entry, dict) else {"raw": line})
        return found

    def tail(self, count):
        with open(self.log, "rb") as file:
            file.seek(self.began)
            return file.read().decode(errors="replace").splitlines()[-count:]

    def identity(self):
        """The id in saga.daemon that the process goes by now; None before it has joined."""
        found = [line for line in self.lines(self.began) if line.get("message") == "joined"]
        return int(found[-1]["daemon"]) if found else None

    def wait_ready(self, seconds):
        return wait_until(self.is_ready, seconds, 0.1)


def unexpected(daemons):
    """Log lines that no fault explains: errors, and whatever isn't a log line at all."""
    found = []
    for daemon in daemons:
        for line in daemon.lines():
            if "raw" in line:
                found.append(f"{daemon.name}: {line['raw']}")
            elif line.get("level") in ("error", "critical"):
                found.append(f"{daemon.name}: {json.dumps(line)}")
    return found


def counted(daemons):
    """How often each daemon warned of what."""
    found = {}
    for daemon in daemons:
        for line in daemon.lines():
            if line.get("level") == "warning":
                key = line.get("message", "").partition(":")[0]
                found[key] = found.get(key, 0) + 1
    return found

