"""Identity as the reference model replays it: who is who, event by event, in plain dicts.

Identity depends on history (which event founded a profile, what the cap evicted), so it is the one
thing that is carried from event to event. A profile's history is the list of what happened to it:
its events in arrival order, and the histories of the profiles it absorbed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from reactor.testing.reference_events import Event, Identifier

NEVER_SEEN = -1


class Joined(msgspec.Struct):
    """A merge in a profile's history: that of the survivor so far, and those it absorbed by ascending rid."""

    survivor: History
    absorbed: list[History]


History = list[Event | Joined]


def events_of(history: History) -> Iterator[Event]:
    """Yield a history's events in the order that breaks ties: at a merge the survivor's come last.

    >>> list(events_of([Joined(["b"], [["c"], ["d"]]), "e"]))
    ['d', 'c', 'b', 'e']
    """
    for step in history:
        if isinstance(step, Joined):
            for absorbed in reversed(step.absorbed):
                yield from events_of(absorbed)
            yield from events_of(step.survivor)
        else:
            yield step


class Profile:
    """What is known of one rid: identifiers and merged-away rids with the time each was last seen."""

    def __init__(self, rid: str) -> None:
        self.rid = rid
        self.keys: dict[Identifier, int] = {}
        self.merged: dict[str, int] = {}
        self.history: History = []

    @classmethod
    def joined(cls, holders: list[Profile]) -> Profile:
        """Return what the profiles would be as one, least rid first; they stay as they are."""
        survivor, *others = holders
        profile = cls(survivor.rid)
        profile.history = survivor.history
        if others:
            profile.history = [Joined(survivor.history, [other.history for other in others])]
        for holder in holders:
            profile.keys.update(holder.keys)
        return profile

    @property
    def events(self) -> list[Event]:
        """All events, in arrival order."""
        return list(events_of(self.history))

    @property
    def newest(self) -> int:
        """The time of the newest event."""
        return max(event.time_ms for event in self.events)

    @property
    def created(self) -> int:
        """The time of the earliest event."""
        return min(event.time_ms for event in self.events)


class Change(msgspec.Struct):
    """What an event or a row changed.

    before: the profile's identifiers after merging, without those that joined now or were evicted,
        with the times at which they were last seen before.
    brought: the event's identifiers that were not on the survivor.
    joined: all identifiers that joined now.
    """

    profile: Profile
    founded: bool
    before: dict[Identifier, int]
    brought: list[Identifier]
    joined: list[Identifier]
    absorbed: list[str]
    evicted: list[Identifier]


