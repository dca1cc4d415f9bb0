"""The columns of one table's events as they were sent: each distinct value once.

What the door does to a value is done once a distinct value, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reactor.event import nested
from reactor.replay.columns.column import Coded, Codes, Column, Numbers, number_values
from reactor.replay.history import Piece
from reactor.values import usable

_ABSENT: Final = object()
_INTEGERS: Final = frozenset({pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32})


class Raw:
    """A column as it was sent. numbers: of a column of nothing else, in place of codes and values.

    codes: of each row, -1 where the column is absent; values: as sent, some perhaps of no row.
    longest: of values that are all valid text, the most bytes of one.
    """

    def __init__(
        self,
        codes: Codes | None,
        values: list[Any] | None,
        numbers: Numbers | None = None,
        longest: int | None = None,
    ) -> None:
        self._codes = codes
        self._values = values
        self._numbers = numbers
        self._longest = longest

    @property
    def codes(self) -> Codes:
        """The number of each row's value; -1 where there is none."""
        self._code()
        assert self._codes is not None
        return self._codes

    @property
    def values(self) -> list[Any]:
        """The values as sent; None is one that was sent as null."""
        self._code()
        assert self._values is not None
        return self._values

    def _code(self) -> None:
        if self._codes is None:
            assert self._numbers is not None
            distinct, inverse = np.unique(self._numbers.data, return_inverse=True)
            codes = inverse.reshape(-1).astype(np.int32)
            self._codes = np.where(self._numbers.null(), np.int32(-1), codes)
            self._values = distinct.tolist()

    def taken(self, order: NDArray[np.int64]) -> Raw:
        """Return the rows in another order."""
        if self._numbers is not None:
            return Raw(None, None, self._numbers.take(order))
        return Raw(self.codes[order], self.values, longest=self._longest)

    def usable(self, text_bytes: int, path: tuple[str, ...] = ()) -> Column:
        """Return the values as the engine keeps them, or those at a path inside objects."""
        if self._numbers is not None and not path:
            return _finite(self._numbers)
        if self._longest is not None and self._longest <= text_bytes and not path:
            return Coded(self.codes, self.values)
        found: Iterable[Any]
        if path:
            found = (nested(value, path, text_bytes) for value in self.values)
        else:
            found = (usable(value, text_bytes) for value in self.values)
        codes, distinct = number_values(found)
        return Coded(np.append(codes, np.int32(-1))[self.codes], distinct)


def _finite(numbers: Numbers) -> Numbers:
    data = numbers.data
    if data.dtype == np.int64:
        return numbers
    is_odd = ~np.isfinite(data)
    if not is_odd.any():
        return numbers
    return Numbers(data, is_odd | numbers.null())


def all_names(pieces: Sequence[Piece]) -> list[str]:
    """Return the names of all columns, in order of appearance."""
    names: dict[str, None] = {}
    for piece in pieces:
        if piece.rows.columns is not None:
            names.update(dict.fromkeys(piece.rows.columns))
            continue
        for row in piece.rows.take(piece.numbers.tolist()):
            names.update(dict.fromkeys(row))
    return list(names)


def read_raw(pieces: Sequence[Piece], names: Collection[str]) -> dict[str, Raw]:
    """Return columns of the rows of all pieces, one piece behind the other."""
    parts = [_read_piece(piece, names) for piece in pieces]
    if len(parts) == 1:
        return parts[0]
    return {name: _concatenated([part[name] for part in parts]) for name in names}


def _read_piece(piece: Piece, names: Collection[str]) -> dict[str, Raw]:
    count = len(piece.rows)
    is_most = len(piece.numbers) * 2 > count
    # Codes are moved about faster than what they stand for: then the rows are put in order afterwards.
    frame = piece.rows.table(np.arange(count) if is_most else piece.numbers, names)
    if frame is not None and is_most:
        whole = {name: _of_series(frame[name]) for name in names if name in frame.columns}
        none = Raw(np.full(count, -1, dtype=np.int32), [])
        is_all = len(piece.numbers) == count and bool(np.all(piece.numbers[1:] > piece.numbers[:-1]))
        filled = {name: whole.get(name, none) for name in names}
        return filled if is_all else {name: raw.taken(piece.numbers) for name, raw in filled.items()}
    if frame is not None:
        absent = Raw(np.full(len(piece.numbers), -1, dtype=np.int32), [])
        return {name: _of_series(frame[name]) if name in frame.columns else absent for name in names}
    found: dict[str, list[Any]] = {name: [] for name in names}
    for row in piece.rows.take(piece.numbers.tolist()):
        get = row.get  # type: ignore[union-attr]
        for name, values in found.items():
            values.append(get(name, _ABSENT))
    return {name: _of_values(values) for name, values in found.items()}


def _of_series(series: pl.Series) -> Raw:
    """Return a column of a frame; a null is an absent value."""
    dtype = series.dtype
    if dtype == pl.String:
        return _of_texts(series)
    if dtype in _INTEGERS or dtype in (pl.Float32, pl.Float64):
        whole = dtype in _INTEGERS
        nulls = series.is_null().to_numpy() if series.null_count() else None
        plain = series.fill_null(0).cast(pl.Int64 if whole else pl.Float64)
        return Raw(None, None, Numbers(plain.to_numpy(), nulls))
    return _of_values([_ABSENT if value is None else value for value in series.to_list()])


def _of_texts(series: pl.Series) -> Raw:
    physical = series.cast(pl.Categorical).to_physical()
    # The numbers of categories are the process's own: only those of this column count here. 0 is NULL.
    codes = (physical.cast(pl.Int64) + 1).fill_null(0).to_numpy()
    first = np.full(int(codes.max()) + 1 if len(codes) else 1, -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of several the one written last stays
    used = np.flatnonzero(first[1:] >= 0) + 1
    renumbered = np.full(len(first), -1, dtype=np.int32)
    renumbered[used] = np.arange(len(used))
    distinct = series.gather(first[used])
    longest = int(distinct.str.len_bytes().max() or 0)  # type: ignore[arg-type]
    return Raw(renumbered[codes], distinct.to_list(), longest=longest)


def _of_values(found: Iterable[Any]) -> Raw:
    seen: dict[Any, int] = {}
    distinct: list[Any] = []
    codes = []
    for value in found:
        if value is _ABSENT:
            codes.append(-1)
            continue
        try:
            code = seen.setdefault((value.__class__, value), len(distinct))
        except TypeError:  # a list or an object stands for itself
            code = len(distinct)
        if code == len(distinct):
            distinct.append(value)
        codes.append(code)
    return Raw(np.array(codes, dtype=np.int32), distinct)


def _concatenated(parts: Sequence[Raw]) -> Raw:
    codes, values, start = [], [], 0
    for part in parts:
        codes.append(np.where(part.codes < 0, np.int32(-1), part.codes + np.int32(start)))
        values += part.values
        start += len(part.values)
    # A value in several files has several numbers; they are made one.
    table = _of_values(values)
    found = np.concatenate(codes) if codes else np.zeros(0, dtype=np.int32)
    return Raw(np.append(table.codes, np.int32(-1))[found], table.values)
