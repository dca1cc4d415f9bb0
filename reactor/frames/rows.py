"""Rows of events, however they are kept: read by number, as mappings of columns.

The rows of a file are kept as they came (text of lines, or columns) and become mappings a
block at a time, so that a history costs about its own size in memory. In columns a null is
an absent value; in JSON it is what was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from reactor.errors import EventError
from reactor.event import as_event

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_BLOCK: Final = 10_000

Event: TypeAlias = dict[str, object]


class BadRow(NamedTuple):
    """A row that is no event: `path` and `reason` as in an EventError."""

    path: str
    reason: str


Row: TypeAlias = Event | BadRow


class Rows(Protocol):
    """Rows that can be read in any order, more than once.

    columns: names of the columns, or None where each row has its own.
    """

    columns: tuple[str, ...] | None

    def __len__(self) -> int:
        """Count the rows, bad ones included."""

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield the rows with these numbers, counted from 0, in the order given."""

    def select(self, names: Collection[str]) -> Rows:
        """Return the same rows with these columns at least; fewer columns are read faster."""

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return the rows with these numbers as a frame, with those of the columns there are.

        None if rows are not kept as columns. A null is an absent column.
        """


class FrameRows:
    """The rows of a polars frame. `bad` holds the rows that are none; the frame has nulls in their place."""

    def __init__(self, frame: pl.DataFrame, bad: Mapping[int, BadRow]) -> None:
        self.columns: tuple[str, ...] | None = tuple(frame.columns)
        self._frame = frame
        self._bad = bad

    def __len__(self) -> int:
        return len(self._frame)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows; a null is an absent column."""
        names = self._frame.columns
        bad = self._bad
        for some in blocks(numbers):
            for number, values in zip(some, self._gather(some).iter_rows(), strict=True):
                if number in bad:
                    yield bad[number]
                else:
                    yield {
                        name: value for name, value in zip(names, values, strict=True) if value is not None
                    }

    def select(self, names: Collection[str]) -> FrameRows:
        """Return the rows with these columns only, of those there are."""
        return FrameRows(self._frame.select(name for name in self._frame.columns if name in names), self._bad)

    @property
    def frame(self) -> pl.DataFrame:
        """The columns; where a row is bad, nulls."""
        return self._frame

    @property
    def bad(self) -> Mapping[int, BadRow]:
        """The rows that are none, by number."""
        return self._bad

    def slice(self, start: int, count: int) -> FrameRows:
        """Return some of the rows that follow each other."""
        bad = {number - start: bad for number, bad in self._bad.items() if start <= number < start + count}
        return FrameRows(self._frame.slice(start, count), bad)

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return rows as a frame."""
        kept = self._frame.select(name for name in self._frame.columns if name in names)
        if not kept.width:
            return kept
        if len(numbers) == len(kept) and (not len(numbers) or bool((numbers[1:] > numbers[:-1]).all())):
            return kept
        return kept[numbers]

    def _gather(self, numbers: Sequence[int]) -> pl.DataFrame:
        if isinstance(numbers, range) and numbers.step == 1:
            return self._frame.slice(numbers.start, len(numbers))
        return self._frame[numbers]


class JsonRows:
    """The rows of JSON texts, one an event. `most_bytes` is the most one may have."""

    def __init__(self, texts: Sequence[bytes | memoryview], most_bytes: int) -> None:
        self.columns: tuple[str, ...] | None = None
        self._texts = texts
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self._texts)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows as sent."""
        for number in numbers:
            yield _row_of(self._texts[number], self._most_bytes)

    @property
    def texts(self) -> Sequence[bytes | memoryview]:
        """The texts, as sent."""
        return self._texts

    def select(self, names: Collection[str]) -> JsonRows:
        """Return the rows: what is not decoded has no columns to leave out."""
        return self

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return None: each row has columns of its own."""
        return None


class MappingRows:
    """Rows given as mappings, or as JSON texts; they are kept, not copied."""

    def __init__(self, rows: Sequence[object], most_bytes: int) -> None:
        self.columns: tuple[str, ...] | None = None
        self._rows = rows
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows as given."""
        for number in numbers:
            yield _row_of(self._rows[number], self._most_bytes)

    def select(self, names: Collection[str]) -> MappingRows:
        """Return the rows: what is not decoded has no columns to leave out."""
        return self

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return None: each row has columns of its own."""
        return None


class DecodedRows:
    """Some columns of rows that are decoded one by one: decoded once, and kept."""

    def __init__(self, rows: Rows, names: Collection[str]) -> None:
        self.columns: tuple[str, ...] | None = None
        self._rows: list[Row] = [
            row if isinstance(row, BadRow) else {name: row[name] for name in names if name in row}
            for row in rows.take(range(len(rows)))
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows as they were decoded."""
        rows = self._rows
        return (rows[number] for number in numbers)

    def select(self, names: Collection[str]) -> DecodedRows:
        """Return the rows: they have few columns already."""
        return self

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return None: each row has columns of its own."""
        return None


def key_error(name: str, got: str, where: str) -> EventError:
    """Return the error for a stitching key's column that holds floats.

    name: the column; got: its type; where: the file or table.
    """
    return EventError(
        name,
        f"expected text or whole numbers in {where}, as this column is a stitching key, got {got};"
        " an identifier must be the same text everywhere: store the column as text, or as integers"
        " (missing values turn whole numbers into floats in pandas: use Int64)",
    )


def _row_of(event: object, most_bytes: int) -> Row:
    try:
        return as_event(event, most_bytes)
    except EventError as error:
        return BadRow(error.path, error.reason)


def blocks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the numbers in pieces of a size that is read at once."""
    for start in range(0, len(numbers), _BLOCK):
        yield numbers[start : start + _BLOCK]
