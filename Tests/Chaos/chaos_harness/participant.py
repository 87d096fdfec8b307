#!/usr/bin/env python3
"""A participant: an HTTP server for one service that misbehaves by a seed and keeps an external log of what it did.

    participant.py --service payment --port 7003 --log FILE --seed 1 [--rates JSON] [--break NAME]...

Prints `ready PORT` on standard output. The log's format and the guard are in ledger.py. It may be killed at any time
and started again on the same log. SIGUSR1: its disk is full (calls are answered 507, without effect). SIGUSR2: no
longer. SIGTERM ends it.

How a call goes is a function of the seed, the operation and its attempt, never of timing: the operation is known by
`order` in the body with step and side, so that a run can be repeated although ids of sagas differ, else by its key.
`--rates` gives the shares, see `RATES`; `settle_seconds` says how long after the last call something may still happen.
`--break` breaks a promise on purpose, see `BREAKS`.
"""
import argparse
import asyncio
import dataclasses
import hashlib
import json
import os
import re
import signal
import sys
import time

if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from chaos_harness.ledger import DiskFull, Ledger  # noqa: E402

RATES = {
    # By operation, on all its attempts: says no (422 Declined), actions; compensations, which makes the saga stuck.
    "refuse": 0.04, "undoRefuse": 0.0,
    # By attempt: 503 before the effect; effect and the connection cut; effect and an answer after the timeout; a slow
    # one; processed twice; connection cut and the effect seconds later.
    "unavailable": 0.03, "lost": 0.03, "late": 0.015, "slow": 0.05, "duplicate": 0.03, "straggler": 0.015,
    # Later attempts of an operation go well: so each one ends.
    "faultyAttempts": 3,
    "lateSeconds": 2.5, "slowSeconds": 0.3, "stragglerSeconds": 3.0,
    # Only these steps' actions are refused; null: any.
    "refuseSteps": None,
}
BREAKS = {
    "no-guard": "known keys are done again, and late actions after their compensation",
    "forgets": "doesn't read its log back when it starts",
    "hollow": "answers actions as done without an effect",
    "twice": "does each effect twice",
    "keeps": "answers compensations as done without undoing",
    "miscounts": "writes another amount than asked for",
    "lies": "does the effect and says that it refused",
}
BY_ATTEMPT = ("unavailable", "lost", "late", "slow", "duplicate", "straggler")


@dataclasses.dataclass(frozen=True)
class Call:
    """What a request asks for."""
    key: str
    compensates: str | None
    saga: str
    step: str
    operation: str
    attempt: int
    arrived: int
    cents: int
    order: str | None


def settle_seconds(rates):
    """How long after a call's arrival it may still have an effect."""
    return max(rates[name] for name in ("lateSeconds", "slowSeconds", "stragglerSeconds")) + 0.5


class Behaviour:
    """How each call goes."""

    def __init__(self, seed, rates):
        self.seed = seed
        self.rates = RATES | rates
        unknown = sorted(set(rates) - set(RATES))
        if unknown:
            raise SystemExit(f"--rates: unknown: {', '.join(unknown)}; known: {', '.join(RATES)}")

    def _fraction(self, *parts):
        text = "|".join(str(part) for part in (self.seed, *parts))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def refuses(self, call):
        subject = self._subject(call)
        if call.operation == "compensation":
            return self._fraction(subject, "undoRefuse") < self.rates["undoRefuse"]
        steps = self.rates["refuseSteps"]
        if steps is not None and call.step not in steps:
            return False
        return self._fraction(subject, "refuse") < self.rates["refuse"]

    def of(self, call):
        """One of `BY_ATTEMPT`, or `well`."""
        if call.attempt > self.rates["faultyAttempts"]:
            return "well"
        fraction = self._fraction(self._subject(call), call.attempt)
        for name in BY_ATTEMPT:
            if fraction < self.rates[name]:
                return name
            fraction -= self.rates[name]
        return "well"

    @staticmethod
    def _subject(call):
        return f"{call.order}:{call.step}:{call.operation}" if call.order else call.key


