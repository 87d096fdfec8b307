"""A private PostgreSQL server, and what can be read of it."""
import glob
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile

# Durability is the default: fsync and synchronous_commit are on. These two only keep the size of the machine's memory
# and the moment of a checkpoint out of the figures.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}


class Cluster:
    """A server of its own on 127.0.0.1, made anew and removed at the end."""

    def __init__(self):
        self.bin = server_programs()
        self.directory = tempfile.mkdtemp(prefix="saga-bench-")
        self.as_server = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            self.as_server = ["runuser", "-u", "postgres", "--"]
            os.chown(self.directory, pwd.getpwnam("postgres").pw_uid, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = os.path.join(self.directory, "data")
        self.databases = 0

    def start(self):
        self._server("initdb", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", self.data)
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.directory,
                   "max_connections": 200, **SETTINGS}
        text = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._server("pg_ctl", "-D", self.data, "-w", "-l", f"{self.directory}/log", "-o", text, "start")

    def stop(self):
        subprocess.run(self._command("pg_ctl", "-D", self.data, "-m", "immediate", "stop"), cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _command(self, program, *arguments):
        return self.as_server + [os.path.join(self.bin, program), *arguments]

    def _server(self, program, *arguments):
        # The server keeps its standard output open: a pipe would never end.
        with tempfile.TemporaryFile() as output:
            command = self._command(program, *arguments)
            done = subprocess.run(command, cwd="/", stdout=output, stderr=output, check=False)
            if done.returncode != 0:
                output.seek(0)
                raise SystemExit(f"{program} failed:\n{output.read().decode(errors='replace')}")

    # Databases

    def url(self, database="postgres"):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self):
        """A fresh empty database's URL."""
        self.databases += 1
        name = f"bench_{self.databases}"
        self.sql(self.url(), f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url):
        """Frees the disk of what has been measured."""
        self.sql(self.url(), f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def sql(self, url, *statements):
        """Runs each statement in a transaction of its own; returns the last one's rows as lists of texts."""
        command = [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                   "-d", url]
        for statement in statements:
            command += ["-c", statement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"psql failed: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def value(self, url, statement):
        return self.sql(url, statement)[0][0]

    def settle(self, url):
        """What the server would otherwise do at a moment of its own choice: vacuum, statistics, a checkpoint."""
        self.sql(url, "VACUUM (ANALYZE)", "CHECKPOINT")

    # Meters

    def version(self):
        return self.value(self.url(), "SHOW server_version").split()[0]

    def settings(self):
        names = ["fsync", "synchronous_commit", *SETTINGS]
        return {name: self.value(self.url(), f"SHOW {name}") for name in names}

    def cpu(self):
        """CPU seconds of all the server's processes; one that ends hands its own on to the first."""
        with open(f"{self.data}/postmaster.pid", encoding="ascii") as file:
            postmaster = int(file.readline())
        first = process_times(postmaster)
        children = [times for times in map(process_times, processes()) if times and times["parent"] == postmaster]
        return first["own"] + first["children"] + sum(times["own"] for times in children)


def server_programs():
    """PostgreSQL's programs: $PG_BIN, else the newest that Debian has, else those in PATH."""
    if os.environ.get("PG_BIN"):
        return os.environ["PG_BIN"]
    found = glob.glob("/usr/lib/postgresql/*/bin")
    if found:
        return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path)])
    program = shutil.which("pg_ctl")
    if program is None:
        raise SystemExit("no PostgreSQL server programs: install PostgreSQL, or name their folder in PG_BIN")
    return os.path.dirname(program)


# The kernel's tables of processes: see proc(5).

def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def process_times(pid):
    """Parent and CPU seconds of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    tick = os.sysconf("SC_CLK_TCK")
    user, system, child_user, child_system = (int(field) for field in fields[11:15])
    return {"parent": int(fields[1]), "own": (user + system) / tick, "children": (child_user + child_system) / tick}


def process_memory(pid, field):
    """A line of /proc/PID/status, such as VmRSS, in MiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return None
