"""The programs that are measured."""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENDED_WELL = (0, -15)


class Skipped(Exception):
    """A part that can't be measured here, and why."""


class Programs:
    """Where the programs lie, and how they are run."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("saga", "sagad", "http-bench"):
            if not os.access(self.path(name), os.X_OK):
                raise SystemExit(f"no {name} in {folder}: run `make bench`, or name the folder with --programs")
        # Nothing of the user's own may lead to another database.
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("PG") and not name.startswith("SAGA_")}

    def path(self, name):
        return os.path.join(self.folder, name)

    def saga(self, *arguments):
        """Runs `saga`; returns its standard output."""
        done = subprocess.run([self.path("saga"), *arguments], env=self.environment, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f"saga {' '.join(arguments)} failed: {done.stderr}")
        return done.stdout

    def bench(self, url, **options):
        """Runs `saga bench`; returns its document."""
        arguments = ["bench", "--format", "json", "--database", url]
        for name, value in options.items():
            arguments += [f"--{name}"] + ([] if value is True else [str(value)])
        return json.loads(self.saga(*arguments))

    def daemon(self, url):
        return Daemon(self, url)

    def http_server(self):
        return HTTPServer(self)

    def http_loop(self, url, requests):
        done = subprocess.run([self.path("http-bench"), "loop", url, "--requests", str(requests)],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["requestsPerSecond"]


class Daemon:
    """A `sagad` on a database, without definitions of its own; `with` waits until it is ready, and drains it."""

    def __init__(self, programs, url):
        self.programs, self.url = programs, url

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saga-bench-")
        os.mkdir(f"{self.folder.name}/sagas")
        self.log = open(f"{self.folder.name}/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [self.programs.path("sagad"), "--database", self.url, "--sagas", f"{self.folder.name}/sagas"],
            env=self.programs.environment, stderr=self.log)
        deadline = time.monotonic() + 60
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                words = self.log.read()
                self.__exit__()
                raise SystemExit(f"sagad isn't ready:\n{words}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait()
        self.log.close()
        self.folder.cleanup()
        if status not in ENDED_WELL:
            print(f"warning: sagad ended with {status}", file=sys.stderr)

    def _is_ready(self):
        self.log.seek(0)
        return " ready" in self.log.read()

    @property
    def pid(self):
        return self.process.pid


class HTTPServer:
    """`http-bench serve` on a free port."""

    def __init__(self, programs):
        self.programs = programs

    def __enter__(self):
        self.process = subprocess.Popen([self.programs.path("http-bench"), "serve", "0"], stdout=subprocess.PIPE,
                                        text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}/step"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Peers:
    """The Python programs to compare with, and the environment that they share."""

    def __init__(self):
        self.venv = os.environ.get("PEERS_VENV") or os.path.join(tempfile.gettempdir(), "saga-peers-venv")

    def python(self):
        """Python with psycopg, which comes from PyPI the first time."""
        python = os.path.join(self.venv, "bin", "python")
        has_it = os.access(python, os.X_OK) and self._quietly([python, "-c", "import psycopg"])
        if not has_it:
            made = self._quietly([sys.executable, "-m", "venv", self.venv])
            if not made or not self._quietly([os.path.join(self.venv, "bin", "pip"), "install", "-q",
                                              "psycopg[binary]"]):
                raise Skipped("psycopg can't be installed from PyPI (python3-venv and the network are needed)")
        return python

    def run(self, command):
        """Runs a peer; returns its document and the CPU seconds that it took."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, "PEERS_VENV": self.venv})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise Skipped(f"{os.path.basename(command[0])}: {words[-1]}")
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return json.loads(done.stdout.strip().splitlines()[-1]), seconds

    def dbos(self, url, workflows):
        return self.run([os.path.join(HERE, "dbos"), url, str(workflows)])

    def handwritten(self, url, workflows, processes, starters):
        return self.run([self.python(), os.path.join(HERE, "handwritten", "handwritten.py"), url, str(workflows),
                         str(processes), str(starters)])

    def raw(self, url, transactions, method, pgbench):
        python = sys.executable if method == "pgbench" else self.python()
        return self.run([python, os.path.join(HERE, "raw", "raw.py"), url, str(transactions), method, pgbench])

    @staticmethod
    def _quietly(command):
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0
