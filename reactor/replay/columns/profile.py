"""What a profile reads as, at many places at once: the columns of every name a criterion may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reactor.criteria import Ref
from reactor.replay.columns.column import (
    Coded,
    Column,
    Numbers,
    Rows,
    Truths,
    as_coded,
    column_of,
    number_values,
)
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.expressions import evaluate
from reactor.replay.columns.imported import BatchRows
from reactor.replay.columns.joining import Joined
from reactor.replay.columns.lists import ListColumns
from reactor.replay.columns.sequences import Layout, at_places, standing_before
from reactor.replay.columns.updates import list_columns, list_updates, single_updates
from reactor.replay.columns.windows import Clock, Sums, based, first_of_window, quotient
from reactor.spec.model import Computed, Config, Counter, Imported, ListAttribute, Single, Total

Weights = Mapping[str, tuple[Rows, NDArray[np.int64]]]


class Profiles:
    """All profiles of a layout, over time.

    weights: what each counter adds. Everything is found when it is first asked for.
    """

    def __init__(
        self,
        config: Config,
        layout: Layout,
        tables: Sequence[EventTable],
        joined: Joined,
        batch: BatchRows,
        weights: Weights,
    ) -> None:
        self.config = config
        self.layout = layout
        self._tables = tables
        self._joined = joined
        self.batch = batch
        self._weights = weights
        self._clock: Clock | None = None
        self._sums: dict[str, Sums] = {}
        # The places of updates, how many of them stand before each place, their values.
        self._singles: dict[str, tuple[Rows, Rows, Column]] = {}
        self._lists: dict[str, ListColumns] = {}
        self._key_places = {key.name: k for k, key in enumerate(config.keys)}
        self._versions: dict[int, tuple[Rows, list[Any], list[Any]]] = {}

    def reader(self, places: Rows, refs: Iterable[Ref] = ()) -> Reader:
        """Return what reads names at some places of the layout, which ascend.

        refs: names that will be read: aggregations of one list are then read together.
        """
        together: dict[tuple[str, bool], list[str]] = {}
        for ref in refs:
            base, _, sub = ref.name.partition(".")
            is_list = ref.kind == "profile" and isinstance(self.config.attributes.get(base), ListAttribute)
            if is_list and sub not in together.setdefault((base, ref.before), []):
                together[base, ref.before].append(sub)
        return Reader(self, places, together=together)

    # What `Reader` asks

    def read(self, reader: Reader, ref: Ref, before: bool) -> Column:
        name = ref.name
        k = self._key_places.get(name)
        if k is not None:
            return self._keys(k, reader.places, before)
        base, _, sub = name.partition(".")
        attribute = self.config.attributes[base]
        match attribute:
            case Computed():
                return self._compute(attribute, reader, before)
            case Imported():
                return self.batch.column(base, reader.batch_rows(before=before))
            case Single():
                return self._single(attribute, sub, reader, before)
            case Counter():
                window = next(each for each in attribute.windows if (each.name or "") == sub)
                first = first_of_window(reader.now, window.window_ms, window.pane_ms)
                sums = self._sums_of(base).since(reader.places, first, before=before)
                return quotient(sums, attribute.decimals)
            case Total():
                return self._total(attribute, reader, before)
            case ListAttribute():
                return self._list(attribute, sub, reader, before)

    def _compute(self, attribute: Computed, reader: Reader, before: bool) -> Column:
        return evaluate(attribute.value, lambda ref: reader.read(ref, before=before), len(reader.places))

    def _sums_of(self, name: str) -> Sums:
        if name not in self._sums:
            if self._clock is None:
                self._clock = Clock(self.layout)
            self._sums[name] = Sums(self.layout, self._clock, *self._weights[name])
        return self._sums[name]

    def _total(self, attribute: Total, reader: Reader, before: bool) -> Column:
        sums = self._sums_of(attribute.name)
        if attribute.discard_ms is None:
            return quotient(sums.since(reader.places, None, before=before), attribute.decimals)
        if attribute.backfill is not None:
            base = reader.imported(attribute.backfill.value, before=before)
            base_time = reader.imported(attribute.backfill.time, before=before)
            assert isinstance(base_time, Numbers)
            return based(sums, reader.places, reader.now, attribute, base, base_time, before=before)
        first = first_of_window(reader.now, attribute.discard_ms, attribute.pane_ms)
        return quotient(sums.since(reader.places, first, before=before), attribute.decimals)

    def _single(self, attribute: Single, sub: str, reader: Reader, before: bool) -> Column:
        if attribute.name not in self._singles:
            found = single_updates(self._tables, attribute, self.config.limits.value_bytes)
            places, numbers = found.laid_out(self.layout)
            counted = standing_before(places, len(self.layout))
            self._singles[attribute.name] = places, counted, found.column.take(numbers)
        updates, counted, column = self._singles[attribute.name]
        layout, places = self.layout, reader.places
        last = at_places(counted[:-1] if before else counted[1:], places) - 1
        at = updates[np.maximum(last, 0)] if len(updates) else np.zeros(len(places), dtype=np.int64)
        has = (last >= 0) & (at >= layout.starts(places))
        time = layout.time[at] if len(layout) else at
        if attribute.ttl_ms is not None:
            has &= reader.now - time < attribute.ttl_ms
        if attribute.backfill is None:
            if sub:
                return Numbers(time, ~has)
            return _where(has, column, last, attribute.dtype)
        base = as_coded(reader.imported(attribute.backfill.value, before=before))
        base_time = reader.imported(attribute.backfill.time, before=before)
        assert isinstance(base_time, Numbers)
        return _latest(attribute, sub, has, as_coded(column), last, time, base, base_time, reader.now)

    def _list(self, attribute: ListAttribute, sub: str, reader: Reader, before: bool) -> Column:
        name = attribute.name
        if name not in self._lists:
            self._lists[name] = list_columns(attribute, self.layout, list_updates(self._tables, attribute))
        subs = reader.together.get((name, before), ())
        subs = [sub, *(each for each in subs if each != sub)]
        wanted = [attribute.aggregations[each] for each in subs]
        columns = self._lists[name].read(wanted, reader.places, before=before)
        for each, column in zip(subs, columns, strict=True):
            reader.keep(f"{name}.{each}", column, before=before)
        return columns[0]

    # Keys

    def _keys(self, k: int, places: Rows, before: bool) -> Column:
        if k not in self._versions:
            self._versions[k] = self._lay_out_versions(k)
        starts, after, earlier = self._versions[k]
        version = np.searchsorted(starts, places, side="right") - 1
        layout = self.layout
        has = (version >= 0) & (layout.node[layout.sequence[places]] >= 0)
        codes = np.where(has, version, -1).astype(np.int32)
        values = after
        if before:
            # At the very event that changed something, what it brought is not counted yet.
            is_change = has & (starts[np.maximum(version, 0)] == places) if len(starts) else has
            codes = np.where(is_change, codes + len(values), codes).astype(np.int32)
            values = [*after, *earlier]
        return _without_none(codes, values)

    def _lay_out_versions(self, k: int) -> tuple[Rows, list[Any], list[Any]]:
        """Return where in the layout the values of a key changed, and what they were after and before."""
        versions = self._joined.versions[k]
        places = self.layout.place_of[np.array(versions.events, dtype=np.int64)]
        order = np.argsort(places, kind="stable")
        order = order[np.searchsorted(places[order], 0) :]
        numbers = order.tolist()
        return places[order], [versions.after[n] for n in numbers], [versions.before[n] for n in numbers]


class Reader:
    """Reads names at some places of the layout, which ascend; what is read is kept.

    wider, keep: a reader of more places, and which of them these are: what it has read is taken over.
    together: list, and whether before the event → its aggregations that are best read at once.
    """

    def __init__(
        self,
        profiles: Profiles,
        places: Rows,
        wider: Reader | None = None,
        keep: Rows | None = None,
        *,
        together: Mapping[tuple[str, bool], Sequence[str]],
    ) -> None:
        self.together = together
        self.profiles = profiles
        self.places = places
        self.now = at_places(profiles.layout.time, places)
        self._wider = wider
        self._keep = keep
        self._found: dict[tuple[str, bool], Column] = {}
        self._batch_rows: dict[bool, NDArray[np.int64]] = {}

    def read(self, ref: Ref, *, before: bool = False) -> Column:
        """Return what a name of the profile, `now` or a segment yields."""
        before = before or ref.before
        if ref.kind == "now":
            return Numbers(self.now)
        if ref.kind == "segment":
            return self.profiles.batch.segment(ref.name, self.batch_rows(before=before))
        key = (ref.name, before)
        column = self._known(key)
        if column is None:
            column = self._found[key] = self.profiles.read(self, ref, before)
        return column

    def keep(self, name: str, column: Column, *, before: bool) -> None:
        """Take in what was read along with another name."""
        self._found[name, before] = column

    def _known(self, key: tuple[str, bool]) -> Column | None:
        column = self._found.get(key)
        if column is None and self._wider is not None:
            column = self._wider._known(key)
            if column is not None:
                assert self._keep is not None
                column = self._found[key] = column.take(self._keep)
        return column

    def imported(self, name: str, *, before: bool) -> Column:
        """Return the values of an imported attribute."""
        return self.profiles.batch.column(name, self.batch_rows(before=before))

    def batch_rows(self, *, before: bool) -> NDArray[np.int64]:
        """Return the number of the profile's batch row, -1 for none."""
        if before not in self._batch_rows:
            self._batch_rows[before] = self.profiles.batch.rows_at(self.places, self.now, before=before)
        return self._batch_rows[before]

    def narrowed(self, keep: Rows) -> Reader:
        """Return a reader at some of the places, given by number."""
        return Reader(self.profiles, self.places[keep], self, keep, together=self.together)


