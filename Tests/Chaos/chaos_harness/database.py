"""PostgreSQL and the PgBouncer in front of it, as things that stop and start again."""
import os
import pwd
import shutil
import signal
import subprocess

from harness.cluster import server_programs

from .processes import CLEAN, free_port, signal_group, wait_until
from .wire import Connection, Lost

NAME = "saga"


class Database:
    """A server of its own on 127.0.0.1 with all that makes it durable switched on."""

    def __init__(self, processes, folder):
        self.processes, self.folder = processes, folder
        self.bin = server_programs()
        self.user = "postgres" if os.geteuid() == 0 else None
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "postgres.log")
        self.port = free_port()
        self.addresses = "127.0.0.1"
        self.child = None

    def make(self, further_address=None):
        os.mkdir(self.folder)
        if self.user:
            # PostgreSQL refuses to run as root.
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        options = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        done = subprocess.run(
            [os.path.join(self.bin, "initdb"), "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
             "-D", self.data], cwd="/", env=CLEAN, capture_output=True, text=True, check=False, **options)
        if done.returncode != 0:
            raise SystemExit(f"initdb failed:\n{done.stdout}{done.stderr}")
        if further_address:
            self.addresses += "," + further_address
            with open(f"{self.data}/pg_hba.conf", "a", encoding="utf-8") as file:
                file.write(f"host all all {further_address}/30 trust\n")
        self.start()
        Connection(self.port, "postgres").query(f"CREATE DATABASE {NAME}")

    def start(self):
        settings = {"listen_addresses": self.addresses, "port": self.port, "unix_socket_directories": self.folder,
                    "max_connections": 200, "log_min_messages": "warning",
                    # What the checker tells a commit's time by.
                    "track_commit_timestamp": "on"}
        command = [os.path.join(self.bin, "postgres"), "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.child = self.processes.start(command, self.log, user=self.user)
        if not wait_until(self.is_up, 60):
            raise RuntimeError(f"PostgreSQL doesn't come up: {self.log}")

    def is_up(self):
        try:
            Connection(self.port, "postgres", timeout=2).close()
            return True
        except Lost:
            return False

    def stop(self, mode):
        """`immediate` as a crash, without a checkpoint; `fast` ends all sessions first."""
        number = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode]
        self.child.send_signal(number)
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            signal_group(self.child, signal.SIGKILL)
            self.child.wait()
        self.processes.forget(self.child)

    def url(self, port=None, host="127.0.0.1"):
        return (f"postgresql://postgres@{host}:{port or self.port}/{NAME}"
                "?sslmode=disable&gssencmode=disable")


class Pooler:
    """PgBouncer in transaction mode."""

    def __init__(self, processes, folder, server_port):
        self.processes, self.folder = processes, folder
        self.program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        self.user = "postgres" if os.geteuid() == 0 else None
        self.port, self.server_port = free_port(), server_port
        self.child = None

    @property
    def is_there(self):
        return self.program is not None

    def make(self):
        os.mkdir(self.folder)
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        with open(f"{self.folder}/users.txt", "w", encoding="utf-8") as file:
            file.write('"postgres" ""\n')
        with open(f"{self.folder}/pgbouncer.ini", "w", encoding="utf-8") as file:
            file.write(f"""[databases]
{NAME} = host=127.0.0.1 port={self.server_port} dbname={NAME}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 40
server_login_retry = 1
""")
        self.start()

    def start(self):
        self.child = self.processes.start(
            [self.program, f"{self.folder}/pgbouncer.ini"], f"{self.folder}/pgbouncer.log", user=self.user)

    def kill(self):
        signal_group(self.child, signal.SIGKILL)
        self.child.wait()
        self.processes.forget(self.child)
