"""A dry run: the engine's own functions, on copies of the profiles that an event meets.

`Scratch` is a state of the same config that holds nobody. Before each run it is given what the event
can reach, unpacked from the packed form, which goes on as the profile itself would; batch rows
are read where they are. So the offers, the merge and the eviction are those of the engine,
and nothing of it can change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from reactor.identity import KEYS, RID, Failure, Identifier, Profile, Stitched
from reactor.payload import Outcome
from reactor.plan import OTHER_TABLE
from reactor.spec.model import Config
from reactor.state import State


class Dry(msgspec.Struct):
    """What one dry run came to.

    before, after: the profile at the reading time, without the event and with it; of somebody or nobody.
    met: the profiles that the event can reach, as they are stored, oldest first.
    gone: the rids of those among them that it finds gone.
    stitched: None where all identifiers were known to be of one profile.
    """

    outcome: Outcome
    now_ms: int
    before: Profile
    after: Profile
    met: list[Profile]
    gone: frozenset[int]
    stitched: Stitched | None


class Scratch(State):
    """A state that forgets everything before each run. It notes the row that an event finds."""

    def __init__(self, config: Config) -> None:
        # Room is made among all profiles: here there are few.
        super().__init__(
            msgspec.structs.replace(
                config, limits=msgspec.structs.replace(config.limits, profiles=None, memory_bytes=None)
            )
        )
        self.keep_in_use(None)
        self._asks_before = True
        self.resting.keep(None, ())
        self._found: Profile | None = None
        self._stitching: Stitched | None = None

    def run(
        self,
        real: State,
        event: Mapping[str, Any],
        table: str,
        given_ms: int | None,
        audience: int,
        identifiers: Sequence[object],
    ) -> Dry:
        """Process an event on copies. identifiers: of each key, as the event has them.

        Raises EventError as `process` would.
        """
        self._clear()
        self.batch.versions = real.batch.versions
        self.identity.expand = real.identity.expand
        met = reachable(real, identifiers)
        packed = {profile[RID]: real.packer.pack(profile) for profile in met}
        copies = map(self.packer.unpack, packed.values())
        self.adopt((copy, copy) for copy in copies)
        self._found = self._stitching = None
        processes = self.functions.process
        outcome = (processes.get(table) or processes[OTHER_TABLE])(event, given_ms, audience)
        stitched, before = self._stitching, self._found
        rid = outcome.rid_value
        if rid is None:
            after, before = self.nobody, before or self.layout.new(0, 0)
        else:
            after = self.identity.rids[rid]
            before = before or self.packer.unpack(packed[rid])
        if stitched is not None and stitched.founded:
            outcome = self._as_founded(real, outcome, stitched, met, event, table, given_ms)
        assert outcome.now_ms is not None
        # A merged-away rid may be evicted at once.
        held = {*self.identity.rids, *(() if stitched is None else stitched.merged)}
        gone = frozenset(each for each in packed if each not in held)
        return Dry(outcome, outcome.now_ms, before, after, met, gone, stitched)

    def _as_founded(
        self,
        real: State,
        outcome: Outcome,
        stitched: Stitched,
        met: list[Profile],
        event: Mapping[str, Any],
        table: str,
        given_ms: int | None,
    ) -> Outcome:
        """Return the outcome of an event that founds a profile, with the rid it would get among all."""
        times = self.functions.time
        time_ms = (times.get(table) or times[OTHER_TABLE])(event, given_ms)
        if given_ms is not None and time_ms > given_ms + self.config.limits.clock_skew_ms:
            time_ms = given_ms
        if real.leaving is not None:
            real.leaving.require_room(met, time_ms)
        k, value = stitched.new[0]
        rid = real.identity.founding_rid(k, value, time_ms)
        return msgspec.structs.replace(outcome, rid_value=rid)

    def _clear(self) -> None:
        for profile in list(self.identity.profiles()):
            if self.leaving is not None:
                self.leaving.drop(profile[RID])
            self.identity.forget(profile)

    def _attach(self, values: tuple[object, ...], time_ms: int, odd: list[Failure] | None) -> Stitched:
        stitched = self._stitching = super()._attach(values, time_ms, odd)
        profile = stitched.profile
        if profile is not None:
            found = self._found = self.packer.unpack(self.packer.pack(profile))
            for k in range(len(self.config.keys)):
                found[KEYS + k] = self._seen_before(stitched, k)
        return stitched


def reachable(real: State, identifiers: Sequence[object]) -> list[Profile]:
    """Return the profiles that an event with these identifiers can meet, also by way of batch rows."""
    own: list[Identifier] = [(k, str(value)) for k, value in enumerate(identifiers) if isinstance(value, str)]
    expand = real.identity.expand
    return real.identity.find(own if expand is None else [*own, *expand(own)])
