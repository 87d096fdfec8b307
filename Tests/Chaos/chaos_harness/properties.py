"""The promises, each as a function of a `History`: `PROPERTIES` has them in the order of the report.

A property is called with the history and a function `violated(saga, what)`, and returns how many things it looked at.
"""
import collections

from chaos_harness.fold import ENDED, Fold, type_name

# Microseconds: two clocks of one machine that count on from a reading.
CLOCKS_DIFFER = 5_000
UNDOING = ("undone", "tombstone")


def fold_all(history):
    """Folds each saga; what can't be folded, or couldn't have happened, stands in the fold's complaints."""
    for saga in history.sagas.values():
        saga.fold = Fold(saga.definition)
        for event in saga.events:
            try:
                saga.fold.take(event.sequence, event.code, event.at, event.data)
            except (KeyError, TypeError, IndexError) as error:
                saga.fold.complain("state", f"{type_name(event.code)} can't be folded: {error!r}")
                break


# Starts and ends

def starts_are_there(history, violated):
    for ack in history.acknowledged:
        saga = history.sagas.get(ack.id)
        if saga is None:
            violated(ack.id, f"its start as {ack.saga}, key {ack.key}, was acknowledged to {ack.via}; it isn't there")
        elif (ack.saga, ack.key) != (saga.name, saga.key):
            violated(ack.id, f"acknowledged as {ack.saga}, key {ack.key}; it is {saga.name}, key {saga.key}")
    for saga, count in history.orphans.items():
        violated(saga, f"{count} events, and no saga")
    return len(history.acknowledged)


def starts_once(history, violated):
    by_key = collections.defaultdict(set)
    pairs = [(saga.key, saga.id) for saga in history.sagas.values()] + history.keys
    for key, saga in pairs + [(ack.key, ack.id) for ack in history.acknowledged]:
        if key is not None:
            by_key[key].add(saga)
    for key, sagas in by_key.items():
        if len(sagas) > 1:
            violated(min(sagas), f"key {key} belongs to {len(sagas)} sagas: {', '.join(sorted(sagas))}")
    return len(by_key)


def all_end(history, violated):
    """A saga may be stuck only on an operation that its participant refused for good."""
    for saga in history.sagas.values():
        if saga.status == "stuck" and not saga.unreadable:
            if not _stuck_on_a_refusal(history, saga):
                violated(saga.id, f"stuck, and no participant refused what it is stuck on: {saga.failure}")
        elif saga.status not in ENDED:
            violated(saga.id, f"it is {saga.shown} still")
    return len(history.sagas)


def _stuck_on_a_refusal(history, saga):
    step = (saga.fold.stuck_on or {}).get("step")
    side = "compensation" if saga.fold.turned_by else "action"
    return any(line["entry"] == "refused" and (line["step"], line["operation"]) == (step, side)
               for line in history.lines_of[saga.id])


# Events

def sequences(history, violated):
    for saga in history.sagas.values():
        found = [event.sequence for event in saga.events]
        if found != list(range(1, len(found) + 1)) or not found:
            violated(saga.id, f"sequences {found}")
    return sum(len(saga.events) for saga in history.sagas.values())


def commit_order(history, violated):
    """A stale writer would show as an event that was committed after its successor. Times are the server's own."""
    count = 0
    for saga in history.sagas.values():
        last = 0
        for event in saga.events:
            if event.committed is None:
                continue
            count += 1
            if event.committed < last:
                violated(saga.id, f"event {event.sequence} was committed {last - event.committed} us before the one "
                         "before it")
            last = event.committed
    return count


def not_dated_ahead(history, violated):
    """A daemon's clock that ran ahead of the server's would end waits too early."""
    count = 0
    for saga in history.sagas.values():
        for event in saga.events:
            if event.committed is None:
                continue
            count += 1
            if event.at > event.committed + CLOCKS_DIFFER:
                violated(saga.id, f"event {event.sequence} is dated {event.at - event.committed} us after its commit")
    return count


