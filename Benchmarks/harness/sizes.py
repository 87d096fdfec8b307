"""How much each part does."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of sagas, workflows and repeats."""
    repeats: int = 3
    warmup: int = 5_000
    sagas: int = 50_000
    connections: tuple = (4, 16, 32)
    http_sagas: int = 20_000
    requests: int = 100_000
    workflows: int = 3_000
    processes: tuple = (1, 2, 4, 8, 16)
    raw_transactions: int = 4_000
    latency_sagas: int = 200
    half_seconds: int = 20
    history: int = 2_000_000
    parked: int = 1_000_000
    idle_seconds: int = 30
    pairs: int = 5
    growth_sagas: int = 20_000


FULL = Sizes()
QUICK = Sizes(repeats=3, warmup=300, sagas=2_000, connections=(4, 16), http_sagas=300, requests=3_000, workflows=200,
              processes=(1, 4), raw_transactions=100, latency_sagas=20, half_seconds=2, history=100_000,
              parked=50_000, idle_seconds=5, pairs=2, growth_sagas=500)
