"""Aggregations of lists over columns: of many lives at once, what `reactor.attributes.items` says of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.attributes import items
from reactor.attributes.kind import scaled
from reactor.replay.columns.column import Coded, Column, Numbers, Rows, column_of, number_values
from reactor.values import EXACT, as_number, canonical

# The numbers of the items of all lives, oldest first in each; and where each life ends among them.
Lives: TypeAlias = tuple[Rows, Rows]

_MOST_SUM: Final = 2**62


class Maker(Protocol):
    """Takes lives, a block of them at a time, and makes a column of an aggregation."""

    def add(self, found: Rows, ends: Rows) -> None:
        """Aggregate some lives more."""

    def finish(self) -> Column:
        """Return the column, a row a life."""


def maker(kind: str, column: Coded) -> Maker:
    """Return what makes one aggregation. column: the values of all items; None where an item has none."""
    if kind in ("first", "last"):
        return _Ends(column, is_first=kind == "first")
    if kind == "count":
        return _Count(column)
    if kind == "sum":
        weights = [scaled(value, items.SUM_SCALE) or 0 for value in column.values]
        return _Sum(column, weights) if max(map(abs, weights), default=0) < _MOST_SUM else _Any(column, kind)
    if kind in ("min", "max"):
        numbers = [
            None if (number := as_number(value)) is None else canonical(number) for value in column.values
        ]
        if all(number is None or -EXACT < number < EXACT or number.__class__ is float for number in numbers):
            return _Extreme(column, numbers, is_least=kind == "min")
    keys = {items.value_key(value) for value in column.values}
    if kind == "distinct" and len(keys) == len(column.values):
        return _Distinct(column)
    return _Any(column, kind)


def only(found: Rows, ends: Rows, kept: NDArray[np.bool_]) -> Lives:
    """Return lives of which only the items that are kept are left."""
    before = np.concatenate([[0], np.cumsum(kept)])
    return found[kept], before[ends]


class _Ends:
    """`first` and `last`: the oldest or newest value there is."""

    def __init__(self, column: Coded, *, is_first: bool) -> None:
        self._column = column
        self._is_first = is_first
        self._has_nulls = bool((column.codes < 0).any())
        self._codes = [np.zeros(0, dtype=np.int32)]

    def add(self, found: Rows, ends: Rows) -> None:
        if self._has_nulls:
            found, ends = only(found, ends, self._column.codes[found] >= 0)
        starts = _starts(ends)
        at = starts if self._is_first else ends - 1
        codes = np.full(len(ends), -1, dtype=np.int32)
        is_any = ends > starts
        codes[is_any] = self._column.codes[found[at[is_any]]]
        self._codes.append(codes)

    def finish(self) -> Column:
        return Coded(np.concatenate(self._codes), self._column.values)


class _Count:
    """`count`: how many values there are."""

    def __init__(self, column: Coded) -> None:
        self._codes = column.codes
        self._has_nulls = bool((column.codes < 0).any())
        self._counts = [np.zeros(0, dtype=np.int64)]

    def add(self, found: Rows, ends: Rows) -> None:
        if self._has_nulls:
            found, ends = only(found, ends, self._codes[found] >= 0)
        self._counts.append(np.diff(ends, prepend=0).astype(np.int64))

    def finish(self) -> Column:
        return Numbers(np.concatenate(self._counts))


class _Sum:
    """`sum`: in whole units of 1/SUM_SCALE; a life whose sum no double holds is summed by itself."""

    def __init__(self, column: Coded, weights: Sequence[int]) -> None:
        self._weights = np.array([*weights, 0], dtype=np.int64)
        self._most = max(map(abs, weights), default=0)
        self._codes = column.codes
        self._sums = [np.zeros(0, dtype=np.float64)]

    def add(self, found: Rows, ends: Rows) -> None:
        weights = self._weights[self._codes[found]]
        # What runs over 64 bits comes back when the start is taken off, if the sum itself fits.
        running = np.concatenate([[0], np.cumsum(weights)])
        starts = _starts(ends)
        totals = running[ends] - running[starts]
        sums = totals / items.SUM_SCALE
        longest = int((ends - starts).max(initial=0))
        if self._most * longest < 2**63:
            for life in np.flatnonzero(np.abs(totals) >= EXACT).tolist():
                sums[life] = int(totals[life]) / items.SUM_SCALE
        else:
            for life in np.flatnonzero(ends > starts).tolist():
                sums[life] = sum(weights[starts[life] : ends[life]].tolist()) / items.SUM_SCALE
        self._sums.append(sums)

    def finish(self) -> Column:
        return Numbers(np.concatenate(self._sums))


class _Extreme:
    """`min` and `max`: of numbers that doubles hold."""

    def __init__(self, column: Coded, numbers: Sequence[float | None], *, is_least: bool) -> None:
        data = [np.nan if number is None else number for number in numbers]
        self._numbers = np.array([*data, np.nan], dtype=np.float64)
        self._codes = column.codes
        self._choose = np.fmin if is_least else np.fmax
        self._found = [np.zeros(0, dtype=np.float64)]

    def add(self, found: Rows, ends: Rows) -> None:
        starts = _starts(ends)
        is_any = ends > starts
        chosen = np.full(len(ends), np.nan)
        if is_any.any():  # lives without items take no room, so the others follow one another
            chosen[is_any] = self._choose.reduceat(self._numbers[self._codes[found]], starts[is_any])
        self._found.append(chosen)

    def finish(self) -> Column:
        data = np.concatenate(self._found)
        nulls = np.isnan(data)
        return Numbers(data, nulls if nulls.any() else None)


class _Distinct:
    """`distinct`, of values that are one where their codes are."""

    def __init__(self, column: Coded) -> None:
        self._column = column
        self._has_nulls = bool((column.codes < 0).any())
        self._known: dict[tuple[int, ...], int] = {}
        self._numbers: list[int] = []

    def add(self, found: Rows, ends: Rows) -> None:
        if self._has_nulls:
            found, ends = only(found, ends, self._column.codes[found] >= 0)
        codes, known = self._column.codes[found].tolist(), self._known
        start = 0
        for end in ends.tolist():
            self._numbers.append(known.setdefault(tuple(dict.fromkeys(codes[start:end])), len(known)))
            start = end

    def finish(self) -> Column:
        value_of = self._column.values.__getitem__
        return Coded(
            np.array(self._numbers, dtype=np.int32), [[*map(value_of, codes)] for codes in self._known]
        )


class _Any:
    """Any aggregation by the live engine's own function, called once for each life that differs."""

    def __init__(self, column: Coded, kind: str) -> None:
        self._column = column
        self._kind = kind
        self._values = [*column.values, None]
        self._known: dict[bytes, int] = {}
        self._results: list[Any] = []
        self._numbers: list[int] = []

    def add(self, found: Rows, ends: Rows) -> None:
        codes = self._column.codes[found]
        width = codes.itemsize
        text, known, note = codes.tobytes(), self._known, self._numbers.append
        start = 0
        for end in (ends * width).tolist():
            key = text[start:end]
            number = known.get(key)
            if number is None:
                number = known[key] = len(self._results)
                self._results.append(self._aggregate(codes[start // width : end // width].tolist()))
            note(number)
            start = end

    def _aggregate(self, codes: list[int]) -> Any:
        return items.AGGREGATIONS[self._kind]([self._values[code] for code in codes])

    def finish(self) -> Column:
        rows = np.array(self._numbers, dtype=np.int64)
        if self._kind == "distinct":
            return Coded(*number_values(self._results)).take(rows)
        return column_of(self._results, "number").take(rows)


def _starts(ends: Rows) -> Rows:
    """Return where each life starts: where the one before it ends."""
    return np.concatenate([ends[:0], [0], ends[:-1]])[: len(ends)].astype(np.int64)
