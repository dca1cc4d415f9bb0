"""One pass over a history by columns; what columns can't do is left to the live engine."""

from __future__ import annotations

import gc
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reactor.engine import Reactor
from reactor.identity import format_rid
from reactor.plan import parts_of, refs_of
from reactor.replay.batch import Batch
from reactor.replay.columns.answers import Answers, Offered
from reactor.replay.columns.column import Mask, Rows, as_coded
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.finals import FinalReads, last_seen, profiles_frame
from reactor.replay.columns.imported import BatchRows
from reactor.replay.columns.joining import Joined, Joiner
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.profile import Profiles, Weights
from reactor.replay.columns.sequences import LEFT_OUT, Layout, lay_out
from reactor.replay.columns.stitching import Stitching
from reactor.replay.columns.updates import MOST_SUM, list_updates, weights_of
from reactor.replay.history import History, Reject
from reactor.replay.live import EVENT, ID_CHANGES, OFFERS, LivePass
from reactor.replay.options import Options, Progress
from reactor.replay.tables import TIME, TableBuilder, json_text, part_columns
from reactor.spec import Config
from reactor.spec.model import Computed, Counter, ListAttribute, Table, Total

TRACKING = "td_rt_tracking_id"
_MOST_EXPANSION = 16  # places in the layout for each event of a component


def why_not(config: Config, options: Options, snapshot: object) -> str | None:
    """Return why a whole run can't go by columns, or None if it can."""
    limits = config.limits
    for name, value in (
        ("profiles", limits.profiles),
        ("memory", limits.memory_bytes),
        ("idle", limits.idle_ms),
    ):
        if value is not None:
            return f"limits.{name} lets profiles go for the sake of others"
    if options.state is not None:
        return "it begins with a snapshot"
    return "it writes a snapshot" if snapshot is not None else None


