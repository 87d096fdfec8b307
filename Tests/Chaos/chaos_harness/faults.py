"""Carries the schedule out: every fault in a thread of its own, which also heals it."""
import collections
import threading
import time

from .database_faults import DatabaseFaults
from .network_faults import NetworkFaults
from .process_faults import ProcessFaults
from .strikes import Missed, Skipped


class Faults(ProcessFaults, DatabaseFaults, NetworkFaults):
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
            thread = threading.Thread(target=self._strike, args=(fault,), name=fault.kind, daemon=True)
            thread.start()
            self.threads.append(thread)

    def join(self):
        for thread in self.threads:
            thread.join(120)
            if thread.is_alive():
                self.world.broken(f"{thread.name} doesn't heal")

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
