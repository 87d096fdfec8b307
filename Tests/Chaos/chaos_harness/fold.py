"""A saga's state as the fold of its events: written anew by docs and design, sharing nothing with the engine's own.

`Definition` is what a definition's document says of order and undoing. `Fold` takes events one by one and says of each
whether the saga could have come to it (`complain`).
"""
import re

STATUSES = ("", "pending", "running", "compensating", "stuck", "completed", "compensated", "terminated")
TYPES = ("", "SagaStarted", "StepStarted", "StepSucceeded", "StepAttemptFailed", "StepFailed", "StepSkipped",
         "StepDeferred", "CompensationDeferred", "SagaCompensating", "CompensationStarted", "CompensationSucceeded",
         "CompensationAttemptFailed", "CompensationFailed", "SagaCompleted", "SagaCompensated", "SagaStuck",
         "SagaCancelRequested", "SagaPaused", "SagaResumed", "StepResolved", "SagaRetried", "SagaTerminated",
         "SagaCompensationRequested")
ENDED = ("completed", "compensated", "terminated")
UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def type_name(code):
    return TYPES[code] if 0 < code < len(TYPES) else f"type {code}"


def microseconds(duration):
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h|d)", duration).groups()
    return int(float(number) * UNITS[unit])


class Definition:
    """What the checker needs to know of a definition's document."""

    def __init__(self, document):
        steps, defaults = document["steps"], document.get("defaults", {})
        self.names = [step["name"] for step in steps]
        self.index = {name: index for index, name in enumerate(self.names)}
        before = [[self.index[name] for name in step["after"]] if "after" in step else [index - 1] if index else []
                  for index, step in enumerate(steps)]
        self.before = before
        self.ancestors = [self._closure(index) for index in range(len(steps))]
        self.descendants = [[other for other in range(len(steps)) if index in self.ancestors[other]]
                            for index in range(len(steps))]
        self.pivot = next((index for index, step in enumerate(steps) if step.get("pivot")), None)
        self.compensable = [isinstance(step.get("compensation"), dict) for step in steps]
        self.when = [step.get("compensateWhen", defaults.get("compensateWhen", "uncertain")) for step in steps]
        self.timeouts = [microseconds((step.get("action") or {}).get("timeout", defaults.get("timeout", "30s")))
                         for step in steps]
        self.halts = document.get("onCompensationFailure", "halt") == "halt"
        calls = [(step.get("action") or {}).get("http") for step in steps]
        self.services = [call and call["service"] for call in calls]
        # The books' convention: a step charges what the input says, or nothing.
        self.charges = [bool(call) and (call.get("body") or {}).get("cents") == "${ input.cents }" for call in calls]

    def _closure(self, index):
        found, left = set(), list(self.before[index])
        while left:
            step = left.pop()
            if step not in found:
                found.add(step)
                left += self.before[step]
        return found


class Operation:
    """An action or a compensation as its events tell it."""
    __slots__ = ("phase", "attempts", "outcome", "error", "since", "recorded")

    def __init__(self):
        # idle, running, waiting, deferred, succeeded or failed (for good)
        self.phase, self.attempts, self.outcome, self.error, self.since = "idle", 0, None, None, None
        self.recorded = set()

    def note(self, data):
        self.error = data["error"]
        if self.outcome != "unknown":
            self.outcome = data["outcome"]

    def succeed(self):
        self.phase, self.outcome, self.error = "succeeded", "done", None


