"""Which profiles leave an engine: those that have been idle, and the longest idle for want of room.

A profile that has been idle for long enough is gone by itself: an event that comes so long after
its newest one meets nobody and founds another profile, whether or not the row is still there.
The rows are cleared away bit by bit: every new profile makes up to `SWEPT` others leave that have
been gone for a day, or for `idle` again where that is shorter; sooner if room is needed. What
leaves depends on the profiles and the event alone, never on how the schedule stands, so that an
engine that is restored goes on as if it had never stopped.

The schedule is lazy. Every profile stands in it once, at the time of its newest event as it was
when it was filed. An event of a known profile touches nothing; a profile that comes first at a
time that is no longer right is filed anew then. Profiles that merge or are forgotten are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sortedcontainers import SortedList

from reactor.errors import EventError
from reactor.identity import NEWEST, RID, Identifier, Identity, Profile, format_rid
from reactor.spec.model import Limits
from reactor.state.account import FOUNDING_BYTES, Account
from reactor.state.resting import newest_of
from reactor.units import DAY_MS, MAX_TIME_MS

SWEPT: Final = 2  # idle profiles that leave for each new one, so that clearing keeps up with founding
LISTED: Final = 100  # rids of profiles evicted at the ceiling that are remembered


class Leaving:
    """The profiles of an identity, in the order in which they leave.

    account: of the bytes that are held, where `limits.memory` bounds them.
    counts: what left, changed in place: `evicted_idle`, `evicted_full`, and in `evicted_last` the
        rids of those that left last for want of room.
    """

    def __init__(
        self, identity: Identity, limits: Limits, counts: dict[str, Any], account: Account | None
    ) -> None:
        self._identity = identity
        self._account = account
        self._memory_bytes = limits.memory_bytes
        self._idle_ms = limits.idle_ms
        # A row stays a while after its profile is gone, for events that come late.
        self._late_ms = min(limits.idle_ms or 0, DAY_MS)
        self._most = limits.profiles
        self._is_refusing = limits.when_full == "refuse"
        self._counts = counts
        self._schedule: SortedList = SortedList()  # of (ms, rid)
        self._filed: dict[int, int] = {}  # rid → ms

    def is_gone(self, profile: Profile, time_ms: int | None) -> bool:
        """Tell whether an event, or a read, at a time finds the profile gone; None: at its newest event."""
        return (
            self._idle_ms is not None and time_ms is not None and time_ms - profile[NEWEST] >= self._idle_ms
        )

    def present(self, profiles: Iterable[Profile], time_ms: int | None) -> list[Profile]:
        """Return those of the profiles that are not gone."""
        return [profile for profile in profiles if not self.is_gone(profile, time_ms)]

    def make_way(self, identifiers: Sequence[Identifier], time_ms: int) -> None:
        """Remove what an event with these identifiers finds gone, and what must leave for one it founds.

        Raises EventError if there is no room for one; then nothing has changed.
        Cost: some microseconds; for a new profile also a microsecond for each that is filed anew,
        which over time are fewer than the events.
        """
        met = self._met(identifiers, time_ms) if identifiers else []
        idle = {profile[RID]: profile for profile in met if self.is_gone(profile, time_ms)}
        if identifiers and len(idle) == len(met):
            self._make_room(idle, time_ms)
        for profile in idle.values():
            self._evict(profile, "evicted_idle")

    def _met(self, identifiers: Sequence[Identifier], time_ms: int) -> list[Profile]:
        """Return the profiles that an event meets, also by way of batch rows, gone or not."""
        identity = self._identity
        if identity.expand is None:
            return identity.find(identifiers)
        unknown = [each for each in identifiers if not self.present(identity.find([each]), time_ms)]
        return identity.find([*identifiers, *identity.expand(unknown)])

    def _make_room(self, idle: dict[int, Profile], time_ms: int) -> None:
        """Add to `idle` what is swept for a new profile, and evict what is then still too much."""
        self._freshen()
        excess = self._excess(idle)
        if self._idle_ms is not None:
            until_ms = time_ms - self._idle_ms - (0 if excess > 0 else self._late_ms)
            swept = self._longest_idle(max(SWEPT, excess), idle, until_ms)
            idle.update((profile[RID], profile) for profile in swept)
            excess = self._excess(idle)
        if excess > 0:
            if self._is_refusing:
                raise self._full()
            for profile in self._longest_idle(excess, idle, MAX_TIME_MS):
                self._evict(profile, "evicted_full")
        if self._account is not None:
            self._make_bytes(self._account, idle, time_ms)

    def _make_bytes(self, account: Account, idle: dict[int, Profile], time_ms: int) -> None:
        """As `_make_room`, until there are bytes enough for a new profile."""
        excess = self._excess_bytes(account, idle)
        while excess > 0 and self._idle_ms is not None:
            gone = self._longest_idle(SWEPT, idle, time_ms - self._idle_ms)
            if not gone:
                break
            idle.update((profile[RID], profile) for profile in gone)
            excess -= sum(map(account.size, gone))
        if excess > 0:
            if self._is_refusing:
                raise self._full_of_bytes()
            self._evict_bytes(account, idle)

    def relieve(self) -> None:
        """Evict whom `limits.memory` has no room for, since known profiles may have grown."""
        if self._account is not None and not self._is_refusing:
            self._evict_bytes(self._account, {})

    def _evict_bytes(self, account: Account, idle: dict[int, Profile]) -> None:
        while self._excess_bytes(account, idle) > 0:
            victims = self._longest_idle(1, idle, MAX_TIME_MS)
            if not victims:
                return
            self._evict(victims[0], "evicted_full")

    def _excess_bytes(self, account: Account, idle: dict[int, Profile]) -> int:
        """Return how many bytes there would be too many, with one more profile and without the idle."""
        leaving = sum(map(account.size, idle.values()))
        return account.total() - leaving + FOUNDING_BYTES - account.ceiling

    def _full_of_bytes(self) -> EventError:
        reason = f"expected at most {self._memory_bytes} bytes, got an event that would found another profile"
        return EventError("limits.memory", reason)

    def require_room(self, met: Iterable[Profile], time_ms: int) -> None:
        """Raise EventError if an event at a time that founds a profile would find no room; change nothing.

        met: the profiles its identifiers meet, all gone by then. Cost: O(profiles that are in the way).
        """
        idle = {profile[RID]: profile for profile in met if self.is_gone(profile, time_ms)}
        if (
            self._is_refusing
            and self._account is not None
            and self._lacks_bytes(self._account, idle, time_ms)
        ):
            raise self._full_of_bytes()
        if not self._is_refusing or self._most is None:
            return
        excess = self._identity.profile_count - len(idle) + 1 - self._most
        if excess > 0 and self._idle_ms is not None:
            until_ms = time_ms - self._idle_ms
            gone = (
                1
                for profile in self._identity.profiles()
                if profile[RID] not in idle and newest_of(profile) <= until_ms
            )
            excess -= sum(islice(gone, excess))
        if excess > 0:
            raise self._full()

    def _lacks_bytes(self, account: Account, idle: dict[int, Profile], time_ms: int) -> bool:
        excess = self._excess_bytes(account, idle)
        if excess > 0 and self._idle_ms is not None:
            until_ms = time_ms - self._idle_ms
            for profile in self._identity.profiles():
                if profile[RID] not in idle and newest_of(profile) <= until_ms:
                    excess -= account.size(profile)
        return excess > 0

    def _full(self) -> EventError:
        reason = f"expected at most {self._most} profiles, got an event that would found another"
        return EventError("limits.profiles", reason)

    def _excess(self, idle: dict[int, Profile]) -> int:
        """Return how many profiles there would be too many, with one more and without the idle."""
        return 0 if self._most is None else self._identity.profile_count - len(idle) + 1 - self._most

    def _longest_idle(self, count: int, but: dict[int, Profile], until_ms: int) -> list[Profile]:
        """Return up to `count` profiles by their newest event, then rid, none newer than `until_ms`.

        but: leaves these out.
        """
        found: list[Profile] = []
        place = 0
        while len(found) < count and place < len(self._schedule):
            time_ms, rid = self._schedule[place]
            if time_ms > until_ms:
                break
            profile = self._identity.rids[rid]
            if newest_of(profile) != time_ms:
                self.file(profile)
                continue
            place += 1
            if rid not in but:
                found.append(profile)
        return found

    def _freshen(self) -> None:
        """File the first profiles anew, so that there are not too many to be filed when it matters."""
        for _ in range(min(SWEPT, len(self._schedule))):
            time_ms, rid = self._schedule[0]
            profile = self._identity.rids[rid]
            if newest_of(profile) == time_ms:
                return
            self.file(profile)

    def _evict(self, profile: Profile, kind: str) -> None:
        self._counts[kind] += 1
        if kind == "evicted_full":
            last = self._counts["evicted_last"]
            self._counts["evicted_last"] = [*last[1 - LISTED :], format_rid(profile[RID])]
        self.drop(profile[RID])
        if self._account is not None:
            self._account.drop(profile)
        self._identity.forget(profile)

    # The schedule

    def file(self, profile: Profile) -> None:
        """Put a profile where it stands by its newest event."""
        rid, time_ms = profile[RID], newest_of(profile)
        if self._filed.get(rid) == time_ms:
            return
        self.drop(rid)
        self._filed[rid] = time_ms
        self._schedule.add((time_ms, rid))

    def file_all(self, entries: list[tuple[int, int]]) -> None:
        """Put many profiles in that do not stand there yet, as (newest event in ms, rid)."""
        self._filed.update((rid, time_ms) for time_ms, rid in entries)
        self._schedule.update(entries)

    def drop(self, rid: int) -> None:
        """Take a profile out, if it stands there."""
        time_ms = self._filed.pop(rid, None)
        if time_ms is not None:
            self._schedule.remove((time_ms, rid))

    def check(self) -> None:
        """Assert that every profile stands in the schedule once, not later than its newest event."""
        assert self._schedule == sorted((time_ms, rid) for rid, time_ms in self._filed.items())
        living = {profile[RID]: newest_of(profile) for profile in self._identity.profiles()}
        assert self._filed.keys() == living.keys()
        assert all(time_ms <= living[rid] for rid, time_ms in self._filed.items())