def _where(has: NDArray[np.bool_], column: Column, number: Rows, dtype: str) -> Column:
    """Return `column[number]` where there is one, else NULL."""
    if not len(column):
        return as_kind(Coded(np.full(len(has), -1, dtype=np.int32), []), dtype)
    taken = column.take(np.maximum(number, 0))
    if isinstance(taken, Coded):
        return Coded(np.where(has, taken.codes, np.int32(-1)), taken.values)
    if isinstance(taken, Truths):
        return Truths(taken.true & has, taken.false & has)
    assert isinstance(taken, Numbers)
    return Numbers(taken.data, taken.null() | ~has)


def as_kind(column: Coded, kind: str) -> Column:
    """Return a column of few values as the kind of column that its type has."""
    if kind in ("boolean", "timestamp", "number"):
        few = column_of([*column.values, None], kind)
        return few.take(np.where(column.codes < 0, len(column.values), column.codes))
    return column


def _without_none(codes: NDArray[np.int32], values: list[Any]) -> Coded:
    """Return a column of values some of which are None: their codes become -1."""
    is_none = np.array([*(value is None for value in values), True], dtype=np.bool_)
    return Coded(np.where(is_none[codes], np.int32(-1), codes), values)


def _latest(
    attribute: Single,
    sub: str,
    has: NDArray[np.bool_],
    column: Coded,
    last: Rows,
    time: NDArray[np.int64],
    base: Coded,
    base_time: Numbers,
    now: NDArray[np.int64],
) -> Column:
    """Return the later of own and imported values, or its time: as `reactor.attributes.single.latest`."""
    dated = (base.codes >= 0) & ~base_time.null()
    is_fresh = dated & (base_time.data <= now) & ~(has & (base_time.data <= time))
    if attribute.ttl_ms is not None:
        is_fresh &= now - base_time.data < attribute.ttl_ms
    is_undated = (base.codes >= 0) & base_time.null() & ~has
    if sub:
        return Numbers(np.where(is_fresh, base_time.data, time), ~(has | is_fresh))
    own = column.codes[np.maximum(last, 0)] if len(column) else np.full(len(has), -1, dtype=np.int32)
    codes = np.where(has, own, np.int32(-1))
    codes = np.where(is_fresh | is_undated, base.codes + np.int32(len(column.values)), codes)
    numbers, distinct = number_values([*column.values, *base.values])
    merged = Coded(np.append(numbers, np.int32(-1))[codes], distinct)
    return as_kind(merged, attribute.dtype)
