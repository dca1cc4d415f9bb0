"""A replay in bounded memory: a history in buckets, each replayed by itself, the results on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final
from weakref import finalize

import msgspec
import numpy as np
import polars as pl

from reactor.engine import Reactor
from reactor.errors import ReactorError
from reactor.frames import Source
from reactor.frames.pieces import PieceSize
from reactor.replay.batch import Batch
from reactor.replay.components import Codes
from reactor.replay.history import Part, Reject, rejects_frame
from reactor.replay.options import BadRowError, Events, Options, Progress, Results
from reactor.replay.parts import Parts
from reactor.replay.run import Replay, prepared
from reactor.replay.spill import Sizes, Spill
from reactor.replay.summary import Whole, united
from reactor.spec import Config
from reactor.units import parse_size

LEAST_BYTES: Final = 400_000_000
_BASE_BYTES: Final = 250_000_000  # the libraries, before the first event
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


def sizes_of(memory: str) -> Sizes:
    """Return how much is held at once, for a size such as "2GB". Raises ReactorError for others."""
    found = None
    with suppress(TypeError, ValueError):
        found = parse_size(memory)
    if found is None or found < LEAST_BYTES:
        got = "something else" if found is None else "less"
        least = LEAST_BYTES // 1_000_000
        raise ReactorError(f'memory: expected a size such as "2GB", at least {least}MB, got {got}')
    free = found - _BASE_BYTES
    return Sizes(PieceSize(200_000, free // 32), None, free * 3 // 4, free // 8)


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


def results_of(frames: Mapping[str, pl.DataFrame], rejects: pl.DataFrame, summary: dict[str, Any]) -> Results:
    """Return results whose tables are these; a table that is not there is None."""
    tables: dict[str, Any] = {name: frames.get(name) for name in Results.__struct_fields__}
    tables.update(rejects=rejects, summary=summary)
    return Results(**tables)


class PiecedReplay:
    """A `Replay` in bounded memory: the same rows, whatever the sizes.

    Reading puts the events aside in a temporary folder, by bucket, and raises as `Replay` does;
    then ReactorError for what spans profiles. The folder is removed by `close`, or with the replay.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config,
        events: Events,
        chosen: Options | None = None,
        *,
        batch: Source | None = None,
        sizes: Sizes,
        progress: Progress | None = None,
    ) -> None:
        self.options = chosen or Options()
        self.config = prepared(config, self.options)
        self.loaded = None
        refuse_spanning(self.config, "memory", self.options.state)
        self._batch = None if batch is None else Batch(batch, self.config, strict=self.options.strict)
        self._report = None if self._batch is None else self._batch.load(Reactor(self.config))
        self._folder = Path(mkdtemp(prefix="reactor-"))
        self._remove = finalize(self, rmtree, self._folder, ignore_errors=True)
        rows = [] if self._batch is None else self._batch.rows
        try:
            self.spill = Spill(events, self.config, self.options, rows, sizes, self._folder, progress)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Count the events that will be processed."""
        return self.spill.events

    def close(self) -> None:
        """Remove what was put aside."""
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
        at: object = None,
        progress: Progress | None = None,
    ) -> PiecedResults:
        """Replay once: as `run`, but the tables stay on disk, until the next pass or `close`."""
        spill, folder = self.spill, self._folder
        tables = {name: Parts(folder, name, key, _MERGED_ROWS) for name, key in _TABLES.items()}
        rejects = [*(self._batch.rejects if self._batch else ()), *spill.rejects]
        summaries, firsts = [], []
        chosen = msgspec.structs.replace(self.options, time=None, until_ms=None, limit=None, strict=False)
        done = 0
        for bucket in range(spill.buckets):
            part, numbers, rows = spill.bucket(bucket)
            batch = rows if self._batch is not None and rows else None
            results = replay_part(
                self.config,
                part,
                numbers,
                chosen,
                batch,
                attributes=attributes,
                attributes_before=attributes_before,
                profiles=profiles,
                at=at,
            )
            for name, parts in tables.items():
                frame = getattr(results, name)
                if frame is not None:
                    parts.add(frame)
            firsts.append(results.firsts)
            rejects += self._rejected(results.rejects)
            summaries.append(results.summary)
            done += len(numbers)
            if progress is not None:
                progress(done, len(self))
        whole = Whole(
            spill.rows, spill.left_out, spill.first_ms, spill.last_ms, spill.columns, rejects, self._report
        )
        summary = united(self.config, self.options, whole, summaries)
        summary["warnings"] += large_warnings(spill.large, spill.events, spill.bucket_rows)
        asked = {name: parts for name, parts in tables.items() if parts.is_filled}
        return PiecedResults(asked, rejects_frame(rejects), first_of(firsts), summary)

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


def replay_part(
    config: Config,
    part: Part,
    numbers: Codes,
    chosen: Options,
    batch: Iterable[Mapping[str, object]] | None,
    *,
    attributes: bool = False,
    attributes_before: bool = False,
    profiles: bool = False,
    at: object = None,
) -> Results:
    """Replay one part of a history by itself; its rows are those of the whole.

    numbers: of the part's events over all inputs. batch: the rows whose identifiers
        belong to the part.
    """
    replay = Replay(config, part, chosen, batch=None if batch is None else list(batch))
    results = replay.run(attributes=attributes, attributes_before=attributes_before, profiles=profiles, at=at)
    events = pl.Series("event", np.asarray(numbers, dtype=np.int64), dtype=pl.Int64)
    frames = {
        name: frame.with_columns(events.gather(frame["event"]).alias("event")).sort(
            "event", maintain_order=True
        )
        for name in Results.__struct_fields__
        if isinstance(frame := getattr(results, name), pl.DataFrame) and name not in ("profiles", "rejects")
    }
    if results.profiles is not None:
        frames["profiles"] = results.profiles
    renumbered = results.rejects.with_columns(
        pl.Series(
            "event", [None if n is None else int(numbers[n]) for n in results.rejects["event"]], pl.Int64
        )
    )
    return results_of(frames, renumbered, results.summary)


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
