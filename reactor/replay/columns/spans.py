"""Spans: from which place that asks to which other an item of a list is live.

Places that ask are numbered in their order, over all sequences; no span reaches into another sequence.
What a list is at each of them is then a matter of the spans that cover it, and no list is made.

    asked     0   1   2   3   4   5 | 6   7       of two sequences
    item 0    [-----------)                       0 to 3
    item 1        [---------------)               1 to 5
    item 2                            [-----)     6 to 8
    count     1   2   2   1   1   0 | 1   1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.replay.columns.column import Mask, Rows
from reactor.replay.columns.ordering import stable_order

# The numbers of the items of several lives, oldest first in each; and where each life ends among them.
Lives: TypeAlias = tuple[Rows, Rows]

_BLOCK: Final = 2_000_000  # items that are looked at together


class Spans:
    """Spans of items over `count` places that ask.

    items: their numbers, ascending, of those that are live at a place that asks; start, stop: from
    which place to which other, exclusive, each is. `start` ascends, but for spans that are `unlike`.
    """

    def __init__(self, items: Rows, start: Rows, stop: Rows, count: int) -> None:
        is_seen = start < stop
        self.items = items[is_seen]
        self.start = start[is_seen]
        self.stop = stop[is_seen]
        self.count = count

    def only(self, kept: Mask) -> Spans:
        """Return the spans of some of all items, given by a mask over their numbers."""
        some = kept[self.items]
        return self if some.all() else Spans(self.items[some], self.start[some], self.stop[some], self.count)

    def counts(self) -> Rows:
        """Return how many spans cover each place."""
        started, stopped = self._changes()
        found: Rows = np.cumsum(started - stopped)
        return found

    def sums(self, weights: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sum of the weights, one a span, that cover each place; modulo 2^64."""
        changes = np.zeros(self.count + 1, dtype=np.int64)
        np.add.at(changes, self.start, weights)
        np.subtract.at(changes, self.stop, weights)
        return np.cumsum(changes[: self.count])

    def best(self, values: NDArray[Any], choose: np.ufunc, nothing: Any) -> NDArray[Any]:
        """Return the least or greatest of the values, one a span, that cover each place.

        choose: `np.minimum` or `np.maximum`; nothing: what stands where no span is.
        Cost: O((spans + places) * log(longest span)).
        """
        found = np.full(self.count, nothing, dtype=values.dtype)
        if not len(values):
            return found
        # A span is covered by two runs of one power of two; those are halved down to single places.
        powers = np.frexp(self.stop - self.start)[1] - 1
        order = np.argsort(powers, kind="stable")
        bounds = np.searchsorted(powers[order], np.arange(powers.max() + 2)).tolist()
        for power in range(len(bounds) - 2, -1, -1):
            some = order[bounds[power] : bounds[power + 1]]
            choose.at(found, self.start[some], values[some])
            choose.at(found, self.stop[some] - (1 << power), values[some])
            if power:
                half = 1 << (power - 1)
                halved = found.copy()
                choose(halved[half:], found[:-half], out=halved[half:])
                found = halved
        return found

    def oldest(self) -> Rows:
        """Return the number of the oldest item at each place, -1 for none."""
        started, _ = self._changes()
        # How far the spans reach until each; what reaches no further is over by then.
        over = np.bincount(np.maximum.accumulate(self.stop), minlength=self.count)[: self.count]
        found = np.cumsum(over)
        return np.where(found < np.cumsum(started), np.append(self.items, -1)[found], -1)

    def newest(self) -> Rows:
        """Return the number of the newest item at each place, -1 for none."""
        if np.any(self.stop[1:] < self.stop[:-1]):
            return self.best(self.items, np.maximum, -1)
        last = np.cumsum(self._changes()[0]) - 1
        is_live = np.append(self.stop, -1)[last] > np.arange(self.count)
        return np.where(is_live, np.append(self.items, -1)[last], -1)

    def unlike(self, labels: NDArray[Any]) -> Spans:
        """Return spans without the places where an older item of the same label is live.

        labels: one a span. `start` ascends no more.
        """
        _, reach, order = self._by_label(labels)
        # Of the first span of a label the reach before it is of another label, or there is none.
        behind = labels[order].astype(np.int64) * (self.count + 1)
        start = np.empty_like(self.start)
        start[order] = np.maximum(np.append(-1, reach[:-1])[: len(reach)] - behind, self.start[order])
        return Spans(self.items, start, self.stop, self.count)

    def covering(self, labels: NDArray[Any], wanted: NDArray[Any], places: Rows) -> Mask:
        """Return whether an item with the wanted label is live, at each of some places.

        labels: one a span, from 0; wanted: one a place, -1 for none.
        """
        keys, reach, _ = self._by_label(labels)
        in_turn = _label_order(wanted)  # what is near to one another is searched for one after the other
        asked = (wanted.astype(np.int64) * (self.count + 1) + places)[in_turn]
        last = np.searchsorted(keys, asked, side="right") - 1
        # What reaches furthest among the spans before is of the same label, or ends before it begins.
        found = np.empty(len(places), dtype=np.bool_)
        found[in_turn] = np.append(reach, -1)[last] > asked
        return found & (wanted >= 0)

    def _by_label(self, labels: NDArray[Any]) -> tuple[Rows, Rows, Rows]:
        """Return (label, start) as a number, ascending; how far spans reach until there; and the order."""
        order = _label_order(labels)
        wide = labels[order].astype(np.int64) * (self.count + 1)
        return wide + self.start[order], np.maximum.accumulate(wide + self.stop[order]), order

    # Lists as such

    def states(self) -> tuple[Rows, Rows]:
        """Return the number of the state at each place, and the first place of each state.

        What is live may differ only between states.
        """
        started, stopped = self._changes()
        is_new = started + stopped > 0
        is_new[:1] = True
        return np.cumsum(is_new) - 1, np.flatnonzero(is_new)

    def lives(self, places: Rows) -> Iterator[Lives]:
        """Yield the live items at places, which ascend; some places at a time."""
        low, high = self._first(places), self._behind(places)
        lengths = np.maximum(high - low, 0)
        for some in _blocks(lengths):
            ends = np.cumsum(lengths[some])
            shift = np.repeat(low[some] - (ends - lengths[some]), lengths[some])
            found = np.arange(len(shift)) + shift
            place = np.repeat(places[some], lengths[some])
            is_live = (self.start[found] <= place) & (self.stop[found] > place)
            yield self.items[found[is_live]], np.concatenate([[0], np.cumsum(is_live)])[ends]

    def _first(self, places: Rows) -> Rows:
        """Return the first span that does not stop until each place."""
        return np.searchsorted(np.maximum.accumulate(self.stop), places, side="right")

    def _behind(self, places: Rows) -> Rows:
        """Return what is one behind the last span that starts until each place."""
        next_start = np.minimum.accumulate(self.start[::-1])[::-1]
        return np.searchsorted(next_start, places, side="right")

    def _changes(self) -> tuple[Rows, Rows]:
        """Return how many spans start, and how many stop, at each place."""
        count = self.count
        return np.bincount(self.start, minlength=count), np.bincount(self.stop, minlength=count)[:count]


def _label_order(labels: NDArray[Any]) -> Rows:
    """Return the order that sorts labels, which are -1 or more; of one label as they come."""
    return stable_order(labels.astype(np.int64) + 1, int(labels.max(initial=-1)) + 2)


def _blocks(lengths: Rows) -> Iterator[slice]:
    """Yield runs of lives that have about `_BLOCK` items together."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        done = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, done + _BLOCK, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
