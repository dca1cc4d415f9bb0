"""Identity: which profile an event belongs to, and how profiles become one.

The partition of identifiers is that of a disjoint-set forest, but there are no trees and
there is no find: `index[k]` maps every value of the key k straight to its profile's row.
A union re-points the identifiers of the smaller side, and a profile holds at most
`associations` of them, so that a read is one dict lookup, a union is O(associations), and an
identifier is re-pointed at most log2(associations) times, eight at the default of 200, before
something is evicted. A forest would pay for its finds on every event, and would have to be
taken apart to evict or to forget.

    index[0] {"c1": row, "c2": row}            row [rid, created, newest, absorbed,
    index[1] {"a@example.com": row}                 {"c1": 5, "c2": 9}, {"a@example.com": 9}, ...]
    rids     {rid: row, absorbed rid: row}

A call has two phases: everything that can refuse (validation, the batch rows, the making of
a row, the merging of attributes) happens in the first and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeAlias

from reactor.identity.changes import (
    ABSORBED,
    CREATED,
    KEYS,
    NEWEST,
    NOTHING,
    RID,
    Identifier,
    Log,
    Profile,
    Row,
    Stitched,
)
from reactor.identity.rid import Mint, parse_rid
from reactor.identity.validate import Failure, KeyRule, Validator

BATCH_TIME: Final = -1  # what only a batch row knows was last seen before every event

_rid_of = itemgetter(RID)
_first = itemgetter(0)

# What the first phase found: one profile that was met, further ones (with repetitions), identifiers
# that are known, new ones of the event, new ones of batch rows, and failures.
_Found: TypeAlias = tuple[
    Profile | None, list[Profile], list[Identifier], list[Identifier], Sequence[Identifier], Sequence[Failure]
]


class Identity:
    """All identifiers and the profiles they point at.

    keys: in config order. lookup: index of the key that joins batch rows, or None; its values
        are evicted last. secret: keys the hash in rids. associations: the most identifiers and
        merged-away rids of one profile. identifier_bytes: the most one value may have in UTF-8.
    instance: the config's name, for log rows.
    new: makes a fresh row, header included, from its rid and time. merge: makes the one row of
        a survivor and the absorbed, in rid order; it shares nothing with its arguments, which it
        leaves as they are, and its header is overwritten; with none absorbed it copies. Either may
        raise: then nothing has been written.

    `index`, `rids` and `profile_count` are for reading. `expand`, when set, names further identifiers that
    waiting batch rows join to those given, transitively.
    """

    __slots__ = (
        "_associations",
        "_end",
        "_evictable",
        "_log",
        "_lookup",
        "_maps",
        "_merge_rows",
        "_mint",
        "_names",
        "_new_row",
        "_validator",
        "expand",
        "index",
        "profile_count",
        "rids",
    )

    def __init__(
        self,
        keys: Sequence[KeyRule],
        *,
        lookup: int | None,
        secret: str,
        associations: int,
        identifier_bytes: int,
        instance: str,
        new: Callable[[int, int], Profile],
        merge: Callable[[Profile, list[Profile]], Profile],
    ) -> None:
        assert associations > 0
        self._names = names = tuple(key.name for key in keys)
        self.index: tuple[dict[str, Profile], ...] = tuple({} for _ in keys)
        self.rids: dict[int, Profile] = {}
        self.profile_count = 0
        self.expand: Callable[[list[Identifier]], list[Identifier]] | None = None
        self._associations = associations
        self._validator = Validator(keys, identifier_bytes)
        self._mint = Mint(names, secret)
        self._log = Log(names, instance)
        self._new_row = new
        self._merge_rows = merge
        self._end = KEYS + len(keys)
        # Slot by slot, from ABSORBED to the last key: what its entries are looked up in.
        self._maps: tuple[dict[Any, Profile], ...] = (self.rids, *self.index)
        # Of associations last seen at one time, those in the first of these slots go first.
        slots = [ABSORBED, *range(self._end - 1, KEYS - 1, -1)]
        self._lookup = None if lookup is None else KEYS + lookup
        self._evictable = tuple(slot for slot in slots if slot != self._lookup)

    # Reading

    def find(self, identifiers: Iterable[Identifier]) -> list[Profile]:
        """Return the profiles that hold any of the identifiers, each once, oldest first."""
        met = {}
        for k, value in identifiers:
            profile = self.index[k].get(value)
            if profile is not None:
                met[profile[RID]] = profile
        return [met[rid] for rid in sorted(met)]

    def by_rid(self, rid: int | str) -> Profile | None:
        """Return the profile with this rid, or the survivor if it was merged away; None if unknown."""
        number = parse_rid(rid) if isinstance(rid, str) else rid
        return None if number is None else self.rids.get(number)

    def profiles(self) -> Iterator[Profile]:
        """Yield every profile once, in no particular order."""
        return (profile for rid, profile in self.rids.items() if profile[RID] == rid)

    def valid(self, k: int, value: object) -> str | None:
        """Return why `value` can't be an identifier of the key with index `k`, or None if it can."""
        return self._validator.reason(k, value)

    def misnamed(self, names: Iterable[str]) -> list[str]:
        """Return the column names that equal a key, other than an internal one, but for their case.

        A value in such a column is a failure for the reason `MISNAMED`; a missing one is not.
        """
        return self._validator.misnamed(names)

    def id_changes(self, stitched: Stitched, now_ms: int, tracking_id: object = None) -> list[Row]:
        """Return the vendor's rows about a change, [] if there was none: see `Log.id_changes`."""
        return self._log.id_changes(stitched, now_ms, tracking_id)

    def validation_failures(
        self, failures: Sequence[Failure], now_ms: int, tracking_id: object = None
    ) -> list[Row]:
        """Return the vendor's row about an event's failures, [] if there are none."""
        return self._log.validation_failures(failures, now_ms, tracking_id)

    # Writing

    def stitch(self, values: Sequence[object | None], time: int) -> Stitched:
        """Join the identifiers of an event into one profile, and say what that changed.

        values: the raw column of each key, in config order; None where it is absent, and for
            internal keys. time: the event's, in ms.
        Known identifiers have been seen at `time`; new ones are attached to the one profile that was
        met, to the survivor of several, or to a new one. `CREATED` and `NEWEST` are left to the caller,
        unless profiles are merged or founded.
        Cost: 2 to 5 microseconds for an event with two identifiers.
        """
        profile, others, known, new, joined, failures = self._look_up(values)
        if profile is None:
            if not new:
                return Stitched(None, failures=tuple(failures)) if failures else NOTHING
            return self._found(new, joined, time, failures)
        merged: tuple[int, ...] = ()
        if others:
            profile, merged = self._merge(_distinct(profile, others), time)
        _see(profile, known, time)
        if not new and not merged:
            return Stitched(profile, failures=tuple(failures))
        self._attach(profile, new, time)
        return self._settle(profile, new, joined, merged, failures)

    def join(self, identifiers: Sequence[Identifier], time: int = BATCH_TIME) -> Stitched | None:
        """Join the identifiers of a batch row into one profile, if any of them is known; else None.

        identifiers: valid ones. New ones were last seen at `time`; known ones keep theirs.
        """
        wanted = dict.fromkeys(identifiers)
        met = [self.index[k][value] for k, value in wanted if value in self.index[k]]
        if not met:
            return None
        new = [(k, value) for k, value in wanted if value not in self.index[k]]
        joined: Sequence[Identifier] = ()
        if self.expand is not None:
            joined = self._expanded(new, met)
        profile = met[0]
        merged: tuple[int, ...] = ()
        distinct = _distinct(profile, met)
        if len(distinct) > 1:
            profile, merged = self._merge(distinct, time)
        self._attach(profile, new, time)
        return self._settle(profile, new, joined, merged, ())

    def preview(self, values: Sequence[object | None], time: int) -> Stitched:
        """Return what `stitch` would, with a row of its own that nothing points at; change nothing."""
        profile, others, known, new, joined, failures = self._look_up(values)
        if profile is None and not new:
            return Stitched(None, failures=tuple(failures))
        distinct: list[Profile] = []
        if profile is None:
            row = self._new_row(self._mint.rid(*new[0], time, self.rids), time)
        else:
            distinct = _distinct(profile, others)
            row = self._joined_row(distinct, time)
        _see(row, known, time)
        _see(row, new, time)
        _see(row, joined, BATCH_TIME)
        victims = self._victims(row)
        for slot, value in victims:
            _remove(row, slot, value)
        return _stitched(row, new, tuple(map(_rid_of, distinct[1:])), victims, failures, profile is None)

    def forget(self, profile: Profile) -> tuple[int, int]:
        """Remove a profile, its identifiers and its merged-away rids; return how many of the two.

        The row itself is left as it is, and nothing points at it.
        """
        counts = [0, 0]
        for slot, entries in enumerate(self._maps, ABSORBED):
            for value in profile[slot] or ():
                del entries[value]
                counts[slot == ABSORBED] += 1
        del self.rids[profile[RID]]
        self.profile_count -= 1
        return counts[0], counts[1]

    def check(self) -> None:
        """Assert every invariant. Cost: O(identifiers)."""
        totals = [0] * len(self._maps)
        living = 0
        for profile in self.profiles():
            living += 1
            assert profile[CREATED] <= profile[NEWEST]
            assert 0 < self._size(profile) <= self._associations
            for number, entries in enumerate(self._maps):
                held = profile[ABSORBED + number]
                assert held is None or held, "an empty dict is kept as None"
                for value, time in (held or {}).items():
                    assert entries[value] is profile
                    assert time.__class__ is int
                    assert time >= BATCH_TIME
                    totals[number] += 1
            assert profile[RID] not in (profile[ABSORBED] or ())
            assert all(rid > profile[RID] for rid in profile[ABSORBED] or ()), "the oldest survives"
        assert living == self.profile_count
        assert totals[0] + living == len(self.rids)
        assert totals[1:] == [len(entries) for entries in self.index]

    # The first phase

    def _look_up(self, values: Sequence[object | None]) -> _Found:
        index, reason_of = self.index, self._validator.reason
        profile: Profile | None = None
        others: list[Profile] = []
        known: list[Identifier] = []
        new: list[Identifier] = []
        failures: list[Failure] = []
        if len(values) > self._associations:
            values = self._within(values)
        k = -1
        for value in values:
            k += 1
            if value is None:
                continue
            if value.__class__ is not str:
                value = _exact(value)
                if value is None:
                    continue
            met = index[k].get(value) if value.__class__ is str else None
            if met is None:
                reason = reason_of(k, value)
                if reason is None:
                    new.append((k, value))  # type: ignore[arg-type]
                else:
                    failures.append((self._names[k], value, reason))
                continue
            known.append((k, value))  # type: ignore[arg-type]
            if profile is None:
                profile = met
            elif met is not profile:
                others.append(met)
        if self.expand is None or not new:
            return profile, others, known, new, (), failures
        joined = self._expanded(new, others)
        if profile is None and others:
            profile = others[0]
        return profile, others, known, new, joined, failures

    def _within(self, values: Sequence[object | None]) -> list[object | None]:
        """Blank the usable values beyond the first that one profile can hold."""
        kept = list(values)
        room = self._associations
        for k, value in enumerate(values):
            if value is not None and self._validator.reason(k, value) is None:
                room -= 1
                if room < 0:
                    kept[k] = None
        return kept

    def _expanded(self, new: list[Identifier], met: list[Profile]) -> list[Identifier]:
        """Return the unknown identifiers batch rows join to `new`; add the profiles of others to `met`."""
        assert self.expand is not None
        joined = []
        for k, value in dict.fromkeys(self.expand(new)):
            profile = self.index[k].get(value)
            if profile is not None:
                met.append(profile)
            elif (k, value) not in new:
                joined.append((k, value))
        return joined

    # The second phase

    def _found(
        self, new: list[Identifier], joined: Sequence[Identifier], time: int, failures: Sequence[Failure]
    ) -> Stitched:
        k, value = new[0]
        rids = self.rids
        rid = self._mint.rid(k, value, time, rids)
        profile = self._new_row(rid, time)
        rids[rid] = profile
        self.profile_count += 1
        index = self.index
        for k, value in new:
            profile[KEYS + k] = {value: time}
            index[k][value] = profile
        if joined:
            return self._settle(profile, new, joined, (), failures, founded=True)
        return Stitched(profile, tuple(new), failures=tuple(failures), founded=True)

    def _merge(self, distinct: list[Profile], time: int) -> tuple[Profile, tuple[int, ...]]:
        """Make one profile of several; return its row and the rids it absorbed.

        distinct: by rid; the first survives. The largest one's list becomes the survivor's row
        (union by size): its identifiers already point there.
        """
        row = self._merge_rows(distinct[0], distinct[1:])
        keeper = max(distinct, key=self._size)
        row[RID] = distinct[0][RID]
        row[CREATED] = min([profile[CREATED] for profile in distinct])
        row[NEWEST] = max([profile[NEWEST] for profile in distinct])
        for slot, entries in enumerate(self._maps, ABSORBED):
            own = keeper[slot]
            for profile in distinct:
                theirs = profile[slot]
                if theirs is None or profile is keeper:
                    continue
                for value in theirs:
                    entries[value] = keeper
                # An identifier is on one profile only: nothing is overwritten.
                if own is None:
                    own = theirs
                else:
                    own.update(theirs)
            row[slot] = own
        absorbed = tuple([profile[RID] for profile in distinct[1:]])
        row[ABSORBED] = {**(row[ABSORBED] or {}), **dict.fromkeys(absorbed, time)}
        for profile in distinct:
            self.rids[profile[RID]] = keeper
        keeper[:] = row
        self.profile_count -= len(absorbed)
        return keeper, absorbed

    def _joined_row(self, distinct: list[Profile], time: int) -> Profile:
        """As `_merge`, but the row is made of copies and nothing is switched."""
        row = self._merge_rows(distinct[0], distinct[1:])
        row[RID] = distinct[0][RID]
        row[CREATED] = min(profile[CREATED] for profile in distinct)
        row[NEWEST] = max(profile[NEWEST] for profile in distinct)
        for slot in range(ABSORBED, self._end):
            pairs = [profile[slot].items() for profile in distinct if profile[slot]]
            row[slot] = dict(chain.from_iterable(pairs)) or None
        if len(distinct) > 1:
            row[ABSORBED] = {**(row[ABSORBED] or {}), **{profile[RID]: time for profile in distinct[1:]}}
        return row

    def _attach(self, profile: Profile, pairs: Sequence[Identifier], time: int) -> None:
        _see(profile, pairs, time)
        index = self.index
        for k, value in pairs:
            index[k][value] = profile

    def _settle(
        self,
        profile: Profile,
        new: list[Identifier],
        joined: Sequence[Identifier],
        merged: tuple[int, ...],
        failures: Sequence[Failure],
        founded: bool = False,
    ) -> Stitched:
        """Attach what batch rows joined, evict what is too much, and say what was done."""
        if joined:
            self._attach(profile, joined, BATCH_TIME)
        victims = self._victims(profile)
        for slot, value in victims:
            _remove(profile, slot, value)
            del self._maps[slot - ABSORBED][value]
        return _stitched(profile, new, merged, victims, failures, founded)

    # Eviction

    def _size(self, profile: Profile) -> int:
        return sum(map(len, filter(None, profile[ABSORBED : self._end])))

    def _victims(self, profile: Profile) -> list[tuple[int, object]]:
        """Return the (slot, value) of the associations beyond the ceiling, first to go first.

        Cost: O(associations), and O(n log n) of those that are as old as the youngest victim.
        """
        excess = self._size(profile) - self._associations
        if excess <= 0:
            return []
        victims = _oldest(profile, self._evictable, excess)
        if len(victims) < excess and self._lookup is not None:
            victims += _oldest(profile, (self._lookup,), excess - len(victims))
        return victims


