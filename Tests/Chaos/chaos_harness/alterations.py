"""What a broken promise would leave behind, written into a copy of a sound run: in its database, or in its logs.

Each stands with the property that must see it. Those that a real participant can break are in proof.py.
"""
from chaos_harness.properties import UNDOING

# Sagas to alter: each alteration takes one of its own.
COMPLETED, COMPENSATED, ORDER = "completed", "compensated", "order"
TARGETS = {
    COMPLETED: "SELECT id FROM saga.sagas WHERE saga IN ('variants', 'account') AND status = 'completed' ORDER BY id",
    ORDER: "SELECT id FROM saga.sagas WHERE saga = 'order' AND status = 'completed' ORDER BY id",
    COMPENSATED: """SELECT saga_id FROM saga.events JOIN saga.sagas ON id = saga_id
        WHERE saga = 'variants' AND status = 'compensated' AND type = 'CompensationSucceeded'
        GROUP BY 1 HAVING count(*) >= 2 ORDER BY 1""",
}


def _append(code, like, data):
    """An event of type `code` after the last one, made of the first of type `like`."""
    return f"""INSERT INTO saga.event (saga_id, sequence, type, at, data)
        SELECT saga_id, (SELECT max(sequence) + 1 FROM saga.event l WHERE l.saga_id = e.saga_id), {code}, at, {data}
        FROM saga.event e WHERE saga_id = '{{saga}}' AND type = {like} ORDER BY sequence LIMIT 1"""


def _exchange(types, one, other):
    """Exchanges the names of two steps in a saga's events."""
    renamed = "data::text"
    for before, after in ((one, "?"), (other, one), ("?", other)):
        renamed = f"""replace({renamed}, '"step":"{before}"', '"step":"{after}"')"""
    return f"UPDATE saga.event SET data = ({renamed})::json WHERE saga_id = '{{saga}}' AND type IN ({types})"


# (property, what is done, to which kind of saga, statements)
IN_DATABASE = (
    ("started", "an acknowledged saga deleted", COMPLETED, (
        "DELETE FROM saga.event WHERE saga_id = '{saga}'", "DELETE FROM saga.state WHERE id = '{saga}'")),
    ("started", "a saga's row deleted, its events left", COMPLETED, ("DELETE FROM saga.state WHERE id = '{saga}'",)),
    ("once", "a second saga with the same key", COMPLETED, (
        "CREATE TEMP TABLE twin AS SELECT s.*, saga.id_at(s.started_at) AS twin FROM saga.state s WHERE id = '{saga}'",
        """INSERT INTO saga.event (saga_id, sequence, type, at, data) SELECT twin, sequence, type, at, data
            FROM saga.event JOIN twin ON saga_id = twin.id""",
        """INSERT INTO saga.state (id, started_at, ended_at, definition_id, status, key)
            SELECT twin, started_at, ended_at, definition_id, status, key FROM twin""")),
    ("ends", "a saga set back to running", COMPLETED, (
        "UPDATE saga.state SET status = 2, ended_at = NULL, due_at = 'infinity' WHERE id = '{saga}'",)),
    ("sequence", "an event in the middle deleted", COMPLETED, (
        "DELETE FROM saga.event WHERE saga_id = '{saga}' AND sequence = 4",)),
    ("sequence", "a hole before the last event", COMPLETED, (
        "UPDATE saga.event SET sequence = sequence + 1 WHERE saga_id = '{saga}' AND type = 14",)),
    ("commits", "an event written again later", COMPLETED, (
        "UPDATE saga.event SET at = at WHERE saga_id = '{saga}' AND sequence = 3",)),
    ("dated", "an event an hour ahead", COMPLETED, (
        "UPDATE saga.event SET at = clock_timestamp() + interval '1 hour' WHERE saga_id = '{saga}' AND sequence = 2",)),
    ("legal", "an event after the end", COMPLETED, (
        _append(18, 1, "json_build_object('actor', 'somebody')"),)),
    ("state", "a status flipped", COMPLETED, ("UPDATE saga.state SET status = 6 WHERE id = '{saga}'",)),
    ("state", "a saga shown as paused", COMPLETED, ("UPDATE saga.state SET paused = true WHERE id = '{saga}'",)),
    ("state", "an end moved by a microsecond", COMPENSATED, (
        "UPDATE saga.state SET ended_at = ended_at + interval '1 us' WHERE id = '{saga}'",)),
    ("state", "a saga set aside as unreadable", COMPLETED, (
        "UPDATE saga.state SET unreadable = 'x' WHERE id = '{saga}'",)),
    ("state", "a view that shows other steps", COMPENSATED, (
        "ALTER VIEW saga.steps RENAME TO steps_before",
        """CREATE VIEW saga.steps AS SELECT saga_id, step,
            CASE saga_id WHEN '{saga}' THEN 'pending' ELSE status END AS status, outcome, attempts, output, error,
            compensation_status, compensation_attempts, compensation_error FROM saga.steps_before""")),
    ("attempts", "an attempt left out", COMPLETED, (
        """UPDATE saga.event SET data = replace(data::text, '"attempt":1', '"attempt":2')::json
            WHERE saga_id = '{saga}' AND sequence IN (2, 3)""",)),
    ("outcome", "an outcome recorded twice", COMPLETED, (_append(3, 3, "data"),)),
    ("outcome", "an attempt that was done and failed", COMPLETED, (
        _append(4, 3, """json_build_object('step', data ->> 'step', 'attempt', data -> 'attempt',
            'outcome', 'unknown', 'error', 'Saga.DaemonLost', 'message', '', 'nextAttemptAt', '')"""),)),
    ("order", "two steps exchanged", ORDER, (_exchange("2, 3, 4", "reserve", "charge"),)),
    ("reverse", "two compensations exchanged", COMPENSATED, (_exchange("10, 11, 12", "attempted", "uncertain"),)),
    ("reverse", "a compensation never made", COMPENSATED, (
        """DELETE FROM saga.event WHERE saga_id = '{saga}' AND type IN (10, 11, 12)
            AND data ->> 'step' = 'attempted'""",)),
    ("committed", "a decision written after its call", COMPLETED, (
        "UPDATE saga.event SET at = at WHERE saga_id = '{saga}' AND type = 2",)),
)