def complaints(name):
    """A property of the fold's: it has looked at each event."""
    def look(history, violated):
        for saga in history.sagas.values():
            for found, what in saga.fold.complaints:
                if found == name:
                    violated(saga.id, what)
        return sum(len(saga.events) for saga in history.sagas.values())
    return look


def attempts_end(history, violated):
    """Also: in a saga that has ended no attempt is left open."""
    for saga in history.sagas.values():
        if saga.status in ("completed", "compensated"):
            for index, name in enumerate(saga.definition.names):
                if "running" in (saga.fold.actions[index].phase, saga.fold.undos[index].phase):
                    violated(saga.id, f"it has ended, and an attempt of {name} has no outcome")
    return complaints("attempts")(history, violated)


def state_is_fold(history, violated):
    for saga in history.sagas.values():
        fold = saga.fold
        if saga.unreadable:
            violated(saga.id, f"set aside as unreadable: {saga.unreadable}")
        _compare(saga, "saga.state", violated, {
            "status": (saga.status, fold.status), "paused": (saga.paused, fold.paused),
            "started_at": (saga.started_at, fold.started_at), "ended_at": (saga.ended_at, fold.ended_at)})
        _compare(saga, "saga.sagas", violated, {
            "status": (saga.shown, fold.status), "failure": (saga.failure, fold.failure()),
            "output": (saga.output, fold.output if fold.status == "completed" else None)})
        for index, name in enumerate(saga.definition.names):
            row = fold.step_row(index)
            if saga.steps.get(name) != row:
                violated(saga.id, f"saga.steps has {saga.steps.get(name)} for {name}, its events say {row}")
    return complaints("state")(history, violated) and len(history.sagas)


def _compare(saga, where, violated, pairs):
    for name, (stored, folded) in pairs.items():
        if stored != folded:
            violated(saga.id, f"{where}.{name} is {stored}, its events say {folded}")


# Calls

def calls_follow_commits(history, violated):
    """Without commit times the decision's own, by a clock that follows the server's: a second off at most."""
    begun = {}
    for saga in history.sagas.values():
        for event in saga.events:
            if event.code in (2, 10):
                side = "action" if event.code == 2 else "compensation"
                begun[saga.id, event.data["step"], side, event.data["attempt"]] = event.committed or event.at - 10**6
    for line in history.lines:
        call = (line["saga"], line["step"], line["operation"], line["attempt"])
        what = f"{line['service']} was called for attempt {line['attempt']} of {line['step']}:{line['operation']}"
        if call not in begun:
            violated(line["saga"], f"{what}, which no event has begun")
        elif begun[call] > line["arrived"]:
            violated(line["saga"], f"{what} {begun[call] - line['arrived']} us before that was committed")
    return len(history.lines)


def attempts_are_sent_once(history, violated):
    """Whoever wants to try again, a client's own retry too, has to begin another attempt."""
    arrived = collections.defaultdict(set)
    for line in history.lines:
        arrived[line["saga"], line["step"], line["operation"], line["attempt"]].add(line["arrived"])
    for (saga, step, side, attempt), times in arrived.items():
        if len(times) > 1:
            violated(saga, f"attempt {attempt} of {step}:{side} came {len(times)} times, at {sorted(times)}")
    return len(arrived)


def strays(history):
    """How many calls came after their attempt had been given up as a lost daemon's: a figure, not a violation.

    A daemon that is stopped between its last look at its lease and its call makes that call when it wakes. Nothing but
    the participant's guard can know better.
    """
    lost = {}
    for saga in history.sagas.values():
        for event in saga.events:
            if event.data.get("error") == "Saga.DaemonLost" and event.code in (4, 5, 12, 13):
                side = "action" if event.code < 10 else "compensation"
                lost[saga.id, event.data["step"], side, event.data["attempt"]] = event.committed or event.at
    never = float("inf")
    return sum(lost.get((line["saga"], line["step"], line["operation"], line["attempt"]), never) < line["arrived"]
               for line in history.lines)


