"""The columns of an event, as its table's generated function reads them: each usable, or NULL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from reactor.criteria import Expression, Ref, walk
from reactor.event import nested
from reactor.identity import NULL
from reactor.spec.model import Config, Table
from reactor.units import format_time
from reactor.values import text_fits, usable


class Columns:
    """The columns of one event. table: None for a read without an event; every column is then NULL."""

    def __init__(self, event: Mapping[str, Any], table: Table | None, config: Config) -> None:
        self._event = event
        self._table = table
        self._keys = config.keys
        self._text_bytes = config.limits.value_bytes
        self._made: dict[str, Any] = {}

    def read(self, ref: Ref) -> Any:
        """Return the value of a column."""
        made = None if self._table is None or ref.path else self._table.columns.get(ref.name)
        if made is None:
            return self._raw(ref)
        value = self._made_column(ref.name, made)
        if made.type == "timestamp" and ref.type == "untyped":
            # In a place that takes the column for an untyped one.
            return None if value is None else format_time(value)
        return value

    def identifiers(self) -> tuple[object, ...]:
        """Return the raw identifier of each key: None where it is absent, `NULL` where it is NULL."""
        found: list[object] = []
        made = {} if self._table is None else self._table.columns
        for key in self._keys:
            if key.internal:
                found.append(None)
            elif key.name in made:
                found.append(self._made_column(key.name, made[key.name]))
            elif key.name in self._event:
                value = self._event[key.name]
                found.append(NULL if value is None else value)
            else:
                found.append(None)
        return tuple(found)

    def _raw(self, ref: Ref) -> Any:
        """Return one of the event's own columns: what a made column's expression reads."""
        value = self._event.get(ref.name)
        if ref.path:
            return nested(value, ref.path, self._text_bytes)
        return usable(value, self._text_bytes)

    def _made_column(self, name: str, expression: Expression) -> Any:
        if name not in self._made:
            value = walk(expression, self._raw)
            if expression.type == "string":
                if value is not None and not text_fits(cast(str, value), self._text_bytes):
                    value = None
            elif expression.type not in ("number", "boolean", "timestamp"):
                value = usable(value, self._text_bytes)
            self._made[name] = value
        return self._made[name]
