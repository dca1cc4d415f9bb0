"""Aggregations of lists over columns: of many lists at once, what `reactor.attributes.items` says of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reactor.attributes import items
from reactor.attributes.kind import scaled
from reactor.replay.columns.column import Coded, Column, Lists, Mask, Numbers, Rows, column_of
from reactor.replay.columns.spans import Spans
from reactor.values import EXACT, as_number, canonical

_BITS: Final = 2**63


def aggregate(kind: str, column: Coded, spans: Spans) -> Column:
    """Return an aggregation of what is live at each place.

    column: the values of all items; NULL where an item has none.
    """
    known = spans.only(column.codes >= 0)
    found: Column | None = None
    match kind:
        case "count":
            return Numbers(known.counts())
        case "first":
            return _values_of(column, known.oldest())
        case "last":
            return _values_of(column, known.newest())
        case "distinct":
            return Lists(DistinctLists(column, known), np.arange(known.count))
        case "sum":
            found = _sum(column, known)
        case "min" | "max":
            found = _extreme(column, known, is_least=kind == "min")
    return _by_lives(items.AGGREGATIONS[kind], column, known) if found is None else found


def _values_of(column: Coded, numbers: Rows) -> Coded:
    """Return the values of items, NULL where the number is -1."""
    return Coded(np.append(column.codes, np.int32(-1))[numbers], column.values)


def _sum(column: Coded, spans: Spans) -> Column | None:
    """Return sums in whole units of 1/SUM_SCALE; None where one could pass 64 bits."""
    weights = [scaled(value, items.SUM_SCALE) or 0 for value in column.values]
    most = int(spans.counts().max(initial=0))
    if max(map(abs, weights), default=0) * most >= _BITS:
        return None
    totals = spans.sums(np.array([*weights, 0], dtype=np.int64)[column.codes[spans.items]])
    sums = totals / items.SUM_SCALE
    for place in np.flatnonzero(np.abs(totals) >= EXACT).tolist():
        sums[place] = int(totals[place]) / items.SUM_SCALE
    return Numbers(sums)


def _extreme(column: Coded, spans: Spans, *, is_least: bool) -> Column | None:
    """Return the least or greatest numbers; None where a double doesn't hold one of the values."""
    numbers = [None if (number := as_number(value)) is None else canonical(number) for value in column.values]
    if any(isinstance(number, int) and abs(number) >= EXACT for number in numbers):
        return None
    is_number = np.array([*(number is not None for number in numbers), False], dtype=np.bool_)
    data = np.array([*(number or 0.0 for number in numbers), 0.0], dtype=np.float64)
    spans = spans.only(is_number[column.codes])
    choose, nothing = (np.minimum, np.inf) if is_least else (np.maximum, -np.inf)
    found = spans.best(data[column.codes[spans.items]], choose, nothing)
    nulls = np.isinf(found)
    return Numbers(found, nulls if nulls.any() else None)


def _by_lives(function: Callable[[Sequence[Any]], Any], column: Coded, spans: Spans) -> Column:
    """Return what a function makes of the values that are live, called once for each state that differs."""
    state, first = spans.states()
    values = [*column.values, None]
    known: dict[tuple[int, ...], int] = {}
    numbers: list[int] = []
    for found, ends in spans.lives(first):
        codes, start = column.codes[found].tolist(), 0
        for end in ends.tolist():
            numbers.append(known.setdefault(tuple(codes[start:end]), len(known)))
            start = end
    results = [function([values[code] for code in codes]) for codes in known]
    return column_of(results, "number").take(np.array(numbers, dtype=np.int64)[state])


class DistinctLists:
    """What `distinct` yields at each place: a list of the different values, oldest first.

    column: the values of all items; spans: of the items that have one.
    """

    def __init__(self, column: Coded, spans: Spans) -> None:
        self._column = column
        self._spans = spans
        self._unlike: Spans | None = None
        self._sizes: Rows | None = None

    @property
    def elements(self) -> list[Any]:
        """Return every value that an element of a list may be."""
        return self._column.values

    def sizes(self, rows: Rows) -> Rows:
        """Return how many elements the lists of some rows have."""
        if self._sizes is None:
            self._sizes = self._different().counts()
        return self._sizes[rows]

    def holding(self, labels: NDArray[np.int64], wanted: NDArray[np.int64], rows: Rows) -> Mask:
        """Return in which rows an element has the wanted label.

        labels: one for each of `elements`, -1 for none; wanted: one a row, -1 for none.
        """
        return self._spans.covering(labels[self._column.codes[self._spans.items]], wanted, rows)

    def made(self, rows: Rows, text_of: Callable[[Any], str] | None = None) -> Coded:
        """Return the lists of some rows; as texts of their elements' texts if `text_of` is given."""
        state, first = self._different().states()
        used, number = np.unique(state[rows], return_inverse=True)
        elements = self.elements if text_of is None else [*map(text_of, self.elements)]
        known: dict[bytes, int] = {}
        lists: list[Any] = []
        numbers: list[int] = []
        for found, ends in self._different().lives(first[used]):
            codes = self._column.codes[found]
            key, width = codes.tobytes(), codes.itemsize
            flat, start = [*map(elements.__getitem__, codes.tolist())], 0
            for end in ends.tolist():
                code = known.setdefault(key[start * width : end * width], len(lists))
                if code == len(lists):
                    found_here = flat[start:end]
                    lists.append(found_here if text_of is None else f"[{','.join(found_here)}]")
                numbers.append(code)
                start = end
        return Coded(np.array(numbers, dtype=np.int32)[number.reshape(-1)], lists)

    def _different(self) -> Spans:
        """Return the spans in which an item is the oldest of its key."""
        if self._unlike is None:
            seen: dict[Any, int] = {}
            keys = [seen.setdefault(items.value_key(value), len(seen)) for value in self.elements]
            self._unlike = self._spans.unlike(
                np.array(keys, dtype=np.int64)[self._column.codes[self._spans.items]]
            )
        return self._unlike
