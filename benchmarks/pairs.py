"""Measures contenders side by side: chunk by chunk in turn, each in a process of its own.

A chunk of events goes to one contender, the same chunk to the next, and so on; the order
turns round with every chunk. Whatever else the machine does then falls on all alike, and
the ratio of the CPU times holds where the times themselves do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

import reactor

HERE = Path(__file__).resolve().parent
HEAD = Path(reactor.__file__).resolve().parents[1]


class Side(msgspec.Struct, frozen=True):
    """One contender: a label, its name in `contenders.py`, the folder that holds the package."""

    label: str
    contender: str
    root: Path = HEAD


class Rounds(msgspec.Struct, frozen=True):
    """CPU time of each side in each round, in ns, over the same events."""

    labels: tuple[str, ...]
    events: int
    cpu_ns: tuple[tuple[int, ...], ...]  # a tuple a round, in the order of `labels`

    def event_us(self, label: str) -> float:
        """Return the CPU time of an event: the median round, in microseconds."""
        return median(self._of(label)) / self.events / 1_000

    def ratio(self, label: str, to: str) -> tuple[float, float, float]:
        """Return (median, least, greatest) of the rounds' ratios between two sides."""
        ratios = [one / other for one, other in zip(self._of(label), self._of(to), strict=True)]
        return median(ratios), min(ratios), max(ratios)

    def _of(self, label: str) -> list[int]:
        place = self.labels.index(label)
        return [costs[place] for costs in self.cpu_ns]


class Process:
    """A worker process and its line of commands."""

    def __init__(self, side: Side, events: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), side.contender, str(events)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(side.root), "PYTHONHASHSEED": "0"},
            text=True,
        )

    def ask(self, *command: object) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        process = self._process
        process.stdin.write(json.dumps(command) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with status {process.wait()}: its error is above")
        return json.loads(line)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def measure(sides: Sequence[Side], events: int, rounds: int) -> Rounds:
    """Run all sides over `events` events of retail-v1, `rounds` times from empty.

    Every round has processes of its own: where a process happens to lie in memory is worth some
    percent, and would be the same in all rounds of one process.
    """
    costs = tuple(tuple(_round([Process(side, events) for side in sides])) for _ in range(rounds))
    return Rounds(tuple(side.label for side in sides), events, costs)


def line(rounds: Rounds, label: str, to: str) -> str:
    """Return one line: the cost of an event on both sides, and their ratio."""
    middle, least, greatest = rounds.ratio(label, to)
    return (
        f"{label} {rounds.event_us(label):.2f} us, {to} {rounds.event_us(to):.2f} us an event: "
        f"{middle:.3f} times ({least:.3f} to {greatest:.3f} in {len(rounds.cpu_ns)} rounds)"
    )


def _round(workers: Sequence[Process]) -> list[int]:
    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
        *_, chunks = (worker.ask("reset")["chunks"] for worker in workers)
        costs = [0] * len(workers)
        order = list(enumerate(workers))
        for number in range(chunks):
            order.reverse()
            for place, worker in order:
                costs[place] += worker.ask("chunk", number)["cpu_ns"]
    return costs


def quantiles(nanoseconds: Sequence[int]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the longest, in microseconds.

    >>> quantiles(range(1_000, 1_001_000, 1_000))
    {'p50': 501.0, 'p99': 991.0, 'p99.9': 1000.0, 'longest': 1000.0}
    """
    ordered = sorted(nanoseconds)
    places = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {name: ordered[int(len(ordered) * place)] / 1_000 for name, place in places.items()}
    return found | {"longest": ordered[-1] / 1_000}
