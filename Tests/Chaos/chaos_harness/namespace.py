"""A network namespace with one link, for a daemon that is cut off by the kernel itself."""
import os
import shutil
import subprocess

from .proxy import Proxy


class Namespace:
    """A pair of virtual Ethernet devices, one end of it in a namespace; where that isn't permitted, nothing."""

    def __init__(self):
        self.name = f"saga-chaos-{os.getpid()}"
        self.link = f"sc{os.getpid()}"
        # Of the range that RFC 2544 keeps for tests of networks.
        block = os.getpid() % 16_000 * 4
        self.host, self.guest = (f"198.18.{block // 256}.{block % 256 + last}" for last in (1, 2))
        self.ip = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        self.why_not, self.relays = self._make(), {}

    @property
    def is_there(self):
        return self.why_not is None

    def _make(self):
        """Why there is none; None when there is."""
        if self.ip is None:
            return "iproute2 isn't installed"
        for words in (f"netns add {self.name}",
                      f"link add {self.link} type veth peer name eth0 netns {self.name}",
                      f"addr add {self.host}/30 dev {self.link}", f"link set {self.link} up",
                      f"-n {self.name} addr add {self.guest}/30 dev eth0", f"-n {self.name} link set eth0 up",
                      f"-n {self.name} link set lo up"):
            done = self._run(*words.split())
            if done.returncode != 0:
                self.remove()
                return f"network namespaces aren't permitted here ({done.stderr.strip().splitlines()[0]})"
        return None

    def prefix(self):
        """What runs a program inside."""
        return [self.ip, "netns", "exec", self.name]

    def relay(self, port):
        """A port on the host's end that leads to one on its loopback."""
        if port not in self.relays:
            self.relays[port] = Proxy(port, self.host)
        return self.relays[port].port

    def cut(self):
        self._run("link", "set", self.link, "down")

    def mend(self):
        self._run("link", "set", self.link, "up")

    def remove(self):
        self._run("netns", "delete", self.name)
        self._run("link", "delete", self.link)

    def _run(self, *words):
        return subprocess.run([self.ip, *words], capture_output=True, text=True, check=False)
