"""Counters over sequences: sums by prefix, the first pane of a window by bisection."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reactor.attributes.kind import scaled
from reactor.replay.columns.column import Column, Numbers, Rows, as_coded
from reactor.replay.columns.sequences import Layout, at_places, standing_before
from reactor.replay.columns.updates import places_of

_EXACT: Final = 2**53


class Clock:
    """Orders (sequence, time) by one int64, for bisection over all sequences at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        times = layout.time
        self._low = int(times.min()) if len(times) else 0
        span = (int(times.max()) - self._low if len(times) else 0) + 2
        self._ranks: NDArray[np.int64] | None = None
        if span * (len(layout.start) + 1) >= 2**62:
            self._ranks = np.unique(times)
            span = len(self._ranks) + 2
        self._origin = layout.sequence * span
        self.of_place = self._origin + self._offset(times)

    def key(self, places: Rows, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the key that is not above any of the same sequence at `times` or later."""
        found: NDArray[np.int64] = at_places(self._origin, places) + self._offset(times)
        return found

    def _offset(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._ranks is not None:
            return np.searchsorted(self._ranks, times)
        offset = times - self._low
        return np.maximum(offset, 0, out=offset)


class Sums:
    """What one counter adds, laid out: sums over any window, at any place."""

    def __init__(self, layout: Layout, clock: Clock, events: Rows, weights: NDArray[np.int64]) -> None:
        self._layout = layout
        self._clock = clock
        self._places, numbers = places_of(events, layout)
        self._keys = clock.of_place[self._places]
        self._before = standing_before(self._places, len(layout))
        # Whole sums may pass 64 bits and come round; the sum of no sequence does.
        self._sums = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(weights[numbers])])

    def since(self, places: Rows, first_ms: NDArray[np.int64] | None, *, before: bool) -> NDArray[np.int64]:
        """Return the sum of what was added at `first_ms` or later, as of places in the layout.

        first_ms: None for everything. before: without what the place itself adds.
        """
        end = at_places(self._before[:-1] if before else self._before[1:], places)
        if first_ms is None:
            start = self._before[self._layout.starts(places)]
        else:
            start = np.searchsorted(self._keys, self._clock.key(places, first_ms))
        found: NDArray[np.int64] = self._sums[end] - self._sums[np.minimum(start, end)]
        return found


def first_of_window(now: NDArray[np.int64], window_ms: int, pane_ms: int) -> NDArray[np.int64]:
    """Return the first ms of a window's first pane."""
    first: NDArray[np.int64] = (now - window_ms) // pane_ms * pane_ms
    return first


def quotient(sums: NDArray[np.int64], decimals: int) -> Numbers:
    """Return sums in units of 10**-decimals as numbers, correctly rounded."""
    if decimals == 0:
        return Numbers(sums)
    found: NDArray[np.float64] = sums / 10**decimals
    wide = np.flatnonzero(np.abs(sums) >= _EXACT)
    if len(wide):
        found[wide] = [each / 10**decimals for each in sums[wide].tolist()]
    return Numbers(found)


def based(
    sums: Sums,
    places: Rows,
    now: NDArray[np.int64],
    total: Any,
    base: Column,
    base_time: Numbers,
    *,
    before: bool,
) -> Column:
    """Return a total upon an imported base: as `reactor.attributes.counter.based`."""
    scale = 10**total.decimals
    codes = as_coded(base)
    numbers = [scaled(value, scale) for value in codes.values]
    is_base = np.array([*(number is not None for number in numbers), False], dtype=np.bool_)[codes.codes]
    is_base &= ~base_time.null() & (base_time.data <= now)
    first = first_of_window(now, total.discard_ms, total.pane_ms)
    from_base = base_time.data // total.pane_ms * total.pane_ms
    first = np.where(is_base, np.maximum(first, from_base), first)
    added = sums.since(places, first, before=before)
    if not is_base.any():
        return _divided(added.tolist(), scale)
    known = [*(number or 0 for number in numbers), 0]
    return _divided(
        [
            each + known[code] if has_base else each
            for each, code, has_base in zip(
                added.tolist(), codes.codes.tolist(), is_base.tolist(), strict=True
            )
        ],
        scale,
    )


def _divided(sums: list[int], scale: int) -> Numbers:
    return Numbers(np.array([each / scale for each in sums], dtype=np.float64))
