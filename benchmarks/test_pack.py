"""`pack`: what an event costs whose profile is at rest, against one whose profile is in use.

Two engines with the same profiles take the same page views in turn, chunk by chunk: one keeps every
row in use, the other ten, so that each event wakes a profile and brings another to rest.
"""

from __future__ import annotations

import gc
import os
import time
from statistics import median
from typing import Any

from sizes import FULL

from reactor import Reactor
from reactor.testing.workloads import profiles_v1, retail_config

PROFILES = int(os.environ.get("REACTOR_BENCH_PROFILES", "0")) or (50_000 if FULL else 500)
ROUNDS = 9 if FULL else 2
DAY_S = 86_400


def test_pack(benchmark: Any, say: list[str]) -> None:
    """No bar: the ratio says what `in_use` is worth."""
    sides = {"in use": Reactor(retail_config()), "at rest": Reactor(retail_config())}
    sides["in use"].in_use, sides["at rest"].in_use = None, 10
    events = list(profiles_v1(PROFILES))
    for engine in sides.values():
        for table, event in events:
            engine.ingest(event, table)
    views = [(table, dict(event)) for table, event in events[:PROFILES]]
    costs: dict[str, list[float]] = {name: [] for name in sides}

    def run() -> None:
        gc.collect()
        for _, event in views:
            event["time"] = int(str(event["time"])) + 5 * DAY_S
        answers = []
        for name, engine in sides.items():
            begun = time.process_time()
            rids = [engine.process(event, table).rid_value for table, event in views]
            costs[name].append((time.process_time() - begun) * 1e6 / len(views))
            answers.append(rids)
        assert answers[0] == answers[1]

    benchmark.pedantic(run, rounds=ROUNDS)
    one, other = (median(costs[name]) for name in ("in use", "at rest"))
    say.append(f"in use {one:.2f} us, at rest {other:.2f} us an event: {other / one:.2f} times")
    benchmark.extra_info.update({"in use": one, "at rest": other})
    assert sides["at rest"]._state.resting.in_use <= 10
