"""Imported attributes: batch rows by the value of the lookup key, as of a time.

A load makes a `BatchTable`; events never change it. A profile reads the row of its lookup
value seen last, among those that have one; of several rows of one value the latest that is
valid at the reading time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec

from reactor.attributes.single import NEVER

# The imported values in config order, then the frozenset of the row's segments.
BatchRow: TypeAlias = tuple[Any, ...]


class Versions(msgspec.Struct):
    """The rows of one lookup value, ascending by the time each is valid from; NEVER is always."""

    times: list[int]
    rows: list[BatchRow]

    def at(self, now_ms: int) -> BatchRow | None:
        """Return the row valid at `now_ms`, or None."""
        place = bisect_right(self.times, now_ms)
        return self.rows[place - 1] if place else None

    def add(self, time_ms: int, row: BatchRow) -> None:
        place = bisect_right(self.times, time_ms)
        self.times.insert(place, time_ms)
        self.rows.insert(place, row)


class BatchTable:
    """All batch rows, by lookup value. `width`: how many imported attributes a row has."""

    __slots__ = ("empty", "versions")

    def __init__(self, width: int) -> None:
        self.versions: dict[str, Versions] = {}
        self.empty: Final[BatchRow] = (*(None,) * width, frozenset())

    def __len__(self) -> int:
        return sum(len(versions.rows) for versions in self.versions.values())

    def put(self, rows: Iterable[tuple[str, int, BatchRow]], *, replace: bool) -> None:
        """Load (lookup value, valid from, row): the whole table, or the lookup values it names."""
        fresh: dict[str, Versions] = {}
        for value, time_ms, row in rows:
            fresh.setdefault(value, Versions([], [])).add(time_ms, row)
        if replace:
            self.versions = fresh
        else:
            self.versions.update(fresh)

    def read(self, seen: dict[str, int] | None, now_ms: int) -> BatchRow:
        """Return the row of a profile at `now_ms`; the row of NULLs if it has none.

        seen: the profile's lookup values and when each was last seen.
        """
        if not seen or not self.versions:
            return self.empty
        order: Iterable[str] = seen
        if len(seen) > 1:
            order = sorted(seen, key=lambda value: (seen[value], value), reverse=True)
        for value in order:
            versions = self.versions.get(value)
            if versions is not None:
                row = versions.at(now_ms)
                if row is not None:
                    return row
        return self.empty


ALWAYS: Final = NEVER  # valid from before any time
