"""One event, as the reference model reads it: columns, time, identifiers, and what it says to attributes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

import re2

from reactor.criteria import Expression, Ref, walk
from reactor.errors import EventError
from reactor.spec.model import ByKeyEvent, Config, Counter, Key, ListAttribute, Single, Table, Total, Trigger
from reactor.testing.reference_values import coerce, increment_of, is_missing, parse_time, usable
from reactor.units import MAX_TIME_MS

Identifier = tuple[str, str]

NO_STRING = "Value is not a string."
EMPTY = "Value is empty."
TOO_LONG = "Value is too long."
NO_MATCH = "Value does not meet the valid_regexp for this key."
UNWANTED = "Value is included in invalid_texts for this key."
OTHER_CASE = "Key name case does not match a configured key."


class Failure(NamedTuple):
    """A value that looks like an identifier and may not be one."""

    key: str
    value: object
    reason: str


class Item(NamedTuple):
    """One element of a list attribute, with the fields that came beside it."""

    value: object
    fields: Mapping[str, object]


class ListChange(NamedTuple):
    """What one event does to a list: first the items, then the deletes, then the clear."""

    items: list[Item]
    deletes: list[object]
    clear: bool


class Event:
    """An event that was accepted. `time_ms` is set once the call's `now` is known."""

    def __init__(self, config: Config, table: str, raw: Mapping[str, object]) -> None:
        self.config = config
        self.table = table
        self.raw = raw
        self.time_ms = 0
        self._declared = config.tables.get(table) or Table(name=table)
        self._text_bytes = config.limits.value_bytes
        self._facts: dict[str, object] = {}
        self.made: dict[str, object] = {}
        made = {
            name: usable(walk(expression, self._own_column), self._text_bytes)
            for name, expression in self._declared.columns.items()
        }
        self.made = made
        self.key_events = [event.name for event in config.key_events.values() if self._is(event.name)]

    def _is(self, key_event: str) -> bool:
        declared = self.config.key_events[key_event]
        return declared.table == self.table and (declared.where is None or self.holds(declared.where))

    def _own_column(self, ref: Ref) -> object:
        value: object = self.raw.get(ref.name)
        for name in ref.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return usable(value, self._text_bytes)

    def column(self, ref: Ref) -> object:
        """Read a column in an expression: made columns hide the event's own."""
        if ref.name in self.made:
            return None if ref.path else self.made[ref.name]
        return self._own_column(ref)

    def value(self, expression: Expression) -> object:
        """Return the value of an expression over this event."""
        return walk(expression, self.column)

    def holds(self, condition: Expression) -> bool:
        """Tell whether a condition over this event is true."""
        return self.value(condition) is True

    def first(self, triggers: tuple[Trigger, ...]) -> str | None:
        """Return the first key event of `triggers` that this event is, its `where` included."""
        for trigger in triggers:
            if trigger.key_event not in self.key_events:
                continue
            if trigger.where is None or self.holds(trigger.where):
                return trigger.key_event
        return None

    def own_time(self) -> int | None:
        """Return the event's time in ms, None if it has none.

        Raises EventError for what is no time, or lies outside 1970 to 9999.
        """
        name = self._declared.time
        expression = self._declared.columns.get(name)
        value = self.made.get(name) if expression is not None else self.raw.get(name)
        if value is None or value != value:
            return None
        if expression is not None and expression.type == "timestamp" and isinstance(value, int):
            return in_range(value, name)
        zone = ZoneInfo(self._declared.timezone) if self._declared.timezone else None
        return in_range(parse_time(value, zone), name)

    def names(self) -> list[str]:
        """Return the names of the columns that are there."""
        hidden = set(self.made)
        return [name for name in self.raw if name not in hidden] + [
            name for name, value in self.made.items() if value is not None
        ]

    def identity_column(self, name: str) -> object:
        """Return a column as it came, for validation as an identifier; None for NaN."""
        value = self.made[name] if name in self.made else self.raw.get(name)
        return None if isinstance(value, float) and is_missing(value) else value

    def identifiers(self) -> tuple[list[Identifier], list[Failure]]:
        """Return the valid identifiers in config order, and the failures."""
        config, present = self.config, self.names()
        valid: list[Identifier] = []
        failures = [Failure(name, self.raw[name], OTHER_CASE) for name in present if self._is_misnamed(name)]
        for key in config.keys:
            if key.internal or key.name not in present:
                continue
            value = self.identity_column(key.name)
            reason = fault(key, value, config.limits.identifier_bytes)
            if reason is None:
                valid.append((key.name, str(value)))
            else:
                failures.append(Failure(key.name, value, reason))
        return valid, failures

    def _is_misnamed(self, name: str) -> bool:
        """Tell whether a column of the event equals a key but for the case of its name."""
        keys = self.config.keys
        spelled = {key.name.lower() for key in keys if not key.internal}
        is_key = name in {key.name for key in keys} or name in self.made
        return not is_key and name.lower() in spelled and self.raw[name] is not None

    def fact(self, attribute: Single | ListAttribute | Counter | Total) -> object:
        """Return what this event says to an attribute: a value, a ListChange, or units; None for nothing."""
        if attribute.name not in self._facts:
            self._facts[attribute.name] = self._fact(attribute)
        return self._facts[attribute.name]

    def _fact(self, attribute: Single | ListAttribute | Counter | Total) -> object:
        if isinstance(attribute, ListAttribute):
            return self._list_change(attribute)
        key_event = self.first(attribute.on)
        if key_event is None:
            return None
        if isinstance(attribute, Single):
            expression = attribute.value[key_event]
            result = self._usable(expression)
            return usable(coerce(result, attribute.dtype, expression.type), self._text_bytes)
        if attribute.increment is None:
            return 1
        return increment_of(self.value(attribute.increment[key_event]), attribute.decimals)

    def _list_change(self, attribute: ListAttribute) -> ListChange:
        added, deleted = self.first(attribute.on), self.first(attribute.delete_on)
        fields = {}
        if added is not None:
            fields = {name: self._usable(by[added]) for name, by in attribute.fields.items()}
        items = [Item(value, fields) for value in self._elements(attribute.item, added)]
        deletes = self._elements(attribute.item, deleted)
        return ListChange(items, deletes, self.first(attribute.clear_on) is not None)

    def _elements(self, item: ByKeyEvent, key_event: str | None) -> list[object]:
        if key_event is None:
            return []
        value = self._usable(item[key_event])
        if value is None:
            return []
        return value if isinstance(value, list) else [value]

    def _usable(self, expression: Expression) -> object:
        return usable(self.value(expression), self._text_bytes)


