"""`live-tail`: the slowest calls, with the collector on.

`python benchmarks/tail.py --profiles 1000000` asks the same with a million profiles in memory.
"""

from __future__ import annotations

from typing import Any

import pairs
import pytest
from sizes import EVENTS

BAR = "p99 <= 10 x median, p99.9 <= 1,000 us"


@pytest.mark.parametrize("name", ["engine", "handwritten"])
def test_live_tail(benchmark: Any, say: list[str], name: str) -> None:
    """One call of `process` at a time, over retail-v1 from no profiles."""
    with pairs.Process(pairs.Side(name, name), EVENTS) as worker:
        times = benchmark.pedantic(worker.ask, args=("tail",), rounds=1)
    assert len(times["wall_ns"]) == len(times["cpu_ns"]) == EVENTS
    for clock in "wall_ns", "cpu_ns":
        found = pairs.quantiles(times[clock])
        shown = ", ".join(f"{part} {time:,.1f} us" for part, time in found.items())
        say.append(f"{clock[:-3]} {shown}; bar {BAR}")
        benchmark.extra_info[clock] = found
