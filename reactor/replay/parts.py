"""Tables of results in sorted parts on disk, read back as one, in memory that doesn't grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

_STEP: Final = 500  # rows from one sampled key to the next
_BATCH: Final = 10_000


class Parts:
    """A table in parts, each sorted by the column `key`; rows of one key stand in one part.

    folder: where the parts are kept. rows: how many are read at once, about.
    """

    def __init__(self, folder: Path, name: str, key: str, rows: int) -> None:
        self.height = 0
        self._folder = folder
        self._name = name
        self._key = key
        self._rows = rows
        self._paths: list[Path] = []
        self._samples: list[pl.Series] = []
        self._empty: pl.DataFrame | None = None

    @property
    def is_filled(self) -> bool:
        """Whether there is a part, which may be empty."""
        return self._empty is not None

    def add(self, frame: pl.DataFrame) -> None:
        """Take in a sorted part."""
        path = self._folder / f"{self._name}-{len(self._paths)}.ipc"
        if frame.height:
            write_part(frame, path)
        self._take(path, frame.clear(), frame[self._key])

    def adopt(self, path: Path) -> None:
        """Take in a sorted part that `write_part` wrote."""
        part = pl.scan_ipc(path)
        self._take(path, part.head(0).collect(), part.select(self._key).collect().to_series())

    def _take(self, path: Path, empty: pl.DataFrame, keys: pl.Series) -> None:
        if self._empty is None:
            self._empty = empty
        if len(keys):
            self._paths.append(path)
            self._samples.append(keys.gather_every(_STEP))
            self.height += len(keys)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the whole table in order, piece by piece; at least one frame, which may be empty."""
        assert self._empty is not None
        if not self._paths:
            yield self._empty
            return
        cuts = pl.concat(self._samples).sort().unique(maintain_order=True)
        cuts = cuts.gather_every(max(1, self._rows // _STEP))[1:]
        ends = [self._ends(path, cuts) for path in self._paths]
        starts = [0] * len(ends)
        for place in range(len(cuts) + 1):
            slices = [
                pl.scan_ipc(path).slice(start, end[place] - start).collect()
                for path, start, end in zip(self._paths, starts, ends, strict=True)
                if end[place] > start
            ]
            starts = [end[place] for end in ends]
            if slices:
                yield pl.concat(slices).sort(self._key, maintain_order=True)

    def frame(self) -> pl.DataFrame:
        """Return the whole table, in memory."""
        return pl.concat(self.frames())

    def _ends(self, path: Path, cuts: pl.Series) -> list[int]:
        """Return where in a part each cut falls, then its end."""
        keys = pl.scan_ipc(path).select(self._key).collect()[self._key]
        return [*keys.search_sorted(cuts, side="left").to_list(), len(keys)]


def write_part(frame: pl.DataFrame, path: Path) -> None:
    """Write a sorted part, so that slices of it can be read."""
    frame.write_ipc(path, record_batch_size=_BATCH)
