"""`evict`: what limits cost a new profile, and an event of a known one, against none.

The histories of an engine without limits and of one at its ceiling take turns, chunk by chunk, in
one process: new profiles, of which each makes another leave at the ceiling, then known ones.
"""

from __future__ import annotations

import gc
import os
import time
from statistics import median
from typing import Any

from sizes import FULL

from reactor import Reactor
from reactor.testing.workloads import retail_config

PROFILES = int(os.environ.get("REACTOR_BENCH_PROFILES", "0")) or (100_000 if FULL else 1_000)
ROUNDS = 9 if FULL else 2
START_S = 1_750_000_000


def visit(engine: Reactor, numbers: range, start_s: int) -> None:
    """Ingest an event of each of some clients, ten a second."""
    for number in numbers:
        event = {"td_client_id": str(number), "td_path": "/", "time": start_s + number // 10}
        engine.ingest(event, "web.pageviews")


def spent_us(engine: Reactor, numbers: range, start_s: int) -> float:
    """Return the CPU time of an event, in microseconds."""
    begun = time.process_time()
    visit(engine, numbers, start_s)
    return (time.process_time() - begun) * 1e6 / len(numbers)


def test_evict(benchmark: Any, say: list[str]) -> None:
    """Every new profile at the ceiling evicts one, the longest idle; a known one pays nothing."""
    config = retail_config()
    sides = {
        "no limits": Reactor(config),
        "at the ceiling": Reactor({**config, "limits": {"profiles": PROFILES}}),
        "idle": Reactor({**config, "limits": {"idle": "30d"}}),
    }
    for engine in sides.values():
        visit(engine, range(PROFILES), START_S)
    chunk = PROFILES // 10
    new: dict[str, list[float]] = {name: [] for name in sides}
    known: dict[str, list[float]] = {name: [] for name in sides}

    def run() -> None:
        gc.collect()
        begin = PROFILES + len(new["idle"]) * chunk
        for name, engine in sides.items():
            new[name].append(spent_us(engine, range(begin, begin + chunk), START_S))
            known[name].append(spent_us(engine, range(begin, begin + chunk), START_S + 60))

    benchmark.pedantic(run, rounds=ROUNDS)
    for name, engine in sides.items():
        say.append(f"{name}: new {median(new[name]):.2f} us, known {median(known[name]):.2f} us an event")
        joined = len(new[name]) * chunk  # one round where benchmarks are disabled
        evicted = joined if name == "at the ceiling" else 0
        assert engine.stats()["evicted_full"] == evicted
        assert engine.stats()["profiles"] == PROFILES + joined - evicted
    benchmark.extra_info.update(
        {f"{name}, {kind}": median(us[name]) for kind, us in (("new", new), ("known", known)) for name in us}
    )
