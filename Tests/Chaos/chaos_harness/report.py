"""What a run came to: tables, and whether it kept all that is promised."""
import json
import os
import statistics
import time

from . import schedule
from .daemons import counted, unexpected
from .world import OFF_BY_AN_HOUR

DURATIONS = """SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t), percentile_disc(0.99) WITHIN GROUP (ORDER BY t),
    max(t), count(*) FROM (SELECT extract(epoch FROM ended_at - started_at) AS t FROM saga.sagas) taken"""
STATUSES = """SELECT status, count(*) FROM saga.sagas GROUP BY 1 ORDER BY 1"""


class Report:
    """Taken when all has settled and the database still stands."""

    def __init__(self, world, connection, healed, checked):
        """`healed`: seconds until all sagas had ended, or None; `checked`: the checker's result."""
        self.world, self.healed, self.checked = world, healed, checked
        self.statuses = {status: int(count) for status, count in connection.query(STATUSES, timeout=120)}
        self.events = int(connection.query("SELECT count(*) FROM saga.events", timeout=120)[0][0])
        self.durations = [float(cell or 0) for cell in connection.query(DURATIONS, timeout=120)[0]]
        self.resumed = self._resumed(connection)
        self.losses = [loss for loss in world.faults.kills if loss.identity is not None and loss.over is not None]
        self.calls = {service.name: _lines(service.ledger) for service in world.participants}

    # Recovery

    def takeovers(self, kind, apart_from_outages=False):
        """Seconds from the loss of a daemon until its sagas were free for others; of those that had any."""
        return [loss.over - loss.at for loss in self.losses
                if loss.kind == kind and loss.sagas and not (apart_from_outages and self._in_outage(loss))]

    def _in_outage(self, loss):
        return any(down <= loss.over and (up is None or up + 1 >= loss.at) for down, up in self.world.outages)

    def _resumed(self, connection):
        """Seconds from each time that the database was up again until a daemon had written an event."""
        offset, found = time.time() - time.monotonic(), []
        for _, up in self.world.outages:
            if up is not None:
                at = connection.query(
                    f"SELECT extract(epoch FROM min(at)) FROM saga.events WHERE type <> 'SagaStarted' "
                    f"AND at > to_timestamp({up + offset:.6f})", timeout=120)[0][0]
                if at is not None:
                    found.append(float(at) - up - offset)
        return found

    # What was broken

    def violations(self):
        """Each in a sentence."""
        world, found = self.world, []
        found += [f"harness: {error}" for error in world.errors]
        for place in [*world.daemons, *world.participants]:
            found += place.unasked
        found += world.watcher.violations + world.starter.violations
        found += [f"unexpected in a log: {line}" for line in unexpected(world.daemons)[:20]]
        found += [f"saga start ended with {words} ({count} times)" for words, count in world.start_errors.items()]
        if self.healed is None:
            found.append("sagas were left that didn't end after all had healed")
        for what, least in schedule.promised(world.minutes).items():
            if self.struck(what) < least:
                found.append(f"only {self.struck(what)} {what}, promised were {least}")
        least = schedule.promised_sagas(world.minutes)
        if world.starter.acknowledged < least:
            found.append(f"only {world.starter.acknowledged} sagas were started, promised were {least}")
        # A paused one may wake before anybody who is alive has noticed.
        never = [loss for loss in world.faults.kills
                 if loss.kind == "kill" and loss.identity is not None and loss.over is None]
        found += [f"nobody took over from daemon {loss.identity} ({loss.name}, {loss.kind})" for loss in never]
        return found + [f"{broken.property}: saga {broken.saga}: {broken.what}" for broken in self.checked.violations]

    def struck(self, what):
        done = self.world.faults.done
        return sum(done[kind] for kind in schedule.PROMISED[what][1])

    # Tables

    def text(self):
        faults, starter = self.world.faults, self.world.starter
        parts = ["", f"Seed {self.world.seed}, {self.world.minutes:g} minutes", ""]
        planned = {kind: sum(fault.kind == kind for fault in faults.faults) for kind in schedule.RATES}
        rows = [["fault", "injected", "missed", ""]]
        for kind in schedule.RATES:
            words = f"skipped: {faults.skipped[kind]}" if kind in faults.skipped else ""
            missed = "-" if words else str(planned[kind] - faults.done[kind])
            rows.append([kind, str(faults.done[kind]), missed, words])
        if OFF_BY_AN_HOUR not in self.world.skipped:
            rows.append([OFF_BY_AN_HOUR, "1", "0", "one daemon, all the time"])
        for what, why in self.world.skipped.items():
            if what not in schedule.RATES:
                rows.append([what, "-", "-", f"skipped: {why}"])
        parts += table(rows)
        parts += [""] + table([["promised", "least", "were"]] + [
            [what, str(least), str(self.struck(what))] for what, least in schedule.promised(self.world.minutes).items()
        ] + [["sagas", str(schedule.promised_sagas(self.world.minutes)), f"{starter.acknowledged:,}"]])
        parts += [""] + table([["sagas", ""], ["starts begun", f"{starter.begun:,}"],
                               ["acknowledged", f"{starter.acknowledged:,}"],
                               ["attempts in vain, made again by key", f"{starter.doubts:,}"],
                               ["answers lost, without a key to ask again by", f"{starter.lost:,}"],
                               ["by the command line", f"{starter.by_program:,}"]]
                              + [[status, f"{count:,}"] for status, count in self.statuses.items()]
                              + [["events", f"{self.events:,}"]]
                              + [[f"calls at {name}", f"{count:,}"] for name, count in self.calls.items()])
        parts += [""] + self._recovery()
        parts += [""] + [f"{count:6,} × warned: {what}" for what, count in sorted(counted(self.world.daemons).items())]
        parts += ["", self.checked.table()]
        found = self.violations()
        parts += ["", f"{len(found)} violations" + (f" (seed {self.world.seed})" if found else "")]
        parts += [f"  - {sentence}" for sentence in found[:50]]
        if self.checked.violations:
            parts += ["", self.checked.stories()]
        return "\n".join(parts)

    def _recovery(self):
        rows = [["seconds until", "count", "p50", "max"]]
        for words, times in (
            ("a killed daemon's sagas were free", self.takeovers("kill")),
            ("  of these while the database was up", self.takeovers("kill", apart_from_outages=True)),
            (f"a paused daemon's sagas were free, of {self.world.faults.done['pause']}", self.takeovers("pause")),
            ("a stopped daemon had drained", [time for time in self.world.faults.drains if time is not None]),
            ("the database was up again", [up - down for down, up in self.world.outages if up is not None]),
            ("  and a daemon had written an event", self.resumed),
            ("a daemon that nothing held back had a lease", list(self.world.watcher.longest.values())),
            ("all sagas had ended after the last fault", [self.healed] if self.healed is not None else []),
        ):
            cells = [f"{statistics.median(times):.1f}", f"{max(times):.1f}"] if times else ["-", "-"]
            rows.append([words, str(len(times)), *cells])
        half, most, longest, count = self.durations
        rows.append([f"a saga had ended (p99 {most:.1f})", f"{count:.0f}", f"{half:.1f}", f"{longest:.1f}"])
        return table(rows)

    def document(self):
        """The figures, for other programs."""
        return {
            "seed": self.world.seed, "minutes": self.world.minutes, "faults": dict(self.world.faults.done),
            "skipped": self.world.skipped, "acknowledged": self.world.starter.acknowledged,
            "checker": self.checked.document(), "statuses": self.statuses, "events": self.events, "calls": self.calls,
            "takeoverSeconds": self.takeovers("kill"), "takeoverSecondsDatabaseUp": self.takeovers("kill", True),
            "resumedSeconds": self.resumed, "sagaSeconds": self.durations[:3],
            "healedSeconds": self.healed, "violations": self.violations()}

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.document(), file, indent=1)


def table(rows):
    widths = [max(len(row[column]) if column < len(row) else 0 for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if column in (0, 3) else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def _lines(path):
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as file:
        return sum(1 for line in file if b'"opened"' not in line)