class Identity:
    """All profiles, by rid and by identifier.

    keys: the names of the stitching keys in config order. cap: `limits.associations`.
    """

    def __init__(
        self, keys: list[str], lookup_key: str | None, secret: str, cap: int, idle_ms: int | None = None
    ) -> None:
        self.keys = keys
        self.lookup_key = lookup_key
        self.secret = secret
        self.cap = cap
        self.idle_ms = idle_ms
        self.profiles: dict[str, Profile] = {}
        self.owner: dict[Identifier, Profile] = {}

    def by_rid(self, rid: str) -> Profile | None:
        """Return the profile of a rid, or the survivor of a merged-away one."""
        if rid in self.profiles:
            return self.profiles[rid]
        return next((profile for profile in self.profiles.values() if rid in profile.merged), None)

    def holders(self, identifiers: Iterable[Identifier]) -> list[Profile]:
        """Return the profiles that hold any of the identifiers, least rid first."""
        found = {self.owner[identifier].rid for identifier in identifiers if identifier in self.owner}
        return [self.profiles[rid] for rid in sorted(found)]

    def arrive(self, event: Event, identifiers: list[Identifier], rows: list[list[Identifier]]) -> Change:
        """Give an event with at least one valid identifier to its profile.

        rows: the identifiers of each imported row, whether or not its profile is known.
        """
        identifiers = identifiers[: self.cap]
        self._leave_idle(identifiers, event.time_ms)
        unknown = [identifier for identifier in identifiers if identifier not in self.owner]
        waiting = [identifier for identifier in connected(unknown, rows) if identifier not in identifiers]
        self._leave_idle(waiting, event.time_ms)
        holders = self.holders([*identifiers, *waiting])
        founded = not holders
        if founded:
            rid = self.mint(event.time_ms, identifiers[0])
            holders = [self.profiles.setdefault(rid, Profile(rid))]
        survivor = holders[0]
        brought = [identifier for identifier in identifiers if identifier not in survivor.keys]
        self._merge(holders, event.time_ms)
        before = dict(survivor.keys)
        for identifier in identifiers:
            survivor.keys[identifier] = max(event.time_ms, survivor.keys.get(identifier, NEVER_SEEN))
        for identifier in waiting:
            survivor.keys.setdefault(identifier, NEVER_SEEN)
        joined = [identifier for identifier in survivor.keys if identifier not in before]
        survivor.history.append(event)
        evicted = self._evict(survivor)
        before = {identifier: seen for identifier, seen in before.items() if identifier in survivor.keys}
        absorbed = [holder.rid for holder in holders[1:]]
        return Change(survivor, founded, before, brought, joined, absorbed, evicted)

    def join_row(self, identifiers: list[Identifier], rows: list[list[Identifier]]) -> bool:
        """Join an imported row's identifiers to the profiles that hold one of them; False: it waits."""
        if not self.holders(identifiers):
            return False
        unknown = [identifier for identifier in identifiers if identifier not in self.owner]
        identifiers = list(dict.fromkeys([*identifiers, *connected(unknown, rows)]))
        holders = self.holders(identifiers)
        self._merge(holders, NEVER_SEEN)
        for identifier in identifiers:
            holders[0].keys.setdefault(identifier, NEVER_SEEN)
        self._evict(holders[0])
        return True

    def _merge(self, holders: list[Profile], time_ms: int) -> None:
        survivor, *others = holders
        if others:
            survivor.history = [Joined(survivor.history, [other.history for other in others])]
        for other in others:
            for identifier, seen in other.keys.items():
                survivor.keys[identifier] = seen
            survivor.merged.update(other.merged)
            survivor.merged[other.rid] = time_ms
            del self.profiles[other.rid]

    def _evict(self, profile: Profile) -> list[Identifier]:
        evicted: list[Identifier] = []
        while len(profile.keys) + len(profile.merged) > self.cap:
            rid = min(profile.merged, key=lambda rid: (profile.merged[rid], _falling(rid)), default=None)
            plain = [identifier for identifier in profile.keys if identifier[0] != self.lookup_key]
            first = min(plain or profile.keys, key=lambda identifier: self._rank(profile, identifier))
            # A merged-away rid goes before an identifier of the same time, and before any lookup value.
            if rid is not None and (not plain or profile.merged[rid] <= profile.keys[first]):
                del profile.merged[rid]
            else:
                del profile.keys[first]
                self.owner.pop(first, None)
                evicted.append(first)
        self.owner.update(dict.fromkeys(profile.keys, profile))
        return evicted

    def _rank(self, profile: Profile, identifier: Identifier) -> tuple[object, ...]:
        key, value = identifier
        return profile.keys[identifier], -self.keys.index(key), _falling(value)

    def _leave_idle(self, identifiers: list[Identifier], time_ms: int) -> None:
        for profile in self.holders(identifiers):
            if self.idle_ms is not None and time_ms - profile.newest >= self.idle_ms:
                del self.profiles[profile.rid]
                self.owner = {key: other for key, other in self.owner.items() if other is not profile}

    def mint(self, time_ms: int, identifier: Identifier) -> str:
        """Return the rid of a profile founded at `time_ms` by an event whose first identifier is given."""
        secret = self.secret.encode()
        if len(secret) > 64:
            secret = hashlib.blake2b(secret, digest_size=64).digest()
        text = "\0".join(identifier)
        counter = 0
        while True:
            named = text if counter == 0 else f"{text}\0{counter}"
            digest = hashlib.blake2b(named.encode(), digest_size=10, key=secret).digest()
            rid = uuid7(time_ms, int.from_bytes(digest) >> 6)
            if self.by_rid(rid) is None:
                return rid
            counter += 1


def uuid7(time_ms: int, bits: int) -> str:
    """Write 48 bits of time and 74 bits of anything as a UUID of version 7.

    >>> uuid7(0x0123456789AB, 2**74 - 1)
    '01234567-89ab-7fff-bfff-ffffffffffff'
    """
    number = (time_ms << 80) | (0x7 << 76) | ((bits >> 62) << 64) | (0b10 << 62) | (bits & (2**62 - 1))
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def connected(start: list[Identifier], rows: list[list[Identifier]]) -> list[Identifier]:
    """Return `start` and every identifier that a chain of rows ties to it.

    >>> connected([("a", "1")], [[("b", "1"), ("c", "1")], [("a", "1"), ("b", "1")]])
    [('a', '1'), ('b', '1'), ('c', '1')]
    """
    reached = dict.fromkeys(start)
    grown = bool(start)
    while grown:
        near = [identifier for row in rows if not reached.keys().isdisjoint(row) for identifier in row]
        grown = not reached.keys() >= set(near)
        reached.update(dict.fromkeys(near))
    return list(reached)


def _falling(text: str) -> list[int]:
    """Return what sorts texts by code point, greatest first, a longer one before its own beginning."""
    return [-ord(character) for character in text] + [1]
