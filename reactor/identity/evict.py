"""Eviction: which associations of a profile go when there are too many.

An association is an identifier or a merged-away rid. The one seen longest ago goes first;
for a rid that is when it was merged. Of those seen at one time a merged-away rid goes before an
identifier, a key later in the config before an earlier one, and the greater before the less.
The values of the lookup key go last of all, for without them a profile loses its batch row.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from reactor.identity.layout import ABSORBED, BATCH_TIME, KEYS, Profile

Association: TypeAlias = tuple[int, Any]  # slot, value: text, or a rid
_time_of = itemgetter(0)


class Ceiling:
    """The most associations of a profile, and the order in which they go.

    keys: how many there are. lookup: index of the lookup key, or None.
    """

    __slots__ = ("_end", "_first", "_last", "associations")

    def __init__(self, keys: int, lookup: int | None, associations: int) -> None:
        self.associations = associations
        self._end = KEYS + keys
        slots = (ABSORBED, *range(self._end - 1, KEYS - 1, -1))
        last = None if lookup is None else KEYS + lookup
        self._first = tuple(slot for slot in slots if slot != last)
        self._last = () if last is None else (last,)

    def count(self, profile: Profile) -> int:
        """Return how many associations the profile has."""
        count = 0
        for seen in profile[ABSORBED : self._end]:
            if seen:
                count += len(seen)
        return count

    def evict(self, profile: Profile) -> list[Association]:
        """Remove from the row what is too much; return it, first evicted first.

        Cost: O(associations), and O(n log n) of those that are as old as the youngest that goes.

        >>> row = [0, 0, 0, {7: 5}, {"c1": 5, "c2": 9}, {"e": 5}]
        >>> Ceiling(2, 1, associations=2).evict(row), row
        ([(3, 7), (4, 'c1')], [0, 0, 0, None, {'c2': 9}, {'e': 5}])
        """
        excess = self.count(profile) - self.associations
        if excess <= 0:
            return []
        evicted = _oldest(profile, self._first, excess)
        if len(evicted) < excess:
            evicted += _oldest(profile, self._last, excess - len(evicted))
        for slot, value in evicted:
            seen = profile[slot]
            del seen[value]
            if not seen:
                profile[slot] = None
        return evicted


def _oldest(profile: Profile, slots: Iterable[int], count: int) -> list[Association]:
    """Return the `count` oldest associations in these slots, or all if there are fewer.

    Of those seen at one time, those in an earlier slot come first, then the greater.
    """
    held = [(slot, profile[slot]) for slot in slots if profile[slot]]
    times = sorted(chain.from_iterable(seen.values() for _, seen in held))
    youngest = times[min(count, len(times)) - 1] if times else BATCH_TIME
    oldest = [
        (time, slot, value)
        for slot, seen in held
        for value, time in sorted((pair for pair in seen.items() if pair[1] <= youngest), reverse=True)
    ]
    oldest.sort(key=_time_of)  # stable: the order above decides between equal times
    return [(slot, value) for _, slot, value in oldest[:count]]
