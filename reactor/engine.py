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

from reactor.criteria import Ref
from reactor.errors import EventError
from reactor.event import as_event, kind_of, time_between
from reactor.explain import Explainer, Explanation
from reactor.identity import CREATED, NEWEST, RID, Profile, format_rid
from reactor.payload import Audience, Outcome, number_out
from reactor.plan import NOBODY, OTHER_TABLE, PRIVATE, PUBLIC, Handler, PartInfo, parts_of
from reactor.spec import Config, load_config
from reactor.state import (
    BatchReport,
    Forgotten,
    Inspection,
    ReloadReport,
    State,
    inspect_state,
    move,
    restore,
    write,
)
from reactor.units import to_datetime

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
    state: path of a snapshot to go on from; `loaded` then says what became of state that was made
        under another config.
    clock: gives the current time in epoch seconds for calls without `now`; a service passes
        `time.time`, so that one event from the far future can't age a profile.
    Raises ConfigError, with every problem, if the config can't be used; SnapshotError for the state.

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
        state: str | PathLike[str] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        fresh = State(config if isinstance(config, Config) else load_config(config))
        self.loaded: ReloadReport | None = None if state is None else restore(fresh, state)
        self._clock = clock
        self._lock = Lock()
        self._use(fresh)

    def _use(self, state: State) -> None:
        self.config = state.config
        self._state = state
        self._functions = state.functions
        self._handlers: dict[str | None, Handler] = {}
        self._handlers.update(state.functions.process)
        if len(self.config.tables) == 1:
            self._handlers[None] = state.functions.process[next(iter(self.config.tables))]
        self._event_bytes = self.config.limits.event_bytes
        self._parts = parts_of(self.config)
        self._explainer: Explainer | None = None

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        state: str | PathLike[str] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> Reactor:
        """Return an engine for a config file, going on from a snapshot if one is given.

        Raises ConfigError, with every problem; SnapshotError if the snapshot can't be used.
        """
        return cls(path, state=state, clock=clock)

    @property
    def in_use(self) -> int | None:
        """How many profiles stay unpacked, those that events came for last; may be set. None: all.

        The others are packed bytes, a fifth of the size, until an event comes for them. It changes no
        answer. The calls after it bring the profiles to rest that are too many.
        """
        return self._state.resting.most

    @in_use.setter
    def in_use(self, most: int | None) -> None:
        with self._lock:
            self._state.keep_in_use(most)

    def __repr__(self) -> str:
        return f"Reactor({self.config.name!r}, {self._state.identity.profile_count} profiles)"

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
            who = PUBLIC if audience == "public" else _audience(audience)
            if handler is None or not isinstance(event, dict):
                return self._process(event, table, who, now)
            try:
                given = None if now is None and self._clock is None else self._now(now)
                return handler(event, given, who)
            except EventError:
                self._state.refused += 1
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
            columns = as_event(event, self._event_bytes)
            return handler(columns, self._now(now), _audience(audience))

    def explain(
        self,
        event: Mapping[str, Any] | bytes | str | None = None,
        table: str | None = None,
        *,
        keys: Mapping[str, str] | None = None,
        rid: str | None = None,
        audience: Audience = "public",
        now: object = None,
    ) -> Explanation:
        """Say why an event would be answered as it would, section by section; change nothing.

        event, table: as for `process`; or instead keys or rid, as for `offers`: a read without an event.
        Its `offers` are those that `process` would give; with `audience="private"` it is private data.
        Raises EventError as `process` would. Cost: some hundred microseconds, benchmark `explain`; the
        first call compiles what it needs.
        """
        with self._lock:
            _audience(audience)
            self._state.resting.make_room()
            if self._explainer is None:
                self._explainer = Explainer(self._state)
            if event is None:
                given = self._now(now)
                return self._explainer.read(
                    keys, rid, given, audience, self._offers(keys, rid, audience, given)
                )
            if keys is not None or rid is not None:
                raise EventError("keys", "expected an event, or keys or rid for a read; got both")
            name = self._table(table)
            columns = as_event(event, self._event_bytes)
            return self._explainer.event(columns, name, self._now(now), audience)

    def process_row(
        self,
        event: Mapping[str, Any],
        table: str | None = None,
        *,
        audience: Audience = "public",
        now: object = None,
    ) -> tuple[Outcome, tuple[Any, ...]]:
        """As `process`, and return every part of the profile just after it, as `part_names` lists them.

        A timestamp is in ms.
        """
        with self._lock:
            outcome = self._process(event, table, _audience(audience), now)
            rid = outcome.rid_value
            profile = self._state.nobody if rid is None else self._state.identity.rids[rid]
            return outcome, self._functions.parts(profile, cast(int, outcome.now_ms))

    def watch(self, refs: Sequence[Ref]) -> Callable[..., tuple[Outcome, tuple[Any, ...]]]:
        """Return a function that does what `process` does, and also gives what names read at the event.

        refs: the names, as in the `refs` of expressions of the config. One with `before` is read as it
            was before the event's updates, any other just after them, whether or not a section
            asks for it. A timestamp is in ms, a stitching key a mapping of its values, NULL is None.
        The function takes an event, its table and an audience, and returns (outcome, values). It holds
        until the next `reload`. Cost: milliseconds, for code is generated; `process` stays as it is.
        """
        with self._lock:
            handlers = self._state.watching(refs)

        def watched(
            event: Mapping[str, Any], table: str | None = None, *, audience: Audience = "public"
        ) -> tuple[Outcome, tuple[Any, ...]]:
            with self._lock:
                name = self._table(table)
                handler = handlers.get(name) or self._state.other(name, handlers[OTHER_TABLE])
                try:
                    return handler(as_event(event, self._event_bytes), self._now(None), _audience(audience))
                except EventError:
                    self._state.refused += 1
                    raise

        return watched

    def event_time(self, event: Mapping[str, Any], table: str | None = None) -> int:
        """Return the ms of an event's time, as `process` would without `now`. Raises EventError."""
        times = self._functions.time
        time_of = times.get(self._table(table)) or times[OTHER_TABLE]
        return time_of(as_event(event, self._event_bytes), None)

    def identifiers(self, event: Mapping[str, Any], table: str | None = None) -> list[tuple[int, str]]:
        """Return (index of the key, value) of each identifier that an event carries; private data.

        Those beyond `limits.associations` are among them. Changes nothing. Raises EventError.
        """
        return self._state.identifiers(as_event(event, self._event_bytes), self._table(table))

    def row_identifiers(self, row: Mapping[str, Any]) -> list[tuple[int, str]]:
        """Return (index of the key, value) of each identifier that a batch row joins; private data.

        row: its identifiers are text.
        """
        return self._state.identifiers(row, None)

    def _process(self, event: object, table: str | None, audience: int, now: object) -> Outcome:
        """As `process`, for what takes the longer way: JSON text, a table the config doesn't name."""
        name = self._table(table)
        handler = self._handlers.get(name) or self._state.other(name, self._handlers[OTHER_TABLE])
        try:
            return handler(as_event(event, self._event_bytes), self._now(now), audience)
        except EventError:
            self._state.refused += 1
            raise

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
            return self._offers(keys, rid, audience, self._now(now))

    def _offers(
        self, keys: Mapping[str, str] | None, rid: str | None, audience: Audience, given: int | None
    ) -> Outcome:
        who = _audience(audience)
        self._state.resting.make_room()
        profile = self._state.found(keys, rid, given)
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
            self._state.resting.make_room()
            profile = self._state.found(keys, rid, given)
            if profile is None:
                return None
            at = _reading_time(profile, given)
            values = self._functions.parts(profile, at)
            held = {
                name: profile[slot] for name, slot in self._state.layout.key_slot.items() if profile[slot]
            }
            return ProfileView(
                rid=format_rid(profile[RID]),
                created=to_datetime(profile[CREATED]),
                last_seen=to_datetime(profile[NEWEST]),
                keys={
                    name: sorted(seen, key=lambda value: (seen[value], value), reverse=True)
                    for name, seen in held.items()
                },
                attributes={
                    part.name: _shown(part, value) for part, value in zip(self._parts, values, strict=True)
                },
            )

    def rids(self) -> Iterator[str]:
        """Yield the rid of every profile, oldest first, as they are at this moment."""
        with self._lock:
            rids = sorted(profile[RID] for profile in self._state.identity.profiles())
        return map(format_rid, rids)

    def part_names(self, audience: Audience = "private") -> tuple[PartInfo, ...]:
        """Return the parts that `process_row` gives; for the public audience, without sensitive ones."""
        is_private = _audience(audience) == PRIVATE
        return tuple(part for part in self._parts if is_private or not part.sensitive)

    def source(self) -> str:
        """Return the generated Python that this engine runs."""
        return self._state.plan.text()

    def stats(self) -> dict[str, Any]:
        """Return counts: events by table, what was refused, clamped, late, unusable, dropped, evicted.

        Cost: O(batch rows).
        """
        with self._lock:
            return self._state.stats()

    def inspect(self) -> Inspection:
        """Return what costs room and what is over-stitched: bytes, largest and most merged profiles, drops.

        It is what `reactor inspect` says of a snapshot; it holds rids and no value. Calls wait meanwhile.
        Cost: microseconds a profile; `stats` answers at once.
        """
        with self._lock:
            return inspect_state(self._state)

    def check(self) -> None:
        """Assert every invariant of the state. For tests. Cost: O(profiles and all they hold)."""
        with self._lock:
            self._state.check()

    def packed_sizes(self) -> dict[str, int]:
        """Return the bytes of every profile, packed, by rid: what `reactor.plan.profile_bytes` bounds."""
        with self._lock:
            return {format_rid(rid): size for rid, size in self._state.packed_sizes()}

    # Batch rows

    def import_batch(self, rows: object, *, replace: bool = True) -> BatchReport:
        """Load batch rows: imported attributes, segments and identifiers by the lookup key.

        rows: mappings; or an Arrow, pandas or polars table. replace: whether the load replaces the
            whole table, or only the rows whose lookup value it names.
        Raises EventError for what is no rows; then nothing is loaded.
        """
        with self._lock:
            return self._state.import_batch(rows, replace=replace)

    # State

    def snapshot(self, path: str | PathLike[str]) -> int:
        """Write all state to a file, which appears, or replaces the old one, when it is whole.

        Returns the file's size in bytes. Raises SnapshotError if it can't be written. Calls wait
        meanwhile. Cost: benchmark `snapshot`.
        """
        with self._lock:
            return write(self._state, path)

    def reload(self, config: Config | Mapping[str, Any] | str | PathLike[str]) -> ReloadReport:
        """Go on under another config, and say what became of the state.

        Attributes whose meaning is unchanged keep their state. Raises ConfigError; the engine then
        goes on as it was. Calls wait while profiles are moved: microseconds each.
        """
        fresh = State(config if isinstance(config, Config) else load_config(config))
        fresh.resting.most = self._state.resting.most
        with self._lock:
            report = move(self._state, fresh)
            self._use(fresh)
            return report

    def forget(self, keys: Mapping[str, str] | None = None, *, rid: str | None = None) -> Forgotten:
        """Erase the profiles that keys or a rid meet, with their identifiers and batch rows.

        Returns what was erased, in counts. The next event founds a new profile; the next load of
        batch rows brings a row back, unless it is left out there.
        """
        with self._lock:
            return self._state.forget(keys, rid)


def _audience(audience: str) -> int:
    who = _AUDIENCES.get(audience) if isinstance(audience, str) else None
    if who is None:
        raise EventError("audience", 'expected "public" or "private"')
    return who


def _shown(part: PartInfo, value: Any) -> Any:
    if part.type == "number":
        return number_out(value)
    return to_datetime(value) if part.type == "timestamp" and value is not None else value


def _reading_time(profile: Profile, given: int | None) -> int:
    newest: int = profile[NEWEST]
    return newest if given is None or given < newest else given
