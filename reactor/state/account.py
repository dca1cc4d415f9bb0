"""What profiles and batch rows take of memory: the account that `limits.memory` is kept by.

A profile counts with what it takes at rest, in use or not: the account is then the same for the same
state, however it came about, and an engine that is restored evicts whom the other would have evicted.
What rows in use take beyond that has a share of its own: they go to rest as soon as they exceed it.

    limits.memory  =  7/8 for everything as it is at rest  +  1/8 for what is in use beyond that

The figures are those of CPython on 64 bits: an object's own bytes, rounded up to 16 as its allocator
does, and a place in each dict that leads to it, as large as it is on the average over a dict's
sizes. A process takes some tenths more or less: see `docs/guides/production.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from reactor.identity import RID, Profile, is_at_rest

SHARE_AT_REST: Final = (7, 8)
UNPACKED: Final = 10  # times its bytes at rest is what a row may take, at most
PLACE_BYTES: Final = 90  # a place in a dict, where keys come and go
TEXT_PLACE_BYTES: Final = 66  # the same in a dict of texts alone
PROFILE_BYTES: Final = 64 + 48 + PLACE_BYTES + 104 + PLACE_BYTES  # its list, its rid, who leaves when
TEXT_BYTES: Final = TEXT_PLACE_BYTES + 8  # places of an identifier in its key's dict and in the profile
MERGED_BYTES: Final = 48 + PLACE_BYTES  # a merged-away rid and its place
FOUNDING_BYTES: Final = 1_000  # room that must be there for a new profile
ROW_BYTES: Final = (
    64 + 2 * 88 + 32 + TEXT_PLACE_BYTES + 72
)  # a lookup value's row: its struct, lists, time, place, tuple
WAITING_BYTES: Final = 300 + 2 * 220  # identifiers that a row joins: sets and places, both ways

_PACKED_AT: Final = 2


class Account:
    """The bytes of an engine's profiles, and of its batch rows.

    limit: in bytes; the engine keeps below it. form: a row → what its list holds when it is at rest.
    merged: what a list holds at rest → how many merged-away rids the profile has.
    """

    def __init__(
        self, limit: int, form: Callable[[Profile], Sequence[Any]], merged: Callable[[Sequence[Any]], int]
    ) -> None:
        share, parts = SHARE_AT_REST
        self.ceiling = limit * share // parts
        self.most_in_use = limit - self.ceiling
        self.rows = 0  # bytes of batch rows
        self.touched: list[Profile] = []  # rows that events may have changed since they were measured
        self._form = form
        self._merged = merged
        self._profiles = 0
        self._in_use = 0
        self._sizes: dict[int, int] = {}  # rid → bytes at rest, of rows in use as last measured

    @property
    def is_crowded(self) -> bool:
        """Whether rows in use take more than their share."""
        return self._in_use * UNPACKED > self.most_in_use

    def total(self) -> int:
        """Return the bytes of everything at rest. Cost: microseconds for each row touched since."""
        self._settle()
        return self._profiles + self.rows

    def size(self, profile: Profile) -> int:
        """Return the bytes of a profile at rest; of a row as it was last measured."""
        return self._of(profile) if is_at_rest(profile) else self._sizes.get(profile[RID], 0)

    # What happens to profiles

    def woken(self, profile: Profile) -> None:
        """Note that a profile comes into use; it is still at rest."""
        size = self._sizes[profile[RID]] = self._of(profile)
        self._in_use += size

    def rested(self, profile: Profile) -> None:
        """Note that a row went to rest, or that a profile came in at rest."""
        former = self._sizes.pop(profile[RID], 0)
        self._in_use -= former
        self._profiles += self._of(profile) - former

    def drop(self, profile: Profile) -> None:
        """Note that a profile leaves; it is still there."""
        if is_at_rest(profile):
            self._profiles -= self._of(profile)
        else:
            self.absorbed(profile[RID])

    def absorbed(self, rid: int) -> None:
        """Note that a row in use is gone."""
        former = self._sizes.pop(rid, 0)
        self._in_use -= former
        self._profiles -= former

    def check(self, profiles: Iterable[Profile]) -> None:
        """Assert that the account is what the profiles come to."""
        total = self.total()
        sizes = {profile[RID]: self._measured(profile) for profile in profiles}
        assert total == sum(sizes.values()) + self.rows
        assert self._in_use == sum(self._sizes.values())
        assert all(sizes[rid] == size for rid, size in self._sizes.items())

    def _settle(self) -> None:
        """Measure what was touched."""
        rows = {id(profile): profile for profile in self.touched}
        self.touched.clear()
        for profile in rows.values():
            if profile and not is_at_rest(profile):
                size = self._measured(profile)
                more = size - self._sizes.get(profile[RID], 0)
                self._sizes[profile[RID]] = size
                self._in_use += more
                self._profiles += more

    def _measured(self, profile: Profile) -> int:
        return self._of(profile if is_at_rest(profile) else self._form(profile))

    def _of(self, form: Sequence[Any]) -> int:
        """Return the bytes of a profile by what its list holds at rest."""
        size = PROFILE_BYTES + _rounded(8 * len(form)) + self._merged(form) * MERGED_BYTES
        for place, each in enumerate(form):
            if place == _PACKED_AT:
                size += _rounded(sys.getsizeof(each))
            elif place and each is not None:
                size += _rounded(sys.getsizeof(each)) + TEXT_BYTES
        return size


def batch_bytes(rows: Iterable[tuple[str, Sequence[Any]]]) -> int:
    """Return the bytes of batch rows, given as (lookup value, [row, ...])."""
    size = 0
    for value, versions in rows:
        size += _rounded(sys.getsizeof(value)) + ROW_BYTES
        for row in versions:
            size += 48 + sum(_rounded(_deep(each)) + 8 for each in row)
    return size


def waiting_bytes(entries: Iterable[Sequence[Any]]) -> int:
    """Return the bytes of waiting identifiers, given as [lookup value, identifier, ...]."""
    return sum(
        WAITING_BYTES + sum(_rounded(sys.getsizeof(text)) + WAITING_BYTES for _, text in pairs)
        for _, *pairs in entries
    )


def _deep(value: Any) -> int:
    """Return the bytes of a value and what it holds."""
    size = sys.getsizeof(value)
    if isinstance(value, list | frozenset):
        size += sum(map(sys.getsizeof, value))
    return size


def _rounded(size: int) -> int:
    return (size + 15) & ~15
