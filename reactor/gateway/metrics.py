"""What `/metrics` says, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

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


class Metrics:
    """The figures of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._requests = Counter(
            "reactor_requests", "Requests answered.", ("door", "status", "code"), registry=registry
        )
        self._seconds = Histogram(
            "reactor_request_seconds", "From the headers to the answer.", ("door",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.engine_seconds = Histogram(
            "reactor_engine_seconds",
            "Inside the engine, an event.",
            buckets=_ENGINE_SECONDS,
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "reactor_journal_commit_seconds", "A write and its sync.", buckets=_SECONDS, registry=registry
        )
        self.committed = Counter("reactor_journal_entries", "Entries on the disk.", registry=registry)
        self.failed = Counter("reactor_journal_failures", "Writes that failed.", registry=registry)
        self.repeats = Counter(
            "reactor_repeats", "Events seen before: answered, not applied.", registry=registry
        )
        self.snapshots = Counter("reactor_snapshots", "Snapshots written.", registry=registry)
        self.snapshot_pause = Gauge(
            "reactor_snapshot_pause_seconds", "How long the last snapshot stopped answers.", registry=registry
        )
        self._children: dict[tuple[str, int, int], Any] = {}
        self._timers: dict[str, Any] = {}

    def answered(self, door: str, status: int, code: int, seconds: float) -> None:
        """Count an answer."""
        key = (door, status, code)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(door, str(status), str(code))
        timer = self._timers.get(door)
        if timer is None:
            timer = self._timers[door] = self._seconds.labels(door)
        child.inc()
        timer.observe(seconds)

    def watch(
        self, stats: Callable[[], Mapping[str, Any] | None], lag: Callable[[], tuple[int, float]]
    ) -> None:
        """Show an engine's counts, and the journal's lag as (waiting entries, seconds of the oldest)."""
        self.registry.register(_Engine(stats))
        waiting = Gauge("reactor_journal_waiting", "Entries not yet on the disk.", registry=self.registry)
        waiting.set_function(lambda: lag()[0])
        oldest = Gauge("reactor_journal_lag_seconds", "Age of the oldest of them.", registry=self.registry)
        oldest.set_function(lambda: lag()[1])

    def text(self) -> bytes:
        """Return all figures."""
        return generate_latest(self.registry)


class _Engine:
    """Reads the engine's counts when they are asked for."""

    def __init__(self, stats: Callable[[], Mapping[str, Any] | None]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
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
