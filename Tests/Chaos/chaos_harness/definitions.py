"""The sagas of the runs (Tests/Chaos/sagas), the services that they call, and what they are started with."""
import os
import random

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sagas")
SAGAS = ("order", "trip", "variants", "account")
# One participant each; its URL is taken from the environment of the daemons.
SERVICES = ("inventory", "payment", "shipping", "mail")


def environment(ports):
    """What a daemon needs to find the participants: `ports` by service."""
    return {f"CHAOS_{service.upper()}_URL": f"http://127.0.0.1:{port}" for service, port in ports.items()}


def start(seed, number):
    """The `number`-th start of a run: the saga's name, its input and its key; the same for the same seed."""
    chance = random.Random(f"{seed}:{number}")
    saga = chance.choice(SAGAS)
    order = f"{seed}-{number}"
    # Any sum of a thousand of them fits a double too.
    document = {"order": order, "cents": chance.randint(100, 99_999)}
    if saga == "account":
        document["premium"] = chance.random() < 0.5
    return saga, document, f"{saga}-{order}"
