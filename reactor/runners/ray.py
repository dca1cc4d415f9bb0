"""`simulate` on Ray: the rows of one machine, from tasks over its object store.

The extra is `reactor-engine[ray]`. The caller starts Ray, or joins a cluster: `ray.init(...)`. Every
machine needs the package, and the same paths. A task whose worker dies is run again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import polars as pl
import ray

from reactor.frames import Source
from reactor.replay.history import Reject
from reactor.runners.seam import (
    Job,
    Piece,
    Plan,
    Scan,
    Sorter,
    answers,
    batch_of,
    gathered,
    job_of,
    nothing,
    plan,
    rejects_of,
    scan,
    summary_of,
    unpacked,
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
    batch, and what is asked: as for `reactor.simulate`, but `limit`, `engine` and `memory`.
    Raises as that does; ReactorError for a config with `limits.profiles`.
    """
    tables = events.items() if isinstance(events, Mapping) else [(None, events)]
    parts = [(table, part) for table, several in tables for part in _listed(several)]
    return RayRun(config, parts, batch, buckets, asked)


class RayRun:
    """What a replay on Ray gave: frames, in the order of one machine. split: how the history fell apart."""

    def __init__(
        self, config: Any, parts: list[tuple[str | None, Part]], batch: Any, buckets: int, asked: Any
    ) -> None:
        names = [(part if isinstance(part, str) else "events", table) for table, part in parts]
        job = job_of([config], names, **asked)
        self._batch = batch_of(job, batch)
        self._parts = [ray.put(part) for _, part in parts]
        self._shared = ray.put(job)
        looks = [_remote(_look).remote(self._shared, place, part) for place, part in enumerate(self._parts)]
        scans: list[Scan] = ray.get(looks)
        rows = [each.rows for each in scans]
        self._starts = [sum(rows[:place]) for place in range(len(rows))]
        self._plan = plan(job, gathered(scans, 1), self._batch, buckets)
        self._planned = ray.put(self._plan)
        self._job = job
        self.split: dict[str, Any] = dict(self._plan.split)
        self._passes: dict[str, list[dict[str, bytes]]] = {}

    @property
    def offers(self) -> pl.DataFrame:
        """A row an offer."""
        return self.table("offers", "event")

    @property
    def id_changes(self) -> pl.DataFrame:
        """The rows about identity."""
        return self.table("id_changes", "event")

    @property
    def attributes(self) -> pl.DataFrame:
        """A row an event: every part just after it. Replays the history when first asked for."""
        return self.table("attributes", "event", attributes=True)

    def profiles(self, at: object = None) -> pl.DataFrame:
        """A row a profile, as of a time. Replays the history."""
        return self.table("profiles", "rid", profiles=True, at=at)

    @property
    def rejects(self) -> list[Reject]:
        """The bad rows. Under `strict` the first ends with BadRowError."""
        starts = {name: start for (name, _), start in zip(self._job.sources, self._starts, strict=True)}
        return rejects_of(self._job, self._batch, self.table("rejects", "event"), starts)

    def summary(self) -> dict[str, Any]:
        """Return the counts, as on one machine."""
        found = self._passed()
        self.split["by_bucket"] = [msgspec.json.decode(each["split 0"]) for each in found]
        summaries = [msgspec.json.decode(each["summary 0"]) for each in found]
        return summary_of(
            self._job, self._plan, self._batch, self.rejects, set(), [*summaries, nothing(self._job).summary]
        )

    def table(self, name: str, key: str, **tables: Any) -> pl.DataFrame:
        """Return a table of the results, sorted by a column; tables: what to ask a replay for."""
        frames: list[pl.DataFrame] = [getattr(nothing(self._job, 0, **tables), name)]
        frames += [unpacked(each[f"{name} 0"]) for each in self._passed(**tables)]
        return pl.concat(frames).sort(key, maintain_order=True)

    def _passed(self, **tables: Any) -> list[dict[str, bytes]]:
        """Return the packed results of each bucket, from a pass that makes these tables."""
        key = repr(sorted(tables.items()))
        if key not in self._passes:
            buckets = self._plan.buckets
            sort_in = _remote(_sort_in, num_returns=buckets)
            pieces = [
                sort_in.remote(self._shared, self._planned, place, part, self._starts[place])
                for place, part in enumerate(self._parts)
            ]
            by_bucket = [[each] if buckets == 1 else each for each in pieces]
            runs = [
                _remote(_answers).remote(
                    self._shared, self._planned, bucket, tables, *(own[bucket] for own in by_bucket)
                )
                for bucket in range(buckets)
            ]
            self._passes[key] = ray.get(runs)
        return self._passes[key]


def _remote(function: Any, **more: Any) -> Any:
    return ray.remote(function).options(max_retries=3, **more)


def _look(job: Job, place: int, part: Part) -> Scan:
    return scan(job, place, [_frame(part)])


def _sort_in(job: Job, planned: Plan, place: int, part: Part, start: int) -> Any:
    frame = _frame(part)
    numbers = np.arange(start, start + frame.height, dtype=np.int64)
    found: list[list[Piece]] = [[] for _ in range(planned.buckets)]
    for bucket, piece in Sorter(job, planned).sort_in(place, frame, numbers):
        found[bucket].append(piece)
    return found[0] if planned.buckets == 1 else tuple(found)


def _answers(
    job: Job, planned: Plan, bucket: int, tables: Mapping[str, Any], *pieces: list[Piece]
) -> dict[str, bytes]:
    return dict(answers(job, planned, bucket, [piece for some in pieces for piece in some], tables))


def _frame(part: Part) -> pl.DataFrame:
    return part if isinstance(part, pl.DataFrame) else pl.read_parquet(os.fspath(part))


def _listed(parts: Parts) -> list[Part]:
    return list(parts) if isinstance(parts, list | tuple) else [parts]  # type: ignore[list-item]
