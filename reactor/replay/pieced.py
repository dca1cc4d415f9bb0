"""A replay in bounded memory: a history in buckets, each replayed by itself, the results on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final
from weakref import finalize

import msgspec
import polars as pl

from reactor.engine import Reactor
from reactor.errors import ReactorError
from reactor.frames import Source
from reactor.frames.pieces import PieceSize
from reactor.replay.batch import Batch
from reactor.replay.bucket import replay_part, results_of
from reactor.replay.history import Reject, rejects_frame
from reactor.replay.options import BadRowError, Events, Options, Progress, Results
from reactor.replay.parts import Parts
from reactor.replay.run import prepared
from reactor.replay.spill import Sizes, Spill
from reactor.replay.summary import Whole, united
from reactor.replay.worker import read_answer, write_bucket, write_job
from reactor.replay.workers import Workers
from reactor.spec import Config
from reactor.units import parse_size

LEAST_BYTES: Final = 400_000_000
_BASE_BYTES: Final = 250_000_000  # the libraries, before the first event
_WORKER_BYTES: Final = 300_000_000  # the least that a process beside this one needs
_LARGE_PIECE: Final = PieceSize(2_000_000, 256_000_000)
_MERGED_ROWS: Final = 100_000
# The tables and what they are sorted by.
_TABLES: Final = {
    "offers": "event",
    "id_changes": "event",
    "attributes": "event",
    "attributes_before": "event",
    "profiles": "rid",
}


def refuse_spanning(config: Config, what: str, state: str | None = None) -> None:
    """Raise ReactorError for what spans profiles: a part of a history can't know of the others.

    what: what needs the history in parts, as the start of the message.
    """
    limits = {"profiles": config.limits.profiles, "memory": config.limits.memory_bytes}
    for name, limit in limits.items():
        if limit is not None:
            raise ReactorError(
                f"{what}: expected a config without limits.{name}: who leaves for want of room depends on all"
                " profiles, so the history can't be replayed in parts"
            )
    if state is not None:
        raise ReactorError(
            f"{what}: expected no state to go on from: a snapshot holds all profiles, so the history can't be"
            " replayed in parts"
        )


def sizes_of(memory: str | None, workers: int = 1) -> Sizes:
    """Return how much is held at once, for a size such as "2GB", shared by all processes; None: no matter.

    Raises ReactorError for what is no size, and for one that is too small for so many processes.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ReactorError("workers: expected a number of processes, at least 1, got something else")
    if memory is None:
        return Sizes(_LARGE_PIECE, None, None, _LARGE_PIECE.bytes, workers, is_held=True)
    found = None
    with suppress(TypeError, ValueError):
        found = parse_size(memory)
    others = 0 if workers == 1 else workers  # processes beside this one
    least = LEAST_BYTES + others * _WORKER_BYTES
    if found is None or found < least:
        got = "something else" if found is None else "less"
        many = "" if workers == 1 else f" for {workers} workers"
        raise ReactorError(
            f'memory: expected a size such as "2GB", at least {least // 1_000_000}MB{many}, got {got}'
        )
    free = found - _BASE_BYTES * (1 + others)
    return Sizes(PieceSize(200_000, free // 32), None, free * 3 // 4 // workers, free // 8, workers)


class PiecedResults(msgspec.Struct, frozen=True):
    """What a pass gives: tables in parts on disk, read in order; None for what was not asked for."""

    tables: Mapping[str, Parts]
    rejects: pl.DataFrame
    firsts: pl.DataFrame
    summary: dict[str, Any]

    def __repr__(self) -> str:
        return f"PiecedResults({self.summary['offers']} offers, {self.rejects.height} rejects)"

    def frames(self, name: str) -> Iterable[pl.DataFrame]:
        """Return a table in frames, in order. Raises KeyError for one that was not asked for."""
        return [self.rejects] if name == "rejects" else self.tables[name].frames()

    def loaded(self) -> Results:
        """Return the tables in memory."""
        frames = {name: parts.frame() for name, parts in self.tables.items()}
        return results_of(frames, self.rejects, self.summary)


class PiecedReplay:
    """A `Replay` in bounded memory: the same rows, whatever the sizes.

    Reading puts the events aside in a temporary folder, by bucket, and raises as `Replay` does;
    then ReactorError for what spans profiles. The folder is removed by `close`, or with the replay.
    workers: how many processes replay the buckets; 1 is this one. Others live until a pass is done.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config,
        events: Events,
        chosen: Options | None = None,
        *,
        batch: Source | None = None,
        sizes: Sizes,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self.options = chosen or Options()
        self.config = prepared(config, self.options)
        self.loaded = None
        refuse_spanning(self.config, "memory" if workers == 1 else "workers", self.options.state)
        self._batch = None if batch is None else Batch(batch, self.config, strict=self.options.strict)
        self._report = None if self._batch is None else self._batch.load(Reactor(self.config))
        self._folder = Path(mkdtemp(prefix="reactor-"))
        self._remove = finalize(self, rmtree, self._folder, ignore_errors=True)
        self._chosen = msgspec.structs.replace(
            self.options, time=None, until_ms=None, limit=None, strict=False
        )
        self._count = workers
        self._workers: Workers | None = None
        rows = [] if self._batch is None else self._batch.rows
        try:
            self._start()  # they load their libraries while this process reads
            self.spill = Spill(events, self.config, self.options, rows, sizes, self._folder, progress)
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        if self._count > 1 and self._workers is None:
            write_job(self._folder, self.config, self._chosen)
            self._workers = Workers(self._count, self._folder)

    def _stop(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def __len__(self) -> int:
        """Count the events that will be processed."""
        return self.spill.events

    def close(self) -> None:
        """Remove what was put aside, and end the processes."""
        self._stop()
        self._remove()

    def run(
        self,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        at: object = None,
        snapshot: object = None,
        progress: Progress | None = None,
    ) -> Results:
        """Replay once, and read the tables into memory: see `Replay.run`."""
        assert snapshot is None
        done = self.parted(
            attributes=attributes,
            attributes_before=attributes_before,
            profiles=profiles,
            at=at,
            progress=progress,
        )
        return done.loaded()

    def parted(
        self,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        id_changes: bool = True,
        at: object = None,
        progress: Progress | None = None,
    ) -> PiecedResults:
        """Replay once: as `run`, but the tables stay on disk, until the next pass or `close`."""
        spill, folder = self.spill, self._folder
        tables = {name: Parts(folder, name, key, _MERGED_ROWS) for name, key in _TABLES.items()}
        rejects = [*(self._batch.rejects if self._batch else ()), *spill.rejects]
        summaries, firsts = [], []
        asked: dict[str, Any] = {
            "attributes": attributes,
            "attributes_before": attributes_before,
            "profiles": profiles,
            "id_changes": id_changes,
            "at": at,
        }
        replayed = self._replayed if self._count == 1 else self._replayed_by_others
        for results in replayed(tables, asked, progress):
            firsts.append(results.firsts)
            rejects += self._rejected(results.rejects)
            summaries.append(results.summary)
        whole = Whole(
            spill.rows, spill.left_out, spill.first_ms, spill.last_ms, spill.columns, rejects, self._report
        )
        summary = united(self.config, self.options, whole, summaries)
        summary["warnings"] += large_warnings(spill.large, spill.events, spill.bucket_rows)
        asked = {name: parts for name, parts in tables.items() if parts.is_filled}
        return PiecedResults(asked, rejects_frame(rejects), first_of(firsts), summary)

    def _replayed(
        self, tables: Mapping[str, Parts], asked: Mapping[str, Any], progress: Progress | None
    ) -> Iterator[Results]:
        """Replay the buckets one after the other; yield the results of each, put its tables to the others."""
        done = 0
        for bucket in range(self.spill.buckets):
            part, numbers, rows = self.spill.bucket(bucket)
            results = replay_part(self.config, part, numbers, self._chosen, rows, **asked)
            for name, parts in tables.items():
                frame = getattr(results, name)
                if frame is not None:
                    parts.add(frame)
            yield results
            done += len(numbers)
            if progress is not None:
                progress(done, len(self))

    def _replayed_by_others(
        self, tables: Mapping[str, Parts], asked: dict[str, Any], progress: Progress | None
    ) -> Iterator[Results]:
        """As `_replayed`, by other processes: several buckets at once, their results in the same order."""
        buckets = self.spill.buckets

        def hand_out(bucket: int) -> None:
            write_bucket(self._folder, bucket, self.spill.handed(bucket), asked)

        try:
            self._start()
            assert self._workers is not None
            for done, _ in enumerate(self._workers.replay(buckets, hand_out), 1):
                if progress is not None:
                    progress(len(self) * done // buckets, len(self))
        finally:
            self._stop()
        for bucket in range(buckets):
            paths, results = read_answer(self._folder, bucket)
            for name, path in paths.items():
                tables[name].adopt(path)
            yield results

    def _rejected(self, refused: pl.DataFrame) -> list[Reject]:
        """Return the rejects of a bucket, numbered as in their source."""
        found = []
        for event, table, _, _, path, reason in refused.iter_rows():
            if event is None:
                continue  # a batch row; those are known already
            file, row = self.spill.placed(event)
            if self.options.strict:
                raise BadRowError(file, event, path, reason)
            found.append(Reject(event, table, file, row, path, reason))
        return found


def first_of(firsts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the first offer of each section, of those of all parts."""
    joined = pl.concat(firsts).sort("time", "event", maintain_order=True)
    return joined.unique("section", keep="first", maintain_order=True)


def large_warnings(large: list[int], events: int, most: int) -> list[str]:
    """Say which parts were too large to be cut, and what to do about it; rows of each, largest first."""
    if not large:
        return []
    which = "one group" if len(large) == 1 else f"{len(large):,} groups"
    return [
        f"{which} of connected identifiers, the largest with {large[0]:,} of {events:,} events, can't be cut"
        f" into pieces of {most:,}: what they need was not bounded; if that is over-stitching, name the"
        " shared values in `invalid:`, or make a key of a column that fewer people share"
    ]
