"""A second engine, written to be obviously right: it keeps every event and recomputes at each read.

It answers the calls of `reactor.Reactor` that it supports with the same shapes, and shares with it
only the resolved config and the slow walk of an expression. Tests run both side by side; see
docs/internals/reference.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from reactor.errors import EventError
from reactor.spec.model import Config, Section
from reactor.testing.reference_events import Event, Identifier, decode, read_now
from reactor.testing.reference_identity import Identity, Profile
from reactor.testing.reference_log import id_changes, validation_failures
from reactor.testing.reference_profile import View
from reactor.testing.reference_rows import Row, load
from reactor.testing.reference_values import json_value, to_datetime


class ReferenceOutcome(msgspec.Struct):
    """What `Reference.process` and its like answer: as the engine's outcome, with plain fields."""

    offers: dict[str, object]
    rid: str | None
    now: datetime | None
    id_changes: list[dict[str, object]] = []
    validation_failures: list[dict[str, object]] = []


class ReferenceProfile(msgspec.Struct):
    """A profile as `profile()` answers it: keys with the value seen last first, and every part."""

    rid: str
    created: datetime
    last_seen: datetime
    keys: dict[str, list[str]]
    attributes: dict[str, object]


class Reference:
    """The brute-force engine. clock: seconds since 1970, read where a call gives no `now`."""

    def __init__(self, config: Config, clock: Callable[[], float] | None = None) -> None:
        limits = config.limits
        keys = [key.name for key in config.keys]
        self.config = config
        self.clock = clock
        self.rows: list[Row] = []
        self.identity = Identity(keys, config.lookup_key, config.secret, limits.associations, limits.idle_ms)

    def process(
        self, event: object, *, table: str | None = None, audience: str = "public", now: object = None
    ) -> ReferenceOutcome:
        """Take an event in and answer with the offers that match."""
        return self._take(event, table, audience, now, answer=True)

    def ingest(self, event: object, *, table: str | None = None, now: object = None) -> ReferenceOutcome:
        """Take an event in; no offers."""
        return self._take(event, table, "public", now, answer=False)

    def _take(
        self, raw: object, table: str | None, audience: str, now: object, *, answer: bool
    ) -> ReferenceOutcome:
        self._check_audience(audience)
        now_ms = read_now(now, self.clock)
        event = self._event(raw, table, now_ms)
        identifiers, failures = event.identifiers()
        if identifiers:
            change = self.identity.arrive(event, identifiers, [row.identifiers for row in self.rows])
            profile = change.profile
            time_ms = max(profile.newest, event.time_ms, now_ms or 0)
            before = View(self.config, profile.history[:-1], change.before, self.rows, time_ms)
            view = self._view(profile, time_ms, event, before)
        else:
            change = None
            time_ms = max(event.time_ms, now_ms or 0)
            before = View(self.config, [], {}, self.rows, time_ms)
            view = View(self.config, [event], {}, self.rows, time_ms, event=event, before=before)
        return ReferenceOutcome(
            offers=self._offers(view, audience) if answer else {},
            rid=change.profile.rid if change else None,
            now=to_datetime(time_ms),
            id_changes=id_changes(self.config, change, event, time_ms) if change else [],
            validation_failures=validation_failures(self.config, failures, event, time_ms),
        )

    def evaluate(
        self, event: object, *, table: str | None = None, audience: str = "public", now: object = None
    ) -> ReferenceOutcome:
        """Answer an event against the profiles as they are, joined for the answer only."""
        self._check_audience(audience)
        now_ms = read_now(now, self.clock)
        read = self._event(event, table, now_ms)
        identifiers, failures = read.identifiers()
        joined = self._joined(identifiers[: self.config.limits.associations], read.time_ms)
        newest = joined.newest if joined else 0
        time_ms = max(newest, read.time_ms, now_ms or 0)
        view = self._view(joined, time_ms, read, None)
        return ReferenceOutcome(
            offers=self._offers(view, audience),
            rid=joined.rid if joined else None,
            now=to_datetime(time_ms),
            validation_failures=validation_failures(self.config, failures, read, time_ms),
        )

    def offers(
        self, keys: Mapping[str, str], *, audience: str = "public", now: object = None
    ) -> ReferenceOutcome:
        """Answer a read without an event: sections without `on:`; nothing for unknown keys."""
        self._check_audience(audience)
        now_ms = read_now(now, self.clock)
        joined = self._joined(self._identifiers(keys), now_ms)
        if joined is None:
            return ReferenceOutcome({}, None, None if now_ms is None else to_datetime(now_ms))
        time_ms = max(joined.newest, now_ms or 0)
        view = self._view(joined, time_ms, None, None)
        return ReferenceOutcome(self._offers(view, audience), joined.rid, to_datetime(time_ms))

    def profile(
        self, keys: Mapping[str, str] | None = None, *, rid: str | None = None, now: object = None
    ) -> ReferenceProfile | None:
        """Return all that is known of a profile, None if there is none."""
        now_ms = read_now(now, self.clock)
        found = (
            self.identity.by_rid(rid)
            if rid is not None
            else self._joined(self._identifiers(keys or {}), now_ms)
        )
        if found is None or self._is_gone(found, now_ms):
            return None
        time_ms = max(found.newest, now_ms or 0)
        view = self._view(found, time_ms, None, None)
        names = [key.name for key in self.config.keys]
        return ReferenceProfile(
            rid=found.rid,
            created=to_datetime(found.created),
            last_seen=to_datetime(found.newest),
            keys={name: values for name in names if (values := view.key_values(name))},
            attributes={name: self._shown(name, value) for name, value in view.parts().items()},
        )

    def import_batch(self, rows: Iterable[Mapping[str, object]], replace: bool = True) -> None:
        """Load batch rows: the whole table, or with replace=False the rows they name."""
        loaded = load(self.config, rows)
        named = {row.lookup for row in loaded}
        self.rows = [row for row in self.rows if not replace and row.lookup not in named] + loaded
        for row in loaded:
            self.identity.join_row(row.identifiers, [other.identifiers for other in self.rows])

    def partition(self) -> set[frozenset[Identifier]]:
        """Return the identifiers of every profile."""
        return {frozenset(profile.keys) for profile in self.identity.profiles.values()}

    def _event(self, raw: object, table: str | None, now_ms: int | None) -> Event:
        """Return the event with its time: its own, clamped to `now` where it is too far ahead."""
        if table is None and len(self.config.tables) != 1:
            raise EventError("table", "expected a table: the config names several")
        name = next(iter(self.config.tables)) if table is None else table
        event = Event(self.config, name, decode(raw))
        time_ms = event.own_time()
        if time_ms is None and now_ms is None:
            raise EventError("time", "expected a time in the event, or now")
        if time_ms is None or (now_ms is not None and time_ms > now_ms + self.config.limits.clock_skew_ms):
            time_ms = now_ms
        assert time_ms is not None
        event.time_ms = time_ms
        return event

    def _check_audience(self, audience: str) -> None:
        if audience not in ("public", "private"):
            raise EventError("audience", 'expected "public" or "private"')

    def _identifiers(self, keys: Mapping[str, str]) -> list[Identifier]:
        return [(key.name, keys[key.name]) for key in self.config.keys if key.name in keys]

    def _is_gone(self, profile: Profile, time_ms: int | None) -> bool:
        idle_ms = self.config.limits.idle_ms
        return idle_ms is not None and time_ms is not None and time_ms - profile.newest >= idle_ms

    def _joined(self, identifiers: list[Identifier], time_ms: int | None) -> Profile | None:
        """Return the profiles that hold any of the identifiers, as if they were one; None if none does."""
        holders = [
            profile for profile in self.identity.holders(identifiers) if not self._is_gone(profile, time_ms)
        ]
        return Profile.joined(holders) if holders else None

    def _view(self, profile: Profile | None, time_ms: int, event: Event | None, before: View | None) -> View:
        history, seen = (profile.history, profile.keys) if profile else ([], {})
        return View(self.config, history, seen, self.rows, time_ms, event=event, before=before)

    def _offers(self, view: View, audience: str) -> dict[str, object]:
        """Return the offer of every section that matches, in config order."""
        offers: dict[str, object] = {}
        for section in self.config.sections:
            if not self._is_on(section, view.event):
                continue
            if section.when is not None and view.value(section.when) is not True:
                continue
            hidden = audience == "public" and section.sensitive
            offers[section.name] = {} if hidden else self._offer(section, view)
        return offers

    def _is_on(self, section: Section, event: Event | None) -> bool:
        """Tell whether the event is one that the section answers; `event` is None on a read."""
        if section.on is None:
            where = section.where.get("")
            return where is None or (event is not None and event.holds(where))
        if event is None:
            return False
        first = next((name for name in section.on if name in event.key_events), None)
        return first is not None and (first not in section.where or event.holds(section.where[first]))

    def _offer(self, section: Section, view: View) -> dict[str, object]:
        attributes = {
            name: json_value(view.value(expression), expression.type)
            for name, expression in section.attributes.items()
        }
        segments: list[dict[str, str]] | None = None
        if section.segments is not None:
            inside = view.segments()
            segments = [{"id": segment} for segment in section.segments if segment in inside]
        return {"attributes": {**attributes, **section.strings}, "batch_segments": segments}

    def _shown(self, name: str, value: object) -> object:
        is_time = self.config.names[name].type == "timestamp" and isinstance(value, int)
        return to_datetime(value) if is_time and isinstance(value, int) else json_value(value, "untyped")
