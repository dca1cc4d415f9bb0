"""Panes in a row: the sums of a counter by slices of time.

A ring is two lists and the length at which it is folded next:

    starts  [ 3,  4,     9 ]        pane numbers in units of the finest pane, ascending
    sums    [ 0,  2,  7,  8 ]       cumulative: sums[i] is what came before starts[i]

so the sum of the panes from `low` on is `sums[-1] - sums[bisect_left(starts, low)]`, one
bisection whatever the window. Only panes in use are held. Sums are ints (exact decimals),
so that neither order nor folding changes them.

Several windows may share a ring, each with a pane width of its own. Panes that are older
than every fine window are folded into the coarser panes that the longer windows need; panes
older than all windows are dropped. Both happen when the ring has grown to `limit`, so that
an event costs O(1) amortised and a ring is at most about twice its panes in use.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise
from operator import sub
from typing import Any, Final, TypeAlias

import msgspec

# [starts, sums, limit] at row[at : at + 3]; an unused ring shares EMPTY's tuples.
SLOTS: Final = 3
FIRST_LIMIT: Final = 64
EMPTY: Final = ((), (0,), FIRST_LIMIT)

Row: TypeAlias = list[Any]  # slots of every kind stand side by side


class Window(msgspec.Struct, frozen=True):
    """A span of time that ends now, cut into panes of `pane_ms`, a multiple of the ring's unit."""

    window_ms: int
    pane_ms: int

    def low(self, now_ms: int, unit_ms: int) -> int:
        """Return the first pane of the window read at `now_ms`, in panes of `unit_ms`.

        >>> Window(3_600_000, 60_000).low(7_200_000, 1_000) # an hour in minutes, kept in seconds
        3600
        """
        return (now_ms - self.window_ms) // self.pane_ms * (self.pane_ms // unit_ms)


