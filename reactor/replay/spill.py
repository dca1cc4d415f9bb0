"""A history cut into buckets by connected identifiers, in two passes over its sources.

The first pass reads times and identifiers, piece by piece, and learns which identifiers belong
together. The second puts every event aside, on disk, with those of its bucket. Profiles never
share an identifier, so each bucket can be replayed by itself (law L6).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import polars as pl

from reactor.frames import BadRow
from reactor.frames.pieces import HeldPieces, PickedRows, Pieces, PieceSize, keep_rows, pieces_of
from reactor.frames.pieces import row_bytes as bytes_of
from reactor.frames.rows import JsonRows, Rows
from reactor.replay.bucket import Aside, Bucket, numbered, part_of, read_aside, write_rows
from reactor.replay.components import Codes, pack
from reactor.replay.history import Input, Part, Reject, require_columns, sources_of, table_of
from reactor.replay.options import BadRowError, Events, Options, Progress
from reactor.replay.scan import Scanner
from reactor.spec import Config

_STATE_BYTES: Final = 2_000  # about what an event costs a replay beside its row, with all tables

Batch = Sequence[Mapping[str, object]]


class SourcePieces(NamedTuple):
    """A source of events; `start` is the number of its first row over all inputs, once it is known."""

    name: str
    table: str | None
    pieces: Pieces


class Sizes(msgspec.Struct, frozen=True):
    """How much is held at once.

    piece: of what is read. bucket_rows: the most events of a bucket, or None for as many as
        `bucket_bytes` hold, which may be None too. kept_bytes: of what waits to be put aside.
    buckets: how many are wanted at least, so that several can be replayed at once. is_held: whether
        there is memory for all events.
    """

    piece: PieceSize
    bucket_rows: int | None
    bucket_bytes: int | None
    kept_bytes: int
    buckets: int = 1
    is_held: bool = False


class Spill:
    """A history in buckets.

    rows: in all inputs; left_out, rejects, first_ms, last_ms: as a `History` has them.
    events: how many are in buckets. large: the rows of each component that is larger than a bucket may be.
    Raises as a `History` does.
    """

    def __init__(
        self,
        events: Events,
        config: Config,
        options: Options,
        batch: Batch,
        sizes: Sizes,
        folder: Path,
        progress: Progress | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self._sizes = sizes
        self._folder = folder
        self._scanner = Scanner(config, options)
        self._sources = list(_opened(events, config, options, sizes))
        self._starts: list[int] = []
        self._scans: list[int] = []  # rows of each piece, in order
        self.rows = 0
        self.rejects: list[Reject] = []
        self._bytes = 0
        for source in self._sources:
            self._starts.append(self.rows)
            self._scan(source)
        self._batch = batch
        firsts = self._scanner.batch(batch)
        self._codes, self._component = self._scanner.identifiers.components()
        self._choose()
        self._assign(firsts)
        self._put_aside(progress)

    # The first pass

    def _scan(self, source: SourcePieces) -> None:
        """Read the times and identifiers of a source; keep them by piece, on disk."""
        start = self.rows
        for rows in source.pieces.read(self._scanner.needed(source.table)):
            each = Input(source.name, source.table, rows, self.rows)
            require_columns(each, self._config, self._options)
            times, codes, bad = self._scanner.scan(each)
            for event, table, row in bad:
                self._reject(each, event, event - start, table, row)
            np.save(self._folder / f"times-{len(self._scans)}.npy", times)
            np.save(self._folder / f"codes-{len(self._scans)}.npy", codes)
            self._scans.append(len(rows))
            self.rows += len(rows)
            self._bytes += bytes_of(rows)

    def _reject(self, each: Input, event: int, row: int, table: str | None, bad: BadRow) -> None:
        if self._options.strict:
            raise BadRowError(each.name, event, bad.path, bad.reason)
        self.rejects.append(Reject(event, table, each.name, row, bad.path, bad.reason))

    # Between the passes

    def _pieces(self) -> Iterator[tuple[int, Codes, Codes]]:
        """Yield (number of the first row, times, codes) of each piece."""
        start = 0
        for place, count in enumerate(self._scans):
            times = np.load(self._folder / f"times-{place}.npy")
            yield start, times, np.load(self._folder / f"codes-{place}.npy")
            start += count

    def _choose(self) -> None:
        """Find out which events are replayed: those before `until`, and of these the first `limit`."""
        limit = self._options.limit
        self._cut: tuple[int, int] | None = None
        if limit is not None:
            kept = [start + np.flatnonzero(self._in_time(times)) for start, times, _ in self._pieces()]
            numbers = np.concatenate([*kept, np.empty(0, dtype=np.int64)])
            chosen = [times[self._in_time(times)] for _, times, _ in self._pieces()]
            times = np.concatenate([*chosen, np.empty(0, dtype=np.int64)])
            order = np.argsort(times, kind="stable")[:limit]
            last = order[-1] if len(order) else None
            self._cut = (-1, -1) if last is None else (int(times[last]), int(numbers[last]))
        lengths = np.zeros(len(self._codes), dtype=np.int64)
        self._nobody = 0
        found: list[int] = []
        for start, times, codes in self._pieces():
            kept_here = self._kept(start, times)
            if kept_here.any():
                found += [int(times[kept_here].min()), int(times[kept_here].max())]
            held = codes[kept_here]
            self._nobody += int((held == 0).sum())
            lengths += np.bincount(np.searchsorted(self._codes, held[held != 0]), minlength=len(lengths))
        self._rows_of = np.bincount(self._component, lengths, int(self._component.max(initial=-1)) + 1)
        self.first_ms: int | None = min(found, default=None)
        self.last_ms: int | None = max(found, default=None)
        self.events = self._nobody + int(self._rows_of.sum())
        self.left_out = self.rows - len(self.rejects) - self.events

    def _in_time(self, times: Codes) -> Any:
        until = self._options.until_ms
        return times >= 0 if until is None else (times >= 0) & (times < until)

    def _kept(self, start: int, times: Codes) -> Any:
        """Tell which rows of a piece are replayed."""
        kept = self._in_time(times)
        if self._cut is None:
            return kept
        time_ms, number = self._cut
        tied = (times == time_ms) & (start + np.arange(len(times)) <= number)
        return kept & ((times < time_ms) | tied)

    def _assign(self, batch: Codes) -> None:
        """Give every component a bucket, and every batch row the bucket of its identifiers."""
        sizes = self._sizes
        rows_of = self._rows_of.astype(np.int64)
        most = sizes.bucket_rows
        if most is None and sizes.bucket_bytes is not None:
            row_bytes = self._bytes / max(self.rows, 1)
            most = max(1_000, int(sizes.bucket_bytes / (4 * row_bytes + _STATE_BYTES)))
        self.bucket_rows = self.events if most is None else most
        self.large = sorted(rows_of[rows_of > self.bucket_rows].tolist(), reverse=True)
        if sizes.buckets > 1:
            # What is done once a distinct value is done again in every bucket: no more of them than asked
            # for, so with room for the component that would just not fit.
            share = -(-self.events // sizes.buckets)
            most = share + int(rows_of[rows_of <= share // 10].max(initial=0))
        most = max(1, self.bucket_rows if most is None else min(most, self.bucket_rows))
        self._bucket_of, _ = pack(rows_of, most)
        self.components = len(self._rows_of)
        self._somebody = int(self._bucket_of.max(initial=-1)) + 1
        # Events without an identifier know nothing of each other, and fill buckets of their own.
        self.buckets = max(1, self._somebody + -(-self._nobody // most))
        self._nobody_rows = most
        self._batch_bucket = np.full(len(batch), -1, dtype=np.int64)
        known = np.flatnonzero(batch)
        places = self._component[np.searchsorted(self._codes, batch[known])]
        self._batch_bucket[known] = np.where(self._rows_of[places] > 0, self._bucket_of[places], -1)

    # The second pass

    def _put_aside(self, progress: Progress | None) -> None:
        """Sort the rows of all sources into buckets; what is read from files goes to disk."""
        self._numbers: dict[tuple[int, int], list[Codes]] = {}
        self._frames: dict[tuple[int, int], list[pl.DataFrame]] = {}
        self._files: dict[tuple[int, int], list[Path]] = {}
        self._json: set[int] = set()
        waiting = done = nobody = 0
        pieces = self._pieces()
        for place, source in enumerate(self._sources):
            for rows in source.pieces.read():
                start, times, codes = next(pieces)
                kept = np.flatnonzero(self._kept(start, times))
                held = codes[kept]
                buckets = np.empty(len(kept), dtype=np.int64)
                some = held != 0
                buckets[some] = self._bucket_of[self._component[np.searchsorted(self._codes, held[some])]]
                others = int((~some).sum())
                buckets[~some] = self._somebody + (nobody + np.arange(others)) // self._nobody_rows
                nobody += others
                waiting += self._sort_in(place, rows, start, kept, buckets)
                if waiting > self._sizes.kept_bytes:
                    self._flush()
                    waiting = 0
                done += len(rows)
                if progress is not None:
                    progress(done, self.rows)
        self._flush()

    def _sort_in(self, place: int, rows: Rows, start: int, kept: Codes, buckets: Codes) -> int:
        """Add rows of a piece to their buckets; return how many bytes wait to be put aside."""
        if not len(kept):
            return 0
        order = np.argsort(buckets, kind="stable")
        numbers = start + kept[order]
        if isinstance(rows, JsonRows):
            self._json.add(place)
        frame = keep_rows(rows)
        if frame is not None:
            frame = numbered(frame[kept[order]], numbers)
        found, firsts = np.unique(buckets[order], return_index=True)
        for bucket, first, end in zip(found.tolist(), firsts, [*firsts[1:], len(order)], strict=True):
            if frame is None:
                self._numbers.setdefault((bucket, place), []).append(numbers[first:end])
            else:
                self._frames.setdefault((bucket, place), []).append(frame.slice(first, end - first))
        return 0 if frame is None else int(frame.estimated_size())

    def _flush(self) -> None:
        """Write what waits."""
        for (bucket, place), frames in self._frames.items():
            files = self._files.setdefault((bucket, place), [])
            files.append(self._folder / f"rows-{bucket}-{place}-{len(files)}.ipc")
            pl.concat(frames).write_ipc(files[-1])
        self._frames.clear()

    # The buckets

    def bucket(self, bucket: int) -> tuple[Part, Codes, list[Mapping[str, object]] | None]:
        """Return a bucket's events, the number of each over all inputs, and its batch rows if it has any."""
        most_bytes = self._config.limits.event_bytes
        found = []
        for place, source in enumerate(self._sources):
            if (bucket, place) in self._numbers:
                found.append((source.name, source.table, *self._held(bucket, place)))
            elif (bucket, place) in self._files:
                found.append((source.name, source.table, *read_aside(self._aside(bucket, place), most_bytes)))
        return *part_of(found, self.last_ms), self._rows(bucket)

    def handed(self, bucket: int) -> Bucket:
        """Return a bucket as another process can read it; what is held in memory is written."""
        found = []
        for place, source in enumerate(self._sources):
            if (bucket, place) in self._numbers:
                numbers, rows = self._held(bucket, place)
                path = self._folder / f"rows-{bucket}-{place}"
                frame = rows.table(np.arange(len(rows)), rows.columns or ())
                if frame is not None:
                    numbered(frame, numbers).write_ipc(path)
                else:
                    write_rows(path, numbers, rows.take(range(len(rows))))
                form: Any = "rows" if frame is None else "columns"
                found.append(Aside(source.name, source.table, form, (path,)))
            elif (bucket, place) in self._files:
                found.append(self._aside(bucket, place))
        return Bucket(tuple(found), self._rows(bucket), self.last_ms)

    def _held(self, bucket: int, place: int) -> tuple[Codes, Rows]:
        pieces = self._sources[place].pieces
        assert isinstance(pieces, HeldPieces)
        numbers = np.concatenate(self._numbers[bucket, place])
        return numbers, PickedRows(pieces.rows, (numbers - self._starts[place]).tolist())

    def _aside(self, bucket: int, place: int) -> Aside:
        source = self._sources[place]
        form: Any = "json" if place in self._json else "columns"
        return Aside(source.name, source.table, form, tuple(self._files[bucket, place]))

    def _rows(self, bucket: int) -> list[Mapping[str, object]] | None:
        """Return the batch rows of a bucket, None without any."""
        rows = np.flatnonzero(self._batch_bucket == bucket).tolist()
        return [self._batch[row] for row in rows] or None

    def placed(self, event: int) -> tuple[str, int]:
        """Return the source that an event is from, and its number there."""
        place = max(place for place, start in enumerate(self._starts) if start <= event)
        return self._sources[place].name, event - self._starts[place]

    @property
    def columns(self) -> set[str]:
        """The columns of all inputs that have the same for every row."""
        return {name for source in self._sources for name in source.pieces.columns or ()}


def _opened(events: Events, config: Config, options: Options, sizes: Sizes) -> Iterator[SourcePieces]:
    keys = [key.name for key in config.keys]
    for table, source in sources_of(events):
        most_bytes = config.limits.event_bytes
        pieces = pieces_of(source, sizes.piece, keys=keys, most_bytes=most_bytes, held=sizes.is_held)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else "events"
        yield SourcePieces(name, table or table_of(config, options), pieces)
