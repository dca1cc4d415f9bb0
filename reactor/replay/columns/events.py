"""The events of one table as columns: as sent, made, and what expressions come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from reactor.criteria import Expression, Ref
from reactor.plan.names import as_untyped_time
from reactor.replay.columns.column import Codes, Column, Rows, as_coded
from reactor.replay.columns.conditions import narrow
from reactor.replay.columns.expressions import evaluate
from reactor.replay.columns.ordering import order_of
from reactor.replay.columns.reading import Raw, all_names, read_raw
from reactor.replay.history import Piece
from reactor.spec.model import Config, Section, Table, Trigger
from reactor.values import text_fits, usable


class Identifiers(NamedTuple):
    """What stands in the column of a key. codes: -1 where it is absent; values: None is one sent as null."""

    codes: Codes
    values: list[Any]


class EventTable:
    """The events of one table.

    places: of its events in the history, ascending; rows here are numbers in this array.
    """

    def __init__(self, config: Config, table: Table, pieces: Sequence[Piece]) -> None:
        self.table = table
        self.places = np.concatenate([piece.places for piece in pieces])
        self._order: Rows | None = None
        if np.any(self.places[1:] < self.places[:-1]):
            self._order = order_of(self.places)
            self.places = self.places[self._order]
        self._config = config
        self._pieces = pieces
        self._text_bytes = config.limits.value_bytes
        self._raw: dict[str, Raw] = {}
        self._columns: dict[tuple[str, tuple[str, ...]], Column] = {}
        self._made: dict[str, Column] = {}
        self.flags = {
            event.name: event.where for event in config.key_events.values() if event.table == table.name
        }
        self._hits: dict[str, Rows] = {}

    def __len__(self) -> int:
        return len(self.places)

    # Columns

    def read(self, names: Sequence[str]) -> None:
        """Read columns; what is read together is read once."""
        wanted = [name for name in dict.fromkeys(names) if name not in self._raw]
        if wanted:
            for name, raw in read_raw(self._pieces, wanted).items():
                self._raw[name] = raw if self._order is None else raw.taken(self._order)

    def raw(self, name: str) -> Raw:
        """Return a column as it was sent."""
        self.read([name])
        return self._raw[name]

    def names(self) -> list[str]:
        """Return the names of all columns there are."""
        return all_names(self._pieces)

    def column(self, ref: Ref) -> Column:
        """Return what a column's name yields, made or sent."""
        made = None if ref.path else self.table.columns.get(ref.name)
        if made is None:
            return self._sent(ref)
        column = self.made(ref.name)
        if made.type == "timestamp" and ref.type == "untyped":
            return as_coded(column).map(as_untyped_time)
        return column

    def _sent(self, ref: Ref) -> Column:
        key = (ref.name, ref.path)
        if key not in self._columns:
            self._columns[key] = self.raw(ref.name).usable(self._text_bytes, ref.path)
        return self._columns[key]

    def made(self, name: str) -> Column:
        """Return a made column."""
        if name not in self._made:
            expression = self.table.columns[name]
            column = evaluate(expression, self._sent, len(self))
            self._made[name] = self._fitted(column, expression)
        return self._made[name]

    def _fitted(self, column: Column, expression: Expression) -> Column:
        """Return computed values in their one form, NULL where they can't be used."""
        text_bytes = self._text_bytes
        if expression.type == "string":
            return as_coded(column).map(lambda value: value if text_fits(value, text_bytes) else None)
        if expression.type in ("number", "boolean", "timestamp"):
            return column
        return as_coded(column).map(lambda value: usable(value, text_bytes))

    # Expressions over the event

    def value(self, expression: Expression, rows: Rows) -> Column:
        """Return the values of an expression in some rows."""
        root = expression.root
        if isinstance(root, Ref):
            return self.column(root).take(rows)
        return evaluate(expression, lambda ref: self.column(ref).take(rows), len(rows))

    def kept_value(self, expression: Expression, rows: Rows) -> Column:
        """As `value`, in the form in which an attribute keeps it."""
        column = self.value(expression, rows)
        return column if is_column(expression) else self._fitted(column, expression)

    def where(self, condition: Expression | None, rows: Rows) -> Rows:
        """Return those of the rows where a condition on the event is true."""
        if condition is None or not len(rows):
            return rows
        return narrow(condition, _TableRows(self, rows)).rows

    def key_event(self, name: str) -> Rows:
        """Return the rows that are one key event, which is of this table."""
        if name not in self._hits:
            self._hits[name] = self.where(self.flags[name], np.arange(len(self)))
        return self._hits[name]

    def cases(self, triggers: Sequence[Trigger]) -> list[tuple[str, Rows]]:
        """Return for each trigger its key event and the rows that are its, and no earlier one's."""
        taken = np.zeros(len(self), dtype=np.bool_)
        found = []
        for trigger in triggers:
            if trigger.key_event not in self.flags:
                continue
            rows = self.key_event(trigger.key_event)
            rows = self.where(trigger.where, rows[~taken[rows]])
            taken[rows] = True
            found.append((trigger.key_event, rows))
        return found

    def triggered(self, section: Section) -> Rows | None:
        """Return the rows where a section's key event and `where` hold; None where it answers none."""
        if section.on is None:
            return self.where(section.where.get(""), np.arange(len(self)))
        names = [name for name in section.on if name in self.flags]
        if not names:
            return None
        taken = np.zeros(len(self), dtype=np.bool_)
        found = []
        for name in names:
            rows = self.key_event(name)
            rows = rows[~taken[rows]]
            taken[rows] = True
            found.append(self.where(section.where.get(name), rows))
        return found[0] if len(found) == 1 else np.sort(np.concatenate(found))

    # Identity

    def identifiers(self) -> list[Identifiers | None]:
        """Return for each key what stands in its column; None for an internal key."""
        found: list[Identifiers | None] = []
        self.read([key.name for key in self._config.keys if not key.internal])
        for key in self._config.keys:
            if key.internal:
                found.append(None)
            elif key.name in self.table.columns:
                column = as_coded(self.made(key.name))
                found.append(Identifiers(column.codes, column.values))
            else:
                raw = self.raw(key.name)
                found.append(Identifiers(raw.codes, raw.values))
        return found


class _TableRows:
    """Some rows of a table, for a condition on the event."""

    def __init__(self, table: EventTable, rows: Rows) -> None:
        self.table = table
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, ref: Ref) -> Column:
        return self.table.column(ref).take(self.rows)

    def narrowed(self, keep: Rows) -> _TableRows:
        return _TableRows(self.table, self.rows[keep])


def is_column(expression: Expression) -> bool:
    """Tell whether all an expression does is read a column."""
    return isinstance(expression.root, Ref) and expression.root.kind == "column"
