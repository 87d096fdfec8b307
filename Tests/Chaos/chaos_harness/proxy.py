"""A daemon's way to its database, which can be cut in every way that a network can.

It reads as much of the messages that go by as it takes to see a COMMIT: the frontend's Query and Parse, and the
backend's CommandComplete.
"""
import asyncio
import contextlib
import socket
import struct
import threading

from .processes import free_port

SPECIAL = (80877102, 80877103, 80877104)  # CancelRequest, SSLRequest, GSSENCRequest


class Scanner:
    """Finds where messages begin and end in a stream of chunks."""

    def __init__(self, has_startup):
        self.has_startup = has_startup
        self.head = b""   # type and length, or the startup's length and code
        self.left = 0     # of the body
        self.kind = b""
        self.body = b""   # its first bytes

    def feed(self, chunk):
        """Returns [(kind, first bytes of the body, place of the message's start, of its end)] of those that end here.

        A start before the chunk is negative or zero; either way, what comes before belongs to other messages.
        """
        found, place, start = [], 0, 0
        while place < len(chunk):
            if self.left == 0:
                if not self.head:
                    start = place
                size = 8 if self.has_startup else 5
                taken = chunk[place:place + size - len(self.head)]
                self.head += taken
                place += len(taken)
                if len(self.head) < size:
                    break
                if self.has_startup:
                    length, code = struct.unpack("!ii", self.head)
                    self.kind, self.left = b"", length - 8
                    self.has_startup = code in SPECIAL
                else:
                    self.kind, self.left = self.head[:1], struct.unpack("!i", self.head[1:])[0] - 4
                self.head, self.body = b"", b""
                if self.left == 0:
                    found.append((self.kind, b"", start, place))
                continue
            taken = chunk[place:place + self.left]
            self.body += taken[:64 - len(self.body)] if len(self.body) < 64 else b""
            self.left -= len(taken)
            place += len(taken)
            if self.left == 0:
                found.append((self.kind, self.body, start, place))
        return found


def is_commit(kind, body):
    if kind == b"Q":
        text = body
    elif kind == b"P":
        text = body.partition(b"\0")[2]
    else:
        return False
    return text.split(b"\0")[0].strip().upper().rstrip(b";") in (b"COMMIT", b"END")


class Proxy:
    """Listens on `host` at `port` and carries what comes to `target` on the loopback."""

    def __init__(self, target, host="127.0.0.1"):
        self.target, self.host, self.port = target, host, free_port()
        self.links = set()
        self.hole = None      # an event that is set when the network is back
        self.delay = 0.0
        self.armed = None     # (how, how often)
        self.cuts = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._do(self._listen())

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _listen(self):
        self.server = await asyncio.start_server(self._accept, self.host, self.port)

    async def _accept(self, reader, writer):
        if self.hole:
            await self.hole.wait()
        link = Link(self, reader, writer)
        self.links.add(link)
        try:
            # A link may be cut before it stands.
            with contextlib.suppress(OSError):
                await link.run()
        finally:
            self.links.discard(link)

    # Faults, called from other threads

    def drop(self):
        """A black hole: nothing goes through, nobody is told."""
        async def act():
            self.hole = asyncio.Event()
        self._do(act())

    def heal(self, forget=False):
        """The network is back; with `forget` it no longer knows the connections that there were."""
        async def act():
            self.delay = 0.0
            if forget:
                self._reset_all()
            if self.hole:
                self.hole.set()
                self.hole = None
        self._do(act())

    def slow(self, seconds):
        async def act():
            self.delay = seconds
        self._do(act())

    def reset(self):
        """RST to both ends of every connection; returns how many there were."""
        async def act():
            count = len(self.links)
            self._reset_all()
            return count
        return self._do(act())

    def half_close(self, side):
        """FIN to one end ("client" or "server"), the other one notices nothing; returns how many there were."""
        async def act():
            for link in self.links:
                link.half_close(side)
            return len(self.links)
        return self._do(act())

    def arm(self, how, times):
        """Cuts at the next `times` COMMITs: "before" it, "after" it went on, or at its "answer"."""
        async def act():
            self.armed, self.cuts = [how, times], 0
        self._do(act())

    def disarm(self):
        """Returns how many were cut."""
        async def act():
            self.armed = None
            return self.cuts
        return self._do(act())

    def _reset_all(self):
        for link in list(self.links):
            link.reset()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.client = proxy, (reader, writer)
        self.backend = None
        self.front, self.back = Scanner(True), Scanner(False)
        self.saw_commit = False  # of which no Sync has gone on yet
        self.waits_for = False   # the answer to the COMMIT, to cut there
        self.lost = set()        # directions in which nothing goes through any more
        self.tasks = []

    async def run(self):
        try:
            self.backend = await asyncio.open_connection("127.0.0.1", self.proxy.target)
        except OSError:
            self.reset()
            return
        for _, writer in (self.client, self.backend):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tasks = [asyncio.ensure_future(self._carry(self.client[0], self.backend[1], "forth")),
                      asyncio.ensure_future(self._carry(self.backend[0], self.client[1], "back"))]
        await asyncio.wait(self.tasks)
        for _, writer in (self.client, self.backend):
            writer.close()

    async def _carry(self, reader, writer, way):
        try:
            while chunk := await reader.read(65536):
                if self.proxy.delay:
                    await asyncio.sleep(self.proxy.delay)
                if self.proxy.hole:
                    await self.proxy.hole.wait()
                if way in self.lost:
                    continue
                if not (self._forth if way == "forth" else self._back)(chunk, writer):
                    return
                await writer.drain()
            if writer.can_write_eof() and way not in self.lost:
                writer.write_eof()
        except asyncio.CancelledError:
            pass
        except OSError:
            # One end is gone without a goodbye: the other one hears of it as it would without a proxy.
            self.reset()

    def _forth(self, chunk, writer):
        """Whether the connection goes on."""
        for kind, body, start, end in self.front.feed(chunk):
            if is_commit(kind, body) and self.proxy.armed:
                if self.proxy.armed[0] == "before":
                    writer.write(chunk[:start])
                    self._cut()
                    return False
                self.saw_commit = True
            if self.saw_commit and kind in (b"S", b"Q"):
                self.saw_commit = False
                if self.proxy.armed and self.proxy.armed[0] == "after":
                    writer.write(chunk[:end])
                    self._cut()
                    return False
                self.waits_for = bool(self.proxy.armed)
        writer.write(chunk)
        return True

    def _back(self, chunk, writer):
        for kind, body, _, _ in self.back.feed(chunk):
            if self.waits_for and kind == b"C" and body.startswith(b"COMMIT") and self.proxy.armed:
                self._cut()
                return False
            if kind == b"Z":
                self.waits_for = False
        writer.write(chunk)
        return True

    def _cut(self):
        """RST to the client at once; the server hears of it after what was sent."""
        self.proxy.cuts += 1
        self.proxy.armed[1] -= 1
        if self.proxy.armed[1] == 0:
            self.proxy.armed = None
        _reset(self.client[1])
        self.backend[1].close()
        self._end()

    def half_close(self, side):
        if self.backend is None:
            return
        if side == "client":
            self.lost.add("back")
            _end_of_stream(self.client[1])
        else:
            self.lost.add("forth")
            _end_of_stream(self.backend[1])

    def reset(self):
        for _, writer in filter(None, (self.client, self.backend)):
            _reset(writer)
        self._end()

    def _end(self):
        for task in self.tasks:
            task.cancel()


def _reset(writer):
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _end_of_stream(writer):
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
