"""What an engine holds: profiles by identifier, batch rows, counts, and the functions upon them.

Generated functions do the common event by themselves, on rows and lists that they share with
the state; what is not common they call here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from reactor.attributes.imported import BatchTable
from reactor.errors import EventError, did_you_mean
from reactor.event import kind_of
from reactor.identity import (
    KEYS,
    MISNAMED,
    NULL,
    RID,
    Failure,
    Identifier,
    Identity,
    KeyRule,
    Profile,
    Stitched,
)
from reactor.payload import Notes, Outcome
from reactor.plan import CLAMPED, LATE, OTHER_TABLE, Bindings, Event, Handler, Plan, refs_of
from reactor.plan.size import packed
from reactor.spec.model import Config
from reactor.state.batch import BatchReader, BatchReport, Waiting

MOST_NAMES: Final = 10_000  # column names remembered as harmless
MOST_TABLES: Final = 100  # tables outside the config that are counted by name


class State:
    """The state of one engine, and the functions of its config bound to it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.plan = Plan(config)
        self.layout = self.plan.layout
        self.batch = BatchTable(len(self.layout.imported))
        self.refused = 0
        self.nobody: Profile = self.layout.new(0, 0)
        self._names = [key.name for key in config.keys]
        self._keys_end = KEYS + len(self._names)
        self._lookup = None if config.lookup_key is None else self._names.index(config.lookup_key)
        self.identity = self._new_identity()
        self._lookup_before: tuple[str, int] | None = None
        self._asks_before = any(ref.before for section in config.sections for ref in refs_of(section))
        self._waiting = Waiting()
        self._known: set[str] = set(self._names)
        self._counts = [0] * 2
        self._unusable = [0] * len(config.attributes)
        self._dropped = [0] * len(config.attributes)
        self._stitched = dict.fromkeys(("merges", "evicted_identifiers", "evicted_rids"), 0)
        self._events = [0] * (len(config.tables) + 1)
        self._other_tables: dict[str, int] = {}
        self.functions = self.plan.bind(self._bindings())

    def found(self, keys: Mapping[str, str] | None, rid: str | None) -> Profile | None:
        """Return the profile that keys or a rid meet; of several, one that is joined for the read."""
        if (keys is None) == (rid is None):
            raise EventError("keys", "expected either keys or rid")
        if rid is not None:
            if not isinstance(rid, str):
                raise EventError("rid", f"expected text, got {kind_of(rid)}")
            return self.identity.by_rid(rid)
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
        return self.identity.joined(self.identity.find(identifiers))

    def other(self, table: str) -> Handler:
        """Return the handler for a table the config doesn't name; the first hundred are counted by name."""
        handler = self.functions.process[OTHER_TABLE]
        if len(self._other_tables) >= MOST_TABLES and table not in self._other_tables:
            return handler

        def counting(event: Event, given: int | None, audience: int) -> Outcome:
            outcome = handler(event, given, audience)
            self._other_tables[table] = self._other_tables.get(table, 0) + 1
            return outcome

        return counting

    def import_batch(self, rows: object, *, replace: bool) -> BatchReport:
        """Load batch rows; see `Reactor.import_batch`."""
        reader = BatchReader(self.layout, self.identity.valid)
        read = reader.read(rows)
        self.batch.put(((row.lookup, row.time_ms, row.values) for row in read), replace=replace)
        self._waiting.put(read, replace=replace)
        self.identity.expand = self._waiting.expand if self._waiting else None
        matched = sum(self._join(list(row.identifiers)) for row in read)
        return reader.report(read, matched)

    def _join(self, identifiers: list[Identifier]) -> bool:
        stitched = self.identity.join(identifiers)
        if stitched is not None:
            self._count_stitched(stitched)
        return stitched is not None

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
        for profile in self.identity.profiles():
            self.layout.check(profile)

    def packed_sizes(self) -> Iterator[tuple[int, int]]:
        """Yield (rid, bytes) of every profile, packed."""
        for profile in self.identity.profiles():
            yield profile[RID], len(msgspec.msgpack.encode(packed(self.layout, profile)))

    # What generated code calls

    def _bindings(self) -> Bindings:
        return Bindings(
            are_known=self._known.issuperset,
            misnamed=self._misnamed,
            indexes=self.identity.index,
            attach=self._attach,
            stored=self._stored,
            blank=self._blank,
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
            elif len(self._known) < MOST_NAMES:
                self._known.add(name)
        return failures or None

    def _attach(self, values: tuple[object, ...], time_ms: int, odd: list[Failure] | None) -> Stitched:
        if self._asks_before and self._lookup is not None:
            self._lookup_before = self._seen_lookup(values[self._lookup])
        stitched = self.identity.stitch(values, time_ms)
        if stitched.merged or stitched.evicted or stitched.evicted_rids:
            self._count_stitched(stitched)
        if odd:
            stitched = msgspec.structs.replace(stitched, failures=(*odd, *stitched.failures))
        return stitched

    def _seen_lookup(self, value: object) -> tuple[str, int] | None:
        """Return a known lookup value and when it was last seen."""
        assert self._lookup is not None
        profile = self.identity.index[self._lookup].get(value) if isinstance(value, str) else None
        return None if profile is None else (cast(str, value), profile[KEYS + self._lookup][value])

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
        self._stitched["merges"] += len(stitched.merged)
        self._stitched["evicted_identifiers"] += len(stitched.evicted)
        self._stitched["evicted_rids"] += len(stitched.evicted_rids)

    def _stored(
        self, values: tuple[object, ...], odd: list[Failure] | None
    ) -> tuple[Profile | None, int | None, list[Failure]]:
        """Return the profile an event would meet, its rid, and the failures among its identifiers."""
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
        profile = self.identity.joined(self.identity.find(identifiers[: self.config.limits.associations]))
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
