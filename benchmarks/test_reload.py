"""`reload`: another config for an engine that holds profiles, in CPU time a profile.

Three changes: of a section only, when rows stay as they are; of a list's length, when every profile
is read and written anew; and of what an attribute means, which starts anew.
"""

from __future__ import annotations

import gc
import os
import time
from copy import deepcopy
from typing import Any

from sizes import FULL

from reactor import Reactor
from reactor.testing.workloads import profiles_v1, retail_config

PROFILES = int(os.environ.get("REACTOR_BENCH_PROFILES", "0")) or (1_000_000 if FULL else 1_000)


def changed() -> dict[str, dict[str, Any]]:
    """Return what changes → the config."""
    configs = {name: deepcopy(dict(retail_config())) for name in ("a section", "a list", "a meaning")}
    attributes: Any = configs["a list"]["attributes"]
    lists = [name for name, each in attributes.items() if each["type"] == "list"]
    attributes[lists[0]]["max_items"] = 7
    attributes = configs["a meaning"]["attributes"]
    attributes[lists[0]]["unique"] = not attributes[lists[0]].get("unique", False)
    configs["a section"]["personalizations"].popitem()
    return configs


def test_reload(benchmark: Any, say: list[str]) -> None:
    """No bar; every profile is there afterwards, and reads as before where its meaning is unchanged."""
    engine = Reactor(retail_config())
    for table, event in profiles_v1(PROFILES):
        engine.ingest(event, table)
    costs = {}

    def run() -> None:
        for name, config in changed().items():
            gc.collect()
            begun = time.process_time()
            report = engine.reload(config)
            costs[name] = (time.process_time() - begun) * 1e6 / PROFILES
            assert len(report.reset) == (1 if name == "a meaning" else 0)
            assert engine.stats()["profiles"] == PROFILES
            engine.reload(retail_config())

    benchmark.pedantic(run, rounds=1)
    for name, cost in costs.items():
        say.append(f"{name}: {cost:.2f} us a profile")
    benchmark.extra_info.update(costs)
