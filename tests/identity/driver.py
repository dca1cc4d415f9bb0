"""What an engine does around identity, in its smallest form, for the tests beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reactor.identity import (
    CREATED,
    KEYS,
    NEWEST,
    RID,
    Identifier,
    Identity,
    KeyRule,
    Profile,
    Stitched,
    identifiers,
)

ACCEPTED = (KeyRule("client"), KeyRule("email"), KeyRule("customer"))


class Driver:
    """An identity whose rows have one part, the last slot: the numbers of the events of the profile."""

    def __init__(
        self,
        keys: Sequence[KeyRule] = ACCEPTED,
        *,
        lookup: int | None = None,
        associations: int = 200,
        secret: str = "secret",
    ) -> None:
        self.count = 0
        self.refuses = False
        self.keys = len(keys)
        self.identity = Identity(
            keys,
            lookup=lookup,
            secret=secret,
            associations=associations,
            identifier_bytes=512,
            instance="shop",
            new=self._new,
            merge=self._merge,
        )

    def _new(self, rid: int, time: int) -> Profile:
        self._refuse()
        return [rid, time, time, None, *([None] * self.keys), []]

    def _merge(self, survivor: Profile, absorbed: list[Profile]) -> Profile:
        self._refuse()
        rids = [profile[RID] for profile in (survivor, *absorbed)]
        assert rids == sorted(set(rids))
        events = sorted(number for profile in (survivor, *absorbed) for number in profile[-1])
        # The header is identity's to write: what stands here must not come through.
        return [-1, -1, -1, {-1: -1}, *([{"wrong": -1}] * self.keys), events]

    def _refuse(self) -> None:
        if self.refuses:
            raise InterruptedError

    def event(self, *values: object, time: int) -> Stitched:
        """Stitch, then do what the engine does: move the times, add the event."""
        stitched = self.identity.stitch((*values, *([None] * (self.keys - len(values)))), time)
        profile = stitched.profile
        if profile is not None:
            profile[CREATED] = min(profile[CREATED], time)
            profile[NEWEST] = max(profile[NEWEST], time)
            profile[-1].append(self.count)
        self.count += 1
        return stitched

    def partition(self) -> set[frozenset[Identifier]]:
        """Return the identifiers of every profile that has any."""
        parts = (identifiers(profile, self.keys) for profile in self.identity.profiles())
        return {frozenset(part) for part in parts if part}

    def seen(self, profile: Profile | None) -> dict[Identifier, int]:
        """Return the profile's identifiers with the times they were last seen."""
        assert profile is not None
        return {pair: profile[KEYS + pair[0]][pair[1]] for pair in identifiers(profile, self.keys)}

    def state(self) -> object:
        """Return all there is to know, comparable: who, when, and what."""
        rows = sorted(map(repr, self.identity.profiles()))
        return rows, sorted((rid, profile[RID]) for rid, profile in self.identity.rids.items())


def texts(pairs: Iterable[Identifier]) -> list[str]:
    """Write identifiers short: `0:c1`."""
    return [f"{k}:{value}" for k, value in pairs]
