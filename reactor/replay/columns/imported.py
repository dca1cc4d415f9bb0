"""Which batch row a profile reads, at many places at once, and what it says.

Of several lookup values the one seen last counts, then the greater text, among those that have a row
that is valid then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor.attributes.imported import BatchTable
from reactor.identity import BATCH_TIME
from reactor.replay.columns.column import Column, Rows, Truths, column_of
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.joining import Joined
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.sequences import Layout
from reactor.replay.columns.updates import places_of
from reactor.spec.model import Config, Imported


class BatchRows:
    """The batch rows of a run, by number.

    is_valid: whether a value can be a lookup value.
    """

    def __init__(
        self,
        config: Config,
        batch: BatchTable,
        joined: Joined,
        tables: Sequence[EventTable],
        layout: Layout,
        is_valid: Callable[[object], bool],
    ) -> None:
        self._config = config
        self._batch = batch
        self._joined = joined
        self._layout = layout
        # By lookup value in the order of texts; the rows of each by the time they are valid from.
        self._lookups = sorted(batch.versions)
        self._numbers = {value: number for number, value in enumerate(self._lookups)}
        self.rows: list[tuple[Any, ...]] = []
        times: list[int] = []
        owners: list[int] = []
        for number, value in enumerate(self._lookups):
            versions = batch.versions[value]
            self.rows += versions.rows
            times += versions.times
            owners += [number] * len(versions.rows)
        self._first = np.searchsorted(np.array(owners, dtype=np.int64), np.arange(len(self._lookups)))
        self._moments = np.unique(np.array(times, dtype=np.int64))
        ranks = np.searchsorted(self._moments, np.array(times, dtype=np.int64))
        self._owners = np.array(owners, dtype=np.int64)
        self._keys = self._owners * (len(self._moments) + 1) + ranks + 1
        self._imported = [name for name, each in config.attributes.items() if isinstance(each, Imported)]
        self._columns: dict[str, Column] = {}
        if self.rows:
            self._sight(tables, is_valid)

    # Values

    def column(self, name: str, rows: NDArray[np.int64]) -> Column:
        """Return the values of an imported attribute in batch rows; -1 is none."""
        if name not in self._columns:
            place = self._imported.index(name)
            attribute = self._config.attributes[name]
            assert isinstance(attribute, Imported)
            self._columns[name] = column_of([*(row[place] for row in self.rows), None], attribute.dtype)
        return self._columns[name].take(np.where(rows < 0, len(self.rows), rows))

    def segment(self, segment: str, rows: NDArray[np.int64]) -> Truths:
        """Return whether batch rows are in a segment."""
        held = np.array([*(segment in row[-1] for row in self.rows), False], dtype=np.bool_)[rows]
        return Truths(held, ~held)

    # Rows

    def _sight(self, tables: Sequence[EventTable], is_valid: Callable[[object], bool]) -> None:
        """Find the events that carry a lookup value with a row, and the one that counts after each."""
        name = self._config.lookup_key
        assert name is not None
        k = [key.name for key in self._config.keys].index(name)
        events, numbers = [], []
        for table in tables:
            found = table.identifiers()[k]
            assert found is not None
            known = [
                self._numbers.get(value, -1) if isinstance(value, str) and is_valid(value) else -1
                for value in found.values
            ]
            codes = np.array([*known, -1], dtype=np.int64)[found.codes]
            rows = np.flatnonzero(codes >= 0)
            events.append(table.places[rows])
            numbers.append(codes[rows])
        seen = np.concatenate(events) if events else np.zeros(0, dtype=np.int64)
        number = np.concatenate(numbers) if numbers else seen
        order = order_of(seen)
        layout = self._layout
        self._places, at = places_of(seen[order], layout)
        self._values = number[order][at]
        # Later times have the greater score; at one time the greater text.
        moment = np.zeros(len(self._places), dtype=np.int64)
        if len(moment):
            sequence, time = layout.sequence[self._places], layout.time[self._places]
            is_new = (sequence[1:] != sequence[:-1]) | (time[1:] != time[:-1])
            moment[1:] = np.cumsum(is_new)
        width = len(self._lookups)
        self._best = np.maximum.accumulate(moment * width + self._values) % width
        self._joined_values = self._inherited()

    def _inherited(self) -> dict[int, list[tuple[int, int]]]:
        """Return for each node the lookup values that batch rows gave to it or to what it absorbed."""
        if not self._joined.joined_lookups:
            return {}
        found: dict[int, list[tuple[int, int]]] = {}
        for number, node in enumerate(self._joined.nodes):
            own = [
                (place, self._numbers[value])
                for place, value in self._joined.joined_lookups.get(number, ())
                if value in self._numbers
            ]
            for child in node.children:
                own += found.get(child, ())
            if own:
                found[number] = own
        return found

    def rows_at(self, places: Rows, now: NDArray[np.int64], *, before: bool) -> NDArray[np.int64]:
        """Return the number of the batch row that is read at each place of the layout, -1 for none.

        before: without what the event at the place brings.
        """
        found = np.full(len(places), -1, dtype=np.int64)
        if not self.rows:
            return found
        layout = self._layout
        sequence = layout.sequence[places]
        end = np.searchsorted(self._places, places, side="left" if before else "right")
        begin = np.searchsorted(self._places, layout.start[sequence])
        has = end > begin
        if len(self._best):
            value = self._best[np.maximum(end - 1, 0)]
            found = np.where(has, self._valid_row(value, now), found)
        is_open = has & (found < 0)
        if self._joined_values:
            is_open |= (found < 0) & np.isin(layout.node[sequence], np.array([*self._joined_values]))
        for row in np.flatnonzero(is_open).tolist():
            place = int(places[row])
            found[row] = self._one(place, int(begin[row]), int(end[row]), int(now[row]), before)
        return found

    def _valid_row(self, value: NDArray[np.int64], now: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each lookup value that is valid at a time, -1 for none."""
        rank = np.searchsorted(self._moments, now, side="right")
        place = np.searchsorted(self._keys, value * (len(self._moments) + 1) + rank, side="right") - 1
        has = (place >= 0) & (self._owners[np.maximum(place, 0)] == value)
        return np.where(has, place, -1)

    def _one(self, place: int, begin: int, end: int, now: int, before: bool) -> int:
        """Return the number of the row read at one place, found the long way."""
        layout = self._layout
        event = int(layout.event[place])
        node = int(layout.node[layout.sequence[place]])
        seen = {
            value: BATCH_TIME
            for at, value in self._joined_values.get(node, ())
            if at < event or (at == event and not before)
        }
        for at in range(begin, end):
            seen[int(self._values[at])] = int(layout.time[self._places[at]])
        for value in sorted(seen, key=lambda value: (seen[value], value), reverse=True):
            versions = self._batch.versions[self._lookups[value]]
            at = bisect_right(versions.times, now)
            if at:
                return int(self._first[value]) + at - 1
        return -1
