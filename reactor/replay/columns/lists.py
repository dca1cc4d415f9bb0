"""List attributes over sequences: which items are live at each place that asks, then aggregations of them.

In a sequence, which is sorted by time, the live items of a plain list are a run: those that capacity,
TTL and the last clear leave. A `unique` list keeps the last occurrence of each value, which a dict
does. A delete ends the life of the items before it; in a sequence where so many fall on one time that
some are forgotten, the live engine's own functions keep the list, of item numbers instead of fields.

    items     0   1   2   3   4   5 | 6   7       of two sequences
    lives     [2, 3), [2, 5), [6, 8)              of three places that ask
    found     2   2   3   4   6   7               the items of all lives, one after the other
    ends      1       4       6
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor.attributes import items
from reactor.attributes.lists import ListSlots
from reactor.replay.columns.aggregate import Lives, maker, only
from reactor.replay.columns.column import Coded, Column, Rows, as_coded, concatenate, number_values
from reactor.spec.model import Aggregation, ListAttribute

_BLOCK: Final = 2_000_000  # items that are looked at together
_ADD, _DELETE, _CLEAR = range(3)


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
        self._times = steps.time[self._places]
        self._columns = {"item": values}
        for name, column in zip(attribute.fields, steps.fields, strict=True):
            self._columns[name] = as_coded(column).take(numbers)
        numbers, deletes = _flattened(as_coded(steps.deletes))
        places = steps.delete_places[numbers]
        # A delete is forgotten when `max_items` others are as new: then they have one time.
        most = attribute.max_items
        moments = _numbered(steps.start[places], steps.time[places])
        order = np.argsort(moments, kind="stable")
        is_full = moments[order[most:]] == moments[order[:-most]]
        self._forgetful = np.unique(steps.start[places[order[most:][is_full]]])
        self._deleted_at = self._deletes_of(places, deletes) if len(places) else None

    def read(self, aggregations: Sequence[Aggregation], places: Rows, *, before: bool) -> list[Column]:
        """Return aggregations as they stand at places, which ascend, read at the place's time.

        before: without what happens at the place itself.
        """
        is_kept = np.isin(self._steps.start[places], self._forgetful)
        if not is_kept.any():
            return self._read(aggregations, places, before=before, is_kept=False)
        if is_kept.all():
            return self._read(aggregations, places, before=before, is_kept=True)
        parts = [
            self._read(aggregations, places[is_kept == kept], before=before, is_kept=kept)
            for kept in (False, True)
        ]
        order = np.argsort(np.concatenate([np.flatnonzero(~is_kept), np.flatnonzero(is_kept)]))
        return [concatenate(columns).take(order) for columns in zip(*parts, strict=True)]

    def _read(
        self, aggregations: Sequence[Aggregation], places: Rows, *, before: bool, is_kept: bool
    ) -> list[Column]:
        """As `read`, for places of sequences that forget deletes, or of others."""
        side = "left" if before else "right"
        steps = self._steps
        until = np.searchsorted(self._places, places, side=side)  # type: ignore[call-overload]
        first = np.searchsorted(self._places, steps.start[places])
        low = steps.time[places] - self._attribute.ttl_ms
        if len(steps.clear_places):
            low = np.maximum(low, self._cleared(places, side))
        if is_kept:
            lives = self._kept_lives(places, low, before=before)
        elif self._attribute.unique:
            lives = self._unique_lives(first, until, low)
        else:
            lives = self._plain_lives(first, until, low)
        if self._deleted_at is not None and not is_kept:
            lives = self._standing(lives, self._deleted_at, places - before)
        makers = [maker(each.kind, self._columns[each.column]) for each in aggregations]
        for found, ends in lives:
            for each in makers:
                each.add(found, ends)
        return [each.finish() for each in makers]

    def _cleared(self, places: Rows, side: Any) -> NDArray[np.int64]:
        """Return the time of the sequence's last clear at each place; long ago if there is none."""
        steps = self._steps
        last = np.searchsorted(steps.clear_places, places, side=side) - 1
        at = steps.clear_places[np.maximum(last, 0)]
        is_own = (last >= 0) & (at >= steps.start[places])
        return np.where(is_own, steps.time[at], np.iinfo(np.int64).min)

    def _deletes_of(self, delete_places: Rows, deletes: Coded) -> Rows:
        """Return for each item the place that deletes it: -1 if it was deleted before it came."""
        steps, count = self._steps, len(self._places)
        both = concatenate([self._columns["item"], deletes])
        places = np.concatenate([self._places, delete_places])
        pairs = _numbered(steps.start[places], _by_key(as_coded(both)).astype(np.int64))
        group = np.unique(pairs, return_inverse=True)[1].reshape(-1)
        wide = len(steps.time) + 1
        order = group * wide + places
        item, delete = order[:count], np.sort(order[count:])
        after = np.searchsorted(delete, item)
        following = np.append(delete, -1)[after]
        found = np.where(following // wide == group[:count], following % wide, wide)
        # Deletes are remembered: one of the same time also reaches items that come after it.
        previous = np.append(delete, -1)[after - 1]
        is_own = previous // wide == group[:count]
        is_then = is_own & (steps.time[np.where(is_own, previous % wide, 0)] == self._times)
        return np.where(is_then, -1, found)

    # Which items are live

    def _plain_lives(self, first: Rows, until: Rows, low: NDArray[np.int64]) -> Iterator[Lives]:
        start = np.maximum(first, until - self._attribute.max_items)
        start = _bisect(self._times, start, until, low)
        lengths = until - start
        for some in _blocks(lengths):
            ends = np.cumsum(lengths[some])
            shift = np.repeat(start[some] - (ends - lengths[some]), lengths[some])
            yield np.arange(len(shift)) + shift, ends

    def _unique_lives(self, first: Rows, until: Rows, low: NDArray[np.int64]) -> Iterator[Lives]:
        most = self._attribute.max_items
        keys = _by_key(self._columns["item"]).tolist()
        newest: dict[int, int] = {}
        current = at = -1
        found: list[int] = []
        ends: list[int] = []
        done = 0
        for start, end in zip(first.tolist(), until.tolist(), strict=True):
            if start != current:
                current = at = start
                newest = {}
            for place, key in enumerate(keys[at:end], at):
                newest.pop(key, None)
                newest[key] = place
            at = end
            if len(newest) > most:
                for key in [*islice(newest, len(newest) - most)]:
                    del newest[key]
            found += newest.values()
            ends.append(len(found))
            if len(found) >= _BLOCK:
                yield self._fresh(found, ends, low[done : done + len(ends)])
                done += len(ends)
                found, ends = [], []
        yield self._fresh(found, ends, low[done:])

    def _standing(self, lives: Iterator[Lives], deleted_at: Rows, last: Rows) -> Iterator[Lives]:
        """Yield lives without the items that are deleted at or before the place `last` of each."""
        done = 0
        for found, ends in lives:
            until = np.repeat(last[done : done + len(ends)], np.diff(ends, prepend=0))
            yield only(found, ends, deleted_at[found] > until)
            done += len(ends)

    def _kept_lives(self, places: Rows, low: NDArray[np.int64], *, before: bool) -> Iterator[Lives]:
        """Yield lives of sequences that forget deletes: as the live engine keeps them."""
        steps = self._kept_steps()
        step_places = [step[0] for step in steps]
        keeper = _Keeper(self._attribute)
        current = at = -1
        found: list[int] = []
        ends: list[int] = []
        starts = self._steps.start[places].tolist()
        for place, start, since in zip(places.tolist(), starts, low.tolist(), strict=True):
            if start != current:
                current, at = start, bisect_left(step_places, start)
                keeper.begin()
            until = bisect_left(step_places, place if before else place + 1, at)
            keeper.run(steps[at:until])
            at = until
            found += keeper.live(since)
            ends.append(len(found))
            if len(found) >= _BLOCK:
                yield np.array(found, dtype=np.int64), np.array(ends, dtype=np.int64)
                found, ends = [], []
        yield np.array(found, dtype=np.int64), np.array(ends, dtype=np.int64)

    def _kept_steps(self) -> list[tuple[int, int, int, Any, int]]:
        """Return (place, what, time, value, number of the item) of their steps, in order."""
        steps, found = self._steps, []
        for what, places, values in (
            (_ADD, self._places, self._columns["item"].tolist()),
            (_DELETE, steps.delete_places, steps.deletes.tolist()),
            (_CLEAR, steps.clear_places, [None] * len(steps.clear_places)),
        ):
            for number in np.flatnonzero(np.isin(steps.start[places], self._forgetful)).tolist():
                place = int(places[number])
                found.append((place, what, int(steps.time[place]), values[number], number))
        found.sort(key=lambda step: step[:2])
        return found

    def _fresh(self, found: list[int], ends: list[int], low: NDArray[np.int64]) -> Lives:
        """Return lives without the items that are no newer than `low`."""
        which, until = np.array(found, dtype=np.int64), np.array(ends, dtype=np.int64)
        return only(which, until, self._times[which] > np.repeat(low, np.diff(until, prepend=0)))


class _Keeper:
    """One list of item numbers, kept by the functions of the live engine."""

    def __init__(self, attribute: ListAttribute) -> None:
        self._shape = msgspec.structs.replace(ListSlots(attribute, 0).shape, columns=2)
        self.begin()

    def begin(self) -> None:
        """Begin a sequence."""
        self._row: list[Any] = [(), None, None, (), ()]

    def run(self, steps: Sequence[tuple[int, int, int, Any, int]]) -> None:
        """Take steps in order."""
        row, shape = self._row, self._shape
        for _, what, time, value, number in steps:
            if what == _ADD:
                items.add(row, shape, time, value, (number,), time)
            elif what == _DELETE:
                items.delete(row, shape, time, value)
            else:
                items.clear(row, shape, time)

    def live(self, since: int) -> Sequence[int]:
        """Return the numbers of the items that are live and newer than `since`."""
        found: Sequence[int] = items.live(self._row, 0, items.ITEM + 1, since)
        return found


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


def _numbered(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each pair; the same for the same pair."""
    low = int(other.min(initial=0))
    span = int(other.max(initial=0)) - low + 1
    if len(one) and (int(one.max()) + 1) * span < 2**62:
        return one * span + (other - low)
    _, other = np.unique(other, return_inverse=True)
    return one * (len(other) + 1) + other.reshape(-1)


def _by_key(column: Coded) -> NDArray[np.int32]:
    """Return codes that are equal for values of one key, as `reactor.attributes.items` compares them."""
    seen: dict[Any, int] = {}
    table = [seen.setdefault(items.value_key(value), code) for code, value in enumerate(column.values)]
    return np.array(table, dtype=np.int32)[column.codes]


def _bisect(times: NDArray[np.int64], start: Rows, end: Rows, low: NDArray[np.int64]) -> Rows:
    """Return for each run `start` to `end` of ascending times the first place that is later than `low`."""
    start, end = start.copy(), end.copy()
    while True:
        is_open = start < end
        if not is_open.any():
            return start
        middle = (start + end) // 2
        is_late = times[np.where(is_open, middle, 0)] > low
        end = np.where(is_open & is_late, middle, end)
        start = np.where(is_open & ~is_late, middle + 1, start)


def _blocks(lengths: Rows) -> Iterator[slice]:
    """Yield runs of lives that have about `_BLOCK` items together."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        done = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, done + _BLOCK, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