class ColumnarPass:
    """One pass over a history; what it found is read when `run` is done, as of a `LivePass`.

    batch: rows to load, or None. attributes, attributes_before, profiles, at_ms: as of a `LivePass`.
    """

    def __init__(
        self,
        config: Config,
        options: Options,
        batch: Batch | None,
        *,
        attributes: bool = False,
        attributes_before: bool = False,
        profiles: bool = False,
        at_ms: int | None = None,
        id_changes: bool = True,
    ) -> None:
        self.engine_name: Final = "columnar"
        self.events = 0
        self.before_since = 0
        self.without_identifier = 0
        self.profile_count = 0
        self.by_table: Tally[str] = Tally()
        self.failures: Tally[tuple[str, str]] = Tally()
        self.rejects: list[Reject] = []
        self.fallback: dict[str, Any] | None = {"events": 0, "components": 0, "reasons": {}}
        self.offers: pl.DataFrame = pl.DataFrame()
        self.id_changes: pl.DataFrame = pl.DataFrame()
        self.attributes: pl.DataFrame | None = None
        self.attributes_before: pl.DataFrame | None = None
        self.profiles: pl.DataFrame | None = None
        self._config = config
        self._options = options
        self._batch = batch
        self._wants_attributes = attributes
        self._wants_before = attributes_before
        self._wants_profiles = profiles
        self._at_ms = at_ms
        self._wants_changes = id_changes
        self._stitching = Stitching(config)
        self.report = None if batch is None else batch.load(self._stitching)

    def run(self, history: History, progress: Progress | None) -> None:
        """Replay every event of the history; the collector of cycles rests meanwhile: no column has any."""
        was_on = gc.isenabled()
        gc.disable()
        try:
            self._run(history, progress)
        finally:
            if was_on:
                gc.enable()

    def _run(self, history: History, progress: Progress | None) -> None:
        total = len(history)

        def tell(fifths: int) -> None:
            if progress is not None:
                progress(total * fifths // 5, total)

        tell(0)
        if self._wants_profiles and self._at_ms is not None and np.any(history.times > self._at_ms):
            self._wants_profiles = False
            self.profiles = self._profiles_then(history.only(np.flatnonzero(history.times <= self._at_ms)))
        self._history = history
        self._numbers, self._times = history.numbers, history.times
        tables = self._tables(history)
        tell(1)
        joined = self._join(tables)
        tell(2)
        weights, heavy = self._weights(tables)
        last, apart = self._apart(joined, tables, weights, heavy)
        kept = ~apart[last] if len(last) else np.zeros(0, dtype=np.bool_)
        self._leave_out(joined, kept, heavy)
        self._count(joined, apart)
        self._answer(joined, tables, weights, kept, _Rids(joined, last))
        tell(4)
        if self._wants_profiles:
            self.profiles = self._profiles_frame(joined, tables, weights, kept)
        if self._reasons:
            self._fall_back()
        tell(5)

    def _leave_out(self, joined: Joined, kept: Mask, heavy: Rows) -> None:
        """Note the events that go to the live engine: of profiles apart, and of nobody what is too great."""
        self._left = np.zeros(len(self._times), dtype=np.bool_)
        self._left[heavy] = joined.node_of[heavy] < 0
        if self._left.any():
            self._reasons["sum"] += int(self._left.sum())
        if len(kept):
            self._left |= (joined.node_of >= 0) & ~kept[joined.node_of]

    def _answer(
        self, joined: Joined, tables: Sequence[EventTable], weights: Weights, kept: Mask, rids: _Rids
    ) -> None:
        """Fill the tables with what columns can tell."""
        node_of = np.where(self._left & (joined.node_of < 0), LEFT_OUT, joined.node_of)
        layout = lay_out(joined.nodes, node_of, self._times, kept, kept)
        batch = self._batch_rows(joined, tables, layout)
        profiles = Profiles(self._config, layout, tables, joined, batch, weights)
        is_shown = np.ones(len(self._times), dtype=np.bool_)
        if self._options.since_ms is not None:
            is_shown = self._times >= self._options.since_ms
        self.before_since = int((~is_shown).sum())
        is_private = self._options.audience == "private"
        answers = Answers(self._config, profiles, is_private=is_private, is_shown=is_shown)
        self._table_of = np.zeros(len(self._times), dtype=np.int64)
        for number, table in enumerate(tables):
            self._table_of[table.places] = number
        offered = [offer for table in tables for offer in answers.offers(table)]
        self.offers = self._offers_frame(offered, joined, rids)
        self.id_changes = self._changes_frame(joined, tables, kept, is_shown)
        if self._wants_attributes:
            self.attributes = self._attributes_frame(answers, joined, rids, before=False)
        if self._wants_before:
            self.attributes_before = self._attributes_frame(answers, joined, rids, before=True)

    def _profiles_then(self, history: History) -> pl.DataFrame | None:
        """Return the profiles after the events that were before the time they are read at."""
        then = ColumnarPass(
            self._config, self._options, self._batch, profiles=True, at_ms=self._at_ms, id_changes=False
        )
        then.run(history, None)
        return then.profiles

    # What goes in

    def _tables(self, history: History) -> list[EventTable]:
        """Return the events by table, in the order in which the tables first appear."""
        found = []
        names = []
        for name, pieces in history.by_table():
            table = EventTable(self._config, self._config.tables.get(name, Table("")), pieces)
            table.read([TRACKING, *_columns_read(self._config, table.table)])
            found.append(table)
            names.append(name)
            self.by_table[name] = len(table)
        self.events = len(history)
        self._table_names = pl.Series(names, dtype=pl.String)
        return found

    def _join(self, tables: Sequence[EventTable]) -> Joined:
        config = self._config
        return Joiner(
            self._stitching.identity,
            tables,
            self._times,
            associations=config.limits.associations,
            kept_keys=_keys_read(config),
            keeps_log=self._wants_changes,
            lookup=self._stitching.lookup,
        ).run()

    def _batch_rows(self, joined: Joined, tables: Sequence[EventTable], layout: Layout) -> BatchRows:
        known = self._stitching
        return BatchRows(self._config, known.batch, joined, tables, layout, known.is_lookup)

    def _weights(
        self, tables: Sequence[EventTable]
    ) -> tuple[dict[str, tuple[Rows, NDArray[np.int64]]], Rows]:
        """Return what every counter adds, and the events that add more than columns hold."""
        weights = {}
        heavy = [np.zeros(0, dtype=np.int64)]
        for name, attribute in self._config.attributes.items():
            if isinstance(attribute, Counter | Total):
                events, added, wide = weights_of(tables, attribute)
                weights[name] = events, added
                heavy.append(wide)
        return weights, np.concatenate(heavy)

    def _apart(
        self,
        joined: Joined,
        tables: Sequence[EventTable],
        weights: Weights,
        heavy: Rows,
    ) -> tuple[NDArray[np.int64], Mask]:
        """Return the last node of each node's profile, and which of these need the live engine."""
        count = len(joined.nodes)
        last = np.arange(count)
        for number in range(count - 1, -1, -1):
            parent = joined.nodes[number].parent
            if parent >= 0:
                last[number] = last[parent]
        apart = np.zeros(count, dtype=np.bool_)
        self._reasons: Tally[str] = Tally()

        def mark(found: NDArray[np.int64], reason: str) -> None:
            fresh = np.unique(found)
            fresh = fresh[~apart[fresh]]
            apart[fresh] = True
            if len(fresh):
                self._reasons[reason] += len(fresh)

        component = np.append(last, -1)[joined.node_of]
        mark(np.array(sorted(joined.crowded), dtype=np.int64), "associations")
        owners = component[heavy]
        mark(owners[owners >= 0], "sum")
        for events, added in weights.values():
            owners = component[events]
            owned = owners >= 0
            sums = np.bincount(owners[owned], np.abs(added[owned]).astype(np.float64), minlength=count)
            mark(np.flatnonzero(sums > MOST_SUM / 2), "sum")
        merged = np.zeros(count, dtype=np.bool_)
        merged[[last[number] for number, node in enumerate(joined.nodes) if node.children]] = True
        for attribute in self._config.attributes.values():
            if isinstance(attribute, ListAttribute) and attribute.delete_on and merged.any():
                deletes = list_updates(tables, attribute).deletes
                coded = as_coded(deletes.column)
                sizes = np.array(
                    [len(value) if value.__class__ is list else 1 for value in coded.values] + [0]
                )
                owners = component[deletes.events]
                owned = owners >= 0
                named = np.bincount(owners[owned], sizes[coded.codes][owned], minlength=count)
                mark(np.flatnonzero((named > attribute.max_items) & merged), "deletes")
        mark(_expanded(joined, last, count), "merges")
        return last, apart

    def _count(self, joined: Joined, apart: Mask) -> None:
        self.without_identifier = int((joined.node_of < 0).sum())
        self.failures = joined.failures
        self.profile_count = sum(node.parent < 0 for node in joined.nodes) - int(apart.sum())
        self.fallback = {
            "events": int(self._left.sum()),
            "components": sum(self._reasons.values()),
            "reasons": dict(sorted(self._reasons.items())),
        }

    # What comes out

    def _event_columns(self, events: Rows, joined: Joined, rids: _Rids) -> list[pl.Series]:
        nodes = joined.node_of[events]
        return [
            pl.Series("event", self._numbers[events], dtype=pl.Int64),
            self._table_names.gather(self._table_of[events]).alias("table"),
            pl.Series("time", self._times[events]).cast(TIME),
            rids.texts.gather(np.where(nodes < 0, rids.nobody, nodes)).alias("rid"),
        ]

    def _offers_frame(self, offered: Sequence[Offered], joined: Joined, rids: _Rids) -> pl.DataFrame:
        if not offered:
            return _with_profile(TableBuilder(OFFERS).finish())
        sections = {section.name: number for number, section in enumerate(self._config.sections)}
        events = np.concatenate([each.events for each in offered])
        number = np.repeat(
            [sections[each.section.name] for each in offered], [len(each.events) for each in offered]
        )
        order = order_of(self._numbers[events] * len(sections) + number)
        events, number = events[order], number[order]
        nodes = joined.node_of[events]
        redacted = np.repeat([each.is_redacted for each in offered], [len(each.events) for each in offered])
        all_sections = self._config.sections
        return pl.DataFrame(
            [
                *self._event_columns(events, joined, rids),
                rids.final.gather(np.where(nodes < 0, rids.nobody, nodes)).alias("profile"),
                pl.Series([each.personalization for each in all_sections])
                .gather(number)
                .alias("personalization"),
                pl.Series([each.name for each in all_sections]).gather(number).alias("section"),
                pl.Series("redacted", redacted[order], dtype=pl.Boolean),
                pl.concat([each.attributes for each in offered]).gather(order).alias("attributes"),
                pl.concat([each.segments for each in offered]).gather(order).alias("batch_segments"),
            ]
        )

    def _attributes_frame(
        self, answers: Answers, joined: Joined, rids: _Rids, *, before: bool
    ) -> pl.DataFrame:
        is_private = self._options.audience == "private"
        shown = [part for part in parts_of(self._config) if is_private or not part.sensitive]
        columns = part_columns([part.name for part in shown], [part.type for part in shown], list(EVENT))
        events, series = answers.parts(shown, before=before)
        order = order_of(self._numbers[events])
        named = [each.gather(order).alias(name) for each, name in zip(series, columns, strict=True)]
        found = pl.DataFrame([*self._event_columns(events[order], joined, rids), *named])
        return pl.concat([TableBuilder({**EVENT, **columns}).finish(), found])

    def _changes_frame(
        self, joined: Joined, tables: Sequence[EventTable], kept: Mask, is_shown: Mask
    ) -> pl.DataFrame:
        builder = TableBuilder(ID_CHANGES)
        tracking = self._tracking(tables)
        for change in joined.changes:
            if not kept[change.node] or not is_shown[change.place]:
                continue
            number = int(self._numbers[change.place])
            for row in change.rows:
                values: list[object] = [number, *(row[name] for name in list(ID_CHANGES)[1:-1])]
                value = tracking.get(change.place)
                values.append(value if isinstance(value, str) else json_text(value))
                builder.add(values)
        return builder.finish(by_event=not self._history.in_input_order)

    def _tracking(self, tables: Sequence[EventTable]) -> dict[int, object]:
        found: dict[int, object] = {}
        for table in tables:
            raw = table.raw(TRACKING)
            rows = np.flatnonzero(raw.codes >= 0)
            codes = raw.codes[rows].tolist()
            found.update(zip(table.places[rows].tolist(), [raw.values[code] for code in codes], strict=True))
        return found

    def _profiles_frame(
        self,
        joined: Joined,
        tables: Sequence[EventTable],
        weights: Weights,
        kept: Mask,
    ) -> pl.DataFrame:
        at_ms = self._at_ms if self._at_ms is not None else self._history.ends_ms
        living = np.flatnonzero(kept & np.array([node.parent < 0 for node in joined.nodes], dtype=np.bool_))
        read = FinalReads(joined, living, self._times, at_ms or 0, kept)
        batch = BatchRows(
            self._config, self._stitching.batch, joined, tables, read.layout, self._stitching.is_lookup
        )
        profiles = Profiles(self._config, read.layout, tables, joined, batch, weights)
        is_private = self._options.audience == "private"
        seen = last_seen(self._config, tables, self._times) if is_private else None
        return profiles_frame(self._config, profiles, read, self._stitching.identity, seen)

    def _fall_back(self) -> None:
        """Replay what was left out by the live engine, and put its rows among the others."""
        events = np.flatnonzero(self._left)
        engine = Reactor(self._config)
        if self._batch is not None:
            self._batch.load(engine)
        live = LivePass(
            engine,
            self._config,
            self._options,
            attributes=self._wants_attributes,
            attributes_before=self._wants_before,
            profiles=self._wants_profiles,
            at_ms=self._at_ms if self._at_ms is not None else self._history.ends_ms,
        )
        live.run(self._history.only(events), None)
        self.profile_count += live.profile_count
        self.offers = _interleaved(self.offers, live.offers)
        self.id_changes = _interleaved(self.id_changes, live.id_changes)
        if self.attributes is not None:
            assert live.attributes is not None
            self.attributes = _interleaved(self.attributes, live.attributes)
        if self.attributes_before is not None:
            assert live.attributes_before is not None
            self.attributes_before = _interleaved(self.attributes_before, live.attributes_before)
        if self._wants_profiles:
            assert self.profiles is not None
            assert live.profiles is not None
            self.profiles = pl.concat([self.profiles, live.profiles]).sort("rid")


class _Rids:
    """The rids of nodes as texts: as answered, and of the profile at the end. `nobody` is where NULL is."""

    def __init__(self, joined: Joined, last: NDArray[np.int64]) -> None:
        texts = [format_rid(node.rid) for node in joined.nodes]
        self.nobody = len(texts)
        self.texts = pl.Series([*texts, None], dtype=pl.String)
        self.final = self.texts.gather(np.append(last, self.nobody))


def _interleaved(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, others]).sort("event", maintain_order=True)


