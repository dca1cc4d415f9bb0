"""The engine: a plan with state. One event in, the right offers out.

Every public method holds the engine's lock, so that any thread may call and calls take
turns. Time comes in with the calls, or from the `clock` given at construction: nothing here
reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from threading import Lock
from typing import Any, Final, cast

import msgspec

from reactor.attributes.imported import BatchTable
from reactor.batch import BatchReader, BatchReport, Waiting
from reactor.errors import EventError, did_you_mean
from reactor.event import as_event, kind_of, time_between
from reactor.identity import (
    CREATED,
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
    format_rid,
)
from reactor.payload import Audience, Notes, Outcome
from reactor.plan import (
    CLAMPED,
    LATE,
    NOBODY,
    OTHER_TABLE,
    PRIVATE,
    PUBLIC,
    Bindings,
    Handler,
    PartInfo,
    Plan,
    parts_of,
    refs_of,
)
from reactor.plan.size import packed
from reactor.spec import Config, load_config
from reactor.units import to_datetime

MOST_NAMES: Final = 10_000  # column names remembered as harmless
MOST_TABLES: Final = 100  # tables outside the config that are counted by name

_AUDIENCES: Final = {"public": PUBLIC, "private": PRIVATE}


class ProfileView(msgspec.Struct, frozen=True):
    """A profile as read at a time. Private data: `repr` shows counts only.

    keys: key → its values, last seen first. attributes: part → value; a timestamp is a datetime.
    """

    rid: str
    created: datetime
    last_seen: datetime
    keys: dict[str, list[str]]
    attributes: dict[str, Any]

    def __repr__(self) -> str:
        keys = sum(map(len, self.keys.values()))
        return f"ProfileView({keys} identifiers, {len(self.attributes)} attributes)"


class Reactor:
    """An in-memory engine for one config.

    config: a mapping in the config's language, a path of a config file, or a `Config`.
    clock: gives the current time in epoch seconds for calls without `now`; a service passes
        `time.time`, so that one event from the far future can't age a profile.
    Raises ConfigError, with every problem, if the config can't be used.

    >>> engine = Reactor({
    ...     "version": 1, "name": "shop",
    ...     "identity": {"keys": {"email": {}}},
    ...     "key_events": {"visit": "web.pageviews"},
    ...     "attributes": {"visits": {"type": "counter", "on": "visit", "window": "1d"}},
    ...     "personalizations": {"home": {"sections": {"Hello again": {
    ...         "on": "visit", "when": "visits > 1", "payload": {"attributes": {"visits": "visits"}}}}}},
    ... })
    >>> for second in 0, 5:
    ...     engine.process({"email": "a@example.com", "time": second}, table="web.pageviews").offers
    {}
    {'Hello again': {'attributes': {'visits': 2}, 'batch_segments': None}}
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | PathLike[str],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.config = config if isinstance(config, Config) else load_config(config)
        self._clock = clock
        self._lock = Lock()
        self._plan = plan = Plan(self.config)
        self._layout = plan.layout
        self._limits = self.config.limits
        self._names = [key.name for key in self.config.keys]
        self._lookup = None if self.config.lookup_key is None else self._names.index(self.config.lookup_key)
        self._identity = self._new_identity()
        self._lookup_before: tuple[str, int] | None = None
        self._asks_before = any(ref.before for section in self.config.sections for ref in refs_of(section))
        self._keys_end = KEYS + len(self._names)
        self._batch = BatchTable(len(self._layout.imported))
        self._waiting = Waiting(-1 if self._lookup is None else self._lookup)
        self._known: set[str] = set(self._names)
        self._counts = [0] * 2
        self._unusable = [0] * len(self.config.attributes)
        self._dropped = [0] * len(self.config.attributes)
        self._totals = dict.fromkeys(("refused", "merges", "evicted_identifiers", "evicted_rids"), 0)
        self._events = [0] * (len(self.config.tables) + 1)
        self._other_tables: dict[str, int] = {}
        self._nobody: Profile = self._layout.new(0, 0)
        self._functions = plan.bind(self._bindings())
        self._handlers = dict(self._functions.process)
        if len(self.config.tables) == 1:
            self._handlers[None] = next(iter(self._handlers.values()))
        self._parts = parts_of(self.config)

    @classmethod
    def load(cls, path: str | PathLike[str], *, clock: Callable[[], float] | None = None) -> Reactor:
        """Return an engine for a config file. Raises ConfigError, with every problem."""
        return cls(path, clock=clock)

    def __repr__(self) -> str:
        return f"Reactor({self.config.name!r}, {self._identity.profile_count} profiles)"

    # Events

    def process(
        self,
        event: Mapping[str, Any] | bytes | str,
        table: str | None = None,
        *,
        audience: Audience = "public",
        now: object = None,
    ) -> Outcome:
        """Take in an event: stitch its identifiers, update the profile, return the offers.

        event: a mapping, which is not changed, or JSON text. table: may be left out when the
            config names only one. now: when it is, in any form a time may have; else the clock's.
        Raises EventError for what is no event; the engine is then as it was, but for a count.
        Cost: some microseconds; benchmark `live`.
        """
        with self._lock:
            handler = self._handlers.get(table)
            who = _AUDIENCES.get(audience)
            if handler is None or who is None or event.__class__ is not dict:
                return self._process(event, table, _audience(audience), now)
            try:
                if now is not None or self._clock is not None:
                    now = self._now(now)
                return handler(event, now, who)  # type: ignore[arg-type]
            except EventError:
                self._totals["refused"] += 1
                raise

    def process_json(
        self,
        body: bytes | str,
        table: str | None = None,
        *,
        audience: Audience = "public",
        now: object = None,
    ) -> bytes:
        """As `process`, from JSON text to the response's JSON text. Cost: benchmark `door`."""
        with self._lock:
            return self._process(body, table, _audience(audience), now).json()

    def ingest(
        self, event: Mapping[str, Any] | bytes | str, table: str | None = None, *, now: object = None
    ) -> Outcome:
        """As `process`, but answer nothing: the outcome's offers are empty."""
        with self._lock:
            return self._process(event, table, NOBODY, now)

    def evaluate(
        self,
        event: Mapping[str, Any] | bytes | str,
        table: str | None = None,
        *,
        audience: Audience = "public",
        now: object = None,
    ) -> Outcome:
        """Return the offers an event would meet with the profile as it is stored; change nothing.

        Profiles that share none of their identifiers but meet in the event are joined for the answer only.
        """
        with self._lock:
            handlers = self._functions.evaluate
            handler = handlers.get(self._table(table)) or handlers[OTHER_TABLE]
            columns = as_event(event, self._limits.event_bytes)
            return handler(columns, self._now(now), _audience(audience))

    def process_row(
        self,
        event: Mapping[str, Any],
        table: str | None = None,
        *,
        audience: Audience = "public",
        now: object = None,
    ) -> tuple[Outcome, tuple[Any, ...]]:
        """As `process`, and return every part of the profile just after the event, as `part_names` lists them.

        A timestamp is in ms.
        """
        with self._lock:
            outcome = self._process(event, table, _audience(audience), now)
            rid = outcome.rid_value
            profile = self._nobody if rid is None else self._identity.rids[rid]
            return outcome, self._functions.parts(profile, cast(int, outcome.now_ms))

    def event_time(self, event: Mapping[str, Any], table: str | None = None) -> int:
        """Return the ms of an event's time, as `process` would without `now`. Raises EventError."""
        times = self._functions.time
        time_of = times.get(self._table(table)) or times[OTHER_TABLE]
        return time_of(as_event(event, self._limits.event_bytes), None)

    def _process(self, event: object, table: str | None, audience: int, now: object) -> Outcome:
        """As `process`, for what takes the longer way: JSON text, a table the config doesn't name."""
        name = self._table(table)
        handler = self._handlers.get(name) or self._other(name)
        try:
            return handler(as_event(event, self._limits.event_bytes), self._now(now), audience)
        except EventError:
            self._totals["refused"] += 1
            raise

    def _other(self, table: str) -> Handler:
        """Return the handler for a table the config doesn't name; the first hundred are counted by name."""
        handler = self._handlers[OTHER_TABLE]
        if len(self._other_tables) >= MOST_TABLES and table not in self._other_tables:
            return handler

        def counting(event: Mapping[str, Any], given: int | None, audience: int) -> Outcome:
            outcome = handler(event, given, audience)
            self._other_tables[table] = self._other_tables.get(table, 0) + 1
            return outcome

        return counting

    def _table(self, table: str | None) -> str:
        if table is None:
            if len(self.config.tables) == 1:
                return next(iter(self.config.tables))
            names = ", ".join(self.config.tables)
            raise EventError("table", f"expected one of {names}, got none")
        if not isinstance(table, str):
            raise EventError("table", f"expected text, got {kind_of(table)}")
        return table

    def _now(self, now: object) -> int | None:
        if now is None:
            return None if self._clock is None else time_between(self._clock(), "clock")
        return time_between(now, "now")

    # Reads

    def offers(
        self,
        keys: Mapping[str, str] | None = None,
        *,
        rid: str | None = None,
        audience: Audience = "public",
        now: object = None,
    ) -> Outcome:
        """Return the offers of the sections without `on:`, read without an event.

        keys: identifiers, by key; the profiles they meet are joined for the answer only. Unknown
            ones give no offers. rid: instead of keys, a profile's rid or a merged-away one.
        """
        with self._lock:
            who, given = _audience(audience), self._now(now)
            profile = self._found(keys, rid)
            if profile is None:
                return Outcome({}, None, given)
            at = _reading_time(profile, given)
            return Outcome(self._functions.offers(profile, at, who), profile[RID], at)

    def profile(
        self, keys: Mapping[str, str] | None = None, *, rid: str | None = None, now: object = None
    ) -> ProfileView | None:
        """Return what is known of a profile at the reading time; None if nobody is met.

        keys, rid: as for `offers`. Everything in it is private data.
        """
        with self._lock:
            given = self._now(now)
            profile = self._found(keys, rid)
            if profile is None:
                return None
            at = _reading_time(profile, given)
            values = self._functions.parts(profile, at)
            held = {name: profile[slot] for name, slot in self._layout.key_slot.items() if profile[slot]}
            return ProfileView(
                rid=format_rid(profile[RID]),
                created=to_datetime(profile[CREATED]),
                last_seen=to_datetime(profile[NEWEST]),
                keys={name: sorted(seen, key=lambda value: (seen[value], value), reverse=True) for name, seen in held.items()},
                attributes={
                    part.name: to_datetime(value) if part.type == "timestamp" and value is not None else value
                    for part, value in zip(self._parts, values, strict=True)
                },
            )

    def rids(self) -> Iterator[str]:
        """Yield the rid of every profile, oldest first, as they are at this moment."""
        with self._lock:
            rids = sorted(profile[RID] for profile in self._identity.profiles())
        return map(format_rid, rids)

    def part_names(self, audience: Audience = "private") -> tuple[PartInfo, ...]:
        """Return the parts that `process_row` gives and `profile` shows; for public, without sensitive ones."""
        is_private = _audience(audience) == PRIVATE
        return tuple(part for part in self._parts if is_private or not part.sensitive)

    def source(self) -> str:
        """Return the generated Python that this engine runs."""
        return self._plan.text()

    def stats(self) -> dict[str, Any]:
        """Return counts: events by table, what was refused, clamped, late, unusable, dropped, evicted.

        Cost: O(batch rows).
        """
        with self._lock:
            names = list(self.config.attributes)
            return {
                "events": self._events_by_table(),
                **self._totals,
                "clamped": self._counts[CLAMPED],
                "late": self._counts[LATE],
                "unusable": {name: n for name, n in zip(names, self._unusable, strict=True) if n},
                "dropped": {name: n for name, n in zip(names, self._dropped, strict=True) if n},
                "profiles": self._identity.profile_count,
                "identifiers": sum(map(len, self._identity.index)),
                "imported_rows": len(self._batch),
            }

    def _events_by_table(self) -> dict[str, int]:
        by_table = dict(zip(self.config.tables, self._events, strict=False))
        by_table.update(self._other_tables)
        unnamed = self._events[-1] - sum(self._other_tables.values())
        return by_table if unnamed == 0 else {**by_table, "(other)": unnamed}

    def check(self) -> None:
        """Assert every invariant of the state. For tests. Cost: O(profiles and all they hold)."""
        with self._lock:
            self._identity.check()
            self._layout.check_templates()
            for profile in self._identity.profiles():
                self._layout.check(profile)

    def packed_sizes(self) -> Iterator[tuple[str, int]]:
        """Yield (rid, bytes) of every profile, packed: what `check`'s bound is a bound of."""
        with self._lock:
            sizes = [
                (format_rid(profile[RID]), len(msgspec.msgpack.encode(packed(self._layout, profile))))
                for profile in self._identity.profiles()
            ]
        return iter(sizes)

    # Batch rows

    def import_batch(self, rows: object, *, replace: bool = True) -> BatchReport:
        """Load batch rows: imported attributes, segments and identifiers by the lookup key.

        rows: mappings; or an Arrow, pandas or polars table. replace: whether the load replaces the
            whole table, or only the rows whose lookup value it names.
        Raises EventError for what is no rows; then nothing is loaded.
        """
        with self._lock:
            reader = BatchReader(self._layout, self._identity.valid)
            read = reader.read(rows)
            self._batch.put(((row.lookup, row.time_ms, row.values) for row in read), replace=replace)
            self._waiting.put(read, replace=replace)
            self._identity.expand = self._waiting.expand if self._waiting else None
            matched = sum(self._join(list(row.identifiers)) for row in read)
            return reader.report(read, matched)

    def _join(self, identifiers: list[Identifier]) -> bool:
        stitched = self._identity.join(identifiers)
        if stitched is not None:
            self._count_stitched(stitched)
        return stitched is not None

    # What generated code calls

    def _bindings(self) -> Bindings:
        return Bindings(
            are_known=self._known.issuperset,
            misnamed=self._misnamed,
            indexes=self._identity.index,
            attach=self._attach,
            stored=self._stored,
            blank=self._blank,
            read_batch=self._batch.read,
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
            associations=self._limits.associations,
            identifier_bytes=self._limits.identifier_bytes,
            instance=self.config.name,
            new=self._layout.new,
            merge=self._layout.merge,
        )

    def _misnamed(self, event: Mapping[str, Any]) -> list[Failure] | None:
        """Return the failures of columns that equal a key but for the case of their name."""
        failures = []
        for name, value in event.items():
            if name in self._known:
                continue
            if name.__class__ is not str:
                raise EventError("$", f"expected text as the name of a column, got {kind_of(name)}")
            if self._identity.misnamed([name]):
                if value is not None:
                    failures.append((name, value, MISNAMED))
            elif len(self._known) < MOST_NAMES:
                self._known.add(name)
        return failures or None

    def _attach(self, values: tuple[object, ...], time_ms: int, odd: list[Failure] | None) -> Stitched:
        if self._asks_before and self._lookup is not None:
            self._lookup_before = self._seen_lookup(values[self._lookup])
        stitched = self._identity.stitch(values, time_ms)
        if stitched.merged or stitched.evicted or stitched.evicted_rids:
            self._count_stitched(stitched)
        if odd:
            stitched = msgspec.structs.replace(stitched, failures=(*odd, *stitched.failures))
        return stitched

    def _seen_lookup(self, value: object) -> tuple[str, int] | None:
        """Return a known lookup value and when it was last seen."""
        assert self._lookup is not None
        profile = self._identity.index[self._lookup].get(value) if isinstance(value, str) else None
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
        self._totals["merges"] += len(stitched.merged)
        self._totals["evicted_identifiers"] += len(stitched.evicted)
        self._totals["evicted_rids"] += len(stitched.evicted_rids)

    def _stored(
        self, values: tuple[object, ...], odd: list[Failure] | None
    ) -> tuple[Profile | None, int | None, list[Failure]]:
        """Return the profile an event would meet, its rid, and the failures among its identifiers."""
        failures = list(odd or ())
        identifiers = []
        for k, value in enumerate(values):
            if value is None:
                continue
            reason = self._identity.valid(k, value)
            if reason is None:
                identifiers.append((k, cast(str, value)))
            else:
                failures.append((self._names[k], None if value is NULL else value, reason))
        profile = self._identity.joined(self._identity.find(identifiers[: self._limits.associations]))
        return profile, None if profile is None else profile[RID], failures

    def _blank(self, time_ms: int) -> Profile:
        self._nobody = self._layout.new(0, time_ms)
        return self._nobody

    def _noted(self, stitched: Stitched, now_ms: int, event: Mapping[str, Any]) -> Notes | None:
        """Keep what the log rows of an event are made of: its profile may change before they are read."""
        if stitched.new or stitched.merged:
            row = stitched.profile
            assert row is not None
            held = tuple([seen and tuple(seen) for seen in row[KEYS : self._keys_end]])
            return Notes(self._identity, stitched, row[RID], held, now_ms, event.get("td_rt_tracking_id"))
        return self._failed(stitched.failures, now_ms, event)

    def _failed(self, failures: Sequence[Failure], now_ms: int, event: Mapping[str, Any]) -> Notes | None:
        if not failures:
            return None
        stitched = Stitched(None, failures=tuple(failures))
        return Notes(self._identity, stitched, 0, (), now_ms, event.get("td_rt_tracking_id"))

    def _found(self, keys: Mapping[str, str] | None, rid: str | None) -> Profile | None:
        """Return the profile that keys or a rid meet; of several, one that is joined for the read."""
        if (keys is None) == (rid is None):
            raise EventError("keys", "expected either keys or rid")
        if rid is not None:
            if not isinstance(rid, str):
                raise EventError("rid", f"expected text, got {kind_of(rid)}")
            return self._identity.by_rid(rid)
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
        return self._identity.joined(self._identity.find(identifiers))


def _audience(audience: str) -> int:
    who = _AUDIENCES.get(audience) if isinstance(audience, str) else None
    if who is None:
        raise EventError("audience", 'expected "public" or "private"')
    return who


def _reading_time(profile: Profile, given: int | None) -> int:
    newest: int = profile[NEWEST]
    return newest if given is None or given < newest else given
