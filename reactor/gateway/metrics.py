"""What `/metrics` says, in the text format of Prometheus.

Counted are plain numbers, by one thread; prometheus-client's families are made of them when they are
asked for: its own counters take a lock each, and several times as long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_ENGINE_SECONDS: Final = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.05)
_NAMED: Final = ("unusable", "dropped")
_COUNTS: Final = (
    "refused",
    "clamped",
    "late",
    "merges",
    "evicted_identifiers",
    "evicted_idle",
    "evicted_full",
)


class Timer:
    """How often something took how long: counts by upper bound, and the sum.

    >>> timer = Timer((0.1, 1.0))
    >>> timer.observe(0.5), timer.buckets()
    (None, [('0.1', 0), ('1.0', 1), ('+Inf', 1)])
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, int]]:
        """Return (bound, how many were not above it)."""
        total = 0
        rows = []
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows


class Metrics:
    """The figures of one gateway."""

    def __init__(self) -> None:
        self.engine_seconds = Timer(_ENGINE_SECONDS)
        self.commit_seconds = Timer(_SECONDS)
        self.committed = self.failed = self.repeats = self.snapshots = 0
        self.snapshot_pause_seconds = 0.0
        self._requests: dict[tuple[str, int, int], int] = {}
        self._seconds: dict[str, Timer] = {}
        self._stats: Callable[[], Mapping[str, Any] | None] = lambda: None
        self._lag: Callable[[], tuple[int, float]] = lambda: (0, 0.0)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, door: str, status: int, code: int, seconds: float) -> None:
        """Count an answer."""
        key = (door, status, code)
        self._requests[key] = self._requests.get(key, 0) + 1
        timer = self._seconds.get(door)
        if timer is None:
            timer = self._seconds[door] = Timer(_SECONDS)
        timer.observe(seconds)

    def watch(
        self, stats: Callable[[], Mapping[str, Any] | None], lag: Callable[[], tuple[int, float]]
    ) -> None:
        """Show an engine's counts, and the journal's lag as (waiting entries, seconds of the oldest)."""
        self._stats, self._lag = stats, lag

    def text(self) -> bytes:
        """Return all figures."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the families, as prometheus-client asks for them."""
        requests = CounterMetricFamily("reactor_requests", "Answers.", labels=("door", "status", "code"))
        for (door, status, code), count in self._requests.items():
            requests.add_metric((door, str(status), str(code)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "reactor_request_seconds", "From the head to the answer.", labels=("door",)
        )
        for door, timer in self._seconds.items():
            seconds.add_metric((door,), timer.buckets(), timer.sum)
        yield seconds
        yield _histogram("reactor_engine_seconds", "Inside the engine, an event.", self.engine_seconds)
        yield _histogram("reactor_journal_commit_seconds", "A write and its sync.", self.commit_seconds)
        yield CounterMetricFamily("reactor_journal_entries", "Entries on the disk.", self.committed)
        yield CounterMetricFamily("reactor_journal_failures", "Writes that failed.", self.failed)
        yield CounterMetricFamily(
            "reactor_repeats", "Events seen before: answered, not applied.", self.repeats
        )
        yield CounterMetricFamily("reactor_snapshots", "Snapshots written.", self.snapshots)
        pause = "How long the last snapshot stopped answers."
        yield GaugeMetricFamily("reactor_snapshot_pause_seconds", pause, self.snapshot_pause_seconds)
        waiting, oldest = self._lag()
        yield GaugeMetricFamily("reactor_journal_waiting", "Entries not yet on the disk.", waiting)
        yield GaugeMetricFamily("reactor_journal_lag_seconds", "Age of the oldest of them.", oldest)
        yield from _engine(self._stats())


def _histogram(name: str, text: str, timer: Timer) -> Metric:
    family = HistogramMetricFamily(name, text)
    family.add_metric((), timer.buckets(), timer.sum)
    return family


def _engine(stats: Mapping[str, Any] | None) -> Iterator[Metric]:
    """Yield the engine's counts; none while there is no engine."""
    if stats is None:
        return
    events = CounterMetricFamily("reactor_events", "Events taken in.", labels=("table",))
    for table, count in stats["events"].items():
        events.add_metric((table,), count)
    yield events
    drops = CounterMetricFamily(
        "reactor_drops", "What was left out or thrown away.", labels=("reason", "name")
    )
    for reason in _COUNTS:
        drops.add_metric((reason, ""), stats[reason])
    for reason in _NAMED:
        for name, count in stats[reason].items():
            drops.add_metric((reason, name), count)
    yield drops
    for name in ("profiles", "identifiers", "imported_rows"):
        yield GaugeMetricFamily(
            f"reactor_{name}", f"{name.replace('_', ' ').capitalize()} held.", stats[name]
        )
