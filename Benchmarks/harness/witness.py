"""A participant that falls ill on command and keeps books of its own: what arrived when, and how many were inside."""
import asyncio
import bisect
import collections
import dataclasses
import socket
import threading
import time


@dataclasses.dataclass
class Arrival:
    """One request, as the participant saw it."""
    at: float  # Unix time
    saga: str
    key: str
    attempt: int
    inside: int  # with this one


class Witness:
    """An HTTP server on a loopback port.

    `mode`: "well" answers after `pause()` seconds; "failing" says 503 at once; "hanging" never answers; "refusing" takes
    no connection at all.
    """

    def __init__(self, pause):
        self.pause = pause
        self.mode = "well"
        self.arrivals = []
        self.inside = 0
        self.answered = 0
        self.connections = set()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.server = None
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self._do(self._listen())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def set(self, mode):
        self._do(self._set(mode))

    def _do(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def _listen(self):
        self.server = await self.loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)

    async def _set(self, mode):
        if mode == "refusing":
            self.server.close()
            self.server = None
            for connection in list(self.connections):
                connection.transport.abort()
        elif self.server is None:
            await self._listen()
        self.mode = mode

    # What the books say

    def most_inside(self):
        return max((arrival.inside for arrival in self.arrivals), default=0)

    def most_within(self, seconds):
        """The most arrivals in any window so long, its end not in it."""
        times = sorted(arrival.at for arrival in self.arrivals)
        return max((bisect.bisect_left(times, start + seconds) - index for index, start in enumerate(times)), default=0)

    def attempts(self):
        """How often each idempotency key arrived."""
        return collections.Counter(arrival.key for arrival in self.arrivals)


class _Connection(asyncio.Protocol):
    """One request at a time, one after the other."""

    def __init__(self, witness):
        self.witness = witness
        self.bytes = b""
        self.is_inside = False

    def connection_made(self, transport):
        self.transport = transport
        self.witness.connections.add(self)

    def connection_lost(self, _):
        self.witness.connections.discard(self)
        self._leave()

    def data_received(self, data):
        self.bytes += data
        head, end, rest = self.bytes.partition(b"\r\n\r\n")
        if not end:
            return
        headers = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.bytes = rest[length:]
        # A caller that gave up has hung up before another one calls: first let hang-ups that came be heard.
        self.witness.loop.call_soon(self._begin, headers, time.time())

    def _begin(self, headers, at):
        witness = self.witness
        if self not in witness.connections:
            return
        self.is_inside = True
        witness.inside += 1
        witness.arrivals.append(Arrival(
            at, headers["saga-id"], headers["idempotency-key"], int(headers["saga-attempt"]), witness.inside))
        if witness.mode == "well":
            witness.loop.call_later(witness.pause(), self._answer, "200 OK")
        elif witness.mode == "failing":
            self._answer("503 Service Unavailable")

    def _answer(self, status):
        if not self.is_inside:
            return
        self._leave()
        if status == "200 OK":
            self.witness.answered += 1
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
                             .encode())

    def _leave(self):
        if self.is_inside:
            self.is_inside = False
            self.witness.inside -= 1
