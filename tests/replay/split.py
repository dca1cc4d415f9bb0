"""Histories in pieces, and handed over as to another process, against the whole, on drawn configs.

    PYTHONPATH=tests python -m replay.split --count 2000 --seed 1

prints how many histories agreed: every table row by row, and the summary. Half of them are given as a
file, half as mappings.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import msgspec

from reactor.replay import Options, pieced, worker
from reactor.replay.pieced import PiecedReplay
from reactor.spec import load_config

from . import parity
from .pieces import assert_same, sizes, whole


class Here:
    """Workers that are this process: all that is handed over is written and read, nothing is started."""

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder

    def replay(self, buckets: int, hand_out: Callable[[int], None]) -> Iterator[int]:
        """Replay the buckets, the last first."""
        config, chosen = pickle.loads((self._folder / worker.JOB).read_bytes())
        for number in reversed(range(buckets)):
            hand_out(number)
            worker.replay_bucket(self._folder, number, config, chosen)
            yield number

    def close(self) -> None:
        """Nothing was started."""


def check(seed: str, workers: int) -> int:
    """Assert that the histories of a case are the same split and whole; return how many there were."""
    random = Random(seed)
    case = parity.draw(random)
    config = load_config(case.config)
    for history in case.histories:
        options = Options(**history.options)
        events: Any = history.events
        with tempfile.TemporaryDirectory() as folder:
            if random.random() < 0.5 and (lines := as_lines(events)) is not None:
                events = str(Path(folder, "a.jsonl"))
                Path(events).write_bytes(lines)
            expected = whole(config, events, options, history.batch or None)  # type: ignore[arg-type]
            cut = sizes(random.choice((1, 7, 40)), random.choice((1, 3, 9, 1000)), random.choice((1, 500)))
            with mock.patch.object(pieced, "Workers", Here):
                replay = PiecedReplay(
                    config, events, options, batch=history.batch or None, sizes=cut, workers=workers
                )
            try:
                with mock.patch.object(pieced, "Workers", Here):
                    found = replay.run(attributes=True, attributes_before=True, profiles=True)
            finally:
                replay.close()
            assert_same(expected, found, warnings=False)
    return len(case.histories)


def as_lines(events: list[Any]) -> bytes | None:
    """Return events as JSON lines, None where one can't be written so."""
    try:
        return b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    except (TypeError, ValueError, msgspec.MsgspecError):
        return None


def main() -> None:
    """Check many cases, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    begun = time.process_time()
    agreed = 0
    for number in range(asked.count):
        agreed += check(f"{asked.seed}/{number}", 1 + number % 2)
    print(f"{agreed} histories of {asked.count} configs agree, in {time.process_time() - begun:.0f} s")


if __name__ == "__main__":
    main()
