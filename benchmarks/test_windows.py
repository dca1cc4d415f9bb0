"""`windows`: how often a client viewed a page in the last hour, asked at each view.

The engine answers it with everything else it does (a config of one counter and one section),
`ring` is the engine's window on its own in a dict by client; the peers are river's
`TimeRolling` in the same dict, and Bytewax, which answers when a window closes and
not at each event: for it the question is the count of each hour that begins at a multiple
of ten minutes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sizes import EVENTS, FULL

from reactor import Reactor, ring
from reactor.testing.workloads import PAGES, START_S, retail_v1

View = tuple[int, str]  # event time in seconds, client
HOUR_S, STEP_S = 3_600, 600


@pytest.fixture(scope="module")
def views() -> list[View]:
    """The page views of retail-v1 in the order of time: the peers take no late events."""
    views = [
        (event["time"], event["td_client_id"]) for table, event in retail_v1(EVENTS).events if table == PAGES
    ]
    return sorted(view for view in views if view[1] != "null")


@pytest.fixture(scope="module")
def expected(views: list[View]) -> list[int]:
    """The answers, by counting: the views of the client from an hour before on."""
    times: dict[str, list[int]] = {}
    counts = []
    for time, client in views:
        before = times.setdefault(client, [])
        before.append(time)
        counts.append(sum(other >= time - HOUR_S for other in before))
    return counts


def config(window: str, pane: str) -> dict[str, Any]:
    """Return a config of one counter, read by one section at each view."""
    section = {"on": "view", "payload": {"attributes": {"views": "views"}}}
    return {
        "version": 1,
        "name": "windows",
        "identity": {"secret": "windows", "keys": {"client": {}}},
        "key_events": {"view": "web.views"},
        "attributes": {"views": {"type": "counter", "on": "view", "window": window, "pane": pane}},
        "personalizations": {"site": {"sections": {"Views": section}}},
    }


def by_engine(views: list[View], window: str = "1h", pane: str = "1s") -> list[int]:
    """Count with the engine; the events are made inside, as the peers make their datetimes."""
    process = Reactor(config(window, pane)).process
    counts = []
    for time, client in views:
        outcome = process({"time": time, "client": client}, table="web.views")
        counts.append(outcome.offers["Views"]["attributes"]["views"])
    return counts


def by_ring(views: list[View]) -> list[int]:
    """Count with `reactor.ring` alone."""
    panes = ring.Panes.of((ring.Window(HOUR_S * 1_000, 1_000),))
    add, since = ring.add, ring.since
    rows: dict[str, list[Any]] = {}
    counts = []
    for time, client in views:
        row = rows.get(client)
        if row is None:
            row = rows[client] = list(ring.EMPTY)
        add(row, 0, time, 1, panes, time * 1_000)
        counts.append(since(row, 0, time - HOUR_S))
    return counts


def by_river(views: list[View]) -> list[int]:
    """Count with river: its window is open at its far edge, hence a second more."""
    from river.stats import Sum  # only here: river is no dependency
    from river.utils import TimeRolling

    period, epoch = timedelta(seconds=HOUR_S + 1), datetime(1970, 1, 1)  # it compares with naive times
    windows: dict[str, Any] = {}
    counts = []
    for time, client in views:
        window = windows.get(client)
        if window is None:
            window = windows[client] = TimeRolling(Sum, period=period)
        window.update(1, t=epoch + timedelta(seconds=time))
        counts.append(window.get())
    return counts


CONTENDERS: dict[str, Callable[[list[View]], list[int]]] = {
    "engine": by_engine,
    "ring": by_ring,
    "river": by_river,
}


@pytest.mark.parametrize("name", CONTENDERS)
def test_windows(benchmark: Any, views: list[View], expected: list[int], say: list[str], name: str) -> None:
    """The same counts from each, at each view."""
    if name == "river":
        _need("river")
    counts = benchmark.pedantic(CONTENDERS[name], args=(views,), rounds=5 if FULL else 1)
    assert counts == expected
    _cost(benchmark, say, len(views))


def by_bytewax(views: list[View]) -> dict[tuple[str, int], int]:
    """Count by (client, number of the window's last step) with a dataflow on one worker."""
    import bytewax.operators as op
    import bytewax.operators.windowing as windowing
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, TestingSource, run_main

    start = datetime.fromtimestamp(START_S, UTC)
    clock = windowing.EventClock(
        lambda view: datetime.fromtimestamp(view[0], UTC), wait_for_system_duration=timedelta(0)
    )
    windower = windowing.SlidingWindower(timedelta(seconds=HOUR_S), timedelta(seconds=STEP_S), start)
    closed: list[tuple[str, tuple[int, int]]] = []
    flow = Dataflow("windows")
    stream = op.input("views", flow, TestingSource(views, batch_size=1_000))
    counted = windowing.count_window("count", stream, clock, windower, lambda view: view[1])
    op.output("closed", counted.down, TestingSink(closed))
    run_main(flow)
    last = HOUR_S // STEP_S - 1
    return {(client, window + last): count for client, (window, count) in closed}


def by_engine_hours(views: list[View]) -> dict[tuple[str, int], int]:
    """Count the same: a window of 50 minutes in panes of ten reaches one pane further, an hour."""
    counts = by_engine(views, "50m", "10m")
    return {
        (client, (time - START_S) // STEP_S): count
        for (time, client), count in zip(views, counts, strict=True)
    }


@pytest.mark.parametrize("name", ["engine", "bytewax"])
def test_windows_hopping(benchmark: Any, views: list[View], say: list[str], name: str) -> None:
    """The same count for each client and hour that ends with a view in its last ten minutes."""
    _need("bytewax")
    views = views[:40_000]  # a dataflow takes seconds for these
    counts = benchmark.pedantic(
        {"engine": by_engine_hours, "bytewax": by_bytewax}[name], args=(views,), rounds=1
    )
    if name == "bytewax":
        asked = by_engine_hours(views)
        assert {place: counts[place] for place in asked} == asked
    _cost(benchmark, say, len(views))


def _need(package: str) -> None:
    # Warnings are errors in this project; those of somebody else's import are not ours.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package, reason=f"{package} is not installed: pip install {package}")


def _cost(benchmark: Any, say: list[str], views: int) -> None:
    if benchmark.stats is None:
        return  # --benchmark-disable
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["view_us"] = seconds / views * 1e6
    say.append(f"{seconds / views * 1e6:.2f} us a view")
