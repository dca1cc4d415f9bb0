"""`live` and `door`: what an event costs, against the loop by hand and from bytes to bytes.

The ratios come from `pairs.measure`, chunk by chunk in turn in separate processes. The
entries of pytest-benchmark run each contender alone, for its tables and comparisons; use
`--benchmark-timer=time.process_time` with them.
"""

from __future__ import annotations

import json
from typing import Any

import pairs
import pytest
from contenders import CONTENDERS, Chunk
from sizes import EVENTS, ROUNDS

from reactor import Reactor
from reactor.testing.workloads import Workload, retail_v1

BAR = 1.3  # times the CPU time of the loop by hand; and of `live` for the door
BAR_RATE = 75_000
OFFERS = {4_000: 2_949, 200_000: 201_444}  # of all sections together, by number of events


@pytest.fixture(scope="module")
def workload() -> Workload:
    """The events of the run's size."""
    return retail_v1(EVENTS)


def test_answers(workload: Workload) -> None:
    """Engine and loop give the same offers, rid and reading time, event by event."""
    engine = Reactor(workload.config)
    engine.import_batch(workload.batch)
    by_hand = CONTENDERS["handwritten"].call(workload.config, workload.batch)
    offers = 0
    for number, (table, event) in enumerate(workload.events):
        outcome = engine.process(event, table=table)
        expected = by_hand(event, table)
        assert (outcome.offers, outcome.rid) == (expected.offers, expected.rid), f"event {number}"
        assert outcome.now.timestamp() * 1000 == expected.now_ms
        offers += len(outcome.offers)
    assert offers == OFFERS[len(workload.events)]


def test_answers_of_the_door(workload: Workload) -> None:
    """Bytes in to bytes out: the response body is the offers that `process` gives."""
    engine, other = Reactor(workload.config), Reactor(workload.config)
    for one in engine, other:
        one.import_batch(workload.batch)
    for table, event in workload.events[:4_000]:
        body = engine.process_json(json.dumps(event).encode(), table=table)
        assert json.loads(body) == {"offers": other.process(event, table=table).offers}


@pytest.mark.parametrize("name", ["engine", "handwritten", "door"])
def test_live(benchmark: Any, workload: Workload, name: str) -> None:
    """All events through one contender, from no profiles."""
    contender = CONTENDERS[name]

    def setup() -> tuple[tuple[Any, Chunk], dict[str, Any]]:
        chunk = [(table, json.dumps(event).encode()) for table, event in workload.events]
        if not contender.takes_bytes:
            chunk = [(table, json.loads(body)) for table, body in chunk]
        return (contender.make(workload.config, workload.batch), chunk), {}

    benchmark.group = "live"
    benchmark.pedantic(lambda run, chunk: run(chunk), setup=setup, rounds=min(ROUNDS, 5))
    benchmark.extra_info["events"] = len(workload.events)


def test_live_ratio(benchmark: Any, say: list[str]) -> None:
    """`live`: the engine against the loop by hand; bar 1.3 times and 75,000 events a second."""
    sides = [pairs.Side("engine", "engine"), pairs.Side("by hand", "handwritten")]
    rounds = benchmark.pedantic(pairs.measure, args=(sides, EVENTS, ROUNDS), rounds=1)
    rate = 1e6 / rounds.event_us("engine")
    say.append(f"{pairs.line(rounds, 'engine', 'by hand')}; bar {BAR}")
    say.append(f"{rate:,.0f} events a second of CPU time; bar {BAR_RATE:,}")
    benchmark.extra_info.update(ratio=rounds.ratio("engine", "by hand"), events_per_second=rate)


def test_door_ratio(benchmark: Any, say: list[str]) -> None:
    """`door`: bytes in to bytes out against `process` on decoded events; bar 1.3 times."""
    sides = [pairs.Side("bytes to bytes", "door"), pairs.Side("process", "engine")]
    rounds = benchmark.pedantic(pairs.measure, args=(sides, EVENTS, ROUNDS), rounds=1)
    say.append(f"{pairs.line(rounds, 'bytes to bytes', 'process')}; bar {BAR}")
    benchmark.extra_info["ratio"] = rounds.ratio("bytes to bytes", "process")