def keys_are_constant(history, violated):
    for line in history.lines:
        base = f"{line['saga']}:{line['step']}"
        known = {"key": f"{base}:{line['operation']}",
                 "compensates": f"{base}:action" if line["operation"] == "compensation" else None}
        for name, value in known.items():
            if line[name] != value:
                violated(line["saga"], f"{name} {line[name]} of a call that should have {value}")
    return len(history.lines)


# Effects

class Effects:
    """What the logs say of each action's key, in the order of its service's log."""

    def __init__(self, history):
        self.done, self.undone, self.stands = collections.Counter(), {}, {}
        self.late, self.answers, self.undo_at = [], {}, {}
        for line in history.lines:
            if line["entry"] == "done":
                key = line["key"]
                self.done[key] += 1
                self.answers[key] = line["answer"]
                self.stands[key] = line["cents"]
                if key in self.undone:
                    self.late.append(line)
            elif line["entry"] in UNDOING:
                key = line["compensates"]
                self.undone.setdefault(key, line)
                self.stands.pop(key, None)


def effects(history):
    if history.effects is None:
        history.effects = Effects(history)
    return history.effects


def no_late_effect(history, violated):
    found = effects(history)
    for line in found.late:
        violated(line["saga"], f"{line['key']} took effect after it had been undone or ruled out")
    return len(found.undone)


def one_effect(history, violated):
    found = effects(history)
    for key, count in found.done.items():
        if count > 1:
            violated(key.split(":")[0], f"{key} took effect {count} times")
    return len(found.done)


def undone_in_reverse(history, violated):
    """The fold's complaints, and the same by the participants' own times."""
    found = effects(history)
    count = 0
    for saga in history.sagas.values():
        definition = saga.definition
        for index, name in enumerate(definition.names):
            mine = found.undone.get(f"{saga.id}:{name}:action")
            for other in definition.descendants[index] if mine else ():
                later = found.undone.get(f"{saga.id}:{definition.names[other]}:action")
                count += 1
                if later and later["at"] > mine["at"]:
                    violated(saga.id, f"{name} was undone {later['at'] - mine['at']} us before "
                             f"{definition.names[other]}, which came after it")
    complaints("reverse")(history, violated)
    return count


def completed_stands(history, violated):
    found, count = effects(history), 0
    for saga in history.sagas.values():
        if saga.status != "completed" or saga.fold.was_resolved:
            continue
        for index, name in enumerate(saga.definition.names):
            if saga.definition.services[index]:
                count += 1
                stands = f"{saga.id}:{name}:action" in found.stands
                if stands == saga.fold.skipped[index]:
                    violated(saga.id, f"completed, and the effect of {name}, "
                             f"{'skipped, stands' if stands else 'not skipped, is not there'}")
    return count


def compensated_is_undone(history, violated):
    """But for what is never undone by its definition: no compensation, or an outcome that none is for."""
    found, count = effects(history), 0
    for saga in history.sagas.values():
        if saga.status != "compensated" or saga.fold.was_resolved:
            continue
        for index, name in enumerate(saga.definition.names):
            if saga.definition.compensable[index] and not _is_left_by_definition(saga, index):
                count += 1
                if f"{saga.id}:{name}:action" in found.stands:
                    violated(saga.id, f"compensated, and the effect of {name} stands")
    return count


def _is_left_by_definition(saga, index):
    """An effect may stand that nobody knows of: `compensateWhen` succeeded leaves what is unknown as it is."""
    return saga.fold.actions[index].outcome == "unknown" and not saga.fold.must_be_undone(index)