class Panes(msgspec.Struct, frozen=True):
    """The windows of one ring. `unit_ms`: the finest pane; `folds`: see `fold`.

    Each entry of `folds` is (windows that need panes finer than `coarse`, coarse): panes older
    than all these windows need no finer grid than `coarse` units. From fine to coarse.
    """

    unit_ms: int
    windows: tuple[Window, ...]
    folds: tuple[tuple[tuple[Window, ...], int], ...]

    @classmethod
    def of(cls, windows: tuple[Window, ...]) -> Panes:
        """Plan the ring that serves `windows`, whose pane widths must nest."""
        grids = sorted({window.pane_ms for window in windows})
        folds = tuple(
            (tuple(window for window in windows if window.pane_ms < coarse), coarse // grids[0])
            for coarse in grids[1:]
        )
        return cls(grids[0], windows, folds)

    def lowest(self, now_ms: int) -> int:
        """Return the oldest pane that any window reaches at `now_ms`."""
        return min(window.low(now_ms, self.unit_ms) for window in self.windows)

    def edges(self, now_ms: int) -> list[tuple[int, int]]:
        """Return (edge, coarse) pairs: a pane before `edge` may lie on the grid `coarse`.

        Edges lie on their coarse grid, so that a coarse pane is folded as a whole.
        """
        return [
            (min(window.low(now_ms, self.unit_ms) for window in windows) // coarse * coarse, coarse)
            for windows, coarse in self.folds
        ]


def align(pane: int, edges: list[tuple[int, int]]) -> int:
    """Return the pane on the coarsest grid that `edges` allow it."""
    for edge, coarse in reversed(edges):
        if pane < edge:
            return pane // coarse * coarse
    return pane


def add(row: Row, at: int, pane: int, weight: int, panes: Panes, newest_ms: int) -> None:
    """Add `weight` to `pane`.

    row: changed in place; the ring owns row[at : at + 3].
    pane: event time in ms // panes.unit_ms; may lie anywhere.
    newest_ms: the profile's newest event time, this event's included.
    Cost: O(1) amortised in order; O(panes in use) for a late event.

    >>> row, panes = list(EMPTY), Panes.of((Window(10_000, 1_000),))
    >>> for pane, weight in (3, 2), (4, 5), (4, 1), (9, 1), (3, 1):
    ...     add(row, 0, pane, weight, panes, 9_000)
    >>> row[:2], since(row, 0, 4)
    ([[3, 4, 9], [0, 3, 9, 10]], 7)
    """
    starts = row[at]
    if not starts:
        row[at], row[at + 1] = [pane], [0, weight]
    elif pane == starts[-1]:
        row[at + 1][-1] += weight
    elif pane > starts[-1]:
        starts.append(pane)
        sums = row[at + 1]
        sums.append(sums[-1] + weight)
    elif pane >= panes.lowest(newest_ms):
        _add_late(row, at, align(pane, panes.edges(newest_ms)), weight)
    if len(row[at]) > row[at + 2]:
        fold(row, at, panes, newest_ms)


def _add_late(row: Row, at: int, pane: int, weight: int) -> None:
    starts, sums = row[at], row[at + 1]
    place = bisect_left(starts, pane)
    if place == len(starts) or starts[place] != pane:
        starts.insert(place, pane)
        sums.insert(place + 1, sums[place])
    sums[place + 1 :] = [total + weight for total in sums[place + 1 :]]


def since(row: Row, at: int, low: int) -> int:
    """Return the sum of the panes from `low` on. Cost: O(log panes in use)."""
    sums: list[int] = row[at + 1]
    return sums[-1] - sums[bisect_left(row[at], low)]


def fold(row: Row, at: int, panes: Panes, newest_ms: int) -> None:
    """Drop the panes no window reaches and fold those no fine window needs; set the next limit.

    What is read at `newest_ms` or later stays the same. Cost: O(panes in use).
    """
    starts, sums = folded(row[at], row[at + 1], panes, newest_ms)
    row[at], row[at + 1] = starts, sums
    row[at + 2] = 2 * len(starts) + FIRST_LIMIT


def folded(starts: list[int], sums: list[int], panes: Panes, newest_ms: int) -> tuple[list[int], list[int]]:
    """Return the ring's one form as of `newest_ms`: dropped, folded, without empty panes, from 0."""
    edges = panes.edges(newest_ms)
    first = bisect_left(starts, panes.lowest(newest_ms))
    # Only panes before the first edge, which is the latest, may lie on a coarser grid.
    fine = max(first, bisect_left(starts, edges[0][0])) if edges else first
    base = sums[first]
    new_starts: list[int] = []
    new_sums = [0]
    for place in range(first, fine):
        _append(new_starts, new_sums, align(starts[place], edges), sums[place + 1] - sums[place])
    if len(set(sums[fine:])) == len(sums) - fine:
        new_starts += starts[fine:]
        new_sums += [total - base for total in sums[fine + 1 :]]
    else:
        for place in range(fine, len(starts)):
            _append(new_starts, new_sums, starts[place], sums[place + 1] - sums[place])
    return new_starts, new_sums


def _append(starts: list[int], sums: list[int], pane: int, weight: int) -> None:
    """Add to the last pane or open a new one; a pane that comes to nothing goes."""
    if starts and starts[-1] == pane:
        sums[-1] += weight
    else:
        starts.append(pane)
        sums.append(sums[-1] + weight)
    if sums[-1] == sums[-2]:
        starts.pop()
        sums.pop()


def _weights(row: Row, at: int) -> Iterator[tuple[int, int]]:
    """Yield (pane, what was added in it)."""
    sums = row[at + 1]
    return zip(row[at], map(sub, islice(sums, 1, None), sums), strict=False)


def merge(
    older: Row, younger: Row, at: int, panes: Panes, newest_ms: int
) -> tuple[list[int], list[int], int]:
    """Return the slots of the ring that holds the panes of both, changing neither.

    Where only one has panes, its lists themselves are returned.
    """
    for row, other in ((older, younger), (younger, older)):
        if not other[at]:
            return row[at], row[at + 1], row[at + 2]
    weights = dict(_weights(older, at))
    for pane, weight in _weights(younger, at):
        weights[pane] = weights.get(pane, 0) + weight
    starts = sorted(weights)
    sums = list(accumulate(map(weights.__getitem__, starts), initial=0))
    limit = max(older[at + 2], younger[at + 2])
    if len(starts) < limit:
        return starts, sums, limit
    starts, sums = folded(starts, sums, panes, newest_ms)
    return starts, sums, 2 * len(starts) + FIRST_LIMIT


def check(row: Row, at: int) -> None:
    """Assert what must hold of every ring."""
    starts, sums, limit = row[at : at + SLOTS]
    assert len(sums) == len(starts) + 1
    assert all(a < b for a, b in pairwise(starts))
    assert len(starts) <= limit