def _with_profile(frame: pl.DataFrame) -> pl.DataFrame:
    profile = pl.Series("profile", [], dtype=pl.String)
    return frame.insert_column(frame.columns.index("rid") + 1, profile)


def _keys_read(config: Config) -> list[int]:
    """Return the stitching keys, by number, whose values anything reads."""
    refs = [ref for section in config.sections for ref in refs_of(section)]
    refs += [
        ref
        for attribute in config.attributes.values()
        if isinstance(attribute, Computed)
        for ref in attribute.value.refs
    ]
    names = {ref.name for ref in refs if ref.kind == "profile"}
    return [k for k, key in enumerate(config.keys) if key.name in names]


def _columns_read(config: Config, table: Table) -> list[str]:
    """Return the columns of a table's events that anything in the config may read."""
    expressions = [*table.columns.values(), *(event.where for event in config.key_events.values())]
    for attribute in config.attributes.values():
        for role in ("on", "delete_on", "clear_on"):
            expressions += [trigger.where for trigger in getattr(attribute, role, ())]
        for role in ("value", "item", "increment"):
            by_key_event = getattr(attribute, role, None)
            if isinstance(by_key_event, Mapping):
                expressions += by_key_event.values()
        for by_key_event in getattr(attribute, "fields", {}).values():
            expressions += by_key_event.values()
    for section in config.sections:
        expressions += [*section.where.values(), section.when, *section.attributes.values()]
    names = {
        ref.name for each in expressions if each is not None for ref in each.refs if ref.kind == "column"
    }
    keys = {key.name for key in config.keys if not key.internal}
    return sorted(
        (names | keys) - table.columns.keys()
        | {ref.name for made in table.columns.values() for ref in made.refs}
    )


def _expanded(joined: Joined, last: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the profiles whose sequences would be many times as long as their events are."""
    own = np.bincount(joined.node_of[joined.node_of >= 0], minlength=count)
    whole = own.astype(np.int64)
    for number, node in enumerate(joined.nodes):
        if node.children:
            whole[number] += whole[[*node.children]].sum()
    events = np.bincount(last, own, minlength=count)
    places = np.bincount(last, whole, minlength=count)
    return np.flatnonzero((places > _MOST_EXPANSION * events) & (places > 100_000))
