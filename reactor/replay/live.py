"""The replay on the live engine: one event after the other, each row made as its event passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

from reactor.criteria import Ref
from reactor.engine import Reactor
from reactor.errors import EventError
from reactor.identity import Row, format_rid
from reactor.payload import Outcome
from reactor.replay.history import History, Planned, Reject
from reactor.replay.options import Options, Progress
from reactor.replay.profiles import profiles_frame
from reactor.replay.tables import TEXTS, TIME, TableBuilder, json_text, part_columns
from reactor.spec.model import Config
from reactor.units import to_datetime

_STEP: Final = 500  # events between two reports of progress

EVENT: Final[Mapping[str, Any]] = {"event": pl.Int64, "table": pl.String, "time": TIME, "rid": pl.String}
OFFERS: Final[Mapping[str, Any]] = {
    **EVENT,
    "personalization": pl.String,
    "section": pl.String,
    "redacted": pl.Boolean,
    "attributes": None,
    "batch_segments": None,
}
ID_CHANGES: Final[Mapping[str, Any]] = {
    "event": pl.Int64,
    "time": pl.Int64,
    "event_type": pl.String,
    "reactor_instance_id": pl.String,
    "profile_change_type": pl.String,
    "current_rid": pl.String,
    "current_id_attributes": TEXTS,
    "key_values": pl.String,
    "merged_rids": TEXTS,
    "evicted_ids": pl.String,
    "td_rt_tracking_id": pl.String,
}


class LivePass:
    """One pass over a history with a fresh engine; what it found is read when `run` is done.

    engine: new, or as it came from a snapshot.
    attributes, attributes_before: whether to build the tables of parts just after, and just before
        each event.
    profiles: whether to build that of profiles; at_ms: as of then, else after the last event.
    """

    def __init__(
        self,
        engine: Reactor,
        config: Config,
        options: Options,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        at_ms: int | None = None,
        id_changes: bool = True,
    ) -> None:
        self.engine = engine
        self.engine_name: Final = "live"
        self.fallback: dict[str, Any] | None = None
        self.events = 0
        self.before_since = 0
        self.without_identifier = 0
        self.by_table: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        self.rejects: list[Reject] = []
        self.profiles: pl.DataFrame | None = None
        self.profile_count = 0
        self._options = options
        self._at_ms = at_ms
        self._wants_profiles = profiles
        self._sections = {section.name: section.personalization for section in config.sections}
        self._keys = tuple(key.name for key in config.keys)
        self._offers = TableBuilder(OFFERS)
        self._id_changes = TableBuilder(ID_CHANGES)
        shown = engine.part_names(options.audience)
        self._places = [place for place, part in enumerate(engine.part_names()) if part in shown]
        columns = part_columns([part.name for part in shown], [part.type for part in shown], list(EVENT))
        self._attributes = TableBuilder({**EVENT, **columns}) if attributes else None
        self._before = TableBuilder({**EVENT, **columns}) if attributes_before else None
        self._watched = engine.watch(_before_and_after(config, engine)) if attributes_before else None
        self._survivors: dict[str, str] = {}
        self._rids: dict[int, str] = {}
        self._by_event = False
        self._wants_changes = id_changes

    def run(self, history: History, progress: Progress | None) -> None:
        """Process every event of the history."""
        since_ms = self._options.since_ms
        at_ms = self._at_ms
        total = len(history)
        self._by_event = not history.in_input_order
        for done, planned in enumerate(history.events()):
            if progress is not None and done % _STEP == 0:
                progress(done, total)
            if at_ms is not None and planned.time_ms > at_ms:
                self._take_profiles(at_ms)
                at_ms = None
            try:
                if since_ms is not None and planned.time_ms < since_ms:
                    outcome = self.engine.ingest(planned.event, table=planned.table)
                    self._note(planned, outcome, silent=True)
                else:
                    self._note(planned, self._process(planned), silent=False)
                continue
            except EventError as error:
                refused = EventError(error.path, error.reason)
            self.rejects.append(history.rejected(planned, refused))
        if self.profiles is None:
            self._take_profiles(self._at_ms if self._at_ms is not None else history.ends_ms)
        self.profile_count = self._present(history.ends_ms)
        if progress is not None:
            progress(total, total)

    @property
    def offers(self) -> pl.DataFrame:
        """A row an offer, in input order."""
        frame = self._offers.finish(by_event=self._by_event)
        final = {rid: rid and self._survivor(rid) for rid in frame["rid"].unique().to_list()}
        profile = pl.Series("profile", [final[rid] for rid in frame["rid"].to_list()], dtype=pl.String)
        return frame.insert_column(frame.columns.index("rid") + 1, profile)

    @property
    def id_changes(self) -> pl.DataFrame:
        """The rows about identity, each with its event's number, in input order."""
        return self._id_changes.finish(by_event=self._by_event)

    @property
    def attributes(self) -> pl.DataFrame | None:
        """A row an event, in input order; None unless asked for."""
        return None if self._attributes is None else self._attributes.finish(by_event=self._by_event)

    @property
    def attributes_before(self) -> pl.DataFrame | None:
        """A row an event, in input order; None unless asked for."""
        return None if self._before is None else self._before.finish(by_event=self._by_event)

    def _process(self, planned: Planned) -> Outcome:
        audience = self._options.audience
        if self._watched is not None:
            outcome, values = self._watched(planned.event, planned.table, audience=audience)
            middle = len(values) // 2
            self._add(self._before, planned, outcome, values[:middle])
            self._add(self._attributes, planned, outcome, values[middle:])
            return outcome
        if self._attributes is None:
            return self.engine.process(planned.event, table=planned.table, audience=audience)
        outcome, values = self.engine.process_row(planned.event, planned.table, audience=audience)
        self._add(self._attributes, planned, outcome, values)
        return outcome

    def _add(
        self, table: TableBuilder | None, planned: Planned, outcome: Outcome, values: Sequence[object]
    ) -> None:
        """Add a row of the parts' values to a table that was asked for."""
        if table is not None:
            row = [planned.number, planned.table, planned.time_ms, self._rid(outcome)]
            row += [values[place] for place in self._places]
            table.add(row)

    def _note(self, planned: Planned, outcome: Outcome, *, silent: bool) -> None:
        self.events += 1
        self.before_since += silent
        self.by_table[planned.table] += 1
        if outcome.rid_value is None:
            self.without_identifier += 1
        if changes := outcome.id_changes:
            self._note_changes(planned.number, changes, silent=silent)
        for failure in outcome.validation_failures:
            for text in failure["invalid_keys"]:  # type: ignore[attr-defined]
                pair = msgspec.json.decode(text)
                self.failures[pair["key"], pair["reason"]] += 1
        for section, offer in outcome.offers.items():
            self._offers.add(
                [
                    planned.number,
                    planned.table,
                    planned.time_ms,
                    self._rid(outcome),
                    self._sections[section],
                    section,
                    not offer,
                    offer.get("attributes"),
                    offer.get("batch_segments"),
                ]
            )

    def _note_changes(self, number: int, rows: list[Row], *, silent: bool) -> None:
        for row in rows:
            for merged in row["merged_rids"] or ():  # type: ignore[attr-defined]
                self._survivors[merged] = str(row["current_rid"])
            if self._wants_changes and not silent:
                values: list[object] = [number, *(row[name] for name in list(ID_CHANGES)[1:])]
                tracking = values[-1]
                values[-1] = tracking if isinstance(tracking, str) else json_text(tracking)
                self._id_changes.add(values)

    def _take_profiles(self, at_ms: int | None) -> None:
        if self._wants_profiles:
            self.profiles = profiles_frame(self.engine, self._keys, self._options.audience, at_ms)

    def _present(self, at_ms: int | None) -> int:
        """Count the profiles that are not gone at the end, whether or not they are cleared away yet."""
        if self.engine.config.limits.idle_ms is None or at_ms is None:
            return int(self.engine.stats()["profiles"])
        now = to_datetime(at_ms)
        return sum(self.engine.profile(rid=rid, now=now) is not None for rid in self.engine.rids())

    def _rid(self, outcome: Outcome) -> str | None:
        value = outcome.rid_value
        if value is None:
            return None
        text = self._rids.get(value)
        if text is None:
            text = self._rids[value] = format_rid(value)
        return text

    def _survivor(self, rid: str) -> str:
        while rid in self._survivors:
            rid = self._survivors[rid]
        return rid


def _before_and_after(config: Config, engine: Reactor) -> list[Ref]:
    """Return every part as a name: all as they were before the event, then all as they are after it."""
    names = [(part.name, config.names[part.name]) for part in engine.part_names()]
    return [
        Ref("profile", name, known.type, known.nullable, before=before)
        for before in (True, False)
        for name, known in names
    ]
