"""What happens when: a pure function of the seed and the length of the run."""
import dataclasses
import random

LEASE = 10.0  # EngineConfiguration.leaseLength

# How many in thirty minutes. What is promised is a little less: a fault is missed when all that it could strike is
# already struck.
RATES = {
    "kill": 240, "pause": 62, "stop": 45,
    "crash": 30, "backend kill": 14, "restart": 24, "terminate all": 30, "terminate some": 60,
    "read-only": 16, "table lock": 20, "connections full": 14,
    "hole": 26, "delay": 20, "half-close": 20, "reset": 20, "cut in COMMIT": 60, "namespace": 20,
    "pooler kill": 30, "participant kill": 60, "participant disk full": 20,
}
PROMISED = {
    "daemon kills": (200, ["kill"]),
    "pauses beyond the lease": (50, ["pause"]),
    "database restarts and kills": (50, ["crash", "backend kill", "restart"]),
    "network cuts": (75, ["hole", "half-close", "reset", "cut in COMMIT", "namespace"]),
}
PROMISED_SAGAS = 20_000
SAGAS_PER_SECOND = 14.0
WARM_UP, REST = 3.0, 4.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: its kind, when (seconds from the start), for how long, and whatever else its kind asks for."""
    at: float
    kind: str
    seconds: float
    choice: float    # which of several targets, 0 ..< 1
    manner: str = ""


def promised(minutes):
    """Least counts of a run of that length."""
    return {what: max(1, int(count * minutes / 30)) for what, (count, _) in PROMISED.items()}


def promised_sagas(minutes):
    return int(PROMISED_SAGAS * minutes / 30)


def schedule(seed, minutes):
    """All faults of a run in order of time."""
    found = []
    span = max(1.0, minutes * 60 - WARM_UP - REST)
    for kind, rate in RATES.items():
        # A sequence of its own for each kind: another kind's rate changes nothing of it.
        chance = random.Random(f"{seed}/{kind}")
        count = max(1, round(rate * minutes / 30))
        for number in range(count):
            at = WARM_UP + (number + chance.random()) * span / count
            found.append(_fault(kind, at, chance))
    return sorted(found, key=lambda fault: (fault.at, fault.kind))


def _fault(kind, at, chance):
    choice, manner = chance.random(), ""
    if kind in ("kill", "participant kill", "stop"):
        # Half of them are back at once.
        seconds = 0.0 if chance.random() < 0.5 else chance.uniform(0.5, 8)
    elif kind == "pause":
        seconds = LEASE + chance.uniform(3, 6)
    elif kind in ("crash", "restart"):
        seconds = 0.0 if chance.random() < 0.4 else chance.uniform(0.2, 5)
    elif kind == "read-only":
        seconds = chance.uniform(0.5, 5)
    elif kind == "table lock":
        seconds, manner = chance.uniform(1, 12), chance.choice(["state", "event", "daemon"])
    elif kind == "connections full":
        seconds = chance.uniform(1, 6)
    elif kind in ("hole", "namespace"):
        # Some shorter than the lease, some longer.
        seconds = chance.choice([chance.uniform(0.5, 4), chance.uniform(8, 16)])
        manner = chance.choice(["and flows on", "and the connections are forgotten"])
    elif kind == "delay":
        seconds, manner = chance.uniform(2, 6), f"{chance.choice([0.05, 0.3, 1.5])}"
    elif kind == "half-close":
        seconds, manner = chance.uniform(1, 5), chance.choice(["client", "server"])
    elif kind == "cut in COMMIT":
        seconds, manner = 6.0, chance.choice(["before", "after", "after", "answer", "answer"])
    elif kind == "participant disk full":
        seconds = chance.uniform(1, 5)
    elif kind == "pooler kill":
        seconds = 0.0 if chance.random() < 0.5 else chance.uniform(0.2, 3)
    else:
        seconds = 0.0
    return Fault(at, kind, seconds, choice, manner)
