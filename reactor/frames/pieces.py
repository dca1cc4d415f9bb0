"""Sources read piece by piece, in memory that does not grow with them.

A piece holds rows just as `rows_of` would give them, in their order. CSV, JSON lines and parquet
files are read as they are asked for; an array in a `.json` file, tables and mappings are held.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from reactor.frames.delimited import Cut
from reactor.frames.files import form_of, read_blocks
from reactor.frames.reading import Source, lines_of, rows_of
from reactor.frames.rows import FrameRows, JsonRows, Row, Rows
from reactor.frames.tables import parquet_error, plain_table

_SAMPLE: Final = 1_000


class PieceSize(NamedTuple):
    """The most of a piece: rows, and bytes of a file's text or of a table's columns."""

    rows: int
    bytes: int


class Pieces(Protocol):
    """A source in pieces, which can be read more than once.

    columns: names of the columns, or None where each row has its own.
    """

    columns: tuple[str, ...] | None

    def read(self, names: Collection[str] | None = None) -> Iterator[Rows]:
        """Yield the pieces. names: columns that are needed; None for all of them."""


def pieces_of(
    source: Source, size: PieceSize, *, keys: Collection[str], most_bytes: int, held: bool = False
) -> Pieces:
    """Return a source in pieces of a size; the parameters are those of `rows_of`, and what is raised.

    held: whether tables are read at once and kept: that is faster, where there is memory.
    """
    if isinstance(source, str | os.PathLike):
        path, form = os.fspath(source), form_of(source)
        if form.kind == "lines":
            return LinePieces(path, size, most_bytes)
        if form.kind == "csv" and not held:
            return CsvPieces(path, size)
        if form.kind == "parquet" and form.compression is None and not held:
            return ParquetPieces(path, size, keys)
    return HeldPieces(rows_of(source, keys=keys, most_bytes=most_bytes), size)


class HeldPieces:
    """Rows that are in memory already."""

    def __init__(self, rows: Rows, size: PieceSize) -> None:
        self.columns = rows.columns
        self.rows = rows
        self._size = size

    def read(self, names: Collection[str] | None = None) -> Iterator[Rows]:
        """Yield slices of the rows."""
        rows = self.rows if names is None else self.rows.select(names)
        for start in range(0, len(rows), self._size.rows):
            yield PickedRows(rows, range(start, min(start + self._size.rows, len(rows))))


class PickedRows:
    """Some rows of others, by their numbers."""

    def __init__(self, rows: Rows, numbers: Sequence[int]) -> None:
        self.columns = rows.columns
        self._rows = rows
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows by their places among the picked."""
        if isinstance(numbers, range) and numbers.step == 1:
            return self._rows.take(self._numbers[numbers.start : numbers.stop])
        return self._rows.take([self._numbers[number] for number in numbers])

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return rows as a frame, if the others are kept as one."""
        return self._rows.table(np.asarray(self._numbers, dtype=np.int64)[numbers], names)

    def select(self, names: Collection[str]) -> PickedRows:
        """Return the same rows with these columns at least."""
        return PickedRows(self._rows.select(names), self._numbers)


class LinePieces:
    """A file of JSON lines."""

    def __init__(self, path: str, size: PieceSize, most_bytes: int) -> None:
        self.columns: tuple[str, ...] | None = None
        self._path = path
        self._size = size
        self._most_bytes = most_bytes

    def read(self, names: Collection[str] | None = None) -> Iterator[Rows]:
        """Yield the lines that are not blank."""
        rest = b""
        is_first = True
        for block in _blocks(self._path, self._size.bytes):
            text = rest + block
            if is_first and len(text) < 3:  # a byte-order mark has three bytes
                rest = text
                continue
            end = text.rfind(b"\n") + 1
            yield from self._rows(text[:end], is_first)
            rest = text[end:]
            is_first = is_first and not end
        yield from self._rows(rest, is_first)

    def _rows(self, text: bytes, is_first: bool) -> Iterator[Rows]:
        lines = lines_of(text.removeprefix(b"\xef\xbb\xbf") if is_first else text)
        for start in range(0, len(lines), self._size.rows):
            yield JsonRows(lines[start : start + self._size.rows], self._most_bytes)


class CsvPieces:
    """A CSV file. Its header is read at once."""

    def __init__(self, path: str, size: PieceSize) -> None:
        self._path = path
        self._size = size
        self.columns: tuple[str, ...] | None = tuple(self._cut(iter(self._blocks())).names)

    def read(self, names: Collection[str] | None = None) -> Iterator[Rows]:
        """Yield the records."""
        blocks = iter(self._blocks())
        for rows in self._cut(blocks).rows():
            for start in range(0, len(rows), self._size.rows):
                yield rows.slice(start, self._size.rows)

    def _blocks(self) -> Iterator[bytes]:
        return _blocks(self._path, self._size.bytes)

    def _cut(self, blocks: Iterator[bytes]) -> Cut:
        return Cut(blocks, self._path, self._size.rows)


class ParquetPieces:
    """A parquet file. What is read at once is at least one of its row groups."""

    def __init__(self, path: str, size: PieceSize, keys: Collection[str]) -> None:
        self._path = path
        self._keys = keys
        next(read_blocks(path, None, 1), None)  # a file that can't be read is refused as others are
        sample = self._slice(0, _SAMPLE, None)
        self.columns: tuple[str, ...] | None = tuple(sample.columns)
        row_bytes = sample.estimated_size() / max(sample.height, 1)
        self._rows = max(1, min(size.rows, int(size.bytes / max(row_bytes, 1))))

    def read(self, names: Collection[str] | None = None) -> Iterator[Rows]:
        """Yield the rows, of the columns that are needed."""
        start = 0
        while True:
            frame = self._slice(start, self._rows, names)
            if frame.height:
                yield FrameRows(frame, {})
            if frame.height < self._rows:
                return
            start += frame.height

    def _slice(self, start: int, count: int, names: Collection[str] | None) -> pl.DataFrame:
        try:
            table = pl.scan_parquet(self._path, glob=False)
            if names is not None:
                table = table.select(name for name in table.collect_schema() if name in names)
            frame: pl.DataFrame | None = table.slice(start, count).collect()
        except (PolarsError, PanicException, ValueError):
            frame = None
        if frame is None:
            raise parquet_error(self._path)
        return plain_table(frame, self._keys, self._path)


def _blocks(path: str, size: int) -> Iterator[bytes]:
    """Return the content of a file, decompressed, in blocks."""
    return read_blocks(path, form_of(path).compression, size)


def row_bytes(rows: Rows) -> int:
    """Return about how many bytes rows that were read from a file take; 0 for rows that are held."""
    if isinstance(rows, FrameRows):
        return int(rows.frame.estimated_size())
    return sum(map(len, rows.texts)) if isinstance(rows, JsonRows) else 0


def keep_rows(rows: Rows) -> pl.DataFrame | None:
    """Return rows that were read from a file as a frame to put aside, None for rows that are held."""
    if isinstance(rows, FrameRows):
        return rows.frame
    if isinstance(rows, JsonRows):
        return pl.DataFrame({"json": pl.Series([bytes(text) for text in rows.texts], dtype=pl.Binary)})
    return None


def kept_rows(frames: Iterable[pl.DataFrame], is_json: bool, most_bytes: int) -> Rows:
    """Return the rows of frames that `keep_rows` gave."""
    if is_json:
        texts = chain.from_iterable(frame["json"].to_list() for frame in frames)
        return JsonRows(list(texts), most_bytes)
    return FrameRows(pl.concat(frames), {})
