#!/usr/bin/env python3
"""The checker: reads the database and the participants' logs at the end of a run, and nothing else.

    checker.py --database URL --log FILE... [--acknowledged FILE] [--seed S] [--format json]

From Python: `report = check(database, logs, acknowledged, seed)`; `report.violations`, `report.table()`,
`report.stories()`, `report.document()`, `report.strays`. It exits 1 on a violation.

- Wait `participant.settle_seconds(rates)` after the last saga has ended: stragglers still do what they were told.
- The server should run with `track_commit_timestamp=on`: then `committed` is exact. Without it that one
  allows for a second of the daemons' clocks, and `commits` and `dated` see nothing.
- `--acknowledged`: a file of JSON lines `{"id", "key", "saga", "via"}`, one for each start that was acknowledged,
  written when it was.
- What can't be seen from outside: which daemon wrote an event. A stale writer shows as an event that was committed
  out of order, as a second outcome, or as a history that nobody could have decided.
"""
import argparse
import collections
import datetime
import json
import os
import sys
import time
import traceback

if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from chaos_harness.fold import type_name  # noqa: E402
from chaos_harness.history import History  # noqa: E402
from chaos_harness.properties import PROPERTIES, fold_all, strays  # noqa: E402

Violation = collections.namedtuple("Violation", "property saga what")


class Report:
    """What came of a check."""

    def __init__(self, history, seed=None):
        began = time.monotonic()
        self.history, self.seed = history, seed
        self.violations, self.checked = [], {}
        fold_all(history)
        for name, (_, look) in PROPERTIES.items():
            self.checked[name] = self._look(name, look)
        self.statuses = collections.Counter(saga.status for saga in history.sagas.values())
        self.entries = collections.Counter(line["entry"] for line in history.lines)
        self.strays = strays(history)
        self.seconds = time.monotonic() - began

    def _look(self, name, look):
        try:
            return look(self.history, lambda saga, what: self.violations.append(Violation(name, saga, what)))
        except (KeyError, TypeError, IndexError, ValueError):
            # Rows that nobody could have written must not cost the other properties' word.
            self.violations.append(Violation(name, None, f"it can't be checked: {traceback.format_exc()}"))
            return 0

    def count(self, name):
        return sum(violation.property == name for violation in self.violations)

    def table(self):
        """Properties, how much each looked at, and violations."""
        width = max(len(text) for text, _ in PROPERTIES.values())
        lines = [f"{'property':11}  {'':{width}}  {'checked':>9}  {'violations':>10}"]
        for name, (text, _) in PROPERTIES.items():
            lines.append(f"{name:11}  {text:{width}}  {self.checked[name]:9,}  {self.count(name):10,}")
        return "\n".join(lines)

    def story(self, saga):
        """All that is known of a saga, by time: events at their commit, calls as their participant wrote them down."""
        found = self.history.sagas.get(saga)
        told = [f"saga {saga}: " + (f"{found.name}, {found.status}, key {found.key}" if found else "not there")]
        told += [f"  ack       {ack}" for ack in self.history.acknowledged if ack.id == saga]
        lines = [(event.committed or event.at, 0, f"event {event.sequence:4} {type_name(event.code)} "
                  f"{json.dumps(event.data)}") for event in (found.events if found else [])]
        lines += [(line["at"], 1, f"{line['service']:10} {line['entry']} {line['step']}:{line['operation']} attempt "
                   f"{line['attempt']} key {line['key']} cents {line['cents']} (pid {line['pid']})")
                  for line in self.history.lines_of.get(saga, [])]
        for at, _, text in sorted(lines):
            time_of_day = datetime.datetime.fromtimestamp(at / 1e6, datetime.timezone.utc).strftime("%H:%M:%S.%f")
            told.append(f"  {time_of_day}  {text[:300]}")
        return "\n".join(told)

    def stories(self, limit=5):
        """The first violations in a line each, and the whole story of a saga for each property that has some."""
        told = [f"{len(self.violations)} violations, seed {self.seed}"]
        first = {}
        for name in PROPERTIES:
            found = [violation for violation in self.violations if violation.property == name]
            told += [f"{name}: saga {violation.saga}: {violation.what}" for violation in found[:5]]
            told += [f"{name}: {len(found) - 5} more"] if len(found) > 5 else []
            first |= {name: violation.saga for violation in found[:1] if violation.saga is not None}
        return "\n".join(told + [self.story(saga) for saga in list(dict.fromkeys(first.values()))[:limit]])

    def document(self):
        """The report as JSON."""
        return {
            "seed": self.seed,
            "sagas": dict(sorted(self.statuses.items())), "entries": dict(sorted(self.entries.items())),
            "acknowledged": len(self.history.acknowledged), "books": self.history.books,
            "events": sum(len(saga.events) for saga in self.history.sagas.values()),
            "strays": self.strays, "commitTimes": self.history.has_commit_times,
            "properties": [{"name": name, "text": text, "checked": self.checked[name], "violations": self.count(name)}
                           for name, (text, _) in PROPERTIES.items()],
            "violations": [violation._asdict() for violation in self.violations],
        }


def check(database, logs, acknowledged=None, seed=None, psql=None):
    """Reads what there is and holds it against all properties.

    database: a libpq URL. logs: the participants' files. acknowledged: the starter's file.
    """
    return Report(History(database, logs, acknowledged, psql), seed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", required=True, metavar="URL")
    parser.add_argument("--log", action="append", required=True, metavar="FILE", help="a participant's; repeat it")
    parser.add_argument("--acknowledged", metavar="FILE")
    parser.add_argument("--seed", help="told with violations")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser.parse_args()


def main():
    given = arguments()
    report = check(given.database, given.log, given.acknowledged, given.seed)
    if given.format == "json":
        print(json.dumps(report.document(), indent=2))
    else:
        print(report.table())
        print(f"\n{len(report.history.sagas):,} sagas: " + ", ".join(
            f"{count:,} {status}" for status, count in sorted(report.statuses.items())))
        if report.violations:
            print(report.stories())
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
