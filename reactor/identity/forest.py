"""Identity: which profile an event belongs to, and how profiles become one.

The partition of identifiers is that of a disjoint-set forest, but there are no trees and
there is no find: `index[k]` maps every value of the key k straight to its profile's row.
A union re-points the identifiers of the smaller side, and a profile holds at most
`associations` of them, so that a read is one dict lookup, a union is O(associations), and an
identifier is re-pointed at most log2(associations) times, seven at the default of 200, before
something is evicted. A forest would pay for its finds on every event, and would have to be
taken apart to evict or to forget.

    index[0] {"c1": row, "c2": row}            row [rid, created, newest, absorbed,
    index[1] {"a@example.com": row}                 {"c1": 5, "c2": 9}, {"a@example.com": 9}, ...]
    rids     {rid: row, absorbed rid: row}

A call has two phases: everything that can refuse (validation, the batch rows, the making of
a row, the merging of attributes) happens in the first, which writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from reactor.identity.evict import Association, Ceiling
from reactor.identity.layout import (
    ABSORBED,
    BATCH_TIME,
    CREATED,
    KEYS,
    NEWEST,
    RID,
    Identifier,
    Profile,
    Stitched,
    is_at_rest,
)
from reactor.identity.log import Log, Row
from reactor.identity.rid import Mint, parse_rid
from reactor.identity.validate import NULL, Failure, KeyRule, Validator

_rid_of = itemgetter(RID)
_key_of = itemgetter(0)
_NOTHING = Stitched(None)


def _never(profile: Profile) -> None:
    raise AssertionError("nothing rests")


def _itself(profile: Profile) -> Profile:
    return profile


class Identity:
    """All identifiers and the profiles they point at.

    keys: in config order. lookup: index of the key that joins batch rows, or None; its values
        are evicted last. secret: keys the hash in rids. associations: the most identifiers and
        merged-away rids of one profile. identifier_bytes: the most one value may have in UTF-8.
    instance: the config's name, for log rows.
    new: makes a fresh row, header included, of its rid and time. merge: makes the one row of
        a survivor and the absorbed, in rid order; it shares nothing with them, leaves them as
        they are, and its header is overwritten. Both may raise: then nothing has been written.
    wake: makes a row of a profile at rest, in place. header: returns a row of which the header may be
        read, for a profile at rest or in use. Without them nothing ever rests.

    For reading: `index`, one dict a key of value → row; `rids`, of living and merged-away rids;
    `profile_count`. An identifier in `index` is never validated again. `expand`, when set, names
    the further identifiers that waiting batch rows join to those given, transitively.
    """

    __slots__ = (
        "_ceiling",
        "_end",
        "_header",
        "_log",
        "_maps",
        "_merge_rows",
        "_mint",
        "_names",
        "_new_row",
        "_reason",
        "_validator",
        "_wake",
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
        wake: Callable[[Profile], None] = _never,
        header: Callable[[Profile], Profile] = _itself,
    ) -> None:
        assert associations > 0
        self._names = tuple(key.name for key in keys)
        self.index: tuple[dict[str, Profile], ...] = tuple({} for _ in keys)
        self.rids: dict[int, Profile] = {}
        self.profile_count = 0
        self.expand: Callable[[list[Identifier]], list[Identifier]] | None = None
        # Slot by slot, from ABSORBED to the last key: where its entries are looked up.
        self._maps: tuple[dict[Any, Profile], ...] = (self.rids, *self.index)
        self._end = KEYS + len(keys)
        self._ceiling = Ceiling(len(keys), lookup, associations)
        self._validator = Validator(keys, identifier_bytes)
        self._reason = self._validator.reason
        self._mint = Mint(self._names, secret)
        self._log = Log(self._names, instance)
        self._new_row = new
        self._merge_rows = merge
        self._wake = wake
        self._header = header

    # Reading

    def find(self, identifiers: Iterable[Identifier]) -> list[Profile]:
        """Return the profiles that hold any of the identifiers, each once, oldest first, in use."""
        met = [self.index[k][value] for k, value in identifiers if value in self.index[k]]
        for profile in met:
            self._awake(profile)
        return _distinct(met)

    def by_rid(self, rid: int | str) -> Profile | None:
        """Return the profile with this rid, or the survivor if it was merged away; None if unknown."""
        number = parse_rid(rid) if isinstance(rid, str) else rid
        profile = None if number is None else self.rids.get(number)
        return None if profile is None else self._awake(profile)

    def profiles(self) -> Iterator[Profile]:
        """Yield every profile once, at rest or in use, in no particular order."""
        return (profile for rid, profile in self.rids.items() if profile[RID] == rid)

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        return len(self._names)

    def valid(self, k: int, value: object) -> str | None:
        """Return why `value` can't be an identifier of the key with index `k`, or None if it can."""
        return self._reason(k, value)

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
        New identifiers are attached to the one profile that is met, to the survivor of several, or
        to a new one. All are seen at `time`, unless they were seen later. `CREATED` and `NEWEST`
        are left to the caller, but for what a merge unites.
        Cost: 2 to 5 microseconds with two identifiers.
        """
        if len(values) > self._ceiling.associations:
            values = self._within(values)
        index = self.index
        profile: Profile | None = None
        # Further profiles, failures and batch rows are rare: a tuple that is usually () costs nothing.
        others: tuple[Profile, ...] = ()
        failures: tuple[Failure, ...] = ()
        joined: tuple[Identifier, ...] = ()
        known: list[Identifier] = []
        new: list[Identifier] = []
        for k, value in enumerate(values):
            if value is None:
                continue
            text = value if value.__class__ is str else _exact(value)
            met = None if text is None else index[k].get(text)
            if met is not None:
                if met[NEWEST].__class__ is bytes:
                    self._wake(met)
                known.append((k, text))  # type: ignore[arg-type]
                if profile is None:
                    profile = met
                elif met is not profile:
                    others = (*others, met)
            elif (reason := self._reason(k, value)) is None:
                new.append((k, text))  # type: ignore[arg-type]
            elif not (isinstance(value, float) and value != value):  # NaN is a missing value
                failures = (*failures, (self._names[k], None if value is NULL else value, reason))
        if self.expand is not None and new:
            joined, met_too = self._expanded(new)
            others = (*others, *met_too)
            if profile is None and others:
                profile = others[0]

        if profile is None:
            return self._begin(new, joined, time, failures)
        if others:
            return self._unite(profile, others, known, new, joined, failures, time)
        for k, text in known:
            seen = profile[KEYS + k]
            if seen[text] < time:
                seen[text] = time
        if not new:
            return Stitched(profile, failures=failures)
        self._attach(profile, new, time)
        brought = tuple(new)
        return self._settle(profile, brought, brought, joined, (), failures, False)

    def join(self, identifiers: Sequence[Identifier], time: int = BATCH_TIME) -> Stitched | None:
        """Join the identifiers of a batch row into one profile, if any of them is known; else None.

        identifiers: valid ones. New ones were last seen at `time`; known ones keep theirs.
        """
        wanted = list(dict.fromkeys(identifiers))
        met = self.find(wanted)
        if not met:
            return None
        new = [(k, value) for k, value in wanted if value not in self.index[k]]
        joined: tuple[Identifier, ...] = ()
        if self.expand is not None and new:
            joined, met_too = self._expanded(new)
            met += met_too
        return self._unite(met[0], met[1:], (), new, joined, (), time)

    def founding_rid(self, k: int, value: str, time: int) -> int:
        """Return the rid that a profile gets which an identifier founds at a time."""
        return self._mint.rid(k, value, time, self.rids)

    def joined(self, profiles: Sequence[Profile]) -> Profile | None:
        """Return one row that reads as these, oldest first, would if they were joined; None for none.

        The row of several is a new one that nothing points at; it is for reading only.
        """
        if len(profiles) < 2:
            return profiles[0] if profiles else None
        return self._united_copy(list(profiles), max(profile[NEWEST] for profile in profiles))

    def forget(self, profile: Profile) -> tuple[int, int]:
        """Remove a profile, its identifiers and its merged-away rids; return how many of the two.

        The profile's list is emptied, and nothing points at it.
        """
        removed = 0
        header = self._header(profile)
        redirections = len(header[ABSORBED] or ())
        for slot, entries in enumerate(self._maps, ABSORBED):
            for value in header[slot] or ():
                del entries[value]
                removed += 1
        del self.rids[profile[RID]]
        self.profile_count -= 1
        profile.clear()
        return removed - redirections, redirections

    def adopt(self, profiles: Iterable[tuple[Profile, Profile]]) -> None:
        """Take in whole profiles, as a snapshot holds them; their rids and identifiers are not here yet.

        profiles: each, at rest or in use, with a row of which the header may be read.
        """
        rids = self.rids
        maps = list(enumerate(self._maps, ABSORBED))
        count = 0
        for profile, header in profiles:
            rids[profile[RID]] = profile
            count += 1
            for slot, entries in maps:
                seen = header[slot]
                if seen is not None:
                    for value in seen:
                        entries[value] = profile
        self.profile_count += count

    def trim(self, profile: Profile) -> int:
        """Evict what is too much from a row that is not taken in yet; return how many associations.

        The row's dicts may be another row's too: they are left as they are.
        """
        if self._ceiling.count(profile) <= self._ceiling.associations:
            return 0
        profile[ABSORBED : self._end] = [seen and dict(seen) for seen in profile[ABSORBED : self._end]]
        return len(self._ceiling.evict(profile))

    def check(self) -> None:
        """Assert every invariant. Cost: O(identifiers)."""
        totals = [0] * len(self._maps)
        living = 0
        for profile in self.profiles():
            living += 1
            header = self._header(profile)
            absorbed = header[ABSORBED] or {}
            assert header[CREATED] <= header[NEWEST]
            assert 0 < self._ceiling.count(header) <= self._ceiling.associations
            assert all(rid > profile[RID] for rid in absorbed), "the oldest survives"
            for slot, entries in enumerate(self._maps, ABSORBED):
                assert header[slot] is None or header[slot], "an empty dict is kept as None"
                for value, time in (header[slot] or {}).items():
                    assert entries[value] is profile
                    assert BATCH_TIME <= time <= header[NEWEST] or slot == ABSORBED
                    totals[slot - ABSORBED] += 1
        assert living == self.profile_count
        assert totals[0] + living == len(self.rids)
        assert totals[1:] == [len(entries) for entries in self.index]

    # The first phase

    def _awake(self, profile: Profile) -> Profile:
        if is_at_rest(profile):
            self._wake(profile)
        return profile

    def _within(self, values: Sequence[object | None]) -> list[object | None]:
        """Blank the usable values beyond the first that one profile can hold."""
        kept = list(values)
        room = self._ceiling.associations
        for k, value in enumerate(values):
            if value is not None and self._reason(k, value) is None:
                room -= 1
                if room < 0:
                    kept[k] = None
        return kept

    def _expanded(self, new: list[Identifier]) -> tuple[tuple[Identifier, ...], list[Profile]]:
        """Return what batch rows join to `new`: the unknown identifiers, and the profiles of the others."""
        assert self.expand is not None
        joined = []
        met = []
        for k, value in dict.fromkeys(self.expand(new)):
            profile = self.index[k].get(value)
            if profile is not None:
                met.append(self._awake(profile))
            elif (k, value) not in new:
                joined.append((k, value))
        return tuple(joined), met

    # The second phase

    def _begin(
        self, new: list[Identifier], joined: tuple[Identifier, ...], time: int, failures: tuple[Failure, ...]
    ) -> Stitched:
        """Found a profile, unless there is nothing to found it on."""
        if not new:
            return Stitched(None, failures=failures) if failures else _NOTHING
        k, value = new[0]
        rid = self._mint.rid(k, value, time, self.rids)
        profile = self._new_row(rid, time)
        self.rids[rid] = profile
        self.profile_count += 1
        index = self.index
        for k, value in new:  # an event has one value a key
            profile[KEYS + k] = {value: time}
            index[k][value] = profile
        brought = tuple(new)
        if joined:
            return self._settle(profile, brought, brought, joined, (), failures, True)
        return Stitched(profile, brought, brought, (), (), (), (), failures, True)

    def _unite(
        self,
        profile: Profile,
        others: Sequence[Profile],
        known: Sequence[Identifier],
        new: Sequence[Identifier],
        joined: tuple[Identifier, ...],
        failures: tuple[Failure, ...],
        time: int,
    ) -> Stitched:
        distinct = _distinct((profile, *others))
        brought = _brought(distinct[0], known, new)
        merged: tuple[int, ...] = ()
        if len(distinct) > 1:
            profile, merged = self._merge(distinct, time)
        _see(profile, known, time)
        self._attach(profile, new, time)
        return self._settle(profile, tuple(new), brought, joined, merged, failures, False)

    def _merge(self, distinct: list[Profile], time: int) -> tuple[Profile, tuple[int, ...]]:
        """Make one profile of several; return its row, and the rids it absorbed.

        distinct: by rid; the first survives. The survivor's row is laid into the list of the largest
        of them (union by size), where most of its identifiers point already.
        """
        survivor, absorbed = distinct[0], distinct[1:]
        row = self._merge_rows(survivor, absorbed)
        keeper = max(distinct, key=self._ceiling.count)
        for profile in distinct:
            if profile is not keeper:
                self._move(profile, keeper)
        rids = self.rids
        for profile in distinct:
            rids[profile[RID]] = keeper
        merged = _head(row, distinct, keeper[ABSORBED : self._end], time)
        for profile in distinct:
            profile.clear()  # whoever still holds one of the others must not take it for a profile
        keeper += row
        self.profile_count -= len(merged)
        return keeper, merged

    def _move(self, profile: Profile, keeper: Profile) -> None:
        """Give the associations of one profile to another; no association is on both."""
        slot = ABSORBED
        for entries in self._maps:
            theirs = profile[slot]
            if theirs is not None:
                for value in theirs:
                    entries[value] = keeper
                own = keeper[slot]
                if own is None:
                    keeper[slot] = theirs
                else:
                    own.update(theirs)
            slot += 1

    def _united_copy(self, distinct: list[Profile], time: int) -> Profile:
        """Return the row that `_merge` would make; change nothing."""
        held = []
        for slot in range(ABSORBED, self._end):
            pairs = [profile[slot].items() for profile in distinct if profile[slot]]
            held.append(dict(chain.from_iterable(pairs)) or None)
        row = self._merge_rows(distinct[0], distinct[1:])
        _head(row, distinct, held, time)
        return row

    def _attach(self, profile: Profile, pairs: Iterable[Identifier], time: int) -> None:
        index = self.index
        for k, value in pairs:
            seen = profile[KEYS + k]
            if seen is None:
                profile[KEYS + k] = {value: time}
            else:
                seen[value] = time
            index[k][value] = profile

    def _settle(
        self,
        profile: Profile,
        new: tuple[Identifier, ...],
        brought: tuple[Identifier, ...],
        joined: tuple[Identifier, ...],
        merged: tuple[int, ...],
        failures: tuple[Failure, ...],
        founded: bool,
    ) -> Stitched:
        """Attach what batch rows join, evict what is too much, and say what was done."""
        if joined:
            self._attach(profile, joined, BATCH_TIME)
        evicted = self._ceiling.evict(profile)
        if not evicted:
            return Stitched(profile, new, brought, joined, merged, (), (), failures, founded)
        for slot, value in evicted:
            del self._maps[slot - ABSORBED][value]
        return Stitched(profile, new, brought, joined, merged, *_parted(evicted), failures, founded)


def _distinct(profiles: Sequence[Profile]) -> list[Profile]:
    """Return each of the profiles once, oldest first."""
    if len(profiles) == 2:
        one, other = profiles
        if one is not other:
            return [one, other] if one[RID] < other[RID] else [other, one]
    return list({profile[RID]: profile for profile in sorted(profiles, key=_rid_of)}.values())


def _head(row: Profile, distinct: list[Profile], held: list[Any], time: int) -> tuple[int, ...]:
    """Write the header of the row of several profiles; return the rids absorbed.

    held: the united slots from ABSORBED on; the dict of the absorbed is added to.
    """
    survivor = distinct[0]
    created, newest = survivor[CREATED], survivor[NEWEST]
    absorbed = held[0]
    if absorbed is None:
        absorbed = held[0] = {}
    merged = []
    for profile in distinct[1:]:
        merged.append(profile[RID])
        absorbed[profile[RID]] = time
        if profile[CREATED] < created:
            created = profile[CREATED]
        if profile[NEWEST] > newest:
            newest = profile[NEWEST]
    row[: ABSORBED + len(held)] = [survivor[RID], created, newest, *held]
    return tuple(merged)


def _exact(value: object) -> str | None:
    """Return text of a subclass as plain text, and anything else as None."""
    return str.__str__(value) if isinstance(value, str) else None


def _see(profile: Profile, pairs: Iterable[Identifier], time: int) -> None:
    """Note in the row alone that identifiers were seen, whether it holds them already or not."""
    for k, value in pairs:
        seen = profile[KEYS + k]
        if seen is None:
            profile[KEYS + k] = {value: time}
        elif seen.get(value, BATCH_TIME) <= time:
            seen[value] = time


def _brought(
    survivor: Profile, known: Sequence[Identifier], new: Sequence[Identifier]
) -> tuple[Identifier, ...]:
    """Return the identifiers that the survivor doesn't hold yet, in config order."""
    brought = list(new)
    for pair in known:
        k, value = pair
        held = survivor[KEYS + k]
        if held is None or value not in held:
            brought.append(pair)
    if new and len(brought) > 1:
        brought.sort(key=_key_of)
    return tuple(brought)


def _parted(evicted: Iterable[Association]) -> tuple[tuple[Identifier, ...], tuple[int, ...]]:
    """Return the evicted identifiers, and the evicted rids."""
    identifiers = [(slot - KEYS, value) for slot, value in evicted if slot != ABSORBED]
    return tuple(identifiers), tuple([value for slot, value in evicted if slot == ABSORBED])
