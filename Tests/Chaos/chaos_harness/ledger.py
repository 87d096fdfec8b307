"""A participant's external log and the guard that it is read back into.

One JSON object a line, in the order in which things happened:

    {"at": µs since 1970, "pid", "service", "entry", "key", "compensates", "saga", "step", "operation", "attempt",
     "arrived", "cents", "answer"}

`arrived` is when the call came, `at` when it was decided: a straggler's effect comes later. `entry` says what came of
the call:

| entry          | means                                                                     |
| -------------- | ------------------------------------------------------------------------- |
| `done`         | an action's effect                                                        |
| `repeated`     | a known action: nothing was done, the answer is the first one             |
| `refused`      | a no (422), no effect; of a compensation: for good, so its saga is stuck   |
| `late_refused` | an action after its compensation (409 AlreadyCompensated), no effect      |
| `unavailable`  | 503, no effect                                                            |
| `undone`       | a compensation's effect; `cents` are the action's                         |
| `tombstone`    | a compensation of what never was; the action is refused from now on       |
| `undo_repeated`| a known compensation: nothing was done                                    |
| `opened`       | the process began; `cut` bytes of a torn last line were dropped           |

A line is on disk (fsync) before its call is answered.
"""
import hashlib
import json
import os
import resource
import time

STANDING, UNDONE, TOMBSTONE = "standing", "undone", "tombstone"
# What fits on the disk when it is nearly full: less than a line, so that a write fails in its middle.
LAST_BYTES = 40
_ABSENT = object()


class DiskFull(Exception):
    """Nothing of the batch was written, and nothing of it was done."""


class Ledger:
    """The log of one service, and what it knows of each key.

    Calls are decided one after the other (`act`, `undo`, `note`) and become true together by `commit`.
    """

    def __init__(self, path, service, breaks=frozenset()):
        self.service, self.breaks = service, breaks
        # Of an action's key: [state, cents, answer]; of a compensation's key: its answer.
        self.actions, self.undos = {}, {}
        self.pending, self.changes = [], []
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size = self._read_back(path)

    def _read_back(self, path):
        with open(path, "rb") as file:
            text = file.read()
        size = text.rfind(b"\n") + 1
        os.ftruncate(self.file, size)
        if "forgets" not in self.breaks:
            for line in text[:size].splitlines():
                self._remember(json.loads(line))
        self.changes.clear()
        self.size = size
        self._write({"entry": "opened", "cut": len(text) - size})
        self.commit()
        return self.size

    def _remember(self, line):
        match line["entry"]:
            case "done": self._set(self.actions, line["key"], (STANDING, line["cents"], line["answer"]))
            case "undone" | "tombstone":
                before = self.actions.get(line["compensates"])
                state = UNDONE if line["entry"] == "undone" else TOMBSTONE
                self._set(self.actions, line["compensates"], (state, line["cents"], before[2] if before else None))
                self._set(self.undos, line["key"], line["answer"])

    def _set(self, table, key, value):
        self.changes.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def _write(self, line):
        self.pending.append({"at": time.time_ns() // 1000, "pid": os.getpid(), "service": self.service, **line})

    def _record(self, entry, call, cents=None, answer=None):
        line = {"entry": entry, "key": call.key, "compensates": call.compensates, "saga": call.saga, "step": call.step,
                "operation": call.operation, "attempt": call.attempt, "arrived": call.arrived, "cents": cents,
                "answer": answer}
        self._write(line)
        self._remember(line)

    # What a call comes to: an HTTP status and a body

    def act(self, call):
        """Does the action's effect unless its key is known."""
        known = None if "no-guard" in self.breaks else self.actions.get(call.key)
        if known is None:
            answer = {"id": self.receipt(call.key), "cents": call.cents}
            if "hollow" in self.breaks:
                return 200, answer
            cents = call.cents + 1 if "miscounts" in self.breaks else call.cents
            for _ in range(2 if "twice" in self.breaks else 1):
                self._record("done", call, cents, answer)
            return (422, {"error": "Declined"}) if "lies" in self.breaks else (200, answer)
        if known[0] != STANDING:
            self._record("late_refused", call)
            return 409, {"error": "AlreadyCompensated"}
        self._record("repeated", call)
        return 200, known[2]

    def undo(self, call):
        """Undoes what stands for the compensation's action, or sees to it that it never will."""
        if call.key in self.undos and "no-guard" not in self.breaks:
            self._record("undo_repeated", call)
            return 200, self.undos[call.key]
        known = self.actions.get(call.compensates)
        stands = known is not None and known[0] == STANDING
        answer = {"undone": stands}
        if "keeps" in self.breaks:
            return 200, answer
        self._record("undone" if stands else "tombstone", call, known[1] if stands else 0, answer)
        return 200, answer

    def knows(self, call):
        """Whether the call was done, undone or ruled out before: then it has its answer already."""
        return call.key in self.actions or call.key in self.undos

    def note(self, entry, call):
        """Something that did nothing: `refused`, `unavailable`."""
        self._record(entry, call)

    def receipt(self, key):
        return f"{self.service}-{hashlib.blake2b(key.encode(), digest_size=6).hexdigest()}"

    def commit(self):
        """Writes all that was decided since the last commit, or takes it back and raises `DiskFull`."""
        text = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in self.pending)
        changes, self.pending, self.changes = self.changes, [], []
        try:
            left = memoryview(text)
            while left:
                left = left[os.write(self.file, left):]
            os.fsync(self.file)
        except OSError as error:
            os.ftruncate(self.file, self.size)
            for table, key, before in reversed(changes):
                if before is _ABSENT:
                    del table[key]
                else:
                    table[key] = before
            raise DiskFull(str(error)) from error
        self.size += len(text)

    def fill_disk(self, full):
        """Lets the kernel refuse writes in their middle, as a full disk does, until called with False."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size + LAST_BYTES if full else hard, hard))


def read(path):
    """The lines of a log, without a torn last one."""
    with open(path, "rb") as file:
        text = file.read()
    return [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines()]
