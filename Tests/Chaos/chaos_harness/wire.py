"""A connection to PostgreSQL: the simple query protocol without a password, which is all that the harness needs.

Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""
import socket
import struct


class Refused(Exception):
    """The server said no to a statement, and nothing of it holds."""

    def __init__(self, fields):
        self.code = fields.get("C", "")
        super().__init__(f"{self.code}: {fields.get('M', '')}")


class Lost(Exception):
    """The connection is gone: whether the last statement holds is open."""


# 57P01..57P03 (terminated, crashed, starting up), 08xxx, 53300 (too many connections), 25006 (read only).
AWAY = ("57P", "08", "53", "25006")


class Connection:
    """One connection; what fails closes it."""

    def __init__(self, port, database="saga", user="postgres", timeout=10.0):
        self.buffer = b""
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            body = struct.pack("!i", 196608)
            for word in ("user", user, "database", database):
                body += word.encode() + b"\0"
            body += b"\0"
            self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
            self._until_ready()
        except (OSError, Refused) as error:
            self.close()
            raise Lost(str(error)) from error

    def query(self, sql, timeout=10.0):
        """Runs one statement; returns its rows as lists of texts and None."""
        try:
            self.socket.settimeout(timeout)
            body = sql.encode() + b"\0"
            self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
            return self._until_ready()
        except OSError as error:
            self.close()
            raise Lost(str(error)) from error
        except Lost:
            self.close()
            raise
        except Refused as error:
            if error.code.startswith(AWAY):
                self.close()
                raise Lost(str(error)) from error
            raise

    def close(self):
        if getattr(self, "socket", None) is not None:
            self.socket.close()

    def _until_ready(self):
        rows, refusal = [], None
        while True:
            kind, body = self._message()
            if kind == b"Z":
                if refusal:
                    raise refusal
                return rows
            if kind == b"E":
                fields = {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                refusal = Refused(fields)
                # After one that ends the session no ReadyForQuery comes.
                if fields.get("S") in ("FATAL", "PANIC"):
                    raise Lost(str(refusal))
            elif kind == b"D":
                rows.append(_row(body))
            elif kind == b"R" and body[:4] != b"\0\0\0\0":
                raise Lost("the server wants a password")

    def _message(self):
        head = self._bytes(5)
        return head[:1], self._bytes(struct.unpack("!i", head[1:])[0] - 4)

    def _bytes(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise Lost("the server closed the connection")
            self.buffer += more
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found


def _row(body):
    cells, place = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        length = struct.unpack("!i", body[place:place + 4])[0]
        place += 4
        if length < 0:
            cells.append(None)
        else:
            cells.append(body[place:place + length].decode())
            place += length
    return cells


def literal(text):
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
