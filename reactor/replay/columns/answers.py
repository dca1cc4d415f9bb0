"""Sections over columns: where each matches, and what it then offers, as the tables of results have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from reactor.criteria import Expression, Ref
from reactor.payload import number_out, segments_out, time_out
from reactor.plan import PartInfo, refs_of
from reactor.plan.sections import is_ready
from reactor.replay.columns.column import Column, Lists, Numbers, Rows, Truths, as_coded
from reactor.replay.columns.conditions import narrow
from reactor.replay.columns.events import EventTable
from reactor.replay.columns.expressions import evaluate
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.profile import Profiles, Reader
from reactor.replay.tables import PART_TYPES, TIME, json_text
from reactor.spec.model import Config, Section

_encode = msgspec.json.Encoder().encode

_OUT: Final = {"number": number_out, "timestamp": time_out}


class Rowset:
    """Some rows of a table with the profiles they belong to. rows: in the order of the layout."""

    def __init__(self, table: EventTable, rows: Rows, reader: Reader) -> None:
        self.table = table
        self.rows = rows
        self.reader = reader

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, ref: Ref) -> Column:
        """Return what a name yields."""
        return self.table.column(ref).take(self.rows) if ref.kind == "column" else self.reader.read(ref)

    def narrowed(self, keep: Rows) -> Rowset:
        """Return some of the rows, given by number."""
        return Rowset(self.table, self.rows[keep], self.reader.narrowed(keep))


class Offered(msgspec.Struct, frozen=True, eq=False):
    """The offers of one section: the events they answer, and their texts."""

    section: Section
    events: Rows
    is_redacted: bool
    attributes: pl.Series
    segments: pl.Series


class Answers:
    """Finds what the events of each table are answered. is_shown: mask of the events that give rows."""

    def __init__(
        self, config: Config, profiles: Profiles, *, is_private: bool, is_shown: NDArray[np.bool_]
    ) -> None:
        self._config = config
        self._profiles = profiles
        self._is_private = is_private
        self._is_shown = is_shown & (profiles.layout.place_of >= 0)

    def offers(self, table: EventTable) -> list[Offered]:
        """Return what every section offers to the events of a table."""
        places = self._profiles.layout.place_of[table.places]
        shown = np.flatnonzero(self._is_shown[table.places])
        order = shown[order_of(places[shown])]
        found = []
        for section in self._config.sections:
            rows = table.triggered(section)
            if rows is None:
                continue
            is_on = np.zeros(len(table), dtype=np.bool_)
            is_on[rows] = True
            rows = order[is_on[order]]
            matched = Rowset(table, rows, self._profiles.reader(places[rows], refs_of(section)))
            if section.when is not None:
                matched = narrow(section.when, matched)
            if len(matched):
                found.append(self._offered(section, matched))
        return found

    def _offered(self, section: Section, matched: Rowset) -> Offered:
        count = len(matched)
        events = matched.table.places[matched.rows]
        if section.sensitive and not self._is_private:
            nothing = pl.repeat(None, count, dtype=pl.String, eager=True)
            return Offered(section, events, True, nothing, nothing)
        return Offered(
            section, events, False, self._attributes(section, matched), self._segments(section, matched)
        )

    def _attributes(self, section: Section, matched: Rowset) -> pl.Series:
        """Return the attributes of offers as JSON text."""
        parts: list[Any] = []
        text = "{"
        for name, expression in section.attributes.items():
            text += f"{_encode(name).decode()}:"
            parts += [pl.lit(text), json_texts(self._out(expression, matched))]
            text = ","
        for name, value in section.strings.items():
            text += f"{_encode(name).decode()}:{_encode(value).decode()},"
        text = f"{text.removesuffix(',')}}}"
        if not parts:
            return pl.repeat(text, len(matched), dtype=pl.String, eager=True)
        return pl.select(pl.concat_str([*parts, pl.lit(text)])).to_series()

    def _out(self, expression: Expression, matched: Rowset) -> Column:
        """Return an expression's values as JSON has them."""
        root = expression.root
        if isinstance(root, Ref):
            column = matched.column(root)
        else:
            column = evaluate(expression, matched.column, len(matched))
        is_number = expression.type == "number" and isinstance(column, Numbers)
        if is_number or is_ready(self._config, expression):
            return column
        function = _OUT.get(expression.type)
        return column if function is None else as_coded(column).map(function)

    def _segments(self, section: Section, matched: Rowset) -> pl.Series:
        """Return the batch segments of offers as JSON text."""
        if section.segments is None:
            return pl.repeat(None, len(matched), dtype=pl.String, eager=True)
        ids = section.segments
        rows = matched.reader.batch_rows(before=False)
        texts = [json_text(segments_out(ids, row[-1])) for row in self._profiles.batch.rows]
        known = pl.Series([*texts, json_text([])], dtype=pl.String)
        return known.gather(np.where(rows < 0, len(texts), rows))

    # Every part

    def parts(self, shown: Sequence[PartInfo], *, before: bool) -> tuple[Rows, list[pl.Series]]:
        """Return events in the order of the layout, and the parts of profiles just after each, or before."""
        layout = self._profiles.layout
        places = np.flatnonzero(layout.place_of[layout.event] == np.arange(len(layout)))
        places = places[self._is_shown[layout.event[places]]]
        refs = [replace(ref_of(self._config, part), before=before) for part in shown]
        reader = self._profiles.reader(places, refs)
        return layout.event[places], [self.part(reader, part, before=before) for part in shown]

    def part(self, reader: Reader, part: PartInfo, *, before: bool) -> pl.Series:
        """Return one part as a column of the tables of results."""
        return typed(reader.read(ref_of(self._config, part), before=before), part.type)


def ref_of(config: Config, part: PartInfo) -> Ref:
    """Return a part as a name."""
    known = config.names[part.name]
    return Ref("profile", part.name, known.type, known.nullable)


def json_texts(column: Column) -> pl.Series:
    """Return values as JSON text, `null` for NULL."""
    if isinstance(column, Numbers):
        found = column.tolist()
        texts = _encode(found)[1:-1].decode().split(",") if found else []
        return pl.Series(texts, dtype=pl.String)
    if isinstance(column, Lists):
        lists = column.source.made(column.rows, _text)
        return pl.Series(lists.values, dtype=pl.String).gather(lists.codes)
    coded = as_coded(column)
    known = pl.Series([*map(_text, coded.values), "null"], dtype=pl.String)
    return known.gather(np.where(coded.codes < 0, len(coded.values), coded.codes))


def _text(value: Any) -> str:
    return _encode(value).decode()


def typed(column: Column, kind: str) -> pl.Series:
    """Return values as a column of the type that a part's values have in tables; see `PART_TYPES`."""
    dtype = PART_TYPES[kind]
    if isinstance(column, Truths):
        return pl.Series(column.tolist(), dtype=pl.Boolean)
    if isinstance(column, Numbers) and dtype is not None:
        found = pl.Series(column.data)
        if column.nulls is not None:
            found = pl.select(pl.when(pl.Series(~column.nulls)).then(found)).to_series()
        return found.cast(pl.Int64).cast(TIME) if dtype == TIME else found.cast(dtype)
    if isinstance(column, Lists) and dtype is None:
        return json_texts(column)
    coded = as_coded(column)
    values: list[Any] = [*coded.values, None]
    if dtype is None:
        known = pl.Series([json_text(value) for value in values], dtype=pl.String)
    else:
        known = pl.Series(values, dtype=dtype)
    return known.gather(np.where(coded.codes < 0, len(coded.values), coded.codes))
