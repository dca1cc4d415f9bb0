"""List attributes over sequences: when each item is live, then what the places that ask read.

In a sequence, which is sorted by time, an item is live from the place that adds it to the first place
where something ends it: its TTL, a newer item of its value (in a `unique` list), as many newer ones as
the list may hold, a delete of its value, a clear. So each item has one span, whatever the list is.

    moments     0 1   2 3   4 5   6 7     2p just before place p, 2p + 1 just after
    places      0     1     2     3
    item 0        [-----------)           added at 0, gone at 2: moments 1 to 5
    item 1              [-------)         added at 1, expired by 3: moments 3 to 6
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor.attributes import items
from reactor.replay.columns.aggregate import aggregate
from reactor.replay.columns.column import Coded, Column, Rows, as_coded, concatenate, number_values
from reactor.replay.columns.spans import Spans
from reactor.spec.model import Aggregation, ListAttribute

_WIDEST: Final = 2**62  # numbers that stand for pairs are kept below it


class Steps(msgspec.Struct, frozen=True, eq=False):
    """What happens to one list along all sequences. Places ascend.

    time, start: at each place the time in ms, and the first place of its sequence.
    item_places, items, fields: where something is added, what, and its fields; arrays are whole.
    delete_places, deletes: where values are deleted, and which. clear_places: where all is.
    """

    time: NDArray[np.int64]
    start: NDArray[np.int64]
    item_places: Rows
    items: Column
    fields: Sequence[Column]
    delete_places: Rows
    deletes: Column
    clear_places: Rows


class ListColumns:
    """One list over all sequences."""

    def __init__(self, attribute: ListAttribute, steps: Steps) -> None:
        self._attribute = attribute
        self._steps = steps
        numbers, values = _flattened(as_coded(steps.items))
        self._places = steps.item_places[numbers]
        self._columns = {"item": values}
        for name, column in zip(attribute.fields, steps.fields, strict=True):
            self._columns[name] = as_coded(column).take(numbers)
        self._stop = self._ends()

    def read(self, aggregations: Sequence[Aggregation], places: Rows, *, before: bool) -> list[Column]:
        """Return aggregations as they stand at places, which ascend, read at the place's time.

        before: without what happens at the place itself.
        """
        # How many of those that ask come before each place: counted, for a search costs more.
        asking = np.bincount(places, minlength=len(self._steps.time) + 1)
        earlier = np.concatenate([[0], np.cumsum(asking)])
        start = earlier[self._places + before]
        stop = earlier[(self._stop + before) >> 1]
        spans = Spans(np.arange(len(start)), start, stop, len(places))
        return [aggregate(each.kind, self._columns[each.column], spans) for each in aggregations]

    # When items go

    def _ends(self) -> NDArray[np.int64]:
        """Return the moment at which each item goes; not after it came if it was never live."""
        steps, places = self._steps, self._places
        begins = steps.start[places]
        ends = 2 * _place_since(steps, begins, steps.time[places] + self._attribute.ttl_ms)
        gone = np.append(places, len(steps.time))
        if self._attribute.unique:
            keys = _numbered(begins, _by_key(self._columns["item"]))
            follower, pushing = _followers(begins, keys, self._attribute.max_items)
            np.minimum(ends, 2 * gone[follower] + 1, out=ends)
        else:
            pushing = np.minimum(np.arange(len(places)) + self._attribute.max_items, len(places))
        np.minimum(ends, 2 * gone[pushing] + 1, out=ends)
        if len(steps.clear_places):
            # A clear also reaches the items of its time that come after it.
            of_time = _place_since(steps, begins, steps.time[places])
            clear = np.searchsorted(steps.clear_places, of_time)
            np.minimum(ends, 2 * np.append(steps.clear_places, len(steps.time))[clear] + 1, out=ends)
        if len(steps.delete_places):
            np.minimum(ends, self._deleted(), out=ends)
        return ends

    def _deleted(self) -> NDArray[np.int64]:
        """Return the moment at which each item is deleted: 0 if it was before it came."""
        steps, count = self._steps, len(self._places)
        numbers, deletes = _flattened(as_coded(steps.deletes))
        delete_places = steps.delete_places[numbers]
        places = np.concatenate([self._places, delete_places])
        begins = steps.start[places]
        keys = _by_key(as_coded(concatenate([self._columns["item"], deletes])))
        group = np.unique(_numbered(begins, keys), return_inverse=True)[1].reshape(-1)
        wide = len(steps.time) + 1
        ranks = group * wide + places
        by_rank = np.argsort(ranks[count:], kind="stable")
        delete = ranks[count:][by_rank]
        after = np.searchsorted(delete, ranks[:count])
        following = np.append(delete, -1)[after]
        ends = np.where(following // wide == group[:count], following % wide * 2 + 1, 2 * wide)
        # Deletes are remembered: one of the same time also reaches items that come after it, unless
        # `max_items` other values were deleted between the two.
        previous = np.append(delete, -1)[after - 1]
        is_own = previous // wide == group[:count]
        is_then = is_own & (steps.time[np.where(is_own, previous % wide, 0)] == steps.time[self._places])
        pushing = _followers(begins[count:], group[count:], self._attribute.max_items)[1]
        forgotten = np.append(delete_places, len(steps.time))[pushing][by_rank]
        is_then &= np.append(forgotten, -1)[after - 1] >= self._places
        return np.where(is_then, 0, ends)


def _place_since(steps: Steps, begins: Rows, times: NDArray[np.int64]) -> Rows:
    """Return the first place of a sequence that is at a time or later; where the next one begins if none is.

    begins: the first place of each sequence.
    """
    low = int(steps.time.min(initial=0))
    span = int(steps.time.max(initial=0)) - low + 2
    if span * (len(steps.time) + 1) < _WIDEST:
        moments, asked = steps.time - low, np.minimum(times - low, span - 1)
    else:
        ranks = np.unique(steps.time)
        span = len(ranks) + 1
        moments, asked = np.searchsorted(ranks, steps.time), np.searchsorted(ranks, times)
    return np.searchsorted(steps.start * span + moments, begins * span + asked)


def _followers(begins: Rows, keys: Rows, most: int) -> tuple[Rows, Rows]:
    """Return for each item the next one of its key, and the one that pushes it out; their count if none.

    begins: which sequence each is of; these follow one another. keys: no two sequences share one.
    An item is pushed out by the last of `most` different keys that come after it.
    """
    count = len(keys)
    order = np.argsort(keys, kind="stable")
    one, next_one = order[:-1], order[1:]
    is_same = keys[one] == keys[next_one]
    follower = np.full(count, count)
    follower[one[is_same]] = next_one[is_same]
    previous = np.full(count, -1)
    previous[next_one[is_same]] = one[is_same]
    pushing = np.full(count, count)
    bounds = np.flatnonzero(np.append(True, begins[1:] != begins[:-1])[:count])
    different = np.add.reduceat(previous < 0, bounds) if count else bounds
    ends = np.append(bounds[1:], count)
    for number in np.flatnonzero(different > most).tolist():
        start, end = int(bounds[number]), int(ends[number])
        _push(start, previous[start:end].tolist(), follower[start:end].tolist(), most, pushing[start:end])
    return follower, pushing


def _push(start: int, previous: list[int], follower: list[int], most: int, pushing: Rows) -> None:
    """Fill in which item of a sequence pushes each of its items out. start: the number of the first."""
    found: list[int] = []
    oldest, size = start, 0  # what is held is from `oldest` on
    for number, before in enumerate(previous, start):
        size += before < oldest
        while size > most:
            size -= follower[oldest - start] > number
            found.append(number)
            oldest += 1
    pushing[: len(found)] = found


def _flattened(column: Coded) -> tuple[Rows, Coded]:
    """Return the elements of all values, and the number of the row each is of; a scalar is its element."""
    if not any(value.__class__ is list for value in column.values):
        return np.arange(len(column)), column
    lists = [value if value.__class__ is list else [value] for value in column.values]
    codes, distinct = number_values(element for value in lists for element in value)
    size_of = np.array([len(value) for value in lists], dtype=np.int64)
    sizes = size_of[column.codes]
    ends = np.cumsum(sizes)
    starts = (np.cumsum(size_of) - size_of)[column.codes]
    places = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
    return np.repeat(np.arange(len(column)), sizes), Coded(codes[places], distinct)


def _numbered(one: Rows, other: NDArray[Any]) -> Rows:
    """Return a number for each pair; the same for the same pair."""
    low = int(other.min(initial=0))
    span = int(other.max(initial=0)) - low + 1
    if len(one) and (int(one.max()) + 1) * span < _WIDEST:
        return one * span + (other.astype(np.int64) - low)
    _, ranks = np.unique(other, return_inverse=True)
    return one * (len(other) + 1) + ranks.reshape(-1).astype(np.int64)


def _by_key(column: Coded) -> NDArray[np.int32]:
    """Return codes that are equal for values of one key, as `reactor.attributes.items` compares them."""
    seen: dict[Any, int] = {}
    table = [seen.setdefault(items.value_key(value), code) for code, value in enumerate(column.values)]
    return np.array(table, dtype=np.int32)[column.codes]
