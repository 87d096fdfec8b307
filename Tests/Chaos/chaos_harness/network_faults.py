"""Faults of the network between a daemon and its database. One at a time."""
import time

from .strikes import Missed, Skipped


class NetworkFaults:
    """Part of `Faults`."""

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