def _oldest(profile: Profile, slots: Iterable[int], count: int) -> list[tuple[int, object]]:
    """Return the `count` associations in these slots that were seen longest ago, or all there are.

    Of those seen at one time, those in an earlier slot come first, then the greater.
    """
    held = [(slot, profile[slot]) for slot in slots if profile[slot]]
    times = sorted(chain.from_iterable(seen.values() for _, seen in held))
    last = times[min(count, len(times)) - 1] if times else BATCH_TIME
    oldest = [
        (time, slot, value)
        for slot, seen in held
        for value, time in sorted(((v, t) for v, t in seen.items() if t <= last), reverse=True)
    ]
    oldest.sort(key=_first)
    return [(slot, value) for _, slot, value in oldest[:count]]


def _remove(profile: Profile, slot: int, value: object) -> None:
    seen = profile[slot]
    del seen[value]
    if not seen:
        profile[slot] = None


def _see(profile: Profile, pairs: Iterable[Identifier], time: int) -> None:
    """Note in the row that identifiers were seen at `time`, whether they are on it already or not."""
    for k, value in pairs:
        seen = profile[KEYS + k]
        if seen is None:
            profile[KEYS + k] = {value: time}
        elif seen.get(value, BATCH_TIME) <= time:
            seen[value] = time


def _distinct(profile: Profile, others: Iterable[Profile]) -> list[Profile]:
    """Return each of the profiles once, oldest first."""
    met = {profile[RID]: profile}
    for other in others:
        met[other[RID]] = other
    return [met[rid] for rid in sorted(met)]


def _exact(value: object) -> object | None:
    """Return text of a subclass as plain text, NaN as None, and anything else as it is."""
    if isinstance(value, str):
        return str.__str__(value)
    return None if isinstance(value, float) and value != value else value


def _stitched(
    profile: Profile,
    new: Sequence[Identifier],
    merged: tuple[int, ...],
    victims: list[tuple[int, object]],
    failures: Sequence[Failure],
    founded: bool,
) -> Stitched:
    evicted: tuple[Identifier, ...] = ()
    evicted_rids: tuple[int, ...] = ()
    if victims:
        evicted = tuple((slot - KEYS, value) for slot, value in victims if slot != ABSORBED)  # type: ignore[misc]
        evicted_rids = tuple(value for slot, value in victims if slot == ABSORBED)  # type: ignore[misc]
    return Stitched(profile, tuple(new), merged, evicted, evicted_rids, tuple(failures), founded)