class Fold:
    """The state after the events taken so far. `complaints` holds (property, what) of those that can't be."""

    def __init__(self, definition):
        self.definition = definition
        self.actions = [Operation() for _ in definition.names]
        self.undos = [Operation() for _ in definition.names]
        self.skipped = [False] * len(definition.names)
        self.outputs = [None] * len(definition.names)
        self.status, self.paused, self.started_at, self.ended_at = "pending", False, None, None
        self.turned_by = self.stuck_on = self.output_failure = self.output = None
        self.lost_calls_end = 0
        self.cancelled = self.undo_wanted = self.was_resolved = False
        self.sequence = 0
        self.complaints = []

    def complain(self, name, what):
        self.complaints.append((name, f"event {self.sequence}: {what}"))

    def take(self, sequence, code, at, data):
        """Moves the state by one event."""
        self.sequence = sequence
        if (self.started_at is None) != (code == 1):
            self.complain("legal", f"{type_name(code)} as event {sequence}")
        if self.status in ENDED and not (code == 23 and self.status == "completed"):
            self.complain("legal", f"{type_name(code)} after the saga was {self.status}")
        _MOVES[code](self, at, data)

    # Operations

    def _operation(self, data, undo):
        index = self.definition.index[data["step"]]
        if self.status == "pending":
            self.status = "running"
        return index, (self.undos if undo else self.actions)[index]

    def start(self, at, data, undo):
        index, operation = self._operation(data, undo)
        attempt, name = data["attempt"], data["step"]
        if attempt != operation.attempts + 1 or operation.phase in ("running", "succeeded", "failed"):
            self.complain("attempts", f"attempt {attempt} of {name} begins after {operation.attempts} attempts, "
                          f"while it is {operation.phase}")
        (self._may_undo if undo else self._may_act)(index, at)
        operation.phase, operation.attempts, operation.since = "running", attempt, at

    def _may_act(self, index, _):
        names = self.definition.names
        if self.turned_by or self.undo_wanted:
            self.complain("order", f"{names[index]} begins after the saga turned back")
        for other in self.definition.before[index]:
            if not self.is_over(other):
                self.complain("order", f"{names[index]} begins before {names[other]} has ended")

    def _may_undo(self, index, at):
        names = self.definition.names
        if not self.turned_by:
            self.complain("reverse", f"{names[index]} is undone while the saga goes forward")
        if not self.must_be_undone(index):
            self.complain("reverse", f"{names[index]} is undone although its outcome is {self.actions[index].outcome}")
        running = [names[other] for other, action in enumerate(self.actions) if action.phase == "running"]
        if running:
            self.complain("reverse", f"{names[index]} is undone while {running[0]} is in flight")
        if at < self.lost_calls_end:
            self.complain("reverse", f"{names[index]} is undone {self.lost_calls_end - at} us before the end that a "
                          "lost daemon's call may have")
        for other in self.definition.descendants[index]:
            if self.is_left_to_undo(other):
                self.complain("reverse", f"{names[index]} is undone before {names[other]}")

    def end_attempt(self, data, undo):
        """An attempt's outcome: returns its step and operation."""
        index, operation = self._operation(data, undo)
        attempt = data["attempt"]
        # An expression fails before its attempt begins, so the number is the last one's.
        if attempt == 0 or data.get("error") == "Saga.Expression":
            return index, operation
        what = f"attempt {attempt} of {'the undoing of ' if undo else ''}{data['step']}"
        if attempt in operation.recorded:
            self.complain("outcome", f"{what} has a second outcome")
        elif operation.phase != "running" or attempt != operation.attempts:
            self.complain("attempts", f"{what} ends while it isn't in flight")
        operation.recorded.add(attempt)
        return index, operation

    def succeed(self, at, data, undo):
        index, operation = self.end_attempt(data, undo)
        if operation.phase == "succeeded":
            self.complain("outcome", f"{data['step']} succeeds a second time")
        operation.attempts = max(operation.attempts, data["attempt"])
        operation.succeed()
        if not undo:
            self.outputs[index] = data.get("output")

    def fail(self, data, undo, phase):
        index, operation = self.end_attempt(data, undo)
        if not undo and data["error"] == "Saga.DaemonLost" and operation.phase == "running":
            self.lost_calls_end = max(self.lost_calls_end, operation.since + self.definition.timeouts[index])
        operation.phase = phase
        operation.note(data)

    def defer(self, data, undo):
        self._operation(data, undo)[1].phase = "deferred"

    def skip(self, data):
        index, operation = self._operation(data, False)
        self.skipped[index], operation.phase = True, "idle"

    # The saga

    def turn(self, data):
        self.status, self.turned_by = "compensating", data
        if self.is_past_pivot():
            self.complain("order", "the saga turns back past its pivot")

    def complete(self, at, data):
        left = [name for index, name in enumerate(self.definition.names) if not self.is_over(index)]
        if left:
            self.complain("order", f"completed before {left[0]} has ended")
        self._end("completed", at)
        self.output = data.get("output")
        self.output_failure = data if "error" in data else None

    def compensated(self, at):
        for index, name in enumerate(self.definition.names):
            if self.is_left_to_undo(index):
                self.complain("reverse", f"compensated before {name} was undone")
        self._end("compensated", at)

    def _end(self, status, at):
        self.status, self.ended_at, self.stuck_on = status, at, None

    def stick(self, data):
        self.status, self.stuck_on = "stuck", data

    def leave_stuck(self):
        if self.status == "stuck":
            self.status = "compensating" if self.turned_by else "running"
            self.stuck_on = None

    def retry(self):
        for operation in self.undos if self.turned_by else self.actions:
            if operation.phase == "failed":
                operation.phase = "waiting"
        self.leave_stuck()

    def resolve(self, data):
        self.was_resolved = True
        undo = data["operation"] == "compensation"
        index = self.definition.index[data["step"]]
        operation = (self.undos if undo else self.actions)[index]
        if undo == (data["resolution"] == "undone"):
            operation.succeed()
            if not undo:
                self.outputs[index] = data.get("output")
        elif undo or (self.is_past_pivot() and not self.turned_by):
            operation.outcome, operation.phase = "failed", "waiting"
        else:
            operation.outcome, operation.phase = "failed", "failed"
        self.leave_stuck()

    def terminate(self, at):
        stuck = self.stuck_on
        for operation in self.actions + self.undos:
            if operation.phase == "running":
                operation.phase, operation.outcome = "failed", "unknown"
        self._end("terminated", at)
        self.stuck_on = stuck

    def reopen(self):
        self.status, self.undo_wanted = "compensating", True
        self.ended_at = self.output = self.output_failure = None

    # What follows

    def is_over(self, index):
        return self.skipped[index] or self.actions[index].phase == "succeeded"

    def is_past_pivot(self):
        pivot = self.definition.pivot
        return pivot is not None and self.actions[pivot].phase == "succeeded"

    def must_be_undone(self, index):
        action = self.actions[index]
        if not self.definition.compensable[index] or index == self.definition.pivot or self.skipped[index]:
            return False
        match self.definition.when[index]:
            case "succeeded": return action.outcome == "done"
            case "uncertain": return action.outcome in ("done", "unknown")
            case _: return action.attempts > 0 or action.outcome == "done"

    def is_left_to_undo(self, index):
        phase = self.undos[index].phase
        return (phase in ("running", "waiting", "deferred") or (phase == "failed" and self.definition.halts)
                or (phase == "idle" and self.must_be_undone(index)))

    def failure(self):
        found = self.output_failure if self.status == "completed" else self.stuck_on or self.turned_by
        return found and {"step": found.get("step"), "error": found["error"], "message": found["message"]}

    def undo_status(self, index):
        phase = self.undos[index].phase
        if phase == "idle":
            return "pending" if self.turned_by and self.must_be_undone(index) else None
        return "backoff" if phase == "waiting" else phase

    def action_status(self, index):
        action = self.actions[index]
        forward = not (self.turned_by or self.undo_wanted or self.status in ENDED)
        match action.phase:
            case _ if self.skipped[index]: return "skipped"
            case "idle": return "pending"
            case "running" | "succeeded": return action.phase
            case "waiting" if forward: return "backoff"
            case "deferred" if forward: return "deferred"
            case "failed": return "in_doubt" if action.outcome == "unknown" else "failed"
        return {"unknown": "in_doubt", "failed": "failed"}.get(action.outcome, "pending")

    def step_row(self, index):
        """The step's row of saga.steps."""
        action, undo = self.actions[index], self.undos[index]
        of_action, of_undo = self.action_status(index), self.undo_status(index)
        shown = {"running": "compensating", "backoff": "compensating", "deferred": "compensating",
                 "succeeded": "compensated", "failed": "compensation_failed"}.get(of_undo, of_action)
        return (shown, action.outcome, action.attempts,
                self.outputs[index] if of_action == "succeeded" else None,
                None if of_action in ("succeeded", "skipped") else action.error,
                of_undo, undo.attempts, None if of_undo in (None, "succeeded") else undo.error)


