"""`explain` and `funnel`: what an explanation costs against `process`, and a funnel against a simulation.

Both sides take the same events in turn, in one process: the ratio of their CPU times holds where the
times themselves do not.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

import pytest
from sizes import EVENTS, FULL

from reactor import Reactor
from reactor.replay import Replay, funnel_of, options
from reactor.testing.workloads import retail_v1

BAR = 100  # times the CPU time of `process` on the same events
FUNNEL_BAR = 3  # times the CPU time of the live simulation
CHUNK, CHUNKS = 100, (20 if FULL else 2)
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
WHOLE = SHARED / "data" / "online-retail" / "online_retail.csv.gz"


def test_explain_ratio(benchmark: Any, say: list[str]) -> None:
    """`explain`: at most 100 times `process`, on the last events of retail-v1; the offers are the same."""
    workload = retail_v1(EVENTS)
    engine = Reactor(workload.config)
    engine.import_batch(workload.batch)
    last = len(workload.events) - CHUNK * CHUNKS
    for table, event in workload.events[:last]:
        engine.process(event, table=table)
    engine.explain(workload.events[last][1], workload.events[last][0])

    def run() -> list[tuple[int, int]]:
        costs = []
        for start in range(last, len(workload.events), CHUNK):
            chunk = workload.events[start : start + CHUNK]
            begun = process_time_ns()
            for table, event in chunk:
                engine.explain(event, table, audience="private")
            explained = process_time_ns()
            for table, event in chunk:
                engine.process(event, table=table, audience="private")
            costs.append((explained - begun, process_time_ns() - explained))
        return costs

    costs = benchmark.pedantic(run, rounds=1)
    ratios = [explained / processed for explained, processed in costs]
    each_us = median(explained for explained, _ in costs) / CHUNK / 1_000
    say.append(
        f"explain {each_us:.0f} us an event, {median(ratios):.1f} times `process` "
        f"({min(ratios):.1f} to {max(ratios):.1f} in {len(ratios)} chunks); bar {BAR}"
    )
    benchmark.extra_info["ratio"] = median(ratios)


def test_explain_answers() -> None:
    """Event by event the explained offers are those of `process`."""
    workload = retail_v1(EVENTS)
    engine = Reactor(workload.config)
    engine.import_batch(workload.batch)
    offers = 0
    for number, (table, event) in enumerate(workload.events[:2_000]):
        explained = engine.explain(event, table).offers if number % 4 == 0 else None
        outcome = engine.process(event, table=table)
        if explained is not None:
            assert explained == outcome.offers
            offers += len(explained)
    assert offers > 200


def test_funnel_ratio(benchmark: Any, say: list[str]) -> None:
    """`funnel`: at most 3 times the live simulation, over every line of the shop's year where it is there."""
    if FULL and not WHOLE.exists():
        pytest.skip("the whole year is not here")
    config = SHARED / "examples" / "retail-rfm.yaml"
    events, section, expected = WHOLE, "Became a big spender", (541_909, 530_104)
    chosen = options(engine="live")
    if not FULL:
        sample = ROOT / "docs" / "examples" / "retail"
        config, events, section = sample / "reactor.yaml", sample / "orders.csv.gz", "Big month"
        chosen, expected = options(limit=3_000, engine="live"), (3_000, 2_957)
    replay = Replay(config, str(events), chosen)

    def run() -> tuple[int, int, Any]:
        begun = process_time_ns()
        replay.run()
        simulated = process_time_ns()
        found = funnel_of(replay, section, chosen)
        return simulated - begun, process_time_ns() - simulated, found

    simulation, counting, found = benchmark.pedantic(run, rounds=1)
    assert (len(replay), found.events) == expected
    say.append(
        f"funnel {counting / 1e9:.1f} s, simulation {simulation / 1e9:.1f} s over {len(replay):,} events: "
        f"{counting / simulation:.2f} times; bar {FUNNEL_BAR}"
    )
    benchmark.extra_info["ratio"] = counting / simulation
