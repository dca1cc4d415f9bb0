"""The header of a profile's row, and what stitching says it did."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from reactor.identity.validate import Failure

# A profile is a flat row: this header, and behind it parts that identity never looks at.
RID: Final = 0  # int
CREATED: Final = 1  # ms, the earliest event time
NEWEST: Final = 2  # ms, the newest event time
ABSORBED: Final = 3  # None, or {merged-away rid: ms of the merge}
KEYS: Final = 4  # one slot a key, in config order: None, or {value: ms it was last seen}, in no order

BATCH_TIME: Final = -1  # when an identifier that only a batch row knows was last seen: before every event

# A profile at rest is the same list with its rid, and packed bytes in place of the time of its newest
# event; it has to be woken before anything else in it is read.
Profile: TypeAlias = list[Any]
Identifier: TypeAlias = tuple[int, str]  # index of the key, value


def is_at_rest(profile: Profile) -> bool:
    """Tell whether a profile is packed, and not a row."""
    return profile[NEWEST].__class__ is bytes


class Stitched(msgspec.Struct, frozen=True, gc=False):
    """What one event, or one batch row, did to the partition.

    profile: the row that now holds its identifiers; None if it had no usable one.
    new: its identifiers that no profile held before, in config order; some may be evicted again.
    brought: those that the survivor did not hold before: the new ones, and those of the absorbed.
    joined: identifiers of batch rows that were attached with them.
    merged: the rids of the profiles that the survivor absorbed now, ascending.
    evicted, evicted_rids: what the ceiling on associations removed, first evicted first.
    failures: its values that can't be identifiers.
    founded: the profile is new.
    """

    profile: Profile | None
    new: tuple[Identifier, ...] = ()
    brought: tuple[Identifier, ...] = ()
    joined: tuple[Identifier, ...] = ()
    merged: tuple[int, ...] = ()
    evicted: tuple[Identifier, ...] = ()
    evicted_rids: tuple[int, ...] = ()
    failures: tuple[Failure, ...] = ()
    founded: bool = False

    def __repr__(self) -> str:
        names = ("new", "joined", "merged", "evicted", "failures")
        return f"Stitched({', '.join(f'{len(getattr(self, name))} {name}' for name in names)})"


def identifiers(profile: Profile, keys: int) -> list[Identifier]:
    """Return the profile's identifiers: by key, in config order, then by value.

    >>> identifiers([1, 0, 0, None, {"b": 5, "a": 6}, None, {"x": 7}], keys=3)
    [(0, 'a'), (0, 'b'), (2, 'x')]
    """
    return [(k, value) for k in range(keys) for value in sorted(profile[KEYS + k] or ())]
