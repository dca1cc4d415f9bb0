"""What an engine holds: profiles by identifier, batch rows, counts, and the functions upon them.

Generated functions do the common event by themselves, on rows and lists that they share with
the state; what is not common they call here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec

from reactor.attributes.imported import BatchTable
from reactor.criteria import Ref
from reactor.errors import EventError, did_you_mean
from reactor.event import kind_of
from reactor.identity import (
    KEYS,
    MISNAMED,
    NEWEST,
    NULL,
    RID,
    Failure,
    Identifier,
    Identity,
    KeyRule,
    Profile,
    Stitched,
    identifiers,
    is_at_rest,
)
from reactor.payload import Notes
from reactor.plan import CLAMPED, LATE, OTHER_TABLE, Bindings, Event, Plan, WatchHandler, refs_of
from reactor.spec.model import Config
from reactor.state.account import Account, batch_bytes, waiting_bytes
from reactor.state.batch import BatchReader, BatchReport, Waiting
from reactor.state.leaving import Leaving
from reactor.state.pack import Packer
from reactor.state.resting import IN_USE, Resting

Answer = TypeVar("Answer")  # of a handler

MOST_NAMES: Final = 10_000  # column names remembered as harmless
MOST_TABLES: Final = 100  # tables outside the config that are counted by name
MOST_CHARACTERS: Final = 256  # of such names; longer ones are not remembered


class Forgotten(msgspec.Struct, frozen=True):
    """What was erased, in counts; all are 0 where nothing was known.

    redirections: rids of profiles that had been merged into these. rows: batch rows.
    waiting: identifiers that batch rows would have joined.
    """

    profiles: int
    identifiers: int
    redirections: int
    rows: int
    waiting: int


class State:
    """The state of one engine, and the functions of its config bound to it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.plan = Plan(config)
        self.layout = self.plan.layout
        self.packer = Packer(self.layout)
        self.batch = BatchTable(len(self.layout.imported))
        self.refused = 0
        self.nobody: Profile = self.layout.new(0, 0)
        self._names = [key.name for key in config.keys]
        self._keys_end = KEYS + len(self._names)
        self._lookup = None if config.lookup_key is None else self._names.index(config.lookup_key)
        self.resting = Resting(self.packer, len(self._names), IN_USE)
        self.identity = self._new_identity()
        self._lookup_before: tuple[str, int] | None = None
        self._asks_before = any(ref.before for section in config.sections for ref in refs_of(section))
        self.waiting = Waiting()
        self._known: set[str] = set(self._names)
        self._counts = [0] * 2
        self._unusable = [0] * len(config.attributes)
        self._dropped = [0] * len(config.attributes)
        self._stitched: dict[str, Any] = dict.fromkeys(("merges", "evicted_identifiers", "evicted_rids"), 0)
        self._stitched.update(evicted_idle=0, evicted_full=0, evicted_last=[])
        limits = config.limits
        self.account: Account | None = None
        if limits.memory_bytes is not None:
            self.account = Account(limits.memory_bytes, self.resting.form, self.resting.merged)
            self.resting.account = self.account
        is_leaving = any(each is not None for each in (limits.idle_ms, limits.profiles, limits.memory_bytes))
        self.leaving = Leaving(self.identity, limits, self._stitched, self.account) if is_leaving else None
        self._events = [0] * (len(config.tables) + 1)
        self._other_tables: dict[str, int] = {}
        self.functions = self.plan.bind(self._bindings())

    def found(self, keys: Mapping[str, str] | None, rid: str | None, time_ms: int | None) -> Profile | None:
        """Return the profile that keys or a rid meet at a time; of several, one joined for the read."""
        profiles, _ = self.met(keys, rid)
        return self.identity.joined(self.present(profiles, time_ms))

    def present(self, profiles: list[Profile], time_ms: int | None) -> list[Profile]:
        """Return those of the profiles that are not gone at a time."""
        return profiles if self.leaving is None else self.leaving.present(profiles, time_ms)

    def met(self, keys: Mapping[str, str] | None, rid: str | None) -> tuple[list[Profile], list[Identifier]]:
        """Return the profiles that keys or a rid meet, oldest first, and the keys as identifiers."""
        if (keys is None) == (rid is None):
            raise EventError("keys", "expected either keys or rid")
        if rid is not None:
            if not isinstance(rid, str):
                raise EventError("rid", f"expected text, got {kind_of(rid)}")
            profile = self.identity.by_rid(rid)
            return [] if profile is None else [profile], []
        if not isinstance(keys, Mapping):
            raise EventError("keys", f"expected a mapping of keys to values, got {kind_of(keys)}")
        identifiers = []
        for name, value in keys.items():
            if name not in self._names:
                hint = did_you_mean(str(name), self._names) or f"the keys are {', '.join(self._names)}"
                raise EventError("keys", f"expected a key of the config ({hint})")
            if not isinstance(value, str):
                raise EventError(f"keys.{name}", f"expected text, got {kind_of(value)}")
            identifiers.append((self._names.index(name), value))
        return self.identity.find(identifiers), identifiers

    def forget(self, keys: Mapping[str, str] | None, rid: str | None) -> Forgotten:
        """Erase every profile that keys or a rid meet, and their batch rows; see `Reactor.forget`."""
        self.resting.make_room()
        profiles, given = self.met(keys, rid)
        held = dict.fromkeys(given)
        erased = redirections = 0
        for profile in profiles:
            held.update(dict.fromkeys(identifiers(profile, len(self._names))))
            if self.leaving is not None:
                self.leaving.drop(profile[RID])
            if self.account is not None:
                self.account.drop(profile)
            counts = self.identity.forget(profile)
            erased, redirections = erased + counts[0], redirections + counts[1]
        lookups = self._lookups_of(list(held))
        rows = [self.batch.versions.pop(value) for value in lookups if value in self.batch.versions]
        waiting = self.waiting.forget(lookups, held)
        self.identity.expand = self.waiting.expand if self.waiting else None
        self._lookup_before = None
        if rows or waiting:
            self._weigh_rows()
        return Forgotten(len(profiles), erased, redirections, sum(len(row.rows) for row in rows), waiting)

    def _lookups_of(self, held: list[Identifier]) -> list[str]:
        """Return the lookup values among identifiers, and those rows join them to that no profile holds."""
        if self._lookup is None:
            return []
        own = [value for k, value in held if k == self._lookup]
        joined = [value for k, value in self.waiting.expand(held) if k == self._lookup]
        return [*own, *(value for value in joined if value not in self.identity.index[self._lookup])]

    def other(self, table: str, handler: Callable[..., Answer]) -> Callable[..., Answer]:
        """Return the handler for a table the config doesn't name; the first hundred are counted by name.

        handler: for events of any such table.
        """
        is_known = table in self._other_tables
        if not is_known and (len(self._other_tables) >= MOST_TABLES or len(table) > MOST_CHARACTERS):
            return handler

        def counting(event: Event, given: int | None, audience: int) -> Answer:
            answer = handler(event, given, audience)
            self._other_tables[table] = self._other_tables.get(table, 0) + 1
            return answer

        return counting

    def watching(self, refs: Sequence[Ref]) -> dict[str, WatchHandler]:
        """Return table → a `process` that also reads names; see `Reactor.watch`."""
        self._asks_before = self._asks_before or any(ref.before for ref in refs)
        return self.plan.watching(refs, self._bindings())

    def import_batch(self, rows: object, *, replace: bool) -> BatchReport:
        """Load batch rows; see `Reactor.import_batch`."""
        reader = BatchReader(self.layout, self.identity.valid)
        read = reader.read(rows)
        self.batch.put(((row.lookup, row.time_ms, row.values) for row in read), replace=replace)
        self.waiting.put(read, replace=replace)
        self.identity.expand = self.waiting.expand if self.waiting else None
        self._weigh_rows()
        matched = sum(self._join(list(row.identifiers)) for row in read)
        return reader.report(read, matched)

    def _join(self, identifiers: list[Identifier]) -> bool:
        self.resting.make_room()
        stitched = self.identity.join(identifiers)
        if stitched is not None:
            self._count_stitched(stitched)
            if self.account is not None:
                self.account.touched.append(cast(Profile, stitched.profile))
        return stitched is not None

    def identifiers(self, event: Event, table: str | None) -> list[Identifier]:
        """Return the valid identifiers of an event, or of a batch row if the table is None."""
        if table is None:
            values: Iterable[object] = (event.get(name) for name in self._names)
        else:
            functions = self.functions.identifiers
            values = (functions.get(table) or functions[OTHER_TABLE])(event)
        valid = self.identity.valid
        return [
            (k, value) for k, value in enumerate(values) if isinstance(value, str) and valid(k, value) is None
        ]

    def _weigh_rows(self) -> None:
        """Count the bytes of batch rows and of the identifiers that wait for them, all anew."""
        if self.account is not None:
            rows = ((value, versions.rows) for value, versions in self.batch.versions.items())
            self.account.rows = batch_bytes(rows) + waiting_bytes(self.waiting.state())

    def _relieve(self) -> None:
        """Keep to `limits.memory` now and then, for known profiles grow as well."""
        assert self.account is not None
        assert self.leaving is not None
        self.account.total()
        self.resting.make_room()
        self.leaving.relieve()

    # Snapshots

    def adopt(self, profiles: Iterable[tuple[Profile, Profile]]) -> None:
        """Take in whole profiles of this layout, each with a row of which the header may be read.

        Rows beyond those that may be in use go to rest.
        """
        entries: list[tuple[int, int]] = []
        self.identity.adopt(self._settled(profiles, entries))
        if self.leaving is not None:
            self.leaving.file_all(entries)

    def _settled(
        self, profiles: Iterable[tuple[Profile, Profile]], entries: list[tuple[int, int]]
    ) -> Iterator[tuple[Profile, Profile]]:
        resting = self.resting
        for profile, header in profiles:
            read = header
            if is_at_rest(profile):
                if self.account is not None:
                    self.account.rested(profile)
            else:
                if resting.is_full:
                    read = profile[: self._keys_end]
                    resting.rest(profile)
                else:
                    resting.note(profile)
                    if self.account is not None:
                        self.account.touched.append(profile)
            if self.leaving is not None:
                entries.append((read[NEWEST], read[RID]))
            yield profile, read

    def keep_in_use(self, most: int | None) -> None:
        """Set how many rows are in use at the beginning of a call; None for any number."""
        rows = [profile for profile in self.identity.profiles() if not is_at_rest(profile)]
        self.resting.keep(most, rows)

    def restore_waiting(self, entries: Iterable[tuple[str, list[Identifier]]]) -> None:
        """Take in the identifiers that batch rows join."""
        self.waiting.restore(entries)
        self.identity.expand = self.waiting.expand if self.waiting else None

    def tally(self) -> dict[str, Any]:
        """Return all counts, by name, as a snapshot has them."""
        names = list(self.config.attributes)
        return {
            "events": dict(zip(self.config.tables, self._events, strict=False)),
            "other_events": self._events[-1],
            "other_tables": dict(sorted(self._other_tables.items())),
            "refused": self.refused,
            "clamped": self._counts[CLAMPED],
            "late": self._counts[LATE],
            "unusable": {name: n for name, n in zip(names, self._unusable, strict=True) if n},
            "dropped": {name: n for name, n in zip(names, self._dropped, strict=True) if n},
            "stitched": self._stitched,
        }

    def restore_tally(self, tally: dict[str, Any]) -> None:
        """Take in what `tally` gave, also that of another config."""
        others = dict(tally["other_tables"])
        for place, name in enumerate(self.config.tables):
            self._events[place] = tally["events"].get(name, 0) + others.pop(name, 0)
        gone = (name for name in tally["events"] if name not in self.config.tables)
        others.update((name, tally["events"][name]) for name in gone if tally["events"][name])
        self._other_tables = others
        total = sum(tally["events"].values()) + tally["other_events"]
        self._events[-1] = total - sum(self._events[:-1])
        self.refused = tally["refused"]
        self._counts[CLAMPED], self._counts[LATE] = tally["clamped"], tally["late"]
        for place, name in enumerate(self.config.attributes):
            self._unusable[place] = tally["unusable"].get(name, 0)
            self._dropped[place] = tally["dropped"].get(name, 0)
        self._stitched.update(tally["stitched"])
        self._weigh_rows()

    def stats(self) -> dict[str, Any]:
        """Return counts; see `Reactor.stats`."""
        names = list(self.config.attributes)
        return {
            "events": self._events_by_table(),
            "refused": self.refused,
            "clamped": self._counts[CLAMPED],
            "late": self._counts[LATE],
            "unusable": {name: n for name, n in zip(names, self._unusable, strict=True) if n},
            "dropped": {name: n for name, n in zip(names, self._dropped, strict=True) if n},
            "profiles": self.identity.profile_count,
            "identifiers": sum(map(len, self.identity.index)),
            **self._stitched,
            "evicted_last": list(self._stitched["evicted_last"]),
            "imported_rows": len(self.batch),
        }

    def _events_by_table(self) -> dict[str, int]:
        by_table = dict(zip(self.config.tables, self._events, strict=False))
        by_table.update(self._other_tables)
        unnamed = self._events[-1] - sum(self._other_tables.values())
        return by_table if unnamed == 0 else {**by_table, "(other)": unnamed}

    def check(self) -> None:
        """Assert every invariant."""
        self.identity.check()
        self.layout.check_templates()
        if self.leaving is not None:
            self.leaving.check()
        self.resting.check(self.identity.profiles())
        if self.account is not None:
            self.account.check(self.identity.profiles())
        for profile in self.identity.profiles():
            self.layout.check(self.resting.row(profile))

    def packed_sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (rid, bytes) of every profile, packed."""
        for profile in self.identity.profiles():
            yield profile[RID], self.resting.size(profile)

    # What generated code calls

    def _bindings(self) -> Bindings:
        return Bindings(
            are_known=self._known.issuperset,
            misnamed=self._misnamed,
            indexes=self.identity.index,
            attach=self._attach,
            stored=self._stored,
            blank=self._blank,
            awake=self._awake,
            touched=[] if self.account is None else self.account.touched,
            relieve=self._relieve,
            read_batch=self.batch.read,
            seen_before=self._seen_before,
            noted=self._noted,
            failed=self._failed,
            events=self._events,
            counts=self._counts,
            unusable=self._unusable,
            dropped=self._dropped,
        )

    def _new_identity(self) -> Identity:
        rules = [KeyRule(key.name, key.valid, key.invalid, key.internal) for key in self.config.keys]
        return Identity(
            rules,
            lookup=self._lookup,
            secret=self.config.secret,
            associations=self.config.limits.associations,
            identifier_bytes=self.config.limits.identifier_bytes,
            instance=self.config.name,
            new=self.layout.new,
            merge=self.layout.merge,
            wake=self.resting.wake,
            header=self.resting.header,
        )

    def _misnamed(self, event: Mapping[str, Any]) -> list[Failure] | None:
        """Return the failures of columns that equal a key but for the case of their name."""
        failures = []
        for name, value in event.items():
            if name in self._known:
                continue
            if name.__class__ is not str:
                raise EventError("$", f"expected text as the name of a column, got {kind_of(name)}")
            if self.identity.misnamed([name]):
                if value is not None:
                    failures.append((name, value, MISNAMED))
            elif len(self._known) < MOST_NAMES and len(name) <= MOST_CHARACTERS:
                self._known.add(name)
        return failures or None

    def _awake(self, profile: Profile) -> int:
        self.resting.make_room()
        self.resting.wake(profile)
        return cast(int, profile[NEWEST])

    def _attach(self, values: tuple[object, ...], time_ms: int, odd: list[Failure] | None) -> Stitched:
        self.resting.make_room()
        if self.leaving is not None:
            self.leaving.make_way(self._identifiers(values), time_ms)
        if self._asks_before and self._lookup is not None:
            self._lookup_before = self._seen_lookup(values[self._lookup])
        stitched = self.identity.stitch(values, time_ms)
        if stitched.merged or stitched.evicted or stitched.evicted_rids:
            self._count_stitched(stitched)
        if stitched.founded:
            profile = cast(Profile, stitched.profile)
            self.resting.note(profile)
            if self.leaving is not None:
                self.leaving.file(profile)
            if self.account is not None:
                self.account.touched.append(profile)
        if odd:
            stitched = msgspec.structs.replace(stitched, failures=(*odd, *stitched.failures))
        return stitched

    def _identifiers(self, values: tuple[object, ...]) -> list[Identifier]:
        """Return the identifiers among an event's columns, up to as many as a profile can hold."""
        index, valid = self.identity.index, self.identity.valid
        found = [
            (k, value)
            for k, value in enumerate(values)
            if isinstance(value, str) and (value in index[k] or valid(k, value) is None)
        ]
        return found[: self.config.limits.associations]

    def _seen_lookup(self, value: object) -> tuple[str, int] | None:
        """Return a known lookup value and when it was last seen."""
        assert self._lookup is not None
        profile = self.identity.index[self._lookup].get(value) if isinstance(value, str) else None
        if profile is None:
            return None
        return cast(str, value), self.resting.header(profile)[KEYS + self._lookup][value]

    def _seen_before(self, stitched: Stitched, k: int) -> dict[str, int] | None:
        """Return a key's values and the times they were last seen, without the event that was stitched.

        Only those of the lookup key are ordered by their times.
        """
        if stitched.profile is None:
            return None
        joined = {value for key, value in (*stitched.new, *stitched.joined) if key == k}
        seen = {value: ms for value, ms in (stitched.profile[KEYS + k] or {}).items() if value not in joined}
        if k == self._lookup and self._lookup_before is not None and self._lookup_before[0] in seen:
            seen.update([self._lookup_before])
        return seen or None

    def _count_stitched(self, stitched: Stitched) -> None:
        if self.leaving is not None:
            for rid in stitched.merged:
                self.leaving.drop(rid)
        if self.account is not None:
            for rid in stitched.merged:
                self.account.absorbed(rid)
        self._stitched["merges"] += len(stitched.merged)
        self._stitched["evicted_identifiers"] += len(stitched.evicted)
        self._stitched["evicted_rids"] += len(stitched.evicted_rids)

    def _stored(
        self, values: tuple[object, ...], time_ms: int, odd: list[Failure] | None
    ) -> tuple[Profile | None, int | None, list[Failure]]:
        """Return the profile an event would meet, its rid, and the failures among its identifiers."""
        self.resting.make_room()
        failures = list(odd or ())
        identifiers = []
        for k, value in enumerate(values):
            if value is None:
                continue
            reason = self.identity.valid(k, value)
            if reason is None:
                identifiers.append((k, cast(str, value)))
            else:
                failures.append((self._names[k], None if value is NULL else value, reason))
        met = self.identity.find(identifiers[: self.config.limits.associations])
        profile = self.identity.joined(self.present(met, time_ms))
        return profile, None if profile is None else profile[RID], failures

    def _blank(self, time_ms: int) -> Profile:
        self.nobody = self.layout.new(0, time_ms)
        return self.nobody

    def _noted(self, stitched: Stitched, now_ms: int, event: Event) -> Notes | None:
        """Keep what the log rows of an event are made of: its profile may change before they are read."""
        if stitched.new or stitched.merged:
            row = stitched.profile
            assert row is not None
            held = None
            if not stitched.founded or stitched.joined or stitched.evicted:
                held = tuple([seen and tuple(seen) for seen in row[KEYS : self._keys_end]])
            return Notes(self.identity, stitched, row[RID], held, now_ms, event.get("td_rt_tracking_id"))
        return self._failed(stitched.failures, now_ms, event)

    def _failed(self, failures: Sequence[Failure], now_ms: int, event: Event) -> Notes | None:
        if not failures:
            return None
        stitched = Stitched(None, failures=tuple(failures))
        return Notes(self.identity, stitched, 0, (), now_ms, event.get("td_rt_tracking_id"))
