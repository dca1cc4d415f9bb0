"""`simulate` on Ray: the rows of one machine, from tasks over its object store.

The extra is `reactor-engine[ray]`. The caller starts Ray, or joins a cluster: `ray.init(...)`. Every
machine needs the package, and the same paths. A task whose worker dies is run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl
import ray

from reactor.frames import Source
from reactor.replay.batch import Batch
from reactor.runners.outcome import Outcome, SplitRun
from reactor.runners.seam import (
    Job,
    Piece,
    Plan,
    Scan,
    Sorter,
    answers,
    batch_of,
    check_buckets,
    gathered,
    job_of,
    plan,
    scan,
)
from reactor.spec import Config

BUCKETS: Final = 16
# A parquet file or a frame; each is read whole, by one task.
Part: TypeAlias = str | os.PathLike[str] | pl.DataFrame
Parts: TypeAlias = Part | Sequence[Part]


def simulate(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    events: Parts | Mapping[str, Parts],
    *,
    batch: Source | None = None,
    buckets: int = BUCKETS,
    **asked: Any,
) -> RayRun:
    """Replay a history on Ray; return what was offered, as frames.

    events: parquet files or frames; or table → these. They are numbered in the order given.
    buckets: how many parts are replayed apart.
    batch, and what is asked: as for `reactor.simulate`, but `limit` and `memory`.
    Raises as that does; ReactorError for a config with `limits.profiles`.
    """
    check_buckets(buckets)
    tables = events.items() if isinstance(events, Mapping) else [(None, events)]
    parts = [(table, part) for table, several in tables for part in _listed(several)]
    names = [
        ("events" if isinstance(part, pl.DataFrame) else os.fspath(part), table) for table, part in parts
    ]
    job = job_of([config], names, **asked)
    own = batch_of(job, batch)
    stored, shared = [ray.put(part) for _, part in parts], ray.put(job)
    looks = [_remote(_look).remote(shared, place, part) for place, part in enumerate(stored)]
    scans: list[Scan] = ray.get(looks)
    starts = list(accumulate((each.rows for each in scans), initial=0))[:-1]
    planned = plan(job, gathered(scans, 1), own, buckets)
    return RayRun(RayOutcome(stored, job, planned, own, starts))


class RayRun(SplitRun[pl.DataFrame]):
    """What a replay on Ray gave: frames, in the order of one machine."""


class RayOutcome(Outcome[list[dict[str, bytes]], pl.DataFrame]):
    """A history that was split, on Ray; a pass is what each bucket gave, by name."""

    def __init__(
        self, parts: Sequence[Any], job: Job, planned: Plan, batch: Batch | None, starts: Sequence[int]
    ) -> None:
        super().__init__(job, planned, batch, starts)
        self._parts = parts

    def make(self, tables: Mapping[str, Any]) -> list[dict[str, bytes]]:
        """Replay every bucket."""
        buckets = self.planned.buckets
        shared = ray.put((self.job, self.planned))
        sort_in = _remote(_sort_in, num_returns=buckets)
        pieces = [
            sort_in.remote(shared, place, part, start)
            for place, (part, start) in enumerate(zip(self._parts, self.starts, strict=True))
        ]
        by_bucket = [[each] if buckets == 1 else each for each in pieces]
        run = _remote(_answers)
        found: list[dict[str, bytes]] = ray.get(
            [
                run.remote(shared, bucket, tables, *(own[bucket] for own in by_bucket))
                for bucket in range(buckets)
            ]
        )
        return found

    def contents(self, made: list[dict[str, bytes]], name: str, *, at_once: bool = True) -> Iterable[bytes]:
        """Return what a pass gave under a name, in order of buckets."""
        return [each[name] for each in made]

    def given(self, name: str, which: int = 0, **tables: Any) -> pl.DataFrame:
        """Return a table, in the order of one machine."""
        return self.table(name, which, **tables)


def _remote(function: Any, **more: Any) -> Any:
    return ray.remote(function).options(max_retries=3, **more)


def _look(job: Job, place: int, part: Part) -> Scan:
    return scan(job, place, [_frame(part)])


def _sort_in(shared: tuple[Job, Plan], place: int, part: Part, start: int) -> Any:
    job, planned = shared
    frame = _frame(part)
    numbers = np.arange(start, start + frame.height, dtype=np.int64)
    found: list[list[Piece]] = [[] for _ in range(planned.buckets)]
    for bucket, piece in Sorter(job, planned).sort_in(place, frame, numbers):
        found[bucket].append(piece)
    return found[0] if planned.buckets == 1 else tuple(found)


def _answers(
    shared: tuple[Job, Plan], bucket: int, tables: Mapping[str, Any], *pieces: list[Piece]
) -> dict[str, bytes]:
    return dict(answers(*shared, bucket, [piece for some in pieces for piece in some], tables))


def _frame(part: Part) -> pl.DataFrame:
    return part if isinstance(part, pl.DataFrame) else pl.read_parquet(os.fspath(part))


def _listed(parts: Parts) -> list[Part]:
    return list(parts) if isinstance(parts, list | tuple) else [parts]  # type: ignore[list-item]
