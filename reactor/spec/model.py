"""The declared model: a config, checked and resolved.

All durations are ms, all names are resolved, all expressions compiled. What is optional in
the file has its default here. Nothing in this module reads a file or finds a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from reactor.criteria import Expression, Name
from reactor.errors import Problem

DType: TypeAlias = Literal["string", "number", "boolean", "timestamp", "strings", "numbers"]
AggregationKind: TypeAlias = Literal["first", "last", "sum", "min", "max", "distinct", "count"]

# An expression over the event, by the key event it is read for.
ByKeyEvent: TypeAlias = Mapping[str, Expression]


class Limits(msgspec.Struct, frozen=True):
    """Ceilings. Durations in ms, sizes in bytes; None is off."""

    sliding_window_ms: int
    window_ms: int
    items: int
    keys: int
    attributes: int
    tables: int
    sub_windows: int
    associations: int
    panes: int
    fields: int
    name: int
    event_bytes: int
    value_bytes: int
    identifier_bytes: int
    clock_skew_ms: int
    idle_ms: int | None
    profiles: int | None
    memory_bytes: int | None
    when_full: Literal["evict", "refuse"]


class Table(msgspec.Struct, frozen=True):
    """Where events arrive. `time` names the time column (it may be a made column); `timezone` an IANA
    name, or None for UTC; `columns` the made columns, each over the event's own columns."""

    name: str
    time: str = "time"
    timezone: str | None = None
    columns: Mapping[str, Expression] = {}


class Key(msgspec.Struct, frozen=True):
    """A stitching key. `valid`: a pattern (RE2, unanchored) or None; `invalid`: texts to ignore."""

    name: str
    valid: str | None
    invalid: frozenset[str]
    internal: bool


class KeyEvent(msgspec.Struct, frozen=True):
    """A named filter over one table; no `where` passes every event."""

    name: str
    table: str
    where: Expression | None


class Trigger(msgspec.Struct, frozen=True):
    """One entry of `on`, `delete_on` or `clear_on`."""

    key_event: str
    where: Expression | None


class Backfill(msgspec.Struct, frozen=True):
    """The names of two imported attributes: a value and the time it was true at."""

    value: str
    time: str


# `was`, on what keeps state: the former name, whose state a reload keeps under the new one.
class Single(msgspec.Struct, frozen=True, tag="single"):
    """The latest value by event time. `ttl_ms` is None for a value that stays."""

    name: str
    on: tuple[Trigger, ...]
    value: ByKeyEvent  # an entry for each key event in `on`
    dtype: DType
    ttl_ms: int | None
    backfill: Backfill | None
    sensitive: bool
    was: str | None = None


class Aggregation(msgspec.Struct, frozen=True):
    """`column` is "item" or the name of a field."""

    name: str
    kind: AggregationKind
    column: str
    sensitive: bool


class ListAttribute(msgspec.Struct, frozen=True, tag="list"):
    """The newest `max_items` items, each for `ttl_ms`, read by its aggregations only."""

    name: str
    on: tuple[Trigger, ...]
    item: ByKeyEvent  # for each key event in `on` and `delete_on`
    fields: Mapping[str, ByKeyEvent]  # for each key event in `on`
    unique: bool
    max_items: int
    ttl_ms: int
    aggregations: Mapping[str, Aggregation]
    delete_on: tuple[Trigger, ...]
    clear_on: tuple[Trigger, ...]
    was: str | None = None


class Window(msgspec.Struct, frozen=True):
    """`name` is None for the counter's own window."""

    name: str | None
    window_ms: int
    pane_ms: int


class Counter(msgspec.Struct, frozen=True, tag="counter"):
    """A sliding counter. `increment` is None for 1; `decimals` is then 0. `windows[0]` is its own window."""

    name: str
    on: tuple[Trigger, ...]
    increment: ByKeyEvent | None
    decimals: int
    windows: tuple[Window, ...]
    was: str | None = None


class Total(msgspec.Struct, frozen=True, tag="total"):
    """A total counter. `discard_ms` is None for `never`; `pane_ms` is a day, an hour with a backfill."""

    name: str
    on: tuple[Trigger, ...]
    increment: ByKeyEvent | None
    decimals: int
    discard_ms: int | None
    pane_ms: int
    backfill: Backfill | None
    was: str | None = None


class Imported(msgspec.Struct, frozen=True, tag="imported"):
    """The value of a column of the profile's imported row."""

    name: str
    column: str
    dtype: DType
    sensitive: bool


class Computed(msgspec.Struct, frozen=True, tag="computed"):
    """`sensitive` is derived: one of its parts is, or it reads a stitching key."""

    name: str
    value: Expression
    sensitive: bool


Attribute: TypeAlias = Single | ListAttribute | Counter | Total | Imported | Computed


class Section(msgspec.Struct, frozen=True):
    """One candidate part of an answer.

    on: None answers any event, and reads of a profile.
    where: by key event of `on`; for a section without `on` the one entry is under "".
    attributes: output name → expression; strings: output name → text.
    segments: ids in config order, or None.
    sensitive: the sensitive names its payload reads, in payload order; () is public-safe.
    """

    personalization: str
    name: str
    on: tuple[str, ...] | None
    where: ByKeyEvent
    when: Expression | None
    attributes: Mapping[str, Expression]
    strings: Mapping[str, str]
    segments: tuple[str, ...] | None
    sensitive: tuple[str, ...]


class Config(msgspec.Struct, frozen=True):
    """A config, checked and resolved: what `Reactor(...)` runs.

    tables: every table that is listed or named by a key event, in that order.
    names: all names of the profile with their types, as criteria see them.
    computed: names of computed attributes, each after those it reads.
    warnings: what `check` warns of.
    source: path of the file, or None.
    """

    name: str
    description: str
    limits: Limits
    tables: Mapping[str, Table]
    keys: tuple[Key, ...]
    lookup_key: str | None
    secret: str
    key_events: Mapping[str, KeyEvent]
    attributes: Mapping[str, Attribute]
    segments: Mapping[str, str]
    sections: tuple[Section, ...]
    names: Mapping[str, Name]
    computed: tuple[str, ...]
    warnings: tuple[Problem, ...]
    source: str | None

    def __repr__(self) -> str:
        return (
            f"Config({self.name!r}: {len(self.tables)} tables, {len(self.keys)} keys, "
            f"{len(self.attributes)} attributes, {len(self.sections)} sections)"
        )
