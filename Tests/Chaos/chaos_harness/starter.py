"""Starts sagas all the time, and writes down which starts were acknowledged.

An acknowledgement's line is `{"id", "key", "saga", "via"}`, on disk only after the answer came. A start with a
key whose answer got lost is repeated until one comes; one without a key isn't, since nobody could tell whether it holds.
"""
import json
import os
import queue
import random
import threading
import time

from . import definitions
from .wire import Connection, Lost, Refused, literal

WORKERS = 6
# Shares: by the command line; with a key (by SQL); acknowledged keys that are started once more.
BY_PROGRAM, WITH_KEY, AGAIN = 0.02, 0.6, 0.05


class Starter:
    """Starts at seeded random times, at `rate` a second on average."""

    def __init__(self, world, seed, rate):
        self.world, self.seed, self.rate = world, seed, rate
        self.chance = random.Random(f"{seed}/starter")
        self.path = os.path.join(world.folder, "acknowledged.jsonl")
        self.queue = queue.Queue(maxsize=2000)
        self.lock = threading.Lock()
        self.begun = self.acknowledged = self.doubts = self.lost = self.repeats = self.by_program = 0
        self.violations = []
        self.ids = {}         # of keys
        self.recent = []      # starts whose key was acknowledged
        self.is_over = False

    def start(self):
        self.file = open(self.path, "a", encoding="utf-8")
        self.threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(WORKERS)]
        self.threads.append(threading.Thread(target=self._plan, daemon=True))
        for thread in self.threads:
            thread.start()

    def stop(self):
        """No start begins any more; returns when those under way are answered."""
        self.is_over = True
        for thread in self.threads:
            thread.join(60)
        self.file.close()

    def _plan(self):
        due, number = time.monotonic(), 0
        while not self.is_over:
            due += self.chance.expovariate(self.rate)
            time.sleep(max(0.0, due - time.monotonic()))
            number += 1
            saga, document, key = definitions.start(self.seed, number)
            way, with_key, again = (self.chance.random() for _ in range(3))
            by_program = way < BY_PROGRAM
            item = (saga, json.dumps(document), key if by_program or with_key < WITH_KEY else None, by_program)
            try:
                self.queue.put_nowait(item)
                if again < AGAIN and self.recent:
                    self.queue.put_nowait(self.recent[self.chance.randrange(len(self.recent))])
            except queue.Full:
                # The database is away for long; what isn't begun isn't promised.
                continue

    def _work(self, number):
        connection = None
        while True:
            try:
                item = self.queue.get(timeout=0.2)
            except queue.Empty:
                if self.is_over:
                    break
                continue
            # What waits at the end has not begun.
            if self.is_over:
                continue
            connection = self._begin(item, connection, number)
        if connection:
            connection.close()

    def _begin(self, item, connection, number):
        """Starts one saga; returns the connection to go on with."""
        saga, document, key, by_program = item
        with self.lock:
            self.begun += 1
        while True:
            try:
                if by_program:
                    found = self._by_program(saga, document, key)
                else:
                    # One worker in three starts through the pooler.
                    connection = connection or self._connect(number % 3 == 0)
                    if connection is None:
                        return None
                    found = connection.query(_statement(saga, document, key))[0][0]
                self._acknowledge(found, item)
                return connection
            except Lost:
                connection = None
                with self.lock:
                    if key is None:
                        self.lost += 1
                    else:
                        self.doubts += 1
                if key is None or self.world.is_over:
                    return None
                time.sleep(0.1)
            except Refused as error:
                with self.lock:
                    self.violations.append(f"a start of {saga} with key {key} was refused: {error}")
                return connection

    def _connect(self, pooled):
        """A connection as soon as there is one; None when the run ends before: nothing was asked yet."""
        while not self.world.is_over:
            try:
                return Connection(self.world.starting_port(pooled))
            except Lost:
                time.sleep(0.1)
        return None

    def _by_program(self, saga, document, key):
        command = [self.world.program("saga"), "start", saga, "--key", key, "--input", document, "--database",
                   self.world.database.url()]
        done = self.world.processes.run(command, 60)
        with self.lock:
            self.by_program += 1
        if done is None:
            self.world.note_start_error("none", "it took more than a minute")
            raise Lost("saga start took more than a minute")
        status, output, errors = done
        if status == 0:
            return output.strip()
        if status != 69:
            # A connection that breaks on the way is told otherwise than one that can't be had.
            self.world.note_start_error(status, errors.strip())
        raise Lost(errors)

    def _acknowledge(self, identity, item):
        saga, _, key, by_program = item
        via = "saga" if by_program else "sql"
        with self.lock:
            if key is not None and self.ids.setdefault(key, identity) != identity:
                self.violations.append(f"key {key} gave {self.ids[key]}, then {identity}")
            elif key is not None:
                self.recent.append(item)
                if len(self.recent) > 500:
                    self.recent.pop(0)
            self.acknowledged += 1
            self.file.write(json.dumps({"id": identity, "key": key, "saga": saga, "via": via}) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())


def _statement(saga, document, key):
    return (f"SELECT saga.start({literal(saga)}, {literal(document)}, "
            f"key => {'null' if key is None else literal(key)})")