class Participant:
    """Decides calls in batches: all that have come while the disk was busy share one fsync."""

    def __init__(self, ledger, behaviour, loop):
        self.ledger, self.behaviour, self.loop = ledger, behaviour, loop
        self.queue = []

    def take(self, call, connection):
        name = self.behaviour.of(call)
        rates = self.behaviour.rates
        if name == "straggler":
            connection.cut()
            self.loop.call_later(rates["stragglerSeconds"], self._enqueue, call, name, lambda *_: None)
        elif name == "lost":
            self._enqueue(call, name, lambda *_: connection.cut())
        elif name in ("late", "slow"):
            self._enqueue(call, name, lambda *answer: self.loop.call_later(
                rates[name + "Seconds"], connection.answer, *answer))
        else:
            self._enqueue(call, name, connection.answer)

    def _enqueue(self, call, name, then):
        if not self.queue:
            self.loop.call_soon(self._work)
        self.queue.append((call, name, then))

    def _work(self):
        batch, self.queue = self.queue, []
        answers = [self._decide(call, name) for call, name, _ in batch]
        try:
            self.ledger.commit()
        except DiskFull:
            answers = [(507, {"error": "DiskFull"})] * len(batch)
        for (_, _, then), answer in zip(batch, answers):
            then(*answer)

    def _decide(self, call, name):
        if name == "unavailable":
            self.ledger.note("unavailable", call)
            return 503, {"error": "Unavailable"}
        if self.behaviour.refuses(call) and not self.ledger.knows(call):
            self.ledger.note("refused", call)
            return 422, {"error": "Declined"}
        do = self.ledger.undo if call.operation == "compensation" else self.ledger.act
        if name == "duplicate":
            do(call)
        return do(call)


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request at a time."""

    def __init__(self, participant):
        self.participant = participant
        self.bytes = b""

    def connection_made(self, transport):
        self.transport = transport

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
        try:
            call = parse(headers, rest[:length])
        except (ValueError, KeyError) as error:
            self.answer(400, {"error": "BadCall", "message": f"{type(error).__name__}: {error}"})
        else:
            self.participant.take(call, self)

    def answer(self, status, body):
        if self.transport.is_closing():
            return
        text = json.dumps(body, separators=(",", ":")).encode()
        self.transport.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(text)}\r\n\r\n".encode() + text)

    def cut(self):
        self.transport.abort()


def parse(headers, body):
    """The call that a request makes; ValueError or KeyError if it breaks the contract of docs/participants.md."""
    document = json.loads(body) if body else {}
    call = Call(
        key=unquoted(headers["idempotency-key"]),
        compensates=unquoted(headers["saga-compensates"]) if "saga-compensates" in headers else None,
        saga=headers["saga-id"], step=headers["saga-step"], operation=headers["saga-operation"],
        attempt=int(headers["saga-attempt"]), arrived=time.time_ns() // 1000, cents=int(document.get("cents", 0)),
        order=document.get("order"))
    if call.operation not in ("action", "compensation"):
        raise ValueError(f"Saga-Operation is {call.operation}")
    if (call.compensates is None) != (call.operation == "action"):
        raise ValueError("Saga-Compensates belongs to a compensation and to nothing else")
    return call


def unquoted(text):
    if not re.fullmatch(r'"[^"\\]+"', text):
        raise ValueError(f"not a quoted string: {text}")
    return text[1:-1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--service", required=True)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (any free one)")
    parser.add_argument("--log", required=True, metavar="FILE", help="the external log")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--rates", type=json.loads, default={}, metavar="JSON", help=f"of {json.dumps(RATES)}")
    parser.add_argument("--break", dest="breaks", action="append", default=[], choices=BREAKS, metavar="NAME",
                        help="; ".join(f"{name}: {text}" for name, text in BREAKS.items()))
    return parser.parse_args()


async def main():
    given = arguments()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    behaviour = Behaviour(given.seed, given.rates)
    ledger = Ledger(given.log, given.service, frozenset(given.breaks))
    participant = Participant(ledger, behaviour, loop)
    loop.add_signal_handler(signal.SIGUSR1, ledger.fill_disk, True)
    loop.add_signal_handler(signal.SIGUSR2, ledger.fill_disk, False)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Connection(participant), "127.0.0.1", given.port, backlog=1024)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