def fault(key: Key, value: object, most_bytes: int) -> str | None:
    """Return why a value may not be an identifier of a key; None if it may.

    >>> email = Key(name="email", valid="@", invalid=frozenset({"no@no"}), internal=False)
    >>> [fault(email, value, 9) for value in (None, 1, "abc", "no@no", "a@b", "a@b" * 4)]
    ['Value is empty.', 'Value is not a string.', 'Value does not meet the valid_regexp for this key.', \
'Value is included in invalid_texts for this key.', None, 'Value is too long.']
    """
    if value is None or value == "":
        return EMPTY
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        return NO_STRING
    if len(value.encode()) > most_bytes:
        return TOO_LONG
    if key.valid is not None and re2.search(key.valid, value) is None:
        return NO_MATCH
    return UNWANTED if value in key.invalid else None


def in_range(time_ms: int | None, path: str) -> int:
    """Return a time between 1970 and 9999, or raise an EventError."""
    if time_ms is None:
        raise EventError(path, "expected a time")
    if not 0 <= time_ms <= MAX_TIME_MS:
        raise EventError(path, "expected a time between 1970 and 9999: milliseconds?")
    return time_ms


def read_now(now: object, clock: Callable[[], float] | None) -> int | None:
    """Return the ms of the call's `now`, else of the clock, else None."""
    if now is None:
        now = clock() if clock is not None else None
    return None if now is None else in_range(parse_time(now, None), "now")


def decode(event: object) -> Mapping[str, object]:
    """Return the columns of an event given as a mapping or as JSON."""
    if isinstance(event, bytes | str):
        event = json.loads(event)
    if not isinstance(event, Mapping):
        raise EventError("$", "expected an object")
    return event