def _first(lines, test):
    return next(index for index, line in enumerate(lines) if test(line))


def _changed(lines, index, **values):
    return lines[:index] + [{**lines[index], **values}] + lines[index + 1:]


def _earlier(lines, _):
    index = _first(lines, lambda line: line["entry"] == "done")
    return _changed(lines, index, arrived=lines[index]["arrived"] - 5_000_000)


def _sent_again(lines, _):
    index = _first(lines, lambda line: line["entry"] == "done")
    return lines + [lines[index] | {"entry": "repeated", "arrived": lines[index]["arrived"] + 1}]


def _never_begun(lines, _):
    return _changed(lines, _first(lines, lambda line: line["entry"] == "repeated"), attempt=77)


def _other_key(lines, _):
    index = _first(lines, lambda line: line["entry"] == "repeated")
    return _changed(lines, index, key=lines[index]["key"] + ":2")


def _other_target(lines, _):
    index = _first(lines, lambda line: line["entry"] in UNDOING)
    return _changed(lines, index, compensates=lines[index]["compensates"].replace("action", "Action"))


def _effect_gone(lines, statuses):
    index = _first(lines, lambda line: line["entry"] == "done" and statuses[line["saga"]] == "completed")
    return lines[:index] + lines[index + 1:]


def _undoing_gone(lines, statuses):
    index = _first(lines, lambda line: line["entry"] == "undone" and statuses[line["saga"]] == "compensated")
    return lines[:index] + lines[index + 1:]


def _late(lines, _):
    undone = lines[_first(lines, lambda line: line["entry"] == "tombstone")]
    return lines + [undone | {"entry": "done", "key": undone["compensates"], "compensates": None,
                              "operation": "action"}]


def _no_refusal(lines, statuses):
    return [line for line in lines if line["entry"] != "refused" or statuses[line["saga"]] != "stuck"]


def _out_of_order(lines, _):
    """The first step of a chain undone an hour before the one that came after it."""
    undone = [(line["saga"], line["step"]) if line["entry"] in UNDOING else None for line in lines]
    index = _first(undone, lambda one: one and one[1] == "attempted" and (one[0], "uncertain") in undone)
    return _changed(lines, index, at=lines[index]["at"] - 3_600_000_000)


def _cent_lost(lines, _):
    index = _first(lines, lambda line: line["entry"] in ("done", "undone") and line["cents"])
    return _changed(lines, index, cents=lines[index]["cents"] - 1)


# (property, what is done, function of all lines and of the sagas' statuses)
IN_LOGS = (
    ("ends", "stuck, and nobody had refused", _no_refusal),
    ("reverse", "an undoing before one that came after it", _out_of_order),
    ("committed", "a call before its decision", _earlier),
    ("committed", "a call that no event has begun", _never_begun),
    ("sent", "an attempt that came twice", _sent_again),
    ("keys", "a call with another key", _other_key),
    ("keys", "a compensation of another key", _other_target),
    ("late", "an effect after its tombstone", _late),
    ("completed", "an effect missing", _effect_gone),
    ("compensated", "an undoing missing", _undoing_gone),
    ("success", "an undoing missing", _undoing_gone),
    ("books", "a cent lost", _cent_lost),
)
