"""What is measured, a function a part. Each returns rows of the table and takes what it needs from earlier ones."""
import os
import statistics
import time
from functools import partial

from . import filling
from .cluster import process_memory, process_times
from .programs import Skipped


class Bench:
    """One run of the parts."""

    def __init__(self, cluster, programs, peers, sizes, say):
        self.cluster, self.programs, self.peers, self.sizes, self.say = cluster, programs, peers, sizes, say
        self.rows, self.skipped, self.measured = [], {}, {}

    def run(self, names):
        for name in names:
            self.say(name)
            try:
                PARTS[name](self)
            except Skipped as reason:
                self.skipped[name] = str(reason)
                self.say(f"  skipped: {reason}")

    # Help

    def row(self, what, **figures):
        self.rows.append({"what": what, **figures})

    def saga_row(self, what, document):
        cpu = [part for part in document["cpuSeconds"].values() if part is not None]
        self.row(
            what, sagasPerSecond=document["sagasPerSecond"], stepsPerSecond=document["stepsPerSecond"],
            p50=document["latencyMs"]["p50"], p99=document["latencyMs"]["p99"],
            commitsPerSaga=document["commitsPerSaga"], walBytesPerSaga=document["walBytesPerSaga"],
            eventsPerSaga=document["eventsPerSaga"], cpuSecondsPerThousand=sum(cpu) / document["sagas"] * 1000,
            daemonPeakRSSMiB=document["daemonPeakRSSMiB"])

    def warm_up(self, url, **options):
        """The first sagas compile the definition, fill the caches and open the connections."""
        self.programs.bench(url, sagas=self.sizes.warmup, **options)

    def median(self, url, **options):
        """The run in the middle of the repeats, whole: its figures belong together."""
        runs = []
        for _ in range(self.sizes.repeats):
            self.cluster.settle(url)
            runs.append(self.programs.bench(url, **options))
            self.say(f"  {runs[-1]['sagasPerSecond']:.0f} sagas/s")
        return sorted(runs, key=lambda run: run["sagasPerSecond"])[len(runs) // 2]

    def connections(self, url):
        """How many connections to start sagas from: what is best for the throughput, tried once."""
        if "connections" not in self.measured:
            rates = {}
            for count in self.sizes.connections:
                self.cluster.settle(url)
                rates[count] = self.programs.bench(url, sagas=self.sizes.sagas, connections=count)["sagasPerSecond"]
                self.say(f"  started from {count} connections: {rates[count]:.0f} sagas/s")
            self.measured["connections"] = max(rates, key=rates.get)
        return self.measured["connections"]

    def full_load(self):
        """Sagas a second with noop steps, measured now if no part has yet."""
        if "saga" not in self.measured:
            saga(self)
        return self.measured["saga"]


def saga(bench):
    """Four noop steps, each start in a transaction of its own; and a backlog, of 500 starts a transaction.

    The number of connections that start them is what is best, as with the processes of the hand-written baseline.
    """
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        bench.warm_up(url)
        connections = bench.connections(url)
        document = bench.median(url, sagas=bench.sizes.sagas, connections=connections)
        bench.saga_row(f"saga, 4 noop steps ({connections} connections)", document)
        bench.measured["saga"] = document["sagasPerSecond"]
        bench.measured["commits"] = document["commitsPerSaga"]
        document = bench.median(url, sagas=bench.sizes.sagas, batch=500)
        bench.saga_row("saga, the same from a backlog", document)
        bench.measured["backlog"] = document["sagasPerSecond"]
    bench.cluster.drop(url)


def growth(bench):
    """How cost grows with steps and with the size of the input, from backlogs."""
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        for steps in (1, 16, 64):
            bench.warm_up(url, steps=steps)
            document = bench.median(url, sagas=max(100, bench.sizes.growth_sagas // steps), steps=steps, batch=500)
            bench.saga_row(f"saga, {steps} noop step{'s' if steps > 1 else ''}", document)
        for payload in (1_000, 10_000, 100_000):
            sagas = max(100, bench.sizes.growth_sagas * 1_000 // max(payload, 1_000))
            document = bench.median(url, sagas=sagas, payload=payload, batch=50)
            bench.saga_row(f"saga, 4 noop steps, {payload} bytes in", document)
    bench.cluster.drop(url)


def dbos(bench):
    """DBOS Transact, four steps that do nothing."""
    url = bench.cluster.database()
    bench.peers.dbos(url, 64)
    runs = []
    for _ in range(bench.sizes.repeats):
        bench.cluster.settle(url)
        runs.append(metered(bench, url, partial(bench.peers.dbos, url, bench.sizes.workflows)))
    peer_row(bench, "DBOS Transact (Python)", "dbos", runs)
    bench.cluster.drop(url)


def metered(bench, url, call):
    """Runs a peer and adds what the server did for it."""
    counters = """SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint"""
    wal, writes = (int(value) for value in bench.cluster.sql(url, counters)[0])
    cpu = bench.cluster.cpu()
    document, client = call()
    document["cpuSeconds"] = bench.cluster.cpu() - cpu + client
    after = [int(value) for value in bench.cluster.sql(url, counters)[0]]
    document.setdefault("walBytesPerWorkflow", (after[0] - wal) / document["workflows"])
    document.setdefault("commitsPerWorkflow", (after[1] - writes) / document["workflows"])
    bench.say(f"  {document['workflowsPerSecond']:.0f} workflows/s")
    return document


def peer_row(bench, what, name, runs):
    run = sorted(runs, key=lambda run: run["workflowsPerSecond"])[len(runs) // 2]
    bench.measured[name] = run["workflowsPerSecond"]
    bench.row(what, sagasPerSecond=run["workflowsPerSecond"], stepsPerSecond=run["stepsPerSecond"],
              commitsPerSaga=run["commitsPerWorkflow"], walBytesPerSaga=run["walBytesPerWorkflow"],
              eventsPerSaga=run.get("eventsPerWorkflow"),
              cpuSecondsPerThousand=run["cpuSeconds"] / run["workflows"] * 1000)


def handwritten(bench):
    """A state table and SKIP LOCKED; the number of processes that is best counts.

    Once with workflows that are there beforehand, once with two processes that start them meanwhile.
    """
    url = bench.cluster.database()
    for name, starters, words in (("handwritten", 2, ""), ("handwrittenBacklog", 0, ", from a backlog")):
        best = []
        for processes in bench.sizes.processes:
            runs = []
            for _ in range(bench.sizes.repeats):
                call = partial(bench.peers.handwritten, url, bench.sizes.workflows, processes, starters)
                runs.append(metered(bench, url, call))
            best.append(sorted(runs, key=lambda run: run["workflowsPerSecond"])[len(runs) // 2])
        run = max(best, key=lambda run: run["workflowsPerSecond"])
        peer_row(bench, f"hand-written, {run['processes']} processes{words}", name, [run])
    bench.cluster.drop(url)


def raw(bench):
    """Event rows alone; the faster way of writing rows that a client has counts.

    pgbench's are made inside the server: what its tables and its log can take, which no program comes near.
    """
    url = bench.cluster.database()
    pgbench = os.path.join(bench.cluster.bin, "pgbench")
    best = []
    for method in ("unnest", "copy", "pgbench"):
        runs = []
        try:
            for _ in range(bench.sizes.repeats):
                bench.cluster.settle(url)
                runs.append(bench.peers.raw(url, bench.sizes.raw_transactions, method, pgbench)[0])
        except Skipped as reason:
            bench.say(f"  without {method}: {reason}")
            continue
        best.append(sorted(runs, key=lambda run: run["rowsPerSecond"])[len(runs) // 2])
        bench.row(f"event rows alone, by {method}", rowsPerSecond=best[-1]["rowsPerSecond"])
        bench.say(f"  {method}: {best[-1]['rowsPerSecond']:.0f} rows/s")
    if not best:
        raise Skipped("there is neither psycopg nor pgbench")
    sent = [run["rowsPerSecond"] for run in best if run["method"] != "pgbench"]
    bench.measured["raw"] = max(sent or [run["rowsPerSecond"] for run in best])
    bench.cluster.drop(url)


def http(bench):
    """Four HTTP steps, against a bare loop of calls to the same server with as many in flight."""
    url = bench.cluster.database()
    with bench.programs.http_server() as server, bench.programs.daemon(url):
        bench.programs.http_loop(server.url, bench.sizes.requests)
        rates = [bench.programs.http_loop(server.url, bench.sizes.requests) for _ in range(bench.sizes.repeats)]
        bench.measured["loop"] = statistics.median(rates)
        bench.row("bare async-http-client loop", stepsPerSecond=bench.measured["loop"])
        bench.warm_up(url, http=server.url)
        # From a backlog: what is compared is the calls, not the starts.
        document = bench.median(url, sagas=bench.sizes.http_sagas, http=server.url, batch=500)
        bench.saga_row("saga, 4 HTTP steps", document)
        bench.measured["http"] = document["stepsPerSecond"]
    bench.cluster.drop(url)


def latency(bench):
    """Four noop steps on an idle machine."""
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        bench.warm_up(url)
        bench.cluster.settle(url)
        document = bench.programs.bench(url, sagas=bench.sizes.latency_sagas, rate=5)
    bench.saga_row("saga, idle (5 a second)", document)
    bench.measured["idle"] = document["latencyMs"]
    bench.cluster.drop(url)


def half(bench):
    """Four noop steps at half of the full load, open loop."""
    rate = max(1, round(bench.full_load() / 2))
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        bench.warm_up(url)
        bench.cluster.settle(url)
        document = bench.programs.bench(url, sagas=rate * bench.sizes.half_seconds, rate=rate,
                                        connections=bench.measured["connections"])
    bench.saga_row(f"saga, half load ({rate} a second)", document)
    bench.measured["half"] = document["latencyMs"]["p99"]
    bench.say(f"  the latest start was {document['behindSeconds']:.3f} s late")
    bench.cluster.drop(url)


def history(bench):
    """Throughput with many ended sagas in the tables, against the same database without them."""
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        bench.warm_up(url)
        connections = bench.connections(url)
        empty = bench.median(url, sagas=bench.sizes.sagas, connections=connections)
        begun = time.monotonic()
        filling.add_history(bench.cluster, url, bench.sizes.history)
        bench.say(f"  {bench.sizes.history} sagas put in, in {time.monotonic() - begun:.0f} s")
        bench.warm_up(url)
        full = bench.median(url, sagas=bench.sizes.sagas, connections=connections)
    bench.saga_row(f"saga, after {bench.sizes.history} others", full)
    bench.measured["history"] = full["sagasPerSecond"] / empty["sagasPerSecond"]
    bench.cluster.drop(url)


def parked(bench):
    """Sagas that wait for an hour: what the daemon holds, and does, meanwhile."""
    url = bench.cluster.database()
    with bench.programs.daemon(url):
        pass
    filling.park(bench.cluster, bench.programs, url, bench.sizes.parked)
    with bench.programs.daemon(url) as daemon:
        time.sleep(5)
        before, server = process_times(daemon.pid)["own"], bench.cluster.cpu()
        begun = time.monotonic()
        time.sleep(bench.sizes.idle_seconds)
        took = time.monotonic() - begun
        cpu = (process_times(daemon.pid)["own"] - before) / took * 100
        server = (bench.cluster.cpu() - server) / took * 100
        peak = process_memory(daemon.pid, "VmHWM")
    bench.row(f"idle with {bench.sizes.parked} parked", daemonPeakRSSMiB=peak, daemonCPUPercent=cpu,
              postgresCPUPercent=server)
    bench.measured["parked"] = {"memory": peak, "cpu": cpu, "postgres": server}
    bench.cluster.drop(url)


def two_daemons(bench):
    """Two daemons against one, in turn."""
    url = bench.cluster.database()
    ratios = []
    for pair in range(bench.sizes.pairs):
        rates = {}
        # What comes second in one pair comes first in the next.
        for count in ((1, 2) if pair % 2 == 0 else (2, 1)):
            with bench.programs.daemon(url):
                if count == 2:
                    with bench.programs.daemon(url):
                        rates[count] = one_of_a_pair(bench, url)
                else:
                    rates[count] = one_of_a_pair(bench, url)
        ratios.append(rates[2] / rates[1])
        bench.say(f"  one {rates[1]:.0f}, two {rates[2]:.0f} sagas/s")
    bench.measured["two"] = statistics.median(ratios)
    bench.cluster.drop(url)


def one_of_a_pair(bench, url):
    bench.warm_up(url)
    connections = bench.connections(url)
    bench.cluster.settle(url)
    return bench.programs.bench(url, sagas=bench.sizes.sagas, connections=connections)["sagasPerSecond"]


PARTS = {
    "saga": saga, "raw": raw, "handwritten": handwritten, "dbos": dbos, "http": http, "latency": latency, "half": half,
    "history": history, "parked": parked, "two-daemons": two_daemons, "growth": growth,
}