def success_has_effect(history, violated):
    found, count = effects(history), 0
    for saga in history.sagas.values():
        for event in saga.events:
            if event.code not in (3, 11) or event.data["attempt"] == 0:
                continue
            count += 1
            key = f"{saga.id}:{event.data['step']}:action"
            if event.code == 11 and key not in found.undone:
                violated(saga.id, f"{event.data['step']} is recorded as undone, its participant undid nothing")
            elif event.code == 3 and found.answers.get(key) != event.data["output"]:
                violated(saga.id, f"{event.data['step']} is recorded as done with {event.data['output']}, its "
                         f"participant did it with {found.answers.get(key)}")
    return count


def failure_has_none(history, violated):
    found, count = effects(history), 0
    for saga in history.sagas.values():
        for index, name in enumerate(saga.definition.names):
            if saga.fold.actions[index].outcome == "failed" and not saga.fold.was_resolved:
                count += 1
                if f"{saga.id}:{name}:action" in found.done:
                    violated(saga.id, f"{name} is recorded as failed, and its participant did it")
    return count


def _is_to_be_kept(found, saga, index, name):
    """Whether what the step charges is to stay charged."""
    if saga.fold.skipped[index]:
        return False
    if not saga.fold.was_resolved:
        if saga.status == "completed":
            return True
        if saga.status == "compensated" and saga.definition.compensable[index] \
                and not _is_left_by_definition(saga, index):
            return False
    # It waits for a person, or is left by its definition: if it stands, it may.
    return f"{saga.id}:{name}:action" in found.stands


def books_balance(history, violated):
    """By service: all that was charged less all that was given back, against what completed sagas were to pay."""
    found, books = effects(history), collections.defaultdict(lambda: [0, 0])
    for line in history.lines:
        if line["entry"] in ("done", "undone"):
            books[line["service"]][0] += line["cents"] if line["entry"] == "done" else -line["cents"]
    for saga in history.sagas.values():
        for index, name in enumerate(saga.definition.names):
            service = saga.definition.services[index]
            if saga.definition.charges[index] and _is_to_be_kept(found, saga, index, name):
                books[service][1] += saga.events[0].data["input"]["cents"]
    for service, (kept, due) in sorted(books.items()):
        if kept != due:
            violated(None, f"{service} keeps {kept} cents, the sagas account for {due}")
    history.books = {service: kept for service, (kept, _) in sorted(books.items())}
    return len(books)


PROPERTIES = {
    "started": ("every acknowledged start is there", starts_are_there),
    "once": ("a key starts one saga only", starts_once),
    "ends": ("every saga has ended, or waits for a person for a participant's no", all_end),
    "sequence": ("sequences are 1, 2, 3 … without holes", sequences),
    "commits": ("events were committed in their order: no stale writer", commit_order),
    "dated": ("no event is dated after its commit", not_dated_ahead),
    "legal": ("a history begins once, and nothing follows its end", complaints("legal")),
    "state": ("state, steps and failure are the fold of the events", state_is_fold),
    "attempts": ("attempts are begun one by one, and each ends", attempts_end),
    "outcome": ("an attempt has one outcome, an operation one success", complaints("outcome")),
    "order": ("a step begins after what it comes after; none after turning back", complaints("order")),
    "reverse": ("what is undone is undone in the exact reverse", undone_in_reverse),
    "committed": ("a call comes after the commit of its decision", calls_follow_commits),
    "sent": ("an attempt is sent once", attempts_are_sent_once),
    "keys": ("all calls of an operation carry its one key", keys_are_constant),
    "effect": ("an operation has one effect at most", one_effect),
    "late": ("no action takes effect after its compensation", no_late_effect),
    "success": ("what is recorded as done was done, with that answer", success_has_effect),
    "failure": ("what is recorded as failed was not done", failure_has_none),
    "completed": ("completed: all effects are there, none of a skipped step", completed_stands),
    "compensated": ("compensated: none is there", compensated_is_undone),
    "books": ("each service's books balance", books_balance),
}
