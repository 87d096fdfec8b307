"""The participants as processes: one a service, each with its own log."""
import os
import signal
import socket
import sys
import threading

from .processes import free_port, signal_group, wait_until

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "participant.py")


class Service:
    """The place of one participant; its process is killed and started again on the same log and port."""

    def __init__(self, world, name, seed):
        self.world, self.name, self.seed = world, name, seed
        self.port = free_port()
        self.ledger = os.path.join(world.folder, f"ledger-{name}.jsonl")
        self.log = os.path.join(world.folder, f"participant-{name}.log")
        self.lock = threading.Lock()
        self.child = None
        self.unasked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.child = self.world.processes.start(
            [sys.executable, PROGRAM, "--service", self.name, "--port", str(self.port), "--log", self.ledger,
             "--seed", str(self.seed)], self.log)
        # A signal before it listens for signals would end it.
        if not wait_until(self._listens, 30):
            raise RuntimeError(f"participant {self.name} doesn't listen: see {self.log}")

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        signal_group(self.child, signal.SIGKILL)
        self.child.wait()
        self.world.processes.forget(self.child)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(30)
        self.world.processes.forget(self.child)

    def disk(self, full):
        self.child.send_signal(signal.SIGUSR1 if full else signal.SIGUSR2)

    def check(self):
        if self.lock.acquire(blocking=False):
            try:
                if self.child is not None and self.child.poll() is not None:
                    self.unasked.append(f"participant {self.name} ended by itself with {self.child.returncode}: "
                                        f"see {self.log}")
                    self.world.processes.forget(self.child)
                    self.start()
            finally:
                self.lock.release()
