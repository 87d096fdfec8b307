"""Everything that the harness starts: each in a process group of its own, and none of them outlives it."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "SAGA_"))}


class Processes:
    """The children that are alive."""

    def __init__(self):
        self.lock = threading.Lock()
        self.children = set()
        self.is_over = False

    def start(self, command, log, environment=None, user=None, folder="/"):
        """Starts a program whose output goes to the end of the file `log`."""
        options = {"user": user, "group": user, "extra_groups": []} if user else {}
        with self.lock:
            if self.is_over:
                raise RuntimeError("the run is over")
            with open(log, "ab") as output:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder,
                    env={**CLEAN, **(environment or {})}, start_new_session=True, **options)
            self.children.add(child)
        return child

    def run(self, command, seconds):
        """Runs a program to its end; returns (exit status, standard output, standard error), or None after so long."""
        with self.lock:
            if self.is_over:
                raise RuntimeError("the run is over")
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     cwd="/", env=CLEAN, text=True, start_new_session=True)
            self.children.add(child)
        try:
            output, errors = child.communicate(timeout=seconds)
            return child.returncode, output, errors
        except subprocess.TimeoutExpired:
            signal_group(child, signal.SIGKILL)
            child.communicate()
            return None
        finally:
            self.forget(child)

    def forget(self, child):
        with self.lock:
            self.children.discard(child)

    def end(self):
        """Kills whatever is still alive."""
        with self.lock:
            self.is_over = True
            children, self.children = self.children, set()
        for child in children:
            signal_group(child, signal.SIGCONT)
            signal_group(child, signal.SIGKILL)
        for child in children:
            child.wait()


def take_signals():
    """Whoever started this may have blocked signals, which is handed on to all that it starts: then nobody would end."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def signal_group(child, number):
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)


def free_port():
    """A port that nobody listens at, below those that the kernel hands out to connections that go out: a server that
    is down for a while finds its own still free."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            return port


def wait_until(condition, seconds, pause=0.05):
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
