"""The table of profiles: every profile read once, after its last event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from reactor.criteria import Ref
from reactor.identity import BATCH_TIME, KEYS, Identity, format_rid
from reactor.plan import parts_of
from reactor.replay.columns.answers import typed
from reactor.replay.columns.column import Column, Mask, Rows, repeated
from reactor.replay.columns.conditions import narrow
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.joining import Joined
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.profile import Profiles, Reader
from reactor.replay.columns.sequences import lay_out
from reactor.replay.tables import TEXTS, TIME, part_columns
from reactor.spec.model import Config


class FinalReads:
    """A layout in which a read stands behind the last event of each profile that is left.

    rids: of the profiles, oldest first; places: of their reads; created, last_seen: their times in ms.
    """

    def __init__(
        self, joined: Joined, living: Rows, times: NDArray[np.int64], at_ms: int, kept: Mask
    ) -> None:
        nodes, count = joined.nodes, len(times)
        living = np.array(sorted(living.tolist(), key=lambda number: nodes[number].rid), dtype=np.int64)
        self.rids = [nodes[number].rid for number in living.tolist()]
        node_of = np.concatenate([joined.node_of, living])
        # Events of nobody are no profile's; a read takes the place of an event that changes nothing.
        answered = np.zeros(len(nodes), dtype=np.bool_)
        answered[living] = True
        newest = np.full(len(nodes), 0, dtype=np.int64)
        owners = joined.node_of[joined.node_of >= 0]
        np.maximum.at(newest, owners, times[joined.node_of >= 0])
        now = np.maximum(newest[living], at_ms)
        self.layout = lay_out(nodes, node_of, np.concatenate([times, now]), kept, answered)
        self.places = self.layout.place_of[count:]
        self.last_seen = newest[living]
        start = self.layout.start[self.layout.sequence[self.places]]
        self.created = self.layout.time[start]


class _Reads:
    """Reads without an event, for conditions: every column is NULL, and `before.X` is X."""

    def __init__(self, reader: Reader, rows: Rows) -> None:
        self.reader = reader
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, ref: Ref) -> Column:
        if ref.kind == "column":
            return repeated(None, len(self))
        return self.reader.read(msgspec.structs.replace(ref, before=False))

    def narrowed(self, keep: Rows) -> _Reads:
        return _Reads(self.reader.narrowed(keep), self.rows[keep])


def last_seen(config: Config, tables: Sequence[EventTable], times: NDArray[np.int64]) -> list[dict[Any, int]]:
    """Return for each key when each of its values was last in an event."""
    seen: list[dict[Any, int]] = [{} for _ in config.keys]
    for table in tables:
        for known, found in zip(seen, table.identifiers(), strict=True):
            if found is None:
                continue
            latest = np.full(len(found.values) + 1, BATCH_TIME, dtype=np.int64)
            np.maximum.at(latest, found.codes, times[table.places])
            for value, time in zip(found.values, latest.tolist(), strict=False):
                if isinstance(value, str):
                    known[value] = max(time, known.get(value, BATCH_TIME))
    return seen


def profiles_frame(
    config: Config,
    profiles: Profiles,
    reads: FinalReads,
    identity: Identity,
    seen: Sequence[Mapping[Any, int]] | None,
) -> pl.DataFrame:
    """Return a row a profile, as `reactor.replay.profiles.profiles_frame` does.

    seen: when each identifier was last seen, for a private audience; None for a public one.
    """
    reader = _InOrder(profiles, reads.places)
    own: dict[str, pl.Series] = {
        "rid": pl.Series([format_rid(rid) for rid in reads.rids], dtype=pl.String),
        "created": pl.Series(reads.created).cast(TIME),
        "last_seen": pl.Series(reads.last_seen).cast(TIME),
    }
    if seen is not None:
        for k, key in enumerate(config.keys):
            lists = [_newest_first(identity.rids[rid][KEYS + k], seen[k]) for rid in reads.rids]
            own[f"keys.{key.name}" if key.name in own else key.name] = pl.Series(lists, dtype=TEXTS)
    shown = [part for part in parts_of(config) if seen is not None or not part.sensitive]
    names = part_columns([part.name for part in shown], [part.type for part in shown], [*own, "sections"])
    for part, name in zip(shown, names, strict=True):
        known = config.names[part.name]
        column = reader.reader.read(Ref("profile", part.name, known.type, known.nullable))
        own[name] = typed(column, part.type).gather(reader.back)
    own["sections"] = _sections(config, reader)
    return pl.DataFrame([series.alias(name) for name, series in own.items()])


class _InOrder:
    """A reader of places in the layout's order. back: where each of the places as given is among them."""

    def __init__(self, profiles: Profiles, places: Rows) -> None:
        order = order_of(places)
        self.reader = profiles.reader(places[order])
        self.back = np.empty(len(places), dtype=np.int64)
        self.back[order] = np.arange(len(places))


def _newest_first(held: Mapping[str, int] | None, seen: Mapping[Any, int]) -> list[str]:
    return sorted(held or (), key=lambda value: (seen.get(value, BATCH_TIME), value), reverse=True)


def _sections(config: Config, reader: _InOrder) -> pl.Series:
    count = len(reader.back)
    names: list[list[str]] = [[] for _ in range(count)]
    for section in config.sections:
        if section.on is not None:
            continue
        view = _Reads(reader.reader, np.arange(count))
        for condition in (section.where.get(""), section.when):
            if condition is not None:
                view = narrow(condition, view)
        for row in view.rows.tolist():
            names[row].append(section.name)
    return pl.Series([names[row] for row in reader.back.tolist()], dtype=TEXTS)