def _begin(fold, at, _):
    fold.started_at = at


_MOVES = {
    1: _begin,
    2: lambda fold, at, data: fold.start(at, data, False),
    3: lambda fold, at, data: fold.succeed(at, data, False),
    4: lambda fold, at, data: fold.fail(data, False, "waiting"),
    5: lambda fold, at, data: fold.fail(data, False, "failed"),
    6: lambda fold, at, data: fold.skip(data),
    7: lambda fold, at, data: fold.defer(data, False),
    8: lambda fold, at, data: fold.defer(data, True),
    9: lambda fold, at, data: fold.turn(data),
    10: lambda fold, at, data: fold.start(at, data, True),
    11: lambda fold, at, data: fold.succeed(at, data, True),
    12: lambda fold, at, data: fold.fail(data, True, "waiting"),
    13: lambda fold, at, data: fold.fail(data, True, "failed"),
    14: lambda fold, at, data: fold.complete(at, data),
    15: lambda fold, at, data: fold.compensated(at),
    16: lambda fold, at, data: fold.stick(data),
    17: lambda fold, at, data: setattr(fold, "cancelled", True),
    18: lambda fold, at, data: setattr(fold, "paused", True),
    19: lambda fold, at, data: setattr(fold, "paused", False),
    20: lambda fold, at, data: fold.resolve(data),
    21: lambda fold, at, data: fold.retry(),
    22: lambda fold, at, data: fold.terminate(at),
    23: lambda fold, at, data: fold.reopen(),
}
